//! Login attempts belong to the browser that began them, are used once, and are limited.

use hivematrix_platform::{ServiceName, SessionId, UserData, unix_now};
use hivematrix_tests::{Answer, Backend, Client, Script, Stack};

use crate::login::callback_of;

const SESSION: &str = "__Host-hivematrix";

/// A callback that did not sign anybody in: an explaining page, no session, nothing new at Core.
async fn assert_refused(stack: &Stack, client: &Client, answer: &Answer) {
    assert!(
        (400..=503).contains(&answer.status) && answer.is_page(),
        "{answer:?}"
    );
    assert!(client.cookie(SESSION).is_none(), "{answer:?}");
    assert_eq!(client.fetch("/echo/").await.status, 401);
    assert_eq!(stack.redis.keys("hm:session:*").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_of_the_provider_is_taken_once() {
    let stack = Stack::start().await;
    let client = stack.client();
    let callback = callback_of(&client, "admin").await;
    assert_eq!(client.visit(&callback).send().await.status, 303);
    let (handle, sessions) = (client.cookie(SESSION), stack.redis.keys("session:*").await);
    let again = client.visit(&callback).send().await;
    assert_eq!(
        client.cookie(SESSION),
        handle,
        "a replay signs nobody in: {again:?}"
    );
    let stranger = stack.client();
    let stolen = stranger.visit(&callback).send().await;
    assert!(
        stolen.status == 400 && stranger.cookie(SESSION).is_none(),
        "{stolen:?}"
    );
    assert_eq!(
        stack.redis.keys("session:*").await,
        sessions,
        "no second session at Core"
    );
}

#[tokio::test]
async fn an_attempt_of_another_browser_is_refused() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.client(), stack.client());
    let callback = callback_of(&attacker, "client").await;
    let answer = victim.visit(&callback).send().await;
    assert_eq!(answer.status, 400);
    assert_refused(&stack, &victim, &answer).await;
}

#[tokio::test]
async fn a_victim_with_an_attempt_of_its_own_is_not_signed_in_by_a_foreign_one() {
    let stack = Stack::start().await;
    let (attacker, victim) = (stack.client(), stack.client());
    victim.navigate("/echo/").await;
    let callback = callback_of(&attacker, "client").await;
    let answer = victim.visit(&callback).send().await;
    assert_refused(&stack, &victim, &answer).await;
}

#[tokio::test]
async fn a_code_of_another_attempt_is_refused_by_nonce_and_pkce() {
    let stack = Stack::start().await;
    let (one, two) = (stack.client(), stack.client());
    let (stolen, own) = (
        callback_of(&one, "admin").await,
        callback_of(&two, "client").await,
    );
    let parameter = |url: &str, name: &str| {
        let url = stack.origin().join(url).expect("a URL");
        url.query_pairs()
            .find(|(key, _)| key == name)
            .expect("a parameter")
            .1
            .into_owned()
    };
    let mixed = own.replace(&parameter(&own, "code"), &parameter(&stolen, "code"));
    assert_ne!(mixed, own);
    let answer = two.visit(&mixed).send().await;
    assert_refused(&stack, &two, &answer).await;
}

#[tokio::test]
async fn an_unknown_or_missing_state_is_refused() {
    let stack = Stack::start().await;
    let client = stack.client();
    client.navigate("/echo/").await;
    for query in [
        "",
        "?code=x",
        "?state=x&code=x",
        "?state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code=x",
        "?code=a&code=b&state=c",
    ] {
        let answer = client.visit(&format!("/keycloak-callback{query}")).send().await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert_refused(&stack, &client, &answer).await;
    }
}

