//! A second identity provider, which nobody here wrote (npm's oidc-provider, a real process): login, logout, and what providers
//! differ in as a table. Its addresses are discovered, its access tokens are opaque, and it stands on an origin of its own.

use std::time::Duration;

use hivematrix_platform::PermissionLevel;
use hivematrix_tests::{Builder, Client, OidcProvider, Stack, claims, eventually};
use serde_json::{Value, json};

/// A stack whose gateway and Core use the provider.
struct World {
    stack: Stack,
    provider: OidcProvider,
}

impl World {
    /// With these settings of the provider; `None` where it is not installed.
    async fn start(settings: Value) -> Option<Self> {
        let mut world = Self::without_provider().await?;
        world.run(&settings).await;
        Some(world)
    }

    /// With a provider that does not run yet.
    async fn without_provider() -> Option<Self> {
        Self::on(Stack::builder()).await
    }

    async fn on(builder: Builder) -> Option<Self> {
        let provider = OidcProvider::find()?;
        let stack = builder.second_provider(&provider).start().await;
        Some(Self { stack, provider })
    }

    async fn run(&mut self, settings: &Value) {
        let origin = self.stack.client().origin_text();
        self.provider.start(&origin, settings).await;
    }

    /// Signs somebody in; the status of the page where it ends, and their level if they are in.
    async fn try_sign_in(&self, client: &Client, name: &str) -> (u16, Option<PermissionLevel>) {
        let page = OidcProvider::sign_in(client, name, "/echo/page").await;
        if (page.status, page.url.path()) != (200, "/echo/page") {
            return (page.status, None);
        }
        let level = claims(&self.stack.token_of(client).await)["permission_level"]
            .as_str()
            .map(str::to_owned);
        (200, Some(level.expect("a level").parse().expect("a known level")))
    }
}

#[tokio::test]
async fn somebody_signs_in_and_out_with_a_provider_that_nobody_here_wrote() {
    let Some(world) = World::start(json!({})).await else {
        return;
    };
    let client = world.stack.client();
    let signed_in = world.try_sign_in(&client, "technicians").await;
    assert_eq!(
        signed_in,
        (200, Some(PermissionLevel::Technician)),
        "{}",
        world.provider.written()
    );
    let told = claims(&world.stack.token_of(&client).await);
    assert_eq!(
        (&told["sub"], &told["email"], &told["name"], &told["iss"]),
        (
            &json!("technicians"),
            &json!("technicians@hivematrix.example"),
            &json!("Name of technicians"),
            &json!("hivematrix-core")
        )
    );
    // Nothing of it is reachable through the gateway, and Keycloak's doors are shut.
    for path in [
        "/keycloak/auth",
        "/keycloak/realms/hivematrix/account",
        "/realms/hivematrix/x",
        "/resources/x.css",
    ] {
        assert_eq!(client.visit(path).send().await.status, 404, "{path}");
    }

    let session = world.stack.session_of(&client).await;
    let question = client.visit("/logout").send().await;
    let left = client.submit_once(&question, &[]).await;
    assert!(
        left.header("location")
            .starts_with(&format!("{}/session/end?", world.provider.issuer())),
        "{left:?}"
    );
    assert!(!left.parameter("id_token_hint").is_empty());
    let asked = client.visit(left.header("location")).send().await;
    let ended = client.submit_once(&asked, &[("logout", "yes")]).await;
    assert_eq!(
        ended.leads_to(),
        format!("{}/", client.origin_text()),
        "and back: {ended:?}"
    );
    let mut again = client.visit("/echo/page").send().await;
    while (301..=308).contains(&again.status) {
        let next = again.url.join(again.header("location")).expect("a URL");
        again = client.visit(next.as_str()).send().await;
    }
    assert!(
        again.text().contains("name=\"login\""),
        "the provider does not remember who that was: {again:?}"
    );
    assert!(world.stack.record_of(&session).await.expect("a record").revoked);
}

#[tokio::test]
async fn providers_differ_and_the_login_works_all_the_same() {
    let technician = Some(PermissionLevel::Technician);
    for (what, settings, expected) in [
        (
            "groups by their paths",
            json!({"groups": "paths"}),
            (200, technician),
        ),
        (
            "one group, not in a list",
            json!({"groups": "one"}),
            (200, technician),
        ),
        (
            "no groups",
            json!({"groups": "none"}),
            (200, Some(PermissionLevel::Client)),
        ),
        ("no refresh tokens", json!({"refresh": false}), (200, technician)),
        (
            "no end of sessions",
            json!({"end_session": false}),
            (200, technician),
        ),
        (
            "a secret in the body",
            json!({"auth_method": "client_secret_post"}),
            (200, technician),
        ),
        (
            "signatures by ES256",
            json!({"algorithm": "ES256"}),
            (200, technician),
        ),
        (
            "signatures by PS256",
            json!({"algorithm": "PS256"}),
            (200, technician),
        ),
        (
            "a clock nearly a minute ahead",
            json!({"skew": 55}),
            (200, technician),
        ),
        (
            "a clock nearly a minute behind",
            json!({"skew": -50, "id_token_ttl": 30}),
            (200, technician),
        ),
        ("a clock far ahead", json!({"skew": 600}), (500, None)),
    ] {
        let Some(world) = World::start(settings).await else {
            return;
        };
        let client = world.stack.client();
        let found = world.try_sign_in(&client, "technicians").await;
        assert_eq!(found, expected, "{what}: {}", world.provider.written());
    }
}

