//! Which service a path belongs to.

use hivematrix_tests::{Script, Stack};

#[tokio::test]
async fn a_prefix_ends_on_a_segment_boundary_and_is_stripped() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    assert_eq!(client.fetch("/echo/companies?x=1").await.status, 200);
    assert_eq!(stack.echo.last().target(), "/companies?x=1");
    for path in ["/echoes", "/ech", "/echo-x/", "/Echo/", "/echo.x", "/%65cho/x"] {
        let answer = client.fetch(path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_longest_prefix_wins() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    client.fetch("/echo/deep/x").await;
    assert_eq!(
        (
            stack.second.last().target(),
            stack.second.last().header("x-forwarded-prefix")
        ),
        ("/x", "/echo/deep")
    );
    client.fetch("/echo/deeper").await;
    assert_eq!(stack.echo.last().target(), "/deeper");
    client.fetch("/echo/de").await;
    assert_eq!(stack.echo.last().target(), "/de");
}

#[tokio::test]
async fn a_service_without_its_slash_is_redirected_to_it_with_its_query() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (path, expected) in [
        ("/echo", "/echo/"),
        ("/echo?a=1&a=2", "/echo/?a=1&a=2"),
        ("/echo/deep", "/echo/deep/"),
    ] {
        let answer = client.visit(path).send().await;
        assert!((301..=308).contains(&answer.status), "{path}: {answer:?}");
        assert_eq!(answer.leads_to(), expected);
    }
}

#[tokio::test]
async fn core_nexus_and_keycloak_of_the_registry_are_never_mounted() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for path in [
        "/core/",
        "/core/health",
        "/core/service-token",
        "/core/.well-known/jwks.json",
        "/nexus/",
        "/nexus/x",
        "/keycloak/",
        "/keycloak/health",
        "/CORE/",
        "/%63ore/health",
        "/core%2Fhealth",
        "/core;x/health",
    ] {
        let answer = client.fetch(path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    let page = client.navigate("/template/").await.text();
    for name in ["core", "nexus", "keycloak"] {
        assert!(
            !page.contains(&format!("href=\"/{name}/")),
            "{name} is in the menu"
        );
    }
}

#[tokio::test]
async fn an_unknown_service_is_named_in_a_404_and_escaped() {
    let stack = Stack::start().await;
    let client = stack.client();
    let answer = client.fetch("/nothing/here").await;
    assert!(answer.status == 404 && answer.is_problem(), "{answer:?}");
    assert_eq!(answer.json()["detail"], "Service 'nothing' not found.");
    let page = client.navigate("/nothing").await;
    assert!(page.status == 404 && page.is_page(), "{page:?}");
    assert!(
        page.text().contains("Service &#39;nothing&#39; not found.")
            || page.text().contains("Service 'nothing' not found.")
    );
    for evil in ["/%3Cscript%3Ealert(1)%3C%2Fscript%3E/", "/'%22onload=alert(1)/"] {
        let text = client.navigate(evil).await.text();
        assert!(
            !text.contains("<script>alert") && !text.contains("\"onload="),
            "{text}"
        );
    }
}

#[tokio::test]
async fn no_prefix_shadows_a_door_of_the_gateways_own() {
    let stack = Stack::builder()
        .configure(|config| {
            for (service, prefix) in [("second", "/login"), ("deep", "/static"), ("hidden", "/logout")] {
                let found = config
                    .services
                    .iter_mut()
                    .find(|found| found.name.as_str() == service);
                found.expect("a service").prefix = prefix.to_owned();
            }
        })
        .start()
        .await;
    let client = stack.client();
    assert_eq!(client.visit("/login").send().await.status, 303);
    assert_eq!(client.visit("/logout").send().await.status, 200);
    assert_eq!(client.get("/static/nothing").send().await.status, 404);
    assert!(stack.second.seen().is_empty());
}

#[tokio::test]
async fn configured_redirects_keep_the_query() {
    let redirect = |from: &str, to: &str| hivematrix_gateway::config::Redirect {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let stack = Stack::builder()
        .configure(move |config| config.redirects = vec![redirect("/helpdesk", "/beacon/helpdesk")])
        .start()
        .await;
    let answer = stack.client().visit("/helpdesk?ticket=7").send().await;
    assert!((301..=308).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.leads_to(), "/beacon/helpdesk?ticket=7");
    assert_eq!(stack.client().visit("/helpdesk/x").send().await.status, 404);
}

#[tokio::test]
async fn every_method_reaches_the_backend_with_its_body() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT",
    ] {
        let body = if matches!(method, "GET" | "HEAD") {
            ""
        } else {
            "{\"a\":1}"
        };
        let answer = client.script(method, "/echo/thing").body(body).send().await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        let seen = stack.echo.last();
        assert_eq!((seen.method(), seen.body()), (method, body.as_bytes().to_vec()));
    }
}

#[tokio::test]
async fn a_connection_to_a_backend_is_used_again() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let before = stack.echo.connections();
    for request in 0..20 {
        assert_eq!(client.fetch(&format!("/echo/{request}")).await.status, 200);
    }
    assert!(
        stack.echo.connections() <= before + 1,
        "20 requests took {} connections",
        stack.echo.connections() - before
    );
}

#[tokio::test]
async fn a_signed_in_request_asks_core_nothing() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    client.fetch("/plain/x").await;
    let relay = stack.relay(hivematrix_tests::Part::Core);
    relay.cut().await;
    for _ in 0..5 {
        assert_eq!(client.fetch("/plain/x").await.status, 200);
    }
}

#[tokio::test]
async fn the_status_and_headers_of_a_backend_pass_as_they_are() {
    let stack = Stack::start().await;
    let teapot = Script::text("text/plain", "short and stout").with_status(418);
    stack.echo.on(
        "/tea",
        teapot
            .header("X-Custom", "a")
            .header("X-Custom", "b")
            .header("ETag", "\"v1\""),
    );
    let answer = stack.signed_in("admin").await.fetch("/echo/tea").await;
    assert_eq!((answer.status, answer.text().as_str()), (418, "short and stout"));
    assert_eq!(answer.all("x-custom"), ["a", "b"]);
    assert_eq!(
        (answer.header("etag"), answer.header("content-length")),
        ("\"v1\"", "15")
    );
}
