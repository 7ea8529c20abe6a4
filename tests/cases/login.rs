//! Signing in: who is sent to the login, who is told, and where everybody ends.

use futures_util::future::join_all;
use hivematrix_tests::{Client, Stack, eventually};

const SESSION: &str = "__Host-hivematrix";

#[tokio::test]
async fn a_navigation_is_sent_to_the_login_and_ends_where_it_wanted_to_be() {
    let stack = Stack::start().await;
    let client = stack.client();
    let wanted = "/echo/page?a=1&a=2&flag&q=x%2Fy";
    let first = client.visit(wanted).send().await;
    assert_eq!(first.status, 303, "{first:?}");
    assert!(
        first.leads_to().starts_with("/login?next=%2Fecho%2Fpage%3Fa"),
        "{}",
        first.leads_to()
    );
    let page = client.login_to("technician", wanted).await;
    assert_eq!((page.status, page.url.path()), (200, "/echo/page"), "{page:?}");
    assert_eq!(stack.echo.last().target(), "/page?a=1&a=2&flag&q=x%2Fy");
}

#[tokio::test]
async fn a_background_request_gets_401_problem_json_with_a_login_url_and_no_redirect() {
    let stack = Stack::start().await;
    let table: [(&str, &[(&str, &str)]); 6] = [
        (
            "fetch",
            &[
                ("Sec-Fetch-Mode", "cors"),
                ("Sec-Fetch-Dest", "empty"),
                ("Accept", "*/*"),
            ],
        ),
        (
            "jQuery",
            &[("X-Requested-With", "XMLHttpRequest"), ("Accept", "text/html")],
        ),
        (
            "htmx",
            &[
                ("HX-Request", "true"),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
            ],
        ),
        (
            "an image",
            &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
        ),
        ("a program", &[("Accept", "application/json")]),
        ("who says nothing", &[]),
    ];
    for (who, headers) in table {
        let ask = headers
            .iter()
            .fold(stack.client().get("/echo/data"), |ask, (name, value)| {
                ask.header(name, value)
            });
        let answer = ask.send().await;
        assert!(answer.status == 401 && answer.is_problem(), "{who}: {answer:?}");
        let login = answer.json()["login_url"].as_str().unwrap_or_default().to_owned();
        assert!(login.starts_with("/login?next=%2F"), "{who}: {login}");
        assert!(!answer.header("www-authenticate").is_empty(), "{who}");
        assert!(
            answer.all("set-cookie").is_empty() && answer.header("location").is_empty(),
            "{who}"
        );
    }
    assert!(
        stack.echo.seen().is_empty(),
        "nothing reaches a backend without a session"
    );
}

#[tokio::test]
async fn background_requests_begin_no_login_attempts() {
    let stack = Stack::start().await;
    let client = stack.client();
    for _ in 0..5 {
        assert_eq!(client.fetch("/echo/").await.status, 401);
        assert_eq!(client.fetch("/login?next=%2Fecho%2F").await.status, 401);
        let prefetch = client
            .visit("/login")
            .header("Sec-Purpose", "prefetch;prerender")
            .send()
            .await;
        assert_eq!(prefetch.status, 401, "{prefetch:?}");
    }
    assert_eq!(stack.redis.keys("hm:*").await, Vec::<String>::new());
    assert_eq!(client.cookie_names(), Vec::<String>::new());
}