#[tokio::test]
async fn without_an_end_session_endpoint_signing_out_ends_here_and_at_core() {
    let Some(world) = World::start(json!({"end_session": false})).await else {
        return;
    };
    let client = world.stack.client();
    world.try_sign_in(&client, "admins").await;
    let session = world.stack.session_of(&client).await;
    let question = client.visit("/logout").send().await;
    let left = client.submit_once(&question, &[]).await;
    assert_eq!((left.status, left.leads_to().as_str()), (303, "/"));
    assert_eq!(client.fetch("/echo/x").await.status, 401);
    assert!(world.stack.record_of(&session).await.expect("a record").revoked);
}

#[tokio::test]
async fn a_provider_that_changes_its_key_is_followed() {
    let Some(world) = World::start(json!({})).await else {
        return;
    };
    let first = world.stack.client();
    assert_eq!(
        world.try_sign_in(&first, "billing").await.1,
        Some(PermissionLevel::Billing)
    );
    world.provider.rotate().await;
    // Keys are not fetched more often than every five seconds, whoever asks.
    eventually("a login with the new key", async || {
        let client = world.stack.client();
        (world.try_sign_in(&client, "admins").await.1 == Some(PermissionLevel::Admin)).then_some(())
    })
    .await;
    assert_eq!(
        first.fetch("/echo/x").await.status,
        200,
        "and nobody is signed out"
    );
}

#[tokio::test]
async fn a_session_is_renewed_by_the_providers_refresh_token() {
    let often = Stack::builder().configure(|config| config.sessions.recheck_within = Duration::from_secs(3));
    let Some(mut world) = World::on(often).await else {
        return;
    };
    world.run(&json!({})).await;
    let client = world.stack.client();
    world.try_sign_in(&client, "technicians").await;
    let (old, session) = (
        world.stack.token_of(&client).await,
        world.stack.session_of(&client).await,
    );
    eventually("the session is renewed", async || {
        (world.stack.token_of(&client).await != old).then_some(())
    })
    .await;
    assert_eq!(world.stack.session_of(&client).await, session);
    let told = claims(&world.stack.token_of(&client).await);
    assert_eq!(told["permission_level"], "technician");
}

#[tokio::test]
async fn a_provider_that_comes_later_or_goes_stops_logins_only() {
    let Some(mut world) = World::without_provider().await else {
        return;
    };
    let client = world.stack.client();
    let down = client.visit("/echo/page").send().await;
    let down = client.follow(down).await;
    assert_eq!(down.status, 503, "{down:?}");
    world.run(&json!({})).await;
    eventually("a login once it is there", async || {
        (world.try_sign_in(&client, "technicians").await.0 == 200).then_some(())
    })
    .await;
    world.provider.stop();
    assert_eq!(
        client.fetch("/echo/page").await.status,
        200,
        "who is signed in stays so"
    );
}

#[tokio::test]
async fn an_access_token_that_was_issued_to_another_client_begins_no_session() {
    let Some(world) = World::start(json!({})).await else {
        return;
    };
    let http = hivematrix_platform::http_client::internal().unwrap();
    let exchange = async |token: &str| {
        let url = world.stack.core().join("/api/token/exchange").unwrap();
        http.post(url)
            .json(&json!({"access_token": token}))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let client = world.stack.client();
    let issuer = world.provider.issuer();
    let authorize = format!(
        "{issuer}/auth?client_id=another&response_type=code&scope=openid%20profile&state=s&nonce=n&\
         redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback&code_challenge_method=S256&\
         code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let code = code_of(&client, &authorize).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let request = http
        .post(format!("{issuer}/token"))
        .basic_auth("another", Some("the secret of another client"));
    let tokens: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
    let token = tokens["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{tokens}"));
    assert_eq!(exchange(token).await, 401);
    assert_eq!(exchange("nonsense").await, 401);
}

/// Signs in for the other client, up to where the provider would send the browser to it.
async fn code_of(client: &Client, authorize: &str) -> String {
    let mut answer = client.visit(authorize).send().await;
    for _ in 0..10 {
        if answer.header("location").starts_with("http://127.0.0.1:9/") {
            return answer.parameter("code");
        }
        answer = if (301..=308).contains(&answer.status) {
            let next = answer.url.join(answer.header("location")).unwrap();
            client.visit(next.as_str()).send().await
        } else {
            client
                .submit_once(&answer, &[("login", "admins"), ("password", "x")])
                .await
        };
    }
    panic!("no code: {answer:?}");
}