#[tokio::test]
async fn what_a_callback_says_is_never_reflected_unescaped() {
    let stack = Stack::start().await;
    let client = stack.client();
    let begun = client.visit("/login").send().await;
    let state = begun.parameter("state");
    let evil = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    for query in [
        format!("error={evil}&error_description={evil}&state={state}"),
        format!("error={evil}&error_description={evil}&state={evil}"),
        format!("code={evil}&state={evil}"),
    ] {
        let answer = client.visit(&format!("/keycloak-callback?{query}")).send().await;
        assert!(answer.status >= 400 && answer.is_page(), "{answer:?}");
        let text = answer.text();
        assert!(
            !text.contains("<script>alert") && !text.contains("<img src=x"),
            "{text}"
        );
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_browser_has_so_many_attempts_in_flight_and_the_oldest_is_given_up() {
    let stack = Stack::builder()
        .configure(|config| config.limits.attempts_per_browser = 3)
        .start()
        .await;
    let client = stack.client();
    let mut states = Vec::new();
    for _ in 0..6 {
        states.push(client.visit("/login").send().await.parameter("state"));
    }
    let cookies = client.cookie_names();
    assert_eq!(cookies.len(), 3, "{cookies:?}");
    let last = states.last().expect("a state");
    assert!(
        cookies.iter().any(|name| name.contains(last.as_str())),
        "the newest attempt is kept: {cookies:?}"
    );
}

#[tokio::test]
async fn an_address_begins_so_many_attempts_and_then_has_to_wait() {
    let stack = Stack::builder()
        .configure(|config| config.limits.attempts_per_address = 4)
        .start()
        .await;
    for _ in 0..4 {
        assert_eq!(stack.client().visit("/login").send().await.status, 303);
    }
    let refused = stack.client().visit("/login").send().await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(
        refused.header("retry-after").parse::<u32>().is_ok(),
        "{refused:?}"
    );
}

/// A Core that answers every exchange with this token.
async fn with_core_that_answers(token: impl Fn(&hivematrix_platform::Minter) -> String) -> (Stack, Backend) {
    let core = Backend::start().await;
    let address = core.address();
    let change = move |config: &mut hivematrix_gateway::config::Config| {
        config.core.url = format!("http://{address}/").parse().expect("a URL");
    };
    let stack = Stack::builder().configure(change).start().await;
    let keys = serde_json::to_string(&stack.minter.jwks()).expect("JSON");
    core.on("/.well-known/jwks.json", Script::text("application/json", keys));
    let answer = serde_json::json!({ "token": token(&stack.minter) }).to_string();
    core.on("/api/token/exchange", Script::text("application/json", answer));
    (stack, core)
}

fn somebody(sub: &str) -> UserData {
    UserData {
        sub: sub.to_owned(),
        name: "Somebody".to_owned(),
        email: "somebody@example.com".to_owned(),
        preferred_username: "somebody".to_owned(),
        permission_level: hivematrix_platform::PermissionLevel::Admin,
        groups: Vec::new(),
    }
}

#[tokio::test]
async fn an_id_token_and_a_minted_token_about_different_people_sign_nobody_in() {
    let (stack, core) = with_core_that_answers(|minter| {
        minter
            .user(&somebody("somebody-else"), &SessionId::generate(), unix_now())
            .expect("a token")
            .0
    })
    .await;
    let client = stack.client();
    let callback = callback_of(&client, "admin").await;
    let answer = client.visit(&callback).send().await;
    assert_eq!(core.seen_at("/api/token/exchange").len(), 1, "Core was asked");
    assert_refused(&stack, &client, &answer).await;
}

#[tokio::test]
async fn a_service_token_signs_nobody_in() {
    let (stack, core) = with_core_that_answers(|minter| {
        let name = |text| ServiceName::parse(text).expect("a name");
        minter
            .service(&name("codex"), &name("nexus"), unix_now())
            .expect("a token")
            .0
    })
    .await;
    let client = stack.client();
    let callback = callback_of(&client, "admin").await;
    let answer = client.visit(&callback).send().await;
    assert_eq!(core.seen_at("/api/token/exchange").len(), 1, "Core was asked");
    assert_refused(&stack, &client, &answer).await;
}

#[tokio::test]
async fn a_user_has_so_many_sessions_and_the_oldest_ends() {
    let stack = Stack::builder()
        .configure(|config| config.limits.sessions_per_user = 2)
        .start()
        .await;
    let first = stack.signed_in("client").await;
    let second = stack.signed_in("client").await;
    assert_eq!(first.fetch("/echo/").await.status, 200);
    let third = stack.signed_in("client").await;
    let ended = async || (first.fetch("/echo/").await.status == 401).then_some(());
    hivematrix_tests::eventually("the oldest session has ended", ended).await;
    assert_eq!(
        (
            second.fetch("/echo/").await.status,
            third.fetch("/echo/").await.status
        ),
        (200, 200)
    );
    let other = stack.signed_in("billing").await;
    assert_eq!(
        other.fetch("/echo/").await.status,
        200,
        "others are not concerned"
    );
}
