//! The kit as services use it, through a real socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use hivematrix_platform::{
    Access, Jwk, Jwks, KeySource, KeysUnavailable, Minter, PermissionLevel, ServiceName, SessionId,
    StaticKeys, UserData, Verifier, unix_now,
};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::testing::{Running, client, key, run};
use super::{Auth, BODY_LIMIT, Caller, GRACE, Prefix, Rejection, User, page, serve};

fn name(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn minter() -> Minter {
    Minter::new(key(), "hivematrix-core")
}

fn auth(keys: impl KeySource) -> Auth {
    Auth::new(
        Arc::new(Verifier::new(Arc::new(keys), "hivematrix-core")),
        name("codex"),
    )
}

fn user_token(level: PermissionLevel) -> String {
    let user = UserData {
        sub: "u1".to_owned(),
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        preferred_username: "ada".to_owned(),
        permission_level: level,
        groups: Vec::new(),
    };
    minter()
        .user(&user, &SessionId::generate(), unix_now())
        .unwrap()
        .0
}

fn service_token(target: &str) -> String {
    minter()
        .service(&name("helm"), &name(target), unix_now())
        .unwrap()
        .0
}

#[derive(Clone, FromRef)]
struct App {
    auth: Auth,
}

fn app(auth: Auth) -> Router {
    let admin = Router::new().route(
        "/admin",
        get(async |caller: Caller| matches!(caller, Caller::User(_)).to_string()),
    );
    Router::new()
        .route("/me", get(async |User(user): User| user.user.email))
        .route("/any", get(async |_: Caller| "known"))
        .merge(auth.guard(admin, Access::admin_only()))
        .with_state(App { auth })
}

async fn service() -> Running {
    run(app(auth(StaticKeys::new(&minter().jwks())))).await
}

async fn status(service: &Running, path: &str, token: Option<&str>) -> StatusCode {
    let request = client().get(service.url(path));
    let request = if let Some(token) = token {
        request.bearer_auth(token)
    } else {
        request
    };
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn users_and_services_come_in_by_their_tokens_and_nobody_else_does() {
    let service = service().await;
    let (user, for_us, for_others) = (
        user_token(PermissionLevel::Client),
        service_token("codex"),
        service_token("ledger"),
    );
    for (path, token, expected) in [
        ("/me", None, StatusCode::UNAUTHORIZED),
        ("/me", Some("rubbish"), StatusCode::UNAUTHORIZED),
        ("/me", Some(user.as_str()), StatusCode::OK),
        ("/me", Some(for_us.as_str()), StatusCode::FORBIDDEN),
        ("/any", Some(user.as_str()), StatusCode::OK),
        ("/any", Some(for_us.as_str()), StatusCode::OK),
        ("/any", Some(for_others.as_str()), StatusCode::UNAUTHORIZED),
        ("/any", None, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(status(&service, path, token).await, expected, "{path} {token:?}");
    }
}

#[tokio::test]
async fn a_guard_lets_the_right_levels_in_and_services() {
    let service = service().await;
    for (token, expected) in [
        (user_token(PermissionLevel::Client), StatusCode::FORBIDDEN),
        (user_token(PermissionLevel::Billing), StatusCode::FORBIDDEN),
        (user_token(PermissionLevel::Technician), StatusCode::FORBIDDEN),
        (user_token(PermissionLevel::Admin), StatusCode::OK),
        (service_token("codex"), StatusCode::OK),
        (service_token("ledger"), StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(status(&service, "/admin", Some(&token)).await, expected);
    }
    assert_eq!(status(&service, "/admin", None).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_authorization_headers_are_none() {
    let service = service().await;
    let token = user_token(PermissionLevel::Client);
    let request = client()
        .get(service.url("/me"))
        .bearer_auth(&token)
        .bearer_auth(&token);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_keys_nobody_is_refused_for_good() {
    struct Down;
    #[async_trait::async_trait]
    impl KeySource for Down {
        async fn key(
            &self,
            _: &str,
        ) -> Result<Option<Arc<hivematrix_platform::DecodingKey>>, KeysUnavailable> {
            Err(KeysUnavailable("core is down".to_owned()))
        }
    }
    let service = run(app(auth(Down))).await;
    let request = client()
        .get(service.url("/me"))
        .bearer_auth(user_token(PermissionLevel::Client));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_token_of_a_key_that_is_not_ours_is_refused() {
    let others = Jwk {
        kid: "another".to_owned(),
        ..key().jwk()
    };
    let service = run(app(auth(StaticKeys::new(&Jwks { keys: vec![others] })))).await;
    let token = user_token(PermissionLevel::Client);
    assert_eq!(
        status(&service, "/me", Some(&token)).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn programs_get_a_problem_and_people_a_page_both_with_the_request_id() {
    let service = service().await;
    let problem = client()
        .get(service.url("/me"))
        .header("x-correlation-id", "req-1")
        .send()
        .await
        .unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(problem.headers()["x-correlation-id"], "req-1");
    assert_eq!(problem.headers()["www-authenticate"], "Bearer");
    let problem: serde_json::Value = problem.json().await.unwrap();
    assert_eq!(
        (&problem["status"], &problem["instance"]),
        (&401.into(), &"req-1".into())
    );
    assert_eq!(problem["detail"], "Sign in first.");

    let page = client()
        .get(service.url("/me"))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
    let id = page.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    assert!(page.text().await.unwrap().contains(&id));

    let fetch = client()
        .get(service.url("/me"))
        .header("accept", "text/html")
        .header("sec-fetch-mode", "cors");
    let fetched = fetch.send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_id_from_outside_is_taken_only_if_it_is_short_and_plain() {
    let service = service().await;
    for nasty in ["a b", "<script>", &"x".repeat(65), "a;b", "ä"] {
        let request = client()
            .get(service.url("/me"))
            .header("x-correlation-id", nasty.as_bytes());
        let id = request.send().await.unwrap().headers()["x-correlation-id"].clone();
        assert_ne!(id.as_bytes(), nasty.as_bytes());
        assert_eq!(id.len(), 22);
    }
}

#[tokio::test]
async fn a_panic_is_a_plain_500_and_the_service_lives_on() {
    async fn broken() -> &'static str {
        panic!("the secret is 42")
    }
    let service = run(Router::new()
        .route("/panic", get(broken))
        .route("/fine", get(async || "fine")))
    .await;
    let response = client().get(service.url("/panic")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!response.text().await.unwrap().contains("42"));
    assert_eq!(status(&service, "/fine", None).await, StatusCode::OK);
}

#[tokio::test]
async fn every_bare_error_leaves_as_a_problem() {
    let router = Router::new()
        .route("/echo", post(async |body: String| body))
        .route("/json", post(async |_: axum::Json<u8>| "fine"))
        .route(
            "/own",
            get(async || Rejection::conflict("Taken.").with("field", "name")),
        );
    let service = run(router).await;
    let http = client();
    for (request, expected) in [
        (http.get(service.url("/nothing")), StatusCode::NOT_FOUND),
        (http.get(service.url("/echo")), StatusCode::METHOD_NOT_ALLOWED),
        (
            http.post(service.url("/echo")).body("x".repeat(BODY_LIMIT + 1)),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            http.post(service.url("/json")).body("{}"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (http.get(service.url("/own")), StatusCode::CONFLICT),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), expected);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{expected}"
        );
        if expected == StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(response.headers()["allow"], "POST");
        }
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["status"], expected.as_u16());
        if expected == StatusCode::CONFLICT {
            assert_eq!(problem["field"], "name");
        }
    }
    let fits = http
        .post(service.url("/echo"))
        .body("x".repeat(BODY_LIMIT))
        .send()
        .await
        .unwrap();
    assert_eq!(fits.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_form_is_answered_by_a_redirect_under_the_prefix() {
    let router = Router::new()
        .route(
            "/save",
            post(async |prefix: Prefix| prefix.see_other("/list?saved=1")),
        )
        .route(
            "/",
            get(async |prefix: Prefix| page("P", maud::html! { a href=(prefix.url("/x")) {} })),
        );
    let service = run(router).await;
    let saved = client()
        .post(service.url("/save"))
        .header("x-forwarded-prefix", "/codex")
        .send()
        .await
        .unwrap();
    assert_eq!(saved.status(), StatusCode::SEE_OTHER);
    assert_eq!(saved.headers()["location"], "/codex/list?saved=1");
    let shown = client()
        .get(service.url("/"))
        .header("x-forwarded-prefix", "/codex")
        .send()
        .await
        .unwrap();
    assert!(shown.text().await.unwrap().contains("href=\"/codex/x\""));
}

#[tokio::test]
async fn a_listener_beyond_loopback_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(listener, Router::new(), CancellationToken::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

/// Starts a service, opens a connection, sends `head`, waits for `answers` bytes of answer, and returns how long the
/// service then takes to end.
async fn time_to_end(head: &str, answered: bool) -> Duration {
    let forever = async || {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        "late"
    };
    let router = Router::new()
        .route("/fast", get(async || "fast"))
        .route("/forever", get(forever));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router, shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    if answered {
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    } else {
        // Nothing announces that a request without answer has arrived.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let started = Instant::now();
    shutdown.cancel();
    served.await.unwrap().unwrap();
    let took = started.elapsed();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port must be free"
    );
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection must be closed");
    took
}

#[tokio::test]
async fn a_service_ends_at_once_although_connections_are_kept_alive() {
    let took = time_to_end("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n", true).await;
    assert!(took < GRACE / 2, "{took:?}");
}

#[tokio::test]
async fn a_request_that_never_ends_delays_the_end_by_the_grace_period_and_no_more() {
    let took = time_to_end("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n", false).await;
    assert!(took >= GRACE && took < GRACE * 2, "{took:?}");
}

#[tokio::test]
async fn a_half_sent_request_head_does_not_hold_up_the_end() {
    let took = time_to_end("GET /fast HTTP/1.1\r\nHo", false).await;
    assert!(took < GRACE * 2, "{took:?}");
}
