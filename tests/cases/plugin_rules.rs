//! What plugins may not do: get around a door, speak in our name, or run where they have no business.

use hivematrix_gateway::config::PluginInstance;
use hivematrix_plugins::{
    Invalid, Plugin, PluginError, Registry, Request, RequestHead, ResponseHead, Tools, Verdict, Visit,
};
use hivematrix_tests::Stack;
use http::HeaderValue;

/// Does what the request's `X-Please` says, and marks every answer.
struct Obedient;

impl Plugin for Obedient {
    const KIND: &'static str = "obedient";
    type Settings = serde_json::Map<String, serde_json::Value>;
    type Visit = Obeying;

    fn new(_: Self::Settings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self)
    }

    fn begin(&self, _: &Request<'_>) -> Option<Obeying> {
        Some(Obeying)
    }
}

struct Obeying;

impl Visit for Obeying {
    async fn on_request(&mut self, head: &mut RequestHead) -> Result<Verdict, PluginError> {
        let wish = head
            .headers
            .get("x-please")
            .and_then(|wish| wish.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        match wish.split_once(' ') {
            Some(("go", path)) => {
                head.path_and_query = path.parse().map_err(|_| PluginError::new("no path"))?
            }
            Some(("say", name)) => {
                let name: http::HeaderName = name.parse().map_err(|_| PluginError::new("no name"))?;
                head.headers.insert(name, HeaderValue::from_static("plugin"));
            }
            Some(("fail", why)) => return Err(PluginError::new(why.to_owned())),
            Some(_) | None => {}
        }
        Ok(Verdict::Continue)
    }

    async fn on_response(&mut self, head: &mut ResponseHead) -> Result<(), PluginError> {
        head.headers.insert("x-obedient", HeaderValue::from_static("yes"));
        Ok(())
    }
}

async fn obedient() -> Stack {
    Stack::builder()
        .plugins(Registry::standard().with::<Obedient>())
        .configure(|config| {
            config.plugins.push(PluginInstance::new("obedient", "obedient"));
            for service in &mut config.services {
                service.plugins.push("obedient".to_owned());
            }
        })
        .start()
        .await
}

#[tokio::test]
async fn a_path_that_a_plugin_changed_is_routed_and_authorized_again() {
    let stack = obedient().await;
    let client = stack.signed_in("technician").await;
    let please = async |wish: &str| {
        client
            .script("GET", "/echo/x")
            .header("X-Please", wish)
            .send()
            .await
    };
    assert_eq!(please("go /second/y?z=1").await.status, 200);
    assert_eq!(
        (
            stack.second.last().target(),
            stack.second.last().header("x-forwarded-prefix")
        ),
        ("/y?z=1", "/second")
    );
    let seen = stack.second.seen().len();
    assert_eq!(please("go /admins/y").await.status, 403, "the new door is shut");
    assert_eq!(please("go /nothing/y").await.status, 404);
    assert_eq!(please("go /core/y").await.status, 404);
    for refused in ["go /echo/../core/", "go /echo/%2e%2e/x", "go /echo/a%5Cb"] {
        assert_eq!(please(refused).await.status, 500, "{refused}");
    }
    assert_eq!(stack.second.seen().len(), seen);
}

#[tokio::test]
async fn a_plugin_that_leads_to_a_public_path_takes_no_identity_there() {
    let stack = obedient().await;
    let client = stack.signed_in("admin").await;
    let answer = client
        .script("GET", "/echo/x")
        .header("X-Please", "go /beacon/display")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert!(
        !stack.beacon.last().has("authorization"),
        "{}",
        stack.beacon.last().head
    );
}

#[tokio::test]
async fn a_plugin_cannot_set_reserved_headers() {
    let stack = obedient().await;
    let client = stack.signed_in("admin").await;
    for name in [
        "x-forwarded-for",
        "x-forwarded-prefix",
        "x-forwarded-user",
        "authorization",
        "x-correlation-id",
        "x-real-ip",
        "proxy",
    ] {
        let answer = client
            .script("GET", "/echo/x")
            .header("X-Please", &format!("say {name}"))
            .send()
            .await;
        assert_eq!(answer.status, 200, "{name}");
        assert!(
            stack.echo.last().all(name).iter().all(|value| *value != "plugin"),
            "{}",
            stack.echo.last().head
        );
    }
    client
        .script("GET", "/echo/x")
        .header("X-Please", "say x-mine")
        .send()
        .await;
    assert_eq!(stack.echo.last().header("x-mine"), "plugin", "others it may");
}

#[tokio::test]
async fn a_plugin_that_fails_on_a_request_refuses_it_and_its_reason_stays_inside() {
    let stack = obedient().await;
    let client = stack.signed_in("admin").await;
    let answer = client
        .script("GET", "/echo/x")
        .header("X-Please", "fail inner-secret")
        .send()
        .await;
    assert!(
        answer.status == 500 && answer.is_problem() && !answer.text().contains("inner-secret"),
        "{answer:?}"
    );
    assert!(stack.logs.text().contains("inner-secret"), "the log knows why");
    assert!(
        stack
            .echo
            .seen()
            .iter()
            .all(|seen| !seen.head.contains("inner-secret"))
    );
}

#[tokio::test]
async fn plugins_do_not_run_on_the_gateways_own_doors_nor_on_the_providers() {
    let stack = obedient().await;
    let client = stack.signed_in("admin").await;
    assert_eq!(client.fetch("/echo/x").await.header("x-obedient"), "yes");
    for path in [
        "/login",
        "/logout",
        "/health",
        "/",
        "/static/css/global.css",
        "/keycloak/realms/hivematrix/.well-known/openid-configuration",
    ] {
        let answer = client.visit(path).send().await;
        assert!(answer.all("x-obedient").is_empty(), "{path}: {answer:?}");
    }
}