#[tokio::test]
async fn ten_tabs_that_start_a_login_at_once_all_end_where_they_wanted_to_be() {
    let stack = Stack::start().await;
    let client = stack.client();
    let paths: Vec<String> = (0..10).map(|tab| format!("/echo/tab-{tab}?tab={tab}")).collect();
    let forms = join_all(paths.iter().map(|path| client.navigate(path))).await;
    let fields = [("username", "billing"), ("password", "billing")];
    let pages = join_all(forms.iter().map(|form| client.submit(form, &fields))).await;
    for (path, page) in paths.iter().zip(&pages) {
        let url = &page.url[url::Position::BeforePath..];
        assert_eq!((page.status, url), (200, path.as_str()), "{page:?}");
    }
    let left: Vec<String> = client
        .cookie_names()
        .into_iter()
        .filter(|name| name.starts_with("__Host-hm-login-"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "every attempt's cookie is gone");
}

#[tokio::test]
async fn each_attempt_has_its_own_state_nonce_and_pkce_challenge() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (one, two) = (
        client.visit("/login").send().await,
        client.visit("/login").send().await,
    );
    assert_eq!(one.parameter("code_challenge_method"), "S256");
    assert_eq!(one.parameter("code_challenge").len(), 43);
    assert_eq!(one.parameter("response_type"), "code");
    assert_eq!(one.parameter("scope"), "openid email profile");
    for name in ["state", "nonce", "code_challenge"] {
        assert!(
            one.parameter(name).len() >= 22,
            "{name} is guessable: {}",
            one.parameter(name)
        );
        assert_ne!(one.parameter(name), two.parameter(name), "{name} was used twice");
    }
}

#[tokio::test]
async fn redirect_uris_are_built_from_the_public_origin_and_never_from_the_request() {
    let stack = Stack::start().await;
    let ask = stack
        .client()
        .visit("/login")
        .header("X-Forwarded-Host", "evil.example");
    let answer = ask
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.example")
        .send()
        .await;
    let expected = stack
        .origin()
        .join("/keycloak-callback")
        .expect("a URL")
        .to_string();
    assert_eq!(answer.parameter("redirect_uri"), expected);
    let foreign = "GET /login HTTP/1.1\r\nHost: evil.example\r\nSec-Fetch-Dest: document\r\n\r\n";
    assert_eq!(stack.raw_request(foreign).await.status, 421);
}

#[tokio::test]
async fn each_of_several_public_origins_has_redirect_uris_of_its_own() {
    let stack = Stack::builder()
        .configure(|config| {
            let other = format!("http://127.0.0.1:{}", config.server.listen.port());
            config
                .server
                .public_origins
                .push(other.parse().expect("an origin"));
        })
        .start()
        .await;
    let port = stack.origin().port().expect("a port");
    for host in ["localhost", "127.0.0.1"] {
        let request =
            format!("GET /login HTTP/1.1\r\nHost: {host}:{port}\r\nSec-Fetch-Dest: document\r\n\r\n");
        let answer = stack.raw_request(&request).await;
        let location = answer.header("location");
        assert!(
            location.starts_with(&format!("http://{host}:{port}/keycloak/realms/hivematrix/")),
            "{}",
            answer.head
        );
        assert!(
            location.contains(&format!(
                "redirect_uri=http%3A%2F%2F{host}%3A{port}%2Fkeycloak-callback"
            )),
            "{location}"
        );
    }
}

#[tokio::test]
async fn the_browser_holds_one_opaque_cookie_that_scripts_cannot_read() {
    let stack = Stack::start().await;
    let client = stack.client();
    let callback = callback_of(&client, "admin").await;
    let done = client.visit(&callback).send().await;
    let cookie = done
        .all("set-cookie")
        .into_iter()
        .find(|line| line.starts_with(SESSION))
        .expect("a session")
        .to_owned();
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(attributes.contains(&attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("eyJ"), "{cookie}");
    let handle = client.cookie(SESSION).expect("a session");
    assert_eq!(handle.len(), 43, "256 bits of base64url");
}

#[tokio::test]
async fn what_redis_holds_of_a_session_is_sealed_and_does_not_name_the_handle() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let (handle, token) = (
        client.cookie(SESSION).expect("a session"),
        stack.token_of(&client).await,
    );
    let keys = stack.redis.keys("hm:session:*").await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(!keys[0].contains(&handle), "the key is a hash");
    let mut redis = stack.redis.client();
    let value: Vec<u8> = redis::cmd("GET")
        .arg(&keys[0])
        .query_async(&mut redis)
        .await
        .expect("a value");
    let value = String::from_utf8_lossy(&value);
    for secret in [&token, &handle, "eyJ", "admin@hivematrix.example"] {
        assert!(!value.contains(secret), "{secret} can be read in Redis");
    }
    let record = stack
        .record_of(&stack.session_of(&client).await)
        .await
        .expect("Core's record");
    assert_eq!(record.user_data.email, "admin@hivematrix.example");
    assert!(
        !stack.logs.text().contains(&handle) && !stack.logs.text().contains("eyJ"),
        "nor in the log"
    );
}

