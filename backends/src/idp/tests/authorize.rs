//! The authorization endpoint, the login form, and the browser's session.

use super::*;

#[tokio::test]
async fn signing_in_sends_a_code_to_the_client_with_its_state() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let page = browser.get(AUTH, &request(&[])).await;
    assert_eq!(page.status(), StatusCode::OK);
    let answer = browser
        .submit(&request(&[]), "Admin@Example.com", "admin-password")
        .await;
    assert!(
        location(&answer)
            .as_str()
            .starts_with(&format!("{CALLBACK}?code="))
    );
    assert_eq!(parameter(&answer, "state").unwrap(), "st&te");
    assert_eq!(parameter(&answer, "iss").unwrap(), ISSUER);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/keycloak/realms/hivematrix/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_secure_address_gets_a_secure_cookie_and_its_own_issuer() {
    let world = World::start().await;
    let pairs = [
        ("request", request(&[])),
        ("username", "admin".into()),
        ("password", "admin-password".into()),
    ];
    let form = world.http.post(world.realm(AUTHENTICATE)).form(&pairs);
    let form = form
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "127.0.0.1:8443");
    let answer = form
        .header("x-forwarded-prefix", "/keycloak")
        .send()
        .await
        .unwrap();
    assert!(
        answer.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("; Secure")
    );
    let issuer = "https://127.0.0.1:8443/keycloak/realms/hivematrix";
    assert_eq!(parameter(&answer, "iss").unwrap(), issuer);
    // The code is redeemed over the back channel, where nothing is forwarded.
    let (_, tokens) = world.redeem(&parameter(&answer, "code").unwrap()).await;
    assert_eq!(claims(&tokens["id_token"])["iss"], issuer);
    assert_eq!(claims(&tokens["access_token"])["iss"], issuer);
    assert_eq!(
        world.userinfo(tokens["access_token"].as_str().unwrap()).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_redirect_uri_keeps_its_own_query() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let request = request(&[
        ("client_id", "other-client"),
        ("redirect_uri", "http://localhost:9000/callback?keep=1"),
    ]);
    let answer = browser.submit(&request, "admin", "admin-password").await;
    assert!(
        location(&answer)
            .as_str()
            .starts_with("http://localhost:9000/callback?keep=1&code=")
    );
}

#[tokio::test]
async fn a_second_tab_signs_in_silently() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let first = browser.sign_in(&request(&[]), "admin").await;
    let answer = browser.get(AUTH, &request(&[("state", "second")])).await;
    assert_eq!(parameter(&answer, "state").unwrap(), "second");
    let second = parameter(&answer, "code").unwrap();
    assert_ne!(first, second);
    assert_eq!(world.redeem(&second).await.0, 200);
    assert_eq!(world.redeem(&first).await.0, 200);
}

#[tokio::test]
async fn ten_tabs_with_the_login_form_open_can_all_be_used() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    for _ in 0..10 {
        assert_eq!(browser.get(AUTH, &request(&[])).await.status(), StatusCode::OK);
    }
    for tab in 0..10 {
        let answer = browser
            .submit(
                &request(&[("state", &tab.to_string())]),
                "admin",
                "admin-password",
            )
            .await;
        assert_eq!(parameter(&answer, "state").unwrap(), tab.to_string());
        assert_eq!(world.redeem(&parameter(&answer, "code").unwrap()).await.0, 200);
    }
}

