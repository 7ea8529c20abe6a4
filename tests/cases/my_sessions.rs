//! My sessions: people see and end theirs, administrators everybody's, and every such act is in the audit log.

use hivematrix_tests::{Answer, Browser, Client, Part, Stack, eventually};
use serde_json::json;

use crate::browser::sign_in;

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0";

/// Signs in with a browser that names itself.
async fn signed_in_with(stack: &Stack, name: &str, agent: &str) -> Client {
    let client = stack.client().named(agent);
    client.login(name).await;
    client
}

/// Presses the button of the form with this action.
async fn press(client: &Client, action: &str) -> Answer {
    let answer = client
        .post(action)
        .header("Origin", &client.origin_text())
        .header("Sec-Fetch-Site", "same-origin")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "document")
        .header("Accept", "text/html")
        .send()
        .await;
    client.follow(answer).await
}

/// The addresses of the page's buttons.
fn actions(page: &Answer) -> Vec<String> {
    let text = page.text();
    let found = text.split("action=\"").skip(1);
    found
        .map(|rest| rest.split('"').next().unwrap_or_default().replace("&amp;", "&"))
        .filter(|action| action.starts_with("/sessions"))
        .collect()
}

async fn is_signed_in(client: &Client) -> bool {
    client.fetch("/plain/x").await.status == 200
}