#[tokio::test]
async fn the_handle_changes_at_every_login_and_a_planted_one_is_never_taken_over() {
    let stack = Stack::start().await;
    let client = stack.client();
    client.set_cookie(
        "/",
        "__Host-hivematrix=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/; Secure",
    );
    let (one, two) = (
        client.navigate("/echo/one").await,
        client.navigate("/echo/two").await,
    );
    let fields = [("username", "client"), ("password", "client")];
    client.submit(&one, &fields).await;
    let first = client.cookie(SESSION).expect("a session");
    assert!(!first.starts_with("AAAA"), "a planted handle is worth nothing");
    client.submit(&two, &fields).await;
    let second = client.cookie(SESSION).expect("a session");
    assert_ne!(first, second);
    assert_eq!(client.fetch("/echo/now").await.status, 200);
    // Other tabs of this browser may be on their way with the old handle: it ends soon, not at once.
    let old = hivematrix_platform::Handle::parse(&first)
        .expect("a handle")
        .key();
    let ends = async || ((0..=60).contains(&stack.redis.ttl(&old).await)).then_some(());
    eventually("the old handle has at most a minute left", ends).await;
}

#[tokio::test]
async fn who_is_signed_in_goes_straight_on() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let handle = client.cookie(SESSION);
    let answer = client.visit("/login?next=%2Fecho%2Fx%3Fy%3D1").send().await;
    assert_eq!((answer.status, answer.leads_to().as_str()), (303, "/echo/x?y=1"));
    assert_eq!(client.cookie(SESSION), handle);
}

#[tokio::test]
async fn next_leads_to_local_paths_only() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for evil in [
        "//evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "/\\evil.example",
        "/%5Cevil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/%2F/evil.example",
        "/%252F/evil.example",
        "///evil.example",
        "/.//evil.example",
        "/x/..//evil.example",
        "/%2e%2e//evil.example",
        "evil.example",
        "/\n/evil.example",
        "/%0d%0aLocation:%20https://evil.example",
        "@evil.example",
        "",
        "/logout",
        "/%6cogout",
        "/login?next=//evil.example",
    ] {
        let next: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let answer = client.visit(&format!("/login?next={next}")).send().await;
        assert_eq!(
            (answer.status, answer.leads_to().as_str()),
            (303, "/"),
            "next={evil:?}: {answer:?}"
        );
    }
    for good in ["/echo/a", "/echo/a?b=c&d", "/echo/a%2Fb", "/echo/100%25", "/"] {
        let next: String = url::form_urlencoded::byte_serialize(good.as_bytes()).collect();
        let answer = client.visit(&format!("/login?next={next}")).send().await;
        assert_eq!(answer.leads_to(), good);
    }
}

#[tokio::test]
async fn a_whole_login_with_a_foreign_next_stays_on_the_gateway() {
    let stack = Stack::start().await;
    let page = stack
        .client()
        .login_to("admin", "/login?next=/%2509/evil.example")
        .await;
    assert_eq!(page.url.origin(), stack.origin().origin(), "{page:?}");
    assert_eq!(page.url.path(), "/helm/", "home");
}

/// Walks a login up to the callback, which is left to the case.
pub(crate) async fn callback_of(client: &Client, name: &str) -> String {
    let start = client.visit("/login?next=%2Fecho%2Fsigned-in").send().await;
    let form = client.follow(start).await;
    let sent = client
        .submit_once(&form, &[("username", name), ("password", name)])
        .await;
    let callback = sent.leads_to();
    assert!(callback.starts_with("/keycloak-callback?"), "{sent:?}");
    callback
}
