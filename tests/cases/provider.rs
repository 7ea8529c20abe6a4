//! The identity provider behind the gateway: through an allow-list, and nothing else of it.

use hivematrix_tests::{Backend, Script, Stack};

const OPENID: &str = "/realms/hivematrix/protocol/openid-connect";

/// A stack whose provider is a backend that says yes to everything.
async fn with_scripted_provider() -> (Stack, Backend) {
    let provider = Backend::start().await;
    let address = provider.address();
    let change = move |config: &mut hivematrix_gateway::config::Config| {
        config.provider.backend_url = format!("http://{address}/").parse().expect("a URL");
    };
    (Stack::builder().configure(change).start().await, provider)
}

#[tokio::test]
async fn the_realm_and_the_resources_are_open_and_everything_else_is_404_in_every_encoding() {
    let (stack, provider) = with_scripted_provider().await;
    for (path, at_provider) in [
        (
            "/keycloak/realms/hivematrix/account?x=1&x=2",
            Some("/realms/hivematrix/account?x=1&x=2"),
        ),
        (
            "/keycloak/realms/hivematrix/.well-known/openid-configuration",
            Some("/realms/hivematrix/.well-known/openid-configuration"),
        ),
        (
            "/keycloak/resources/abc/login/css/a.css",
            Some("/resources/abc/login/css/a.css"),
        ),
        ("/realms/hivematrix/account", Some("/realms/hivematrix/account")),
        ("/resources/a.js", Some("/resources/a.js")),
        ("/keycloak", None),
        ("/keycloak/", None),
        ("/keycloak/admin", None),
        ("/keycloak/admin/", None),
        ("/keycloak/admin/master/console/", None),
        ("/keycloak/admin/realms/hivematrix/users", None),
        ("/keycloak/%61dmin/", None),
        ("/keycloak/%2561dmin/", None),
        ("/keycloak//admin/", None),
        ("/keycloak/;x/admin", None),
        ("/keycloak/Admin/", None),
        ("/keycloak/realms/master/account", None),
        ("/keycloak/realms/maste%72/account", None),
        ("/keycloak/realms/hivematrix2/account", None),
        ("/keycloak/realms/hivematrix", None),
        ("/keycloak/realms/hivematrix%2faccount", None),
        ("/keycloak/realms/hivematrix;x/account", None),
        ("/keycloak/realms//hivematrix/account", None),
        ("/keycloak/metrics", None),
        ("/keycloak/health", None),
        ("/keycloak/health/ready", None),
        ("/keycloak/welcome", None),
        ("/keycloak/js/keycloak.js", None),
        ("/realms/master/account", None),
        ("/realms/", None),
        ("/realms", None),
        ("/resources", None),
        ("/admin/", None),
    ] {
        let before = provider.seen().len();
        let answer = stack
            .raw_request(&format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"))
            .await;
        match at_provider {
            Some(expected) => {
                assert_eq!(answer.status, 200, "{path}: {}", answer.head);
                assert_eq!(provider.last().target(), expected);
            }
            None => {
                assert_eq!(answer.status, 404, "{path}: {}", answer.head);
                assert_eq!(provider.seen().len(), before, "{path} reached the provider");
            }
        }
    }
    for path in [
        "/keycloak/realms/hivematrix/../master/x",
        "/keycloak/realms/hivematrix/%2e%2e/master/x",
        "/keycloak/resources/..%2fadmin",
    ] {
        let answer = stack
            .raw_request(&format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 400, "{path}");
    }
}

#[tokio::test]
async fn the_provider_is_told_its_public_address_and_not_the_gateways_session() {
    let (stack, provider) = with_scripted_provider().await;
    let client = stack.client();
    client.set_cookie(
        "/",
        "__Host-hivematrix=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/; Secure",
    );
    client.set_cookie("/keycloak/", "AUTH_SESSION_ID=1; Path=/keycloak");
    let ask = client
        .get("/keycloak/realms/hivematrix/account")
        .header("X-Forwarded-Host", "evil.example");
    assert_eq!(
        ask.header("Forwarded", "host=evil.example").send().await.status,
        200
    );
    let seen = provider.last();
    assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(
        (seen.header("x-forwarded-proto"), seen.header("x-forwarded-host")),
        ("http", stack.authority().as_str())
    );
    assert_eq!(
        seen.header("x-forwarded-port"),
        stack.origin().port().expect("a port").to_string()
    );
    assert_eq!(
        (seen.header("x-forwarded-prefix"), seen.header("cookie")),
        ("/keycloak", "AUTH_SESSION_ID=1")
    );
    assert!(
        !seen.head.contains("evil") && !seen.has("authorization"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn the_providers_cookies_redirects_and_framing_are_tidied() {
    let (stack, provider) = with_scripted_provider().await;
    let address = provider.address();
    let script = Script::html("<html><body>login</body></html>")
        .with_status(302)
        .header(
            "Location",
            &format!("http://{address}/realms/hivematrix/next?a=b"),
        )
        .header(
            "Set-Cookie",
            "AUTH_SESSION_ID=1; Path=/realms/hivematrix/; Domain=localhost; HttpOnly",
        )
        .header("Set-Cookie", "__Host-hivematrix=evil; Path=/; Secure")
        .header("Strict-Transport-Security", "max-age=1")
        .header("Clear-Site-Data", "\"*\"");
    provider.on("/realms/hivematrix/x", script);
    let answer = stack.client().visit("/keycloak/realms/hivematrix/x").send().await;
    assert_eq!(answer.leads_to(), "/keycloak/realms/hivematrix/next?a=b");
    assert_eq!(
        answer.all("set-cookie"),
        ["AUTH_SESSION_ID=1; Path=/keycloak; HttpOnly"]
    );
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert!(
        answer
            .all("content-security-policy")
            .iter()
            .any(|policy| policy.contains("frame-ancestors 'none'"))
    );
    assert!(
        answer.header("strict-transport-security").is_empty() && answer.header("clear-site-data").is_empty()
    );
    assert!(
        !answer.text().contains("side-panel"),
        "plugins do not run on the provider's pages"
    );
}

#[tokio::test]
async fn the_provider_works_without_a_session_and_its_issuer_is_the_public_address() {
    let stack = Stack::start().await;
    let path = "/keycloak/realms/hivematrix/.well-known/openid-configuration";
    let discovery = stack.client().get(path).send().await.json();
    let issuer = stack
        .origin()
        .join("/keycloak/realms/hivematrix")
        .expect("a URL")
        .to_string();
    assert_eq!(discovery["issuer"], issuer.as_str());
    let unsafe_form = stack
        .client()
        .post(&format!("/keycloak{OPENID}/token"))
        .header("Origin", "https://evil.example");
    assert_ne!(
        unsafe_form.send().await.status,
        403,
        "back-channel endpoints are excepted from the cross-site rule"
    );
}

#[tokio::test]
async fn a_provider_on_an_origin_of_its_own_is_not_reachable_here() {
    let own = "https://id.example.com";
    let stack = Stack::builder()
        .configure(move |config| config.provider.identity_origin = Some(own.parse().expect("an origin")))
        .start()
        .await;
    let begun = stack.client().visit("/login").send().await;
    assert!(
        begun
            .header("location")
            .starts_with("https://id.example.com/keycloak/realms/hivematrix/"),
        "{begun:?}"
    );
    for path in [
        "/keycloak/realms/hivematrix/account",
        "/realms/hivematrix/account",
        "/resources/a.css",
    ] {
        assert_eq!(stack.client().get(path).send().await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_provider_at_the_root_of_its_own_origin_shadows_no_service() {
    let stack = Stack::builder()
        .configure(|config| {
            config.provider.identity_origin = Some("https://id.example.com".parse().expect("an origin"));
            config.provider.public_path = String::new();
        })
        .start()
        .await;
    let begun = stack.client().visit("/login").send().await;
    assert!(
        begun
            .header("location")
            .starts_with("https://id.example.com/realms/hivematrix/"),
        "{begun:?}"
    );
    assert_eq!(
        stack.client().get("/beacon/display/1").send().await.status,
        200,
        "a service is where it was"
    );
    for path in ["/realms/hivematrix/account", "/resources/a.css"] {
        assert_eq!(stack.client().get(path).send().await.status, 404, "{path}");
    }
}
