//! Services as the platform has them, unmodified: real Flask applications under real WSGI servers behind the gateway.
//! Each is `../python/notes`, with werkzeug's ProxyFix, PyJWT and the platform's `@token_required`.

use hivematrix_gateway::config::{Service, Upstream};
use hivematrix_platform::ServiceName;
use hivematrix_tests::{Answer, Browser, Builder, Client, Python, Served, Stack, Wsgi, free_port};
use serde_json::json;

use crate::browser::sign_in;

/// A stack with Flask services of these names behind it.
struct Flask {
    stack: Stack,
    services: Vec<Served>,
}

impl Flask {
    /// `None` where there is no Python to run them with.
    async fn start(wsgi: Wsgi, names: &'static [&'static str]) -> Option<Self> {
        Self::start_on(Stack::builder(), wsgi, names).await
    }

    async fn start_on(builder: Builder, wsgi: Wsgi, names: &'static [&'static str]) -> Option<Self> {
        let python = Python::find()?;
        let ports: Vec<u16> = names.iter().map(|_| free_port()).collect();
        let mounted: Vec<Service> = names
            .iter()
            .zip(&ports)
            .map(|(name, port)| service(name, *port))
            .collect();
        let stack = builder
            .configure(move |config| config.services.extend(mounted))
            .start()
            .await;
        let core = stack.core().to_string();
        let mut services = Vec::new();
        for (name, port) in names.iter().zip(ports) {
            let environment = [
                ("SERVICE_NAME", *name),
                ("CORE_SERVICE_URL", core.trim_end_matches('/')),
                // All services of an installation share it, and so can read each other's cookies: they must not meet.
                ("SECRET_KEY", "the secret of all services"),
            ];
            services.push(python.serve(wsgi, "notes:app", port, &environment).await);
        }
        Some(Self { stack, services })
    }

    /// What the services wrote, for whoever reads why a case failed.
    fn written(&self) -> String {
        self.services.iter().map(Served::written).collect()
    }
}

fn service(name: &str, port: u16) -> Service {
    let upstream = Upstream::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    Service::new(ServiceName::parse(name).unwrap(), upstream)
}

fn flash(page: &Answer) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once("id=\"flash\">")?;
    Some(rest.split('<').next()?.to_owned())
}

fn visits(page: &Answer) -> u32 {
    let text = page.text();
    let (_, rest) = text.split_once("id=\"visits\">").expect("the page counts visits");
    rest.split('<').next().unwrap().parse().unwrap()
}

const SERVERS: [Wsgi; 3] = [Wsgi::Gunicorn, Wsgi::Waitress, Wsgi::TrustingWaitress];

#[tokio::test]
async fn forms_flashed_messages_links_and_redirects_work_under_gunicorn_and_waitress() {
    for wsgi in SERVERS {
        let Some(flask) = Flask::start(wsgi, &["notes"]).await else {
            return;
        };
        let client = flask.stack.client();
        let page = client.login_to("technician", "/notes/").await;
        assert_eq!(
            (page.status, page.url.path()),
            (200, "/notes/"),
            "{wsgi:?}: {}",
            flask.written()
        );
        assert!(
            page.text().contains("hivematrix-side-panel"),
            "composed: {page:?}"
        );
        assert_eq!(visits(&page), 1);
        for link in [
            "action=\"/notes/notes\"",
            "href=\"/notes/archive/\"",
            "src=\"/notes/static/notes.js\"",
            "data-api=\"/notes/api/notes\"",
        ] {
            assert!(page.text().contains(link), "{wsgi:?}: {link} is not in {page:?}");
        }
        let script = client.fetch("/notes/static/notes.js").await;
        assert_eq!(
            (script.status, script.header("content-type")),
            (200, "text/javascript; charset=utf-8")
        );

        let added = client.submit(&page, &[("text", "caf\u{e9} & <b>milk</b>")]).await;
        assert_eq!((added.status, added.url.path()), (200, "/notes/"), "{added:?}");
        assert_eq!(
            flash(&added).as_deref(),
            Some("Added: caf\u{e9} &amp; &lt;b&gt;milk&lt;/b&gt;"),
            "{wsgi:?}"
        );
        assert!(
            added
                .text()
                .contains("<li>caf\u{e9} &amp; &lt;b&gt;milk&lt;/b&gt;</li>")
        );
        let again = client.navigate("/notes/").await;
        assert_eq!(
            (flash(&again), visits(&again)),
            (None, 3),
            "a message is shown once"
        );

        // Flask's own redirects, relative and absolute, whatever the server told it about its address.
        for path in ["/notes/archive", "/notes/moved"] {
            let archive = client.navigate(path).await;
            assert_eq!(
                (archive.status, archive.url.path()),
                (200, "/notes/archive/"),
                "{wsgi:?} {path}: {archive:?}"
            );
        }
        let odd = client.fetch("/notes/notes/a%20b%2Fc?x=1&x=2&flag").await.json();
        assert_eq!(odd["query"], "x=1&x=2&flag");
        assert_eq!(odd["args"], json!({"x": ["1", "2"], "flag": [""]}));
    }
}

