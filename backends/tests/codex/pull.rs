//! Companies from another system: a small HTTP server that fails in every way that such systems fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hivematrix_backends::codex::PullSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// How the other system answers one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// 500.
    Broken,
    /// Half of a page, then the connection is cut.
    Cut,
    /// 429.
    Busy,
    /// 200 with a page of HTML.
    Nonsense,
    /// 403.
    Refused,
}

/// The other system: companies in pages of ten, and the faults that are to come, each for one request of a page.
#[derive(Default)]
struct Other {
    companies: Mutex<Vec<Value>>,
    faults: Mutex<Vec<(u64, Fault)>>,
    /// The pages that were asked for.
    asked: Mutex<Vec<u64>>,
}

impl Other {
    fn with(count: i64) -> Arc<Self> {
        let other = Self::default();
        let companies = (0..count).map(|number| {
            // Numbers that no floating-point number can hold.
            json!({"id": 9_007_199_254_740_993_i64 + number, "name": format!("Pulled {number:03}"), "account_number": format!("P-{number}")})
        });
        *other.companies.lock().unwrap() = companies.collect();
        Arc::new(other)
    }

    fn fails(&self, faults: &[(u64, Fault)]) {
        faults.clone_into(&mut self.faults.lock().unwrap());
    }

    fn asked(&self) -> Vec<u64> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Serves until the test is over.
    async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/v1/companies?active=true",
            listener.local_addr().unwrap()
        );
        let other = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let answer = other.answer(&String::from_utf8(head).unwrap());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    /// The bytes of an answer, after which the connection is closed.
    fn answer(&self, head: &str) -> String {
        assert!(head.contains("authorization: Bearer the token\r\n"), "{head}");
        assert!(head.starts_with("GET /v1/companies?active=true&page="), "{head}");
        let page: u64 = head
            .split("page=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        self.asked.lock().unwrap().push(page);
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            let at = faults.iter().position(|(of, _)| *of == page);
            at.map(|at| faults.remove(at).1)
        };
        let companies = self.companies.lock().unwrap();
        let first = (page as usize - 1) * 10;
        let next = (first + 10 < companies.len()).then_some(page + 1);
        let rows: Vec<_> = companies.iter().skip(first).take(10).collect();
        let body = json!({"companies": rows, "next_page": next}).to_string();
        let whole = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        match fault {
            None => whole("200 OK", &body),
            Some(Fault::Broken) => whole("500 Internal Server Error", "oops"),
            Some(Fault::Busy) => whole("429 Too Many Requests", ""),
            Some(Fault::Refused) => whole("403 Forbidden", ""),
            Some(Fault::Nonsense) => whole("200 OK", "<html>maintenance</html>"),
            Some(Fault::Cut) => {
                let whole = whole("200 OK", &body);
                whole[..whole.len() - body.len() / 2].to_owned()
            }
        }
    }
}

fn pull(url: &str, every: Duration) -> PullSettings {
    PullSettings {
        source: "psa".parse().unwrap(),
        url: url.parse().unwrap(),
        token: Some("the token".into()),
        every,
        per_page: 10,
        pause: Duration::from_millis(1),
        http: hivematrix_platform::http_client::internal().unwrap(),
    }
}

async fn codex_of(url: &str) -> Stand {
    codex_with(CodexSettings {
        pull: Some(pull(url, Duration::ZERO)),
        ..settings().await
    })
    .await
}

async fn run(codex: &Stand) -> Value {
    let answer = codex
        .call(Method::POST, "/api/pull", &user(Admin), Value::Null)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["run"].clone()
}

async fn total(codex: &Stand) -> Value {
    codex.get("/api/companies", &user(Admin)).await.json()["total"].clone()
}

