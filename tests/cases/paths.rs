//! Paths and queries: what passes passes byte for byte, what is ambiguous is refused.

use hivematrix_tests::Stack;

#[tokio::test]
async fn ambiguous_paths_are_refused_with_400_before_anything_is_decided() {
    let stack = Stack::start().await;
    for path in [
        // Dot segments, in every reading.
        "/echo/../x",
        "/echo/./x",
        "/echo/..",
        "/echo/.",
        "/..",
        "/echo/%2e%2e/x",
        "/echo/%2E%2e/x",
        "/echo/.%2e/x",
        "/echo/%252e%252e/x",
        "/echo/%25252e%25252e/x",
        "/echo/..%2fx",
        "/echo/%2e%2e%2fx",
        "/echo%2f..%2fx",
        "/echo/..;x=1/y",
        "/echo/.;/y",
        "/echo/%2e%2e%3bx/y",
        "/echo/x%2f%2e%2e",
        "/echo/..%252fx",
        "/beacon/static/../api/x",
        "/beacon/static/%2e%2e/api/x",
        "/beacon/static/..;/api/x",
        // Backslashes.
        "/echo/a\\b",
        "/echo/a%5Cb",
        "/echo/a%5cb",
        "/echo/a%255Cb",
        "/echo\\..\\x",
        // NUL and other control characters.
        "/echo/%00",
        "/echo/%0a",
        "/echo/%0D%0Ax",
        "/echo/%7f",
        "/echo/%2500",
        "/echo/\u{1}",
        // Invalid escapes.
        "/echo/%",
        "/echo/%2",
        "/echo/%zz",
        "/echo/%u0041",
    ] {
        let answer = stack
            .raw_request(&format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 400, "{path:?}: {}", answer.head);
    }
    assert!(stack.echo.seen().is_empty() && stack.beacon.seen().is_empty());
}

#[tokio::test]
async fn paths_and_queries_are_forwarded_byte_for_byte() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    for target in [
        "/a%2Fb",
        "/%3F%23%20",
        "//x///y",
        "//",
        "/a;v=1",
        "/%E2%82%AC",
        "/%e2%82%ac",
        "/a...",
        "/...",
        "/..a",
        "/a%25b",
        "/x?a=1&a=2&a=3",
        "/x?flag",
        "/x?flag=",
        "/x?",
        "/x?a=b?c",
        "/x?q=%2F..%2F&r=+%20%zz",
        "/x?%00",
        "/x?a[]=1&a[]=2",
        "/x?../../etc",
        "/x?u=https://evil.example/&e=%E2%82%AC",
        "/x?a|b^c{d}`e\\f",
        "/:a@b!$&'()*+,=",
    ] {
        let request = format!("GET /plain{target} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        let answer = stack.raw_request(&request).await;
        assert_eq!(answer.status, 200, "{target}: {} {}", answer.head, answer.body);
        assert_eq!(stack.echo.last().target(), target);
    }
}

#[tokio::test]
async fn a_service_must_be_the_same_in_every_reading_of_the_path() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    for path in [
        "/echo%2Fadmin",
        "/echo;x/y",
        "/%65cho/x",
        "/echo%2f/x",
        "/echo%2Fdeep/x",
        "//echo/x",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        let answer = stack.raw_request(&request).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.head);
    }
    assert!(
        stack.echo.seen().iter().all(|seen| seen.path() == "/signed-in"),
        "{:?}",
        stack.echo.seen()
    );
}

/// `/echo` is open to everybody, `/echo/deep` could be closed: what one reading takes for the one and another
/// reading for the other must not get through.
#[tokio::test]
async fn a_longer_prefix_cannot_be_entered_through_a_shorter_one_by_another_spelling() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let cookie = client.cookie_header("/");
    for path in [
        "/echo/deep%2Fx",
        "/echo/%64eep/x",
        "/echo/deep;x/y",
        "/echo/dee%70",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        let answer = stack.raw_request(&request).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.head);
    }
    assert!(
        stack.echo.seen().iter().all(|seen| seen.path() == "/signed-in"),
        "{:?}",
        stack.echo.seen()
    );
}

#[tokio::test]
async fn targets_that_are_no_absolute_path_are_refused() {
    let stack = Stack::start().await;
    for target in ["*", "echo/x", "", "?x=1", "x", "http:", "http://"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\n\r\n");
        let mut raw = stack.raw().await;
        raw.send(&request).await;
        let status = raw.answer_or_end().await.map(|answer| answer.status);
        assert!(matches!(status, Some(400) | None), "{target:?}: {status:?}");
    }
    assert!(stack.echo.seen().is_empty());
}

/// The HTTP library escapes what may not stand in a request line; policy sees the same as the backend.
#[tokio::test]
async fn what_may_not_stand_in_a_target_is_refused_or_escaped_before_anything_is_decided() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    for (target, escaped) in [
        ("/plain/a b", "/a%20b"),
        ("/plain/x?a b", "/x?a%20b"),
        ("/plain/<x>", "/%3Cx%3E"),
        ("/plain/x?\"", "/x?%22"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        let answer = stack.raw_request(&request).await;
        assert!(
            answer.status == 400 || stack.echo.last().target() == escaped,
            "{target}: {:?}",
            stack.echo.last()
        );
    }
    let hidden = format!("GET /plain/a /../core HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
    assert_eq!(stack.raw_request(&hidden).await.status, 400);
}

#[tokio::test]
async fn a_fragment_never_reaches_a_backend() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    for target in [
        "/plain/a#b",
        "/plain/a#/../../core",
        "/plain/a?b#c",
        "#",
        "/plain#/x",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        stack.raw_request(&request).await;
        assert!(
            stack.echo.seen().iter().all(|seen| !seen.target().contains('#')),
            "{target}"
        );
    }
}
