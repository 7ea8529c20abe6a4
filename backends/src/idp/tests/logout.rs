//! Logout that an application asks for.

use super::*;

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[tokio::test]
async fn an_id_token_ends_its_session_everywhere_and_leads_back_to_the_application() {
    let world = World::start().await;
    let (browser, tokens) = world.tokens().await;
    let pending = parameter(&browser.get(AUTH, &request(&[])).await, "code").unwrap();
    let hint = tokens["id_token"].as_str().unwrap();
    let asked = query(&[
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", AFTER_LOGOUT),
        ("state", "s1"),
    ]);
    let answer = browser.get(LOGOUT, &asked).await;
    assert_eq!(location(&answer).as_str(), "http://localhost:8000/?state=s1");
    assert_eq!(browser.cookie(), None);

    assert_eq!(
        world.userinfo(tokens["access_token"].as_str().unwrap()).await,
        StatusCode::UNAUTHORIZED
    );
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.token(&refresh).await.1["error"], "invalid_grant");
    assert_eq!(world.redeem(&pending).await.1["error"], "invalid_grant");
    assert_eq!(
        browser.get(AUTH, &request(&[])).await.status(),
        StatusCode::OK,
        "has to sign in again"
    );
}

#[tokio::test]
async fn the_cookie_is_worth_nothing_after_logout() {
    let world = World::start().await;
    let (browser, tokens) = world.tokens().await;
    let stolen = Browser::new(&world);
    *stolen.cookie.lock().unwrap() = browser.cookie();
    assert!(parameter(&stolen.get(AUTH, &request(&[])).await, "code").is_some());
    browser
        .get(
            LOGOUT,
            &query(&[("id_token_hint", tokens["id_token"].as_str().unwrap())]),
        )
        .await;
    assert_eq!(stolen.get(AUTH, &request(&[])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_expired_id_token_is_still_a_hint_and_may_be_posted() {
    let mut settings = settings();
    settings.lifetimes.access_token = Duration::ZERO;
    let world = World::with(settings).await;
    let (browser, tokens) = world.tokens().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = browser
        .post(LOGOUT, &[("id_token_hint", tokens["id_token"].as_str().unwrap())])
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.text().await.unwrap().contains("Signed out"));
    assert_eq!(browser.cookie(), None);
}

#[tokio::test]
async fn without_a_hint_the_person_is_asked_first() {
    let world = World::start().await;
    let (browser, tokens) = world.tokens().await;
    let kept = [
        ("client_id", "core-client"),
        ("post_logout_redirect_uri", AFTER_LOGOUT),
        ("state", "\"><script>"),
    ];
    let page = browser.get(LOGOUT, &query(&kept)).await;
    assert_eq!(page.status(), StatusCode::OK);
    let text = page.text().await.unwrap();
    assert!(text.contains("Sign out?") && text.contains(AFTER_LOGOUT) && !text.contains("<script"));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        world.userinfo(access).await,
        StatusCode::OK,
        "nothing happened yet"
    );

    let confirm = format!("{LOGOUT}/logout-confirm");
    let foreign = world
        .form(&confirm, &kept)
        .header("origin", "https://evil.example");
    assert_eq!(browser.send(foreign).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(world.userinfo(access).await, StatusCode::OK);

    let answer = browser.post(&confirm, &kept).await;
    assert_eq!(parameter(&answer, "state").unwrap(), "\"><script>");
    assert!(location(&answer).as_str().starts_with("http://localhost:8000/?"));
    assert_eq!(world.userinfo(access).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn logout_sends_nobody_to_an_address_that_is_not_registered() {
    let world = World::start().await;
    let (browser, tokens) = world.tokens().await;
    let (hint, access) = (
        tokens["id_token"].as_str().unwrap(),
        tokens["access_token"].as_str().unwrap(),
    );
    for pairs in [
        &[
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", "https://evil.example/"),
        ][..],
        &[
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", "http://localhost:8000/x"),
        ],
        &[("id_token_hint", hint), ("client_id", "other-client")],
        &[
            ("client_id", "core-client"),
            ("post_logout_redirect_uri", "https://evil.example/"),
        ],
        &[("post_logout_redirect_uri", AFTER_LOGOUT)],
        &[("client_id", "unknown")],
        &[("id_token_hint", access)],
        &[("id_token_hint", "rubbish")],
    ] {
        for path in [LOGOUT.to_owned(), format!("{LOGOUT}/logout-confirm")] {
            if path.ends_with("confirm") && pairs[0].0 == "id_token_hint" {
                continue;
            }
            let answers = if path == LOGOUT {
                vec![
                    browser.get(&path, &query(pairs)).await,
                    browser.post(&path, pairs).await,
                ]
            } else {
                vec![browser.post(&path, pairs).await]
            };
            for answer in answers {
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {pairs:?}");
                assert!(!answer.headers().contains_key("location"));
            }
        }
    }
    assert_eq!(
        world.userinfo(access).await,
        StatusCode::OK,
        "and nobody was signed out"
    );
}

#[tokio::test]
async fn a_hint_about_somebody_else_does_not_sign_out_who_sits_here() {
    let world = World::start().await;
    let (_, others) = world.tokens().await;
    let browser = Browser::new(&world);
    let code = browser.sign_in(&request(&[]), "client").await;
    let (_, own) = world.redeem(&code).await;
    let page = browser
        .get(
            LOGOUT,
            &query(&[("id_token_hint", others["id_token"].as_str().unwrap())]),
        )
        .await;
    assert!(page.text().await.unwrap().contains("Sign out?"));
    assert_eq!(
        world.userinfo(own["access_token"].as_str().unwrap()).await,
        StatusCode::OK
    );
    assert_eq!(
        world.userinfo(others["access_token"].as_str().unwrap()).await,
        StatusCode::UNAUTHORIZED
    );
}
