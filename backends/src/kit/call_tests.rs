//! One service calls another through real sockets, with tokens of a real Core.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router};
use hivematrix_platform::{CoreClient, MemoryStore, Minter, ServiceName, StaticKeys, Verifier};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::testing::{Running, client, key, run};
use super::{ANSWER_LIMIT, Auth, CallError, Caller, Services};
use crate::core::{CoreSettings, Keys, ProviderAt, router};

const SECRET: &str = "template's secret";

fn name(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

/// What the called service answers, one after the other; 200 once they are used up.
type Script = Arc<Mutex<Vec<Response>>>;

#[derive(Clone, FromRef)]
struct Called {
    auth: Auth,
    script: Script,
}

/// Core, the service `codex` that is called, and `template` that calls it.
struct World {
    services: Services,
    core: CoreClient,
    calls: Arc<AtomicU32>,
    tokens: Arc<AtomicU32>,
    script: Script,
    _running: Vec<Running>,
}

async fn counted(
    State(count): State<Arc<AtomicU32>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    count.fetch_add(1, Ordering::SeqCst);
    next.run(request).await
}

async fn who(State(script): State<Script>, caller: Caller, headers: HeaderMap) -> Response {
    let next = { script.lock().unwrap().pop() };
    if let Some(answer) = next {
        return answer;
    }
    let Caller::Service(claims) = caller else {
        return StatusCode::IM_A_TEAPOT.into_response();
    };
    let id = headers.get("x-correlation-id").and_then(|id| id.to_str().ok());
    Json(json!({ "caller": claims.calling_service, "target": claims.target_service, "id": id }))
        .into_response()
}

impl World {
    async fn start() -> Self {
        let minter = Minter::new(key(), "hivematrix-core");
        let (calls, tokens) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let core = router(CoreSettings {
            store: Arc::new(MemoryStore::default()),
            keys: Keys::new(minter.clone()),
            provider: ProviderAt::UserInfo("http://127.0.0.1:9/".parse().unwrap()),
            client_id: "core-client".to_owned(),
            secrets: HashMap::from([(name("template"), SECRET.to_owned().into())]),
            legacy_callers: Vec::new(),
            known_services: ["codex", "template", "gone"].map(name).to_vec(),
            http: client(),
        });
        let core = run(core.layer(middleware::from_fn_with_state(Arc::clone(&tokens), counted))).await;
        let verifier = Verifier::new(Arc::new(StaticKeys::new(&minter.jwks())), "hivematrix-core");
        let script = Script::default();
        let codex = Router::new()
            .route("/who", any(who))
            .with_state(Called {
                auth: Auth::new(Arc::new(verifier), name("codex")),
                script: Arc::clone(&script),
            })
            .layer(middleware::from_fn_with_state(Arc::clone(&calls), counted));
        let codex = run(codex).await;
        let asked = CoreClient::new(
            client(),
            core.base.parse().unwrap(),
            name("template"),
            Some(SECRET.to_owned().into()),
        );
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = format!("http://{}", gone.local_addr().unwrap());
        let addresses = HashMap::from([
            (name("codex"), codex.base.parse().unwrap()),
            (name("gone"), gone.parse().unwrap()),
        ]);
        Self {
            services: Services::new(asked.clone(), client(), addresses),
            core: asked,
            calls,
            tokens,
            script,
            _running: vec![core, codex],
        }
    }

    /// The called service answers these first, in this order.
    fn answers(&self, answers: impl IntoIterator<Item = Response>) {
        let mut answers: Vec<Response> = answers.into_iter().collect();
        answers.reverse();
        *self.script.lock().unwrap() = answers;
    }

    async fn ask(&self, method: Method) -> Result<Value, CallError> {
        self.services.call(&name("codex"), method, "/who").json().await
    }

    fn calls(&self) -> u32 {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

fn status(status: u16) -> Response {
    (
        StatusCode::from_u16(status).unwrap(),
        Json(json!({ "detail": "not now" })),
    )
        .into_response()
}

fn wait_for(seconds: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", seconds)]).into_response()
}

fn refused(answer: Result<Value, CallError>) -> u16 {
    match answer {
        Err(CallError::Refused { status, .. }) => status.as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_calls_another_in_its_own_name_and_asks_core_once() {
    let world = World::start().await;
    for _ in 0..3 {
        let answer = world.ask(Method::GET).await.unwrap();
        assert_eq!(
            (&answer["caller"], &answer["target"]),
            (&"template".into(), &"codex".into())
        );
        assert!(answer["id"].as_str().is_some_and(|id| id.len() == 22), "{answer}");
    }
    assert_eq!(world.tokens.load(Ordering::SeqCst), 1, "the token is kept");
}

#[tokio::test]
async fn a_call_made_while_a_request_is_answered_carries_that_requests_id() {
    let world = World::start().await;
    let services = world.services.clone();
    let caller = Router::new().route(
        "/",
        any(async move || {
            let answer: Value = services.get(&name("codex"), "/who").await?;
            Ok::<_, super::Rejection>(Json(answer))
        }),
    );
    let caller = run(caller).await;
    let request = client()
        .get(caller.url("/"))
        .header("x-correlation-id", "one-request");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["id"], "one-request");
}

#[tokio::test]
async fn what_makes_no_difference_is_tried_again_and_everything_else_is_not() {
    let world = World::start().await;
    world.answers([503, 502].map(status));
    world.ask(Method::GET).await.unwrap();
    assert_eq!(world.calls(), 3);
    world.answers([status(504)]);
    world.ask(Method::PUT).await.unwrap();
    assert_eq!(world.calls(), 2);

    world.answers([status(503)]);
    assert_eq!(refused(world.ask(Method::POST).await), 503);
    assert_eq!(world.calls(), 1, "it may have been done");
    for decided in [400, 403, 404, 500] {
        world.answers([status(decided)]);
        assert_eq!(refused(world.ask(Method::GET).await), decided);
        assert_eq!(world.calls(), 1, "{decided}");
    }
    world.answers((0..9).map(|_| status(503)));
    assert_eq!(refused(world.ask(Method::GET).await), 503);
    assert_eq!(world.calls(), 4, "and not for ever");
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_left_alone() {
    let world = World::start().await;
    world.answers([wait_for("1")]);
    let began = Instant::now();
    world.ask(Method::GET).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.calls(), 2);
    world.answers([wait_for("3600")]);
    assert_eq!(refused(world.ask(Method::GET).await), 503);
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let world = World::start().await;
    world.answers([status(401)]);
    world.ask(Method::POST).await.unwrap();
    assert_eq!((world.calls(), world.tokens.load(Ordering::SeqCst)), (2, 2));
    world.answers((0..9).map(|_| status(401)));
    assert_eq!(refused(world.ask(Method::POST).await), 401);
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn a_call_ends_in_its_time_whatever_the_other_side_does() {
    let world = World::start().await;
    let gone = name("gone");
    let call = world
        .services
        .call(&gone, Method::POST, "/")
        .timeout(Duration::from_secs(2));
    assert!(matches!(call.send().await, Err(CallError::Unreachable { .. })));

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let addresses = HashMap::from([(name("codex"), address.parse().unwrap())]);
    let services = Services::new(world.core.clone(), client(), addresses);
    let began = Instant::now();
    let call = services
        .call(&name("codex"), Method::GET, "/")
        .timeout(Duration::from_millis(300));
    assert!(matches!(call.send().await, Err(CallError::TimedOut(_))));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_cannot_be_used_is_said_and_no_token_leaves_the_platform() {
    let world = World::start().await;
    let nobody = world
        .services
        .call(&name("nobody"), Method::GET, "/")
        .send()
        .await;
    assert!(matches!(nobody, Err(CallError::Unknown(_))));
    world.answers([vec![b' '; ANSWER_LIMIT + 1].into_response()]);
    assert!(matches!(
        world.ask(Method::GET).await,
        Err(CallError::Malformed { .. })
    ));
    world.answers(["no JSON".into_response()]);
    assert!(matches!(
        world.ask(Method::GET).await,
        Err(CallError::Malformed { .. })
    ));
    world.calls();
    for path in [
        "//evil.example/who",
        "/\\evil.example/who",
        "http://evil.example/who",
    ] {
        let answer = world
            .services
            .call(&name("codex"), Method::GET, path)
            .send()
            .await;
        assert!(answer.is_err(), "{path}");
    }
}