#[tokio::test]
async fn a_service_is_told_who_calls_from_where_and_under_which_name() {
    for wsgi in SERVERS {
        let Some(flask) = Flask::start(wsgi, &["notes"]).await else {
            return;
        };
        let client = flask.stack.client();
        client.login_to("billing", "/notes/").await;
        let told = client.fetch("/notes/whoami").await;
        let (told, correlation) = (told.json(), told.header("x-correlation-id").to_owned());
        assert_eq!(told["user"]["permission_level"], "billing", "{told}");
        assert_eq!(told["user"]["iss"], "hivematrix-core");
        assert_eq!(told["root"], "/notes");
        assert_eq!(told["correlation_id"], correlation.as_str());
        assert_eq!(
            told["cookies"],
            json!(["session"]),
            "the gateway's cookie stays with the gateway"
        );
        if wsgi != Wsgi::Waitress {
            let origin = client.origin_text();
            assert_eq!(told["remote_addr"], "127.0.0.1");
            assert_eq!(told["scheme"], "http");
            assert_eq!(told["host"], flask.stack.authority());
            assert_eq!(told["external"], format!("{origin}/notes/archive/"), "{wsgi:?}");
        }
    }
}

#[tokio::test]
async fn behind_tls_a_service_knows_that_it_is_https() {
    let Some(flask) = Flask::start_on(Stack::builder().tls(), Wsgi::Gunicorn, &["notes"]).await else {
        return;
    };
    let client = flask.stack.client();
    client.login_to("client", "/notes/").await;
    let told = client.fetch("/notes/whoami").await.json();
    assert_eq!(told["scheme"], "https");
    assert_eq!(
        told["external"],
        format!("{}/notes/archive/", client.origin_text())
    );
}

#[tokio::test]
async fn scripts_events_downloads_and_uploads_work_under_gunicorn_and_waitress() {
    for wsgi in SERVERS {
        let Some(flask) = Flask::start(wsgi, &["notes"]).await else {
            return;
        };
        let client = flask.stack.client();
        client.login_to("technician", "/notes/").await;
        let created = client
            .script("POST", "/notes/api/notes")
            .json(&json!({"text": "one"}))
            .send()
            .await;
        assert_eq!(
            (created.status, created.json()["count"].as_u64()),
            (201, Some(1)),
            "{wsgi:?}: {created:?}"
        );
        let bad = client
            .script("POST", "/notes/api/notes")
            .json(&json!({}))
            .send()
            .await;
        assert_eq!(
            (bad.status, bad.json()["description"].as_str()),
            (400, Some("text is missing"))
        );
        let changed = client
            .script("PATCH", "/notes/api/notes/0")
            .json(&json!({"text": "two"}))
            .send()
            .await;
        assert_eq!(changed.status, 200, "{changed:?}");

        events_pass_one_by_one(&client).await;

        let file = client.fetch("/notes/export.csv").await;
        assert_eq!(file.status, 200);
        assert_eq!(
            file.header("content-disposition"),
            "attachment; filename=\"my notes.csv\""
        );
        assert_eq!(file.text(), "number,text\r\n0,\"two\"\r\n", "{wsgi:?}");
        let part = client
            .script("GET", "/notes/export.csv")
            .header("Range", "bytes=0-5")
            .send()
            .await;
        assert!(
            [200, 206].contains(&part.status) && part.text().starts_with("number"),
            "{part:?}"
        );

        uploads_arrive(&client).await;

        let deleted = client.script("DELETE", "/notes/api/notes/0").send().await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    }
}