#[tokio::test]
async fn a_pull_takes_every_page_over_and_a_second_one_changes_nothing() {
    let other = Other::with(35);
    let codex = codex_of(&other.serve().await).await;
    let first = run(&codex).await;
    assert_eq!(
        (&first["state"], &first["pages"], &first["created"]),
        (&json!("finished"), &json!(4), &json!(35)),
        "{first}"
    );
    assert_eq!(other.asked(), [1, 2, 3, 4]);
    // All 64 bits of the number, as a text.
    let found = codex.get("/api/companies?search=P-0", &user(Admin)).await.json();
    assert_eq!(
        (
            &found["companies"][0]["external_id"],
            &found["companies"][0]["external_source"]
        ),
        (&json!("9007199254740993"), &json!("psa"))
    );
    let before = codex
        .get("/api/companies?per_page=100", &user(Admin))
        .await
        .json();
    let second = run(&codex).await;
    assert_eq!(
        (&second["created"], &second["changed"], &second["unchanged"]),
        (&json!(0), &json!(0), &json!(35)),
        "{second}"
    );
    assert_eq!(
        codex
            .get("/api/companies?per_page=100", &user(Admin))
            .await
            .json(),
        before
    );

    // What was renamed there is renamed here; what went there stays here.
    {
        let mut companies = other.companies.lock().unwrap();
        companies[3]["name"] = json!("Renamed");
        companies.truncate(10);
    }
    let third = run(&codex).await;
    assert_eq!(
        (&third["changed"], &third["unchanged"]),
        (&json!(1), &json!(9)),
        "{third}"
    );
    assert_eq!(total(&codex).await, 35);
    let page = codex.page("/pull", &user(Admin)).await;
    must_be_a_proper_page(&page, "/codex");
    assert!(
        page.text.contains("Companies from psa") && page.text.contains("finished"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn faults_that_pass_are_waited_out() {
    let other = Other::with(25);
    let codex = codex_of(&other.serve().await).await;
    other.fails(&[
        (1, Fault::Broken),
        (2, Fault::Cut),
        (2, Fault::Busy),
        (2, Fault::Nonsense),
        (3, Fault::Cut),
    ]);
    let run = run(&codex).await;
    assert_eq!(
        (&run["state"], &run["created"]),
        (&json!("finished"), &json!(25)),
        "{run}"
    );
    assert_eq!(other.asked(), [1, 1, 2, 2, 2, 2, 3, 3]);
}

#[tokio::test]
async fn a_pull_that_was_broken_off_goes_on_with_the_page_that_it_did_not_get() {
    let other = Other::with(35);
    let (settings, _folder) = lasting_settings().await;
    let database = settings.database.clone();
    let url = other.serve().await;
    let start = async || {
        let settings = CodexSettings {
            pull: Some(pull(&url, Duration::ZERO)),
            ..CodexSettings::new(database.clone(), auth("codex"))
        };
        codex_with(settings).await
    };
    let codex = start().await;
    // Cut in the middle of the third page, again and again.
    other.fails(&[(3, Fault::Cut); 4]);
    let failed = run(&codex).await;
    assert_eq!(
        (&failed["state"], &failed["pages"], &failed["next_page"]),
        (&json!("failed"), &json!(2), &json!(3)),
        "{failed}"
    );
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.starts_with("Page 3 of psa could not be had")
            && message.ends_with("The next run goes on there."),
        "{message}"
    );
    // Nothing of the page that was cut is there.
    assert_eq!(total(&codex).await, 20);
    let page = codex.page("/pull", &user(Admin)).await;
    assert!(
        page.text.contains("Page 3 of psa could not be had"),
        "{}",
        page.text
    );

    drop(codex);
    other.asked();
    let codex = start().await;
    let resumed = run(&codex).await;
    assert_eq!(other.asked(), [3, 4]);
    assert_eq!(
        (
            &resumed["id"],
            &resumed["state"],
            &resumed["created"],
            &resumed["message"]
        ),
        (&failed["id"], &json!("finished"), &json!(35), &Value::Null),
        "{resumed}"
    );
    assert_eq!(run(&codex).await["unchanged"], 35);
}

#[tokio::test]
async fn what_will_not_pass_is_not_asked_for_again() {
    let other = Other::with(5);
    let codex = codex_of(&other.serve().await).await;
    other.fails(&[(1, Fault::Refused)]);
    let failed = run(&codex).await;
    assert!(
        failed["message"]
            .as_str()
            .unwrap()
            .contains("it answers 403 Forbidden"),
        "{failed}"
    );
    assert!(!failed.to_string().contains("the token"), "{failed}");
    assert_eq!(other.asked(), [1]);
}

#[tokio::test]
async fn a_bad_company_is_left_alone_and_one_that_is_here_already_is_linked() {
    let other = Other::with(4);
    {
        let mut companies = other.companies.lock().unwrap();
        companies[0]["phone"] = json!("call me");
        companies[1]["id"] = json!("not a number");
        companies[2]["name"] = json!("pulled 003");
        companies.push(json!({"id": "77", "name": "Here Before", "phone": "+1 555 0100"}));
        companies.push(json!("nonsense"));
    }
    let url = other.serve().await;
    let codex = codex_of(&url).await;
    let here = create(&codex, "HERE before").await;
    // A page that is not made of objects is no page.
    let failed = run(&codex).await;
    assert_eq!(
        (&failed["state"], total(&codex).await),
        (&json!("failed"), json!(1)),
        "{failed}"
    );

    other.companies.lock().unwrap().pop();
    let run = run(&codex).await;
    assert_eq!(
        (&run["state"], &run["created"], &run["changed"], &run["refused"]),
        (&json!("finished"), &json!(1), &json!(1), &json!(3)),
        "{run}"
    );
    let linked = codex
        .get(&format!("/api/companies/{here}"), &user(Admin))
        .await
        .json();
    assert_eq!(
        (&linked["name"], &linked["external_id"], &linked["phone"]),
        (&json!("Here Before"), &json!("77"), &json!("+1 555 0100"))
    );
}

#[tokio::test]
async fn a_schedule_pulls_by_itself_again_and_again_until_the_service_ends() {
    let other = Other::with(12);
    let settings = CodexSettings {
        pull: Some(pull(&other.serve().await, Duration::from_millis(20))),
        ..settings().await
    };
    let codex = codex_with(settings).await;
    let runs = async || {
        let shown = codex.get("/api/pull", &user(Admin)).await.json();
        let runs = shown["runs"].as_array().unwrap().clone();
        let finished = runs.iter().filter(|run| run["state"] == "finished").count();
        (finished >= 3).then_some(runs)
    };
    let runs = until(runs).await;
    assert_eq!(runs.last().unwrap()["created"], 12);
    assert_eq!(total(&codex).await, 12);
}