#[tokio::test]
async fn people_see_their_sessions_in_words_and_end_one_or_all_others() {
    let stack = Stack::start().await;
    let here = signed_in_with(&stack, "technician", FIREFOX).await;
    let phone =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1";
    let lost = signed_in_with(&stack, "technician", phone).await;
    let other = signed_in_with(&stack, "technician", "curl/8.5.0").await;
    let stranger = stack.signed_in("client").await;

    let page = here.navigate("/sessions").await;
    let text = page.text();
    for words in [
        "Firefox on Windows",
        "Safari on iPhone",
        "curl",
        "127.0.0.1",
        "just now",
        "This one",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(
        text.matches("<tr>").count(),
        1 + 3,
        "three sessions, and no stranger's"
    );
    assert!(text.contains("href=\"/sessions\""), "the panel has a link");

    let buttons = actions(&page);
    let ended = text
        .split("Safari on iPhone")
        .nth(1)
        .and_then(|rest| rest.split("action=\"").nth(1));
    let ended = ended.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    assert!(buttons.iter().any(|button| button == ended));
    let after = press(&here, ended).await;
    assert!(after.text().contains("One session has ended") && !after.text().contains("iPhone"));
    assert!(!is_signed_in(&lost).await && is_signed_in(&other).await && is_signed_in(&here).await);
    let again = lost.navigate("/echo/").await;
    assert!(
        again.text().contains("type=\"password\""),
        "the provider asks who it is: {again:?}"
    );

    press(&here, "/sessions?others=1").await;
    assert!(!is_signed_in(&other).await && is_signed_in(&here).await && is_signed_in(&stranger).await);
    let audit = stack
        .logs
        .all()
        .into_iter()
        .filter(|line| line.target == "hivematrix::audit");
    let counts: Vec<String> = audit
        .map(|line| format!("{} {}", line.field("action"), line.field("count")))
        .collect();
    assert_eq!(counts, ["own_sessions_ended 1", "own_sessions_ended 1"]);
}

#[tokio::test]
async fn nobody_ends_sessions_from_another_site_nor_other_peoples() {
    let stack = Stack::start().await;
    let (here, victim) = (
        stack.signed_in("technician").await,
        stack.signed_in("client").await,
    );
    let page = victim.navigate("/sessions").await;
    assert!(page.text().contains("This one"));
    let keys = stack.redis.keys("hm:session:*").await;
    for key in keys {
        let id = key.trim_start_matches("hm:session:");
        press(&here, &format!("/sessions?end={id}&others=0")).await;
    }
    assert!(is_signed_in(&victim).await);
    let here = stack.signed_in("technician").await;
    let other = stack.signed_in("technician").await;
    let foreign = here
        .post("/sessions?others=1")
        .header("Origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(foreign.status, 403);
    assert!(is_signed_in(&other).await);
    for path in ["/sessions/everyone", "/sessions/everyone?who=a"] {
        assert_eq!(here.navigate(path).await.status, 403, "for administrators only");
    }
    let answer = press(&here, "/sessions/everyone?group=technicians&all=1").await;
    assert_eq!(answer.status, 403);
    assert!(is_signed_in(&other).await);
}

#[tokio::test]
async fn an_administrator_finds_and_ends_sessions_by_person_and_by_group_after_a_recent_login() {
    let stack = Stack::start().await;
    let admin = stack.signed_in("admin").await;
    let technician = signed_in_with(&stack, "technician", FIREFOX).await;
    let (client, billing) = (stack.signed_in("client").await, stack.signed_in("billing").await);
    let all = admin.navigate("/sessions/everyone").await;
    for name in [
        "Ada Admin",
        "Tess &lt;b&gt;Technician&lt;/b&gt;",
        "Clio Client",
        "Bill Billing",
    ] {
        assert!(all.text().contains(name), "{name}: {}", all.text());
    }
    let found = admin.navigate("/sessions/everyone?who=TESS").await;
    assert!(found.text().contains("Firefox on Windows") && !found.text().contains("Clio"));
    let button = actions(&found)
        .into_iter()
        .find(|action| action.contains("end="))
        .expect("a button");
    let after = press(&admin, &button).await;
    assert!(after.text().contains("One session has ended"), "{}", after.text());
    assert!(!is_signed_in(&technician).await);

    let group = admin.navigate("/sessions/everyone?group=billing").await;
    assert!(group.text().contains("Bill Billing") && !group.text().contains("Clio"));
    press(&admin, "/sessions/everyone?group=billing&all=1").await;
    assert!(!is_signed_in(&billing).await && is_signed_in(&client).await);
    press(&admin, "/sessions/everyone?group=admins&all=1").await;
    assert!(is_signed_in(&admin).await, "their own goes on");

    let audit: Vec<_> = stack
        .logs
        .all()
        .into_iter()
        .filter(|line| line.target == "hivematrix::audit")
        .collect();
    let acts: Vec<&str> = audit.iter().map(|line| line.field("action")).collect();
    assert!(
        acts.contains(&"sessions_viewed") && acts.contains(&"sessions_ended"),
        "{acts:?}"
    );
    let ended = audit
        .iter()
        .find(|line| line.field("action") == "sessions_ended")
        .expect("a line");
    assert_eq!((ended.field("count"), ended.field("complete")), ("1", "true"));
    assert!(
        !ended.field("user").is_empty()
            && !ended.field("subject").is_empty()
            && !ended.field("client").is_empty()
    );
    assert_ne!(ended.field("user"), ended.field("subject"));
}

#[tokio::test]
async fn an_administrator_whose_login_is_not_recent_proves_who_they_are_first() {
    let stack = Stack::start().await;
    let admin = stack.signed_in("admin").await;
    let victim = stack.signed_in("client").await;
    stack.age_login(&admin, 3600).await;
    let asked = admin.navigate("/sessions/everyone?who=clio").await;
    assert!(
        asked.status == 403 && asked.text().contains("confirm that it is you"),
        "{asked:?}"
    );
    assert!(!asked.text().contains("Clio"));
    press(&admin, "/sessions/everyone?group=client&all=1").await;
    assert!(is_signed_in(&victim).await, "nothing happens before that");
    let link = asked
        .text()
        .split("href=\"/login?")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .replace("&amp;", "&");
    assert!(link.contains("max_age=300"), "{link}");
    let found = admin.navigate(&format!("/login?{link}")).await;
    assert!(found.status == 200 && found.text().contains("Clio"), "{found:?}");
}

/// Signs in again without a password in a browser that has lost the gateway's cookie and not the provider's.
async fn sign_in_again(client: &Client) {
    client.set_cookie("/", "__Host-hivematrix=; Path=/; Secure; Max-Age=0");
    assert_eq!(client.cookie("__Host-hivematrix"), None);
    let page = client.navigate("/echo/").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(is_signed_in(client).await);
}

#[tokio::test]
async fn a_browser_that_has_signed_in_twice_is_not_let_in_again_by_the_session_that_was_not_named() {
    let stack = Stack::start().await;
    let admin = stack.signed_in("admin").await;
    let victim = stack.signed_in("client").await;
    sign_in_again(&victim).await;
    let found = admin.navigate("/sessions/everyone?who=clio").await;
    let buttons: Vec<String> = actions(&found)
        .into_iter()
        .filter(|action| action.contains("end="))
        .collect();
    assert_eq!(buttons.len(), 2, "two sessions of one browser: {buttons:?}");
    // The one that was used last comes first.
    press(&admin, &buttons[0]).await;
    assert!(!is_signed_in(&victim).await);
    let page = victim.navigate("/echo/").await;
    assert!(
        page.text().contains("type=\"password\""),
        "the provider asks who it is: {page:?}"
    );
}

#[tokio::test]
async fn who_ends_sessions_of_which_the_provider_could_not_be_told_reads_so() {
    let stack = Stack::start().await;
    let here = stack.signed_in("technician").await;
    let lost = stack.signed_in("technician").await;
    let page = here.navigate("/sessions").await;
    assert!(!page.text().contains("could not be told"));
    stack.relay(Part::Provider).cut().await;
    let after = press(&here, "/sessions?others=1").await;
    assert!(
        after.text().contains("One session has ended") && after.text().contains("could not be told"),
        "{}",
        after.text()
    );
    assert!(!is_signed_in(&lost).await && is_signed_in(&here).await);
    let audit = stack.logs.all();
    let act = audit.iter().find(|line| line.target == "hivematrix::audit");
    assert_eq!(act.expect("a line").field("complete"), "false");
}

#[tokio::test]
async fn who_ends_another_session_of_their_own_browser_stays_signed_in_there_and_at_the_provider() {
    let stack = Stack::start().await;
    let here = stack.signed_in("technician").await;
    sign_in_again(&here).await;
    let after = press(&here, "/sessions?others=1").await;
    assert!(after.text().contains("One session has ended"), "{}", after.text());
    assert!(is_signed_in(&here).await);
    sign_in_again(&here).await;
}

#[tokio::test]
async fn when_a_session_was_last_used_is_written_once_a_minute_and_not_once_a_request() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    let written = async || stack.redis.keys("hm:seen:*").await.pop();
    let key = eventually("the first use is written", written).await;
    let first = stack.redis.ttl(&key).await;
    assert!(first > 0);
    let mut redis = stack.redis.client();
    let writes = async |redis: &mut redis::aio::MultiplexedConnection| -> String {
        redis::cmd("INFO")
            .arg("commandstats")
            .query_async(redis)
            .await
            .expect("INFO")
    };
    let sets = |info: &str| {
        let line = info
            .lines()
            .find(|line| line.starts_with("cmdstat_set:"))
            .unwrap_or_default()
            .to_owned();
        line.split("calls=")
            .nth(1)
            .and_then(|rest| rest.split(',').next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let before = sets(&writes(&mut redis).await);
    for _ in 0..200 {
        assert_eq!(client.fetch("/plain/x").await.status, 200);
    }
    let after = sets(&writes(&mut redis).await);
    assert!(after - before <= 1, "200 requests, {} writes", after - before);
}

#[tokio::test]
async fn a_browser_shows_sessions_without_script_and_in_both_themes() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    let other = signed_in_with(&stack, "admin", FIREFOX).await;
    let _technician = signed_in_with(&stack, "technician", FIREFOX).await;
    browser.go(&format!("{origin}codex/")).await;
    sign_in(&browser, "admin").await;
    browser.click("#side-panel a[href='/sessions']").await;
    browser.until("location.pathname === '/sessions'").await;
    for theme in ["light", "dark"] {
        for (name, path) in [
            ("sessions", "sessions"),
            ("everyone", "sessions/everyone"),
            ("forms", "sessions/form"),
        ] {
            browser.go(&format!("{origin}{path}")).await;
            browser
                .run(&format!("document.documentElement.dataset.theme = '{theme}'"))
                .await;
            browser.screenshot(&format!("45-{name}-{theme}")).await;
        }
    }
    browser.resize(390, 844).await;
    browser.go(&format!("{origin}sessions")).await;
    browser.screenshot("45-sessions-phone").await;
    let fits = browser
        .run("return document.documentElement.scrollWidth <= window.innerWidth")
        .await;
    assert_eq!(fits, json!(true), "a phone does not have to scroll sideways");
    browser.resize(1280, 900).await;
    browser.click("form[action='/sessions?others=1'] button").await;
    browser
        .until("document.querySelector('[role=status].alert')")
        .await;
    assert!(!is_signed_in(&other).await);
    browser.close().await;
}