/// The second event is sent only after the first was heard.
async fn events_pass_one_by_one(client: &Client) {
    let mut events = client
        .script("GET", "/notes/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    assert_eq!(events.until("\n\n").await, "data: notes first\n\n");
    let next = client.script("POST", "/notes/events/next").send().await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_eq!(events.until("\n\n").await, "data: notes second\n\n");
    assert!(events.chunk().await.expect("a proper end").is_none());
}

async fn uploads_arrive(client: &Client) {
    let content = "x".repeat(300_000);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r\u{e9}sum\u{e9}.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{content}\r\n--b--\r\n"
    );
    let upload = client
        .script("POST", "/notes/upload")
        .header("Content-Type", "multipart/form-data; boundary=b");
    let answer = upload.body(body).send().await;
    let expected = json!({"name": "r\u{e9}sum\u{e9}.txt", "size": 300_000, "field": "value"});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn who_may_what_is_the_gateways_and_the_services_own_decision() {
    let Some(flask) = Flask::start(Wsgi::Gunicorn, &["notes"]).await else {
        return;
    };
    let stranger = flask.stack.client();
    let refused = stranger.fetch("/notes/api/notes").await;
    assert_eq!(refused.status, 401);
    assert!(
        refused.is_problem(),
        "a script gets JSON that it can parse: {refused:?}"
    );
    let client = flask.stack.client();
    client.login_to("technician", "/notes/").await;
    let forbidden = client.fetch("/notes/admin").await;
    assert_eq!(
        (forbidden.status, forbidden.json()["description"].as_str()),
        (403, Some("Admin access required."))
    );
    let admin = flask.stack.client();
    admin.login_to("admin", "/notes/").await;
    assert_eq!(admin.fetch("/notes/admin").await.status, 200);
    // Past the gateway there is nobody whom the service would believe.
    let past = Client::at(&flask.services[0].url(), None);
    assert_eq!(past.fetch("/api/notes").await.status, 401);
}

#[tokio::test]
async fn a_service_accepts_a_service_token_and_knows_that_it_is_no_user() {
    let Some(flask) = Flask::start(Wsgi::Gunicorn, &["notes"]).await else {
        return;
    };
    let (caller, target) = (
        ServiceName::parse("codex").unwrap(),
        ServiceName::parse("notes").unwrap(),
    );
    let token = flask
        .stack
        .minter
        .service(&caller, &target, hivematrix_platform::unix_now())
        .unwrap()
        .0;
    let past = Client::at(&flask.services[0].url(), None);
    let told = past
        .get("/whoami")
        .header("Authorization", &format!("Bearer {token}"))
        .send()
        .await
        .json();
    assert_eq!((&told["user"], &told["service"]), (&json!(null), &json!("codex")));
}

#[tokio::test]
async fn two_flask_services_keep_their_session_cookies_apart() {
    let Some(flask) = Flask::start(Wsgi::Gunicorn, &["notes", "memos"]).await else {
        return;
    };
    let client = flask.stack.client();
    client.login_to("technician", "/notes/").await;
    assert_eq!(visits(&client.navigate("/notes/").await), 2);
    assert_eq!(
        visits(&client.navigate("/memos/").await),
        1,
        "nothing of the neighbour's is read"
    );
    let page = client.navigate("/memos/").await;
    assert_eq!(visits(&page), 2);
    client.submit_once(&page, &[("text", "for memos only")]).await;
    let notes = client.navigate("/notes/").await;
    assert_eq!(
        (flash(&notes), visits(&notes)),
        (None, 3),
        "a neighbour's message is not shown here"
    );
    let memos = client.navigate("/memos/").await;
    assert_eq!(flash(&memos).as_deref(), Some("Added: for memos only"));
    let mine = |prefix: &str| client.cookie_header(prefix).matches("session=").count();
    assert_eq!((mine("/notes/"), mine("/memos/"), mine("/echo/")), (1, 1, 0));
    assert_eq!(
        client.fetch("/notes/whoami").await.json()["cookies"],
        json!(["session"])
    );
}

#[tokio::test]
async fn a_person_fills_in_a_form_reads_the_flash_and_the_scripts_of_a_flask_page_work() {
    let Some(flask) = Flask::start(Wsgi::Gunicorn, &["notes"]).await else {
        return;
    };
    let browser = Browser::start().await;
    let origin = flask.stack.origin().to_string();
    browser.go(&format!("{origin}notes/")).await;
    sign_in(&browser, "admin").await;
    browser
        .until("document.querySelector('#count').textContent === '1 notes'")
        .await;
    browser
        .until("document.querySelector('#events').textContent === 'notes first;notes second;'")
        .await;
    browser.type_into("input[name=text]", "written by a person").await;
    browser.click("#add").await;
    browser
        .until("document.querySelector('#flash')?.textContent === 'Added: written by a person'")
        .await;
    assert_eq!(browser.path().await, "/notes/");
    browser
        .until("getComputedStyle(document.querySelector('.hivematrix-side-panel')).position === 'fixed' || document.styleSheets.length >= 2")
        .await;
    browser.click("#theme-toggle-btn").await;
    browser
        .until("document.documentElement.dataset.theme === 'dark'")
        .await;
    browser.reload().await;
    browser
        .until("document.documentElement.dataset.theme === 'dark'")
        .await;
    browser.screenshot("30-flask-dark").await;
    browser.click("#archive").await;
    browser.until("location.pathname === '/notes/archive/'").await;
    let errors = browser.console_errors().await;
    let own: Vec<&String> = errors
        .iter()
        .filter(|error| !error.contains("favicon.ico"))
        .collect();
    assert!(own.is_empty(), "{own:?}");
    browser.close().await;
}
