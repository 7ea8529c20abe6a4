//! What a backend may say to a browser: for its own prefix, and not for the whole origin.

use hivematrix_tests::{Client, Script, Stack};

/// `/echo/<path>` answers with this header; the values that reach the browser.
async fn through(stack: &Stack, client: &Client, name: &str, value: &str) -> Vec<String> {
    stack
        .echo
        .on("/answer", Script::text("text/plain", "x").header(name, value));
    let answer = client.get("/echo/answer").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.all(name).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_backends_cookies_stay_below_its_prefix() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (set, expected) in [
        ("session=1; Path=/; HttpOnly", "session=1; Path=/echo; HttpOnly"),
        (
            "a=1; Path=/x; Secure; SameSite=Lax",
            "a=1; Path=/echo/x; Secure; SameSite=Lax",
        ),
        ("a=1; Domain=localhost; Path=/echo/y", "a=1; Path=/echo/y"),
        ("a=1; path=/second", "a=1; Path=/echo/second"),
        ("a=1; Path=/echoes", "a=1; Path=/echo/echoes"),
        ("a=1; DOMAIN=.localhost", "a=1"),
        ("a=1; Path=nonsense", "a=1; Path=/echo"),
    ] {
        let found = through(&stack, &client, "Set-Cookie", set).await;
        assert_eq!(found, [expected], "{set}");
    }
}

#[tokio::test]
async fn a_backend_cannot_set_the_gateways_cookies_in_any_case() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let handle = client.cookie("__Host-hivematrix");
    for set in [
        "__Host-hivematrix=evil; Path=/; Secure",
        "__HOST-HIVEMATRIX=evil; Path=/; Secure",
        "__host-hivematrix=evil; Secure; Path=/",
        "__Host-hm-login-x=evil; Path=/; Secure",
        " __Host-hivematrix =evil",
        "=__Host-hivematrix=evil",
    ] {
        assert_eq!(
            through(&stack, &client, "Set-Cookie", set).await,
            Vec::<String>::new(),
            "{set}"
        );
    }
    assert_eq!(client.cookie("__Host-hivematrix"), handle);
}

#[tokio::test]
async fn two_backends_with_the_same_cookie_name_do_not_disturb_each_other_nor_the_gateway() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/login",
        Script::text("text/plain", "x").header("Set-Cookie", "session=echo; Path=/"),
    );
    stack.second.on(
        "/login",
        Script::text("text/plain", "x").header("Set-Cookie", "session=second; Path=/"),
    );
    let client = stack.signed_in("admin").await;
    client.fetch("/echo/login").await;
    client.fetch("/second/login").await;
    assert_eq!(
        (
            client.fetch("/echo/x").await.status,
            client.fetch("/second/x").await.status
        ),
        (200, 200)
    );
    assert_eq!(stack.echo.last().header("cookie"), "session=echo");
    assert_eq!(stack.second.last().header("cookie"), "session=second");
}

#[tokio::test]
async fn redirects_stay_on_the_prefix_or_go_where_the_backend_said() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let internal = stack.relay(hivematrix_tests::Part::Echo).address();
    let (beacon, origin) = (stack.beacon.address(), client.origin_text());
    let table = [
        (
            "/companies?x=1#top".to_owned(),
            "/echo/companies?x=1#top".to_owned(),
        ),
        ("/echo/already".to_owned(), "/echo/already".to_owned()),
        ("/".to_owned(), "/echo/".to_owned()),
        ("next".to_owned(), "next".to_owned()),
        ("../up?a=b".to_owned(), "../up?a=b".to_owned()),
        ("?page=2".to_owned(), "?page=2".to_owned()),
        ("/second/there".to_owned(), "/second/there".to_owned()),
        (
            "https://example.com/out".to_owned(),
            "https://example.com/out".to_owned(),
        ),
        ("//example.com/out".to_owned(), "//example.com/out".to_owned()),
        (format!("http://{internal}/in?x=1"), "/echo/in?x=1".to_owned()),
        (
            format!("http://{internal}/echo/in?x=1"),
            "/echo/in?x=1".to_owned(),
        ),
        (format!("//{internal}/in"), "/echo/in".to_owned()),
        (format!("http://{beacon}/there"), "/beacon/there".to_owned()),
        ("http://localhost:9/in".to_owned(), "/echo/in".to_owned()),
        ("http://127.0.0.1:5010/in".to_owned(), "/echo/in".to_owned()),
        ("http://127.0.0.1:5010/echo/in".to_owned(), "/echo/in".to_owned()),
        ("http://[::1]:5010/in".to_owned(), "/echo/in".to_owned()),
        ("http://0.0.0.0:5010/in".to_owned(), "/echo/in".to_owned()),
        (format!("{origin}/companies"), "/echo/companies".to_owned()),
    ];
    for (location, expected) in table {
        stack
            .echo
            .on("/move", Script::status(302).header("Location", &location));
        let answer = client.visit("/echo/move").send().await;
        let found = answer.header("location").trim_start_matches(&origin).to_owned();
        let expected = expected.trim_start_matches(&origin);
        assert_eq!((answer.status, found.as_str()), (302, expected), "{location}");
    }
}

#[tokio::test]
async fn a_redirect_by_the_host_that_the_backend_was_told_comes_back_to_the_gateway() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    client.fetch("/echo/x").await;
    let seen = stack.echo.last();
    for host in [seen.header("host"), seen.header("x-forwarded-host")] {
        stack.echo.on(
            "/move",
            Script::status(303).header("Location", &format!("http://{host}/done")),
        );
        assert_eq!(
            client.visit("/echo/move").send().await.leads_to(),
            "/echo/done",
            "{host}"
        );
    }
}

#[tokio::test]
async fn what_speaks_for_the_whole_origin_is_removed() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (name, value) in [
        ("Clear-Site-Data", "\"cookies\", \"storage\""),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("Alt-Svc", "h3=\"evil.example:443\"; ma=86400"),
        ("Public-Key-Pins", "pin-sha256=\"x\"; max-age=5184000"),
        ("Public-Key-Pins-Report-Only", "pin-sha256=\"x\"; max-age=5184000"),
    ] {
        assert_eq!(
            through(&stack, &client, name, value).await,
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_service_worker_is_allowed_below_the_prefix_only() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for scope in [
        "/",
        "/second/",
        "/echo/app/",
        "/echo/../",
        "/echo%2f../",
        "/echo",
        "https://evil.example/",
    ] {
        let found = through(&stack, &client, "Service-Worker-Allowed", scope).await;
        assert_eq!(found.len(), 1, "{scope}: {found:?}");
        assert!(
            found[0].starts_with("/echo/") && !found[0].contains(['.', '%']),
            "{scope}: {found:?}"
        );
    }
}

#[tokio::test]
async fn content_location_and_refresh_do_not_show_internal_addresses() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let internal = stack.relay(hivematrix_tests::Part::Echo).address();
    for (name, value) in [
        ("Content-Location", format!("http://{internal}/x")),
        ("Refresh", format!("0; url=http://{internal}/x")),
    ] {
        let found = through(&stack, &client, name, &value).await;
        assert!(
            found.iter().all(|value| !value.contains(&internal.to_string())),
            "{name}: {found:?}"
        );
    }
}
