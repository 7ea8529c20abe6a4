//! How refusals look: a page for people, problem+json for programs, and one line in the log for each.

use hivematrix_tests::{Answer, Part, Stack, eventually};
use tracing::Level;

fn id_of(answer: &Answer) -> String {
    let id = answer.header("x-correlation-id").to_owned();
    assert!(id.len() >= 16, "{answer:?}");
    id
}

#[tokio::test]
async fn people_get_a_page_and_programs_problem_json_both_with_the_request_id() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    stack.relay(Part::Echo).cut().await;
    for (path, status) in [
        ("/nothing/", 404),
        ("/admins/", 403),
        ("/echo/x", 502),
        ("/keycloak/admin/", 404),
    ] {
        let page = client.visit(path).send().await;
        assert_eq!(page.status, status, "{path}");
        assert!(
            page.is_page() && page.text().contains(&id_of(&page)),
            "{path}: {page:?}"
        );
        assert!(page.text().contains("/static/css/"), "in the design system");
        let problem = client.fetch(path).await;
        assert!(
            problem.status == status && problem.is_problem(),
            "{path}: {problem:?}"
        );
        let json = problem.json();
        for member in ["type", "title", "status", "detail"] {
            assert!(!json[member].is_null(), "{path}: {member} is missing in {json}");
        }
        assert!(json.to_string().contains(&id_of(&problem)), "{json}");
    }
    assert_eq!(
        client.fetch("/echo/x").await.json()["detail"],
        "Service temporarily unavailable"
    );
}

#[tokio::test]
async fn the_gateways_own_pages_cannot_be_framed_sniffed_or_stored() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    for path in ["/nothing/", "/logout", "/admins/"] {
        let page = client.visit(path).send().await;
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{path}: {page:?}"
        );
        assert_eq!(
            (
                page.header("x-content-type-options"),
                page.header("cache-control")
            ),
            ("nosniff", "no-store"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_request_ends_in_one_access_log_line_with_the_same_id() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let before = stack.logs.access().len();
    let answers = [
        client.fetch("/echo/x?secret=1").await,
        client.fetch("/nothing/x").await,
        client.fetch("/admins/x").await,
        stack.client().fetch("/echo/y").await,
        client.visit("/health").send().await,
    ];
    let lines = async || {
        let lines = stack.logs.access().split_off(before);
        (lines.len() >= answers.len()).then_some(lines)
    };
    let lines = eventually("five lines", lines).await;
    assert_eq!(lines.len(), answers.len());
    for answer in &answers {
        let id = id_of(answer);
        let mine: Vec<_> = lines
            .iter()
            .filter(|line| line.field("request_id") == id)
            .collect();
        assert_eq!(mine.len(), 1, "{id}: {lines:?}");
        assert_eq!(mine[0].field("status"), answer.status.to_string());
        assert_eq!(mine[0].field("path"), answer.url.path());
        assert_eq!(
            (mine[0].level, mine[0].field("client").contains("127.0.0.1")),
            (Level::INFO, true)
        );
    }
    let reasons: Vec<&str> = lines
        .iter()
        .map(|line| line.field("reason").trim_matches('"'))
        .collect();
    assert!(
        reasons.contains(&"no_route") && reasons.contains(&"permission") && reasons.contains(&"no_session"),
        "{reasons:?}"
    );
    assert!(!stack.logs.text().contains("secret=1"), "queries are not logged");
}

#[tokio::test]
async fn nothing_that_opens_a_door_is_ever_logged() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let page = client.navigate("/logout").await;
    client.submit(&page, &[]).await;
    let handle_like = |word: &str| {
        word.len() == 43
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let text = stack.logs.text();
    assert!(
        !text.contains(&token) && !text.contains("eyJ"),
        "a token is in the log"
    );
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter(|word| handle_like(word))
        .collect();
    assert!(
        words.is_empty(),
        "handles, states or session ids are in the log: {words:?}"
    );
}

#[tokio::test]
async fn a_backends_fault_is_a_warning_and_a_callers_is_not() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.relay(Part::Echo).cut().await;
    let failed = client.fetch("/echo/x").await;
    let refused = client.fetch("/nothing/").await;
    let level_of = |id: &str| {
        let about = stack
            .logs
            .all()
            .into_iter()
            .filter(|line| line.target != "hivematrix::access");
        about
            .filter(|line| line.field("request_id") == id)
            .map(|line| line.level)
            .min()
    };
    assert_eq!(level_of(&id_of(&failed)), Some(Level::WARN));
    assert!(level_of(&id_of(&refused)).is_none_or(|level| level > Level::WARN));
}

#[tokio::test]
async fn what_others_sent_does_not_break_out_of_the_log() {
    let stack = Stack::start().await;
    let answer = stack.client().fetch("/%0a%22forged").await;
    assert_eq!(answer.status, 400);
    let answer = stack
        .client()
        .get("/x/%22%7D")
        .header("X-Correlation-ID", "a\tb")
        .send()
        .await;
    assert_eq!(answer.status, 404);
    for line in stack.logs.access() {
        assert!(
            line.fields
                .values()
                .all(|value| !value.contains(['\n', '\r', '\t'])),
            "{line:?}"
        );
    }
}