#[tokio::test]
async fn prompt_and_max_age_are_honoured() {
    let world = World::start().await;
    let stranger = Browser::new(&world);
    let answer = stranger.get(AUTH, &request(&[("prompt", "none")])).await;
    assert_eq!(parameter(&answer, "error").unwrap(), "login_required");
    assert_eq!(parameter(&answer, "state").unwrap(), "st&te");

    let known = Browser::new(&world);
    known.sign_in(&request(&[]), "admin").await;
    assert!(parameter(&known.get(AUTH, &request(&[("prompt", "none")])).await, "code").is_some());
    assert!(parameter(&known.get(AUTH, &request(&[("max_age", "1000")])).await, "code").is_some());
    for asks in [
        ("prompt", "login"),
        ("prompt", "select_account"),
        ("max_age", "0"),
    ] {
        assert_eq!(
            known.get(AUTH, &request(&[asks])).await.status(),
            StatusCode::OK,
            "{asks:?}"
        );
        let answer = known.submit(&request(&[asks]), "admin", "admin-password").await;
        assert!(parameter(&answer, "code").is_some(), "{asks:?}");
    }
    let never = known
        .get(AUTH, &request(&[("prompt", "none"), ("max_age", "0")]))
        .await;
    assert_eq!(parameter(&never, "error").unwrap(), "login_required");
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_registered() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    browser.sign_in(&request(&[]), "admin").await;
    for change in [
        ("client_id", "unknown"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "http://localhost:8000/keycloak-callback/"),
        ("redirect_uri", "http://localhost:8000/keycloak-callback?x"),
        ("redirect_uri", "http://LOCALHOST:8000/keycloak-callback"),
        ("redirect_uri", "http://localhost:9000/callback?keep=1"),
    ] {
        let query = request(&[change]);
        let answers = [
            browser.get(AUTH, &query).await,
            browser.submit(&query, "admin", "admin-password").await,
        ];
        for answer in answers {
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{change:?}");
            assert!(!answer.headers().contains_key("location"));
        }
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", request(&[]));
    assert_eq!(browser.get(AUTH, &twice).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_not_supported_is_told_to_the_client() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("request", "x.y.z"), "request_not_supported"),
        (("request_uri", "https://x"), "request_uri_not_supported"),
    ] {
        let answer = browser.get(AUTH, &request(&[change])).await;
        assert!(location(&answer).as_str().starts_with(CALLBACK), "{change:?}");
        assert_eq!(parameter(&answer, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(parameter(&answer, "state").as_deref(), Some("st&te"));
        assert_eq!(parameter(&answer, "code"), None);
    }
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again_and_signs_nobody_in() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let long = "x".repeat(300);
    for (login, password) in [
        ("admin", "wrong"),
        ("admin", ""),
        ("admin", "client-password"),
        ("nobody", "nobody-password"),
        ("", ""),
        ("admin", long.as_str()),
    ] {
        let answer = browser.submit(&request(&[]), login, password).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let page = answer.text().await.unwrap();
        assert!(page.contains("Wrong username or password.") && page.contains("name=\"password\""));
        assert_eq!(browser.cookie(), None);
    }
    assert_eq!(
        browser.get(AUTH, &request(&[])).await.status(),
        StatusCode::OK,
        "still not signed in"
    );
}

#[tokio::test]
async fn guessing_a_password_is_stopped_per_username() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    for _ in 0..super::super::throttle::ATTEMPTS {
        let answer = browser.submit(&request(&[]), "admin", "wrong").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    for login in ["admin", " ADMIN "] {
        let answer = browser.submit(&request(&[]), login, "admin-password").await;
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{login}");
        assert_eq!(answer.headers()["retry-after"], "60");
    }
    let answer = browser.submit(&request(&[]), "client", "client-password").await;
    assert!(parameter(&answer, "code").is_some(), "others are not concerned");
}

#[tokio::test]
async fn a_login_form_of_another_site_is_refused() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let request = request(&[]);
    let pairs = [
        ("request", request.as_str()),
        ("username", "admin"),
        ("password", "admin-password"),
    ];
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = browser
            .send(world.form(AUTHENTICATE, &pairs).header(name, value))
            .await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
        assert_eq!(browser.cookie(), None);
    }
}

#[tokio::test]
async fn browsers_that_come_by_an_unknown_address_are_refused() {
    let world = World::start().await;
    let query = request(&[]);
    for (scheme, host) in [
        ("https", "localhost:8000"),
        ("http", "evil.example"),
        ("http", "localhost"),
    ] {
        let get = world.http.get(format!("{}?{query}", world.realm(AUTH)));
        let get = get
            .header("x-forwarded-proto", scheme)
            .header("x-forwarded-host", host);
        assert_eq!(
            get.send().await.unwrap().status(),
            StatusCode::MISDIRECTED_REQUEST,
            "{scheme} {host}"
        );
    }
}

#[tokio::test]
async fn what_was_sent_is_escaped_and_the_policy_allows_the_style_alone() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    let nasty = "\"><script>alert(1)</script>";
    let query = request(&[("login_hint", nasty), ("state", nasty)]);
    for page in [
        browser.get(AUTH, &query).await,
        browser.submit(&query, nasty, nasty).await,
    ] {
        let headers = page.headers().clone();
        let text = page.text().await.unwrap();
        assert!(!text.contains("<script") && text.contains("&lt;script"));
        assert!(text.contains("Try &lt;admin&gt;."));
        let style = text
            .split_once("<style>")
            .unwrap()
            .1
            .split_once("</style>")
            .unwrap()
            .0;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self' http://localhost:8000; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(headers["content-security-policy"], policy.as_str());
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!text.contains("style=") && !text.contains(" onclick"));
    }
}
