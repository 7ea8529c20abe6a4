//! The token endpoint and userinfo.

use hivematrix_platform::unix_now;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_code_becomes_tokens_in_keycloaks_shape() {
    let world = World::start().await;
    let (_, tokens) = world.tokens().await;
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&"Bearer".into(), &300.into())
    );
    assert_eq!(tokens["scope"], "openid email profile");
    let (access, id) = (claims(&tokens["access_token"]), claims(&tokens["id_token"]));
    for token in [&access, &id] {
        assert_eq!(token["iss"], ISSUER);
        assert_eq!(
            (&token["aud"], &token["azp"]),
            (&"core-client".into(), &"core-client".into())
        );
        assert_eq!(
            token["exp"].as_u64().unwrap() - token["iat"].as_u64().unwrap(),
            300
        );
        assert_eq!(token["groups"], json!(["admins"]));
        assert_eq!(
            (&token["name"], &token["email"]),
            (&"The admin".into(), &"admin@example.com".into())
        );
        assert_eq!(token["preferred_username"], "admin");
        assert_eq!((&token["sid"], &token["sub"]), (&access["sid"], &access["sub"]));
        assert!(token["auth_time"].as_u64().unwrap().abs_diff(unix_now()) < 5);
    }
    assert_eq!((&access["typ"], &id["typ"]), (&"Bearer".into(), &"ID".into()));
    assert_ne!(access["jti"], id["jti"]);
    assert_eq!(id["nonce"], "n0nce");
    assert_eq!(access.get("nonce"), None);
    let digest = Sha256::digest(tokens["access_token"].as_str().unwrap());
    assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(&digest[..16]));
    assert_eq!(tokens["session_state"], id["sid"]);
}

#[tokio::test]
async fn tokens_verify_with_the_published_keys() {
    let world = World::start().await;
    let (_, tokens) = world.tokens().await;
    let certs = world.realm("/protocol/openid-connect/certs");
    let jwks: Value = world.http.get(certs).send().await.unwrap().json().await.unwrap();
    let jwk = &jwks["keys"][0];
    let key =
        DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["core-client"]);
    validation.set_issuer(&[ISSUER]);
    for token in ["access_token", "id_token"] {
        let data = jsonwebtoken::decode::<Value>(tokens[token].as_str().unwrap(), &key, &validation).unwrap();
        assert_eq!(data.header.kid.as_deref(), jwk["kid"].as_str());
    }
}

#[tokio::test]
async fn a_code_works_once() {
    let world = World::start().await;
    let code = Browser::new(&world).sign_in(&request(&[]), "admin").await;
    assert_eq!(world.redeem(&code).await.0, 200);
    let (status, body) = world.redeem(&code).await;
    assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
}

#[tokio::test]
async fn a_code_is_worth_nothing_after_its_time() {
    let mut settings = settings();
    settings.lifetimes.code = Duration::ZERO;
    let world = World::with(settings).await;
    let code = Browser::new(&world).sign_in(&request(&[]), "admin").await;
    assert_eq!(world.redeem(&code).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_is_bound_to_verifier_address_and_client_and_a_wrong_attempt_spends_it() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    browser.sign_in(&request(&[]), "admin").await;
    for (name, value) in [
        ("code_verifier", "9123456789-0123456789-0123456789-0123456789"),
        ("code_verifier", "short"),
        ("code_verifier", ""),
        ("redirect_uri", "http://localhost:9000/callback?keep=1"),
        ("redirect_uri", ""),
        ("client", "other-client"),
    ] {
        let code = parameter(&browser.get(AUTH, &request(&[])).await, "code").unwrap();
        let mut pairs = redemption(&code);
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
        let client = if name == "client" { value } else { "core-client" };
        let (status, body) = answer(world.form(TOKEN, &pairs).basic_auth(client, Some(SECRET))).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &"invalid_grant".into()),
            "{name}={value}"
        );
        assert_eq!(world.redeem(&code).await.0, 400, "spent");
    }
}

#[tokio::test]
async fn a_client_proves_itself_by_either_method_but_not_by_both() {
    let world = World::start().await;
    let browser = Browser::new(&world);
    browser.sign_in(&request(&[]), "admin").await;
    let encoded: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for (basic, posted, expected) in [
        (Some(("core-client", SECRET)), None, 200),
        (Some(("core-client", encoded.as_str())), None, 200),
        (None, Some(("core-client", SECRET)), 200),
        (None, None, 401),
        (Some(("core-client", "wrong")), None, 401),
        (Some(("core-client", "")), None, 401),
        (Some(("unknown", SECRET)), None, 401),
        (Some(("unknown", "")), None, 401),
        (None, Some(("core-client", "wrong")), 401),
        (None, Some(("unknown", SECRET)), 401),
        (Some(("core-client", SECRET)), Some(("core-client", SECRET)), 400),
    ] {
        let code = parameter(&browser.get(AUTH, &request(&[])).await, "code").unwrap();
        let mut pairs = redemption(&code);
        if let Some((id, secret)) = posted {
            pairs.extend([("client_id", id), ("client_secret", secret)]);
        }
        let mut form = world.form(TOKEN, &pairs);
        if let Some((id, secret)) = basic {
            form = form.basic_auth(id, Some(secret));
        }
        assert_eq!(answer(form).await.0, expected, "{basic:?} {posted:?}");
    }
    let named_twice = [
        ("client_id", "other-client"),
        ("grant_type", "authorization_code"),
        ("code", "x"),
    ];
    assert_eq!(world.token(&named_twice).await.1["error"], "invalid_request");
}

#[tokio::test]
async fn other_grants_and_malformed_requests_are_refused() {
    let world = World::start().await;
    for (pairs, error) in [
        (
            &[("grant_type", "password"), ("username", "admin")][..],
            "unsupported_grant_type",
        ),
        (&[], "invalid_request"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
            "invalid_request",
        ),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "made-up")],
            "invalid_grant",
        ),
        (
            &[("grant_type", "authorization_code"), ("code", "made-up")],
            "invalid_grant",
        ),
    ] {
        let (status, body) = world.token(pairs).await;
        assert_eq!((status, &body["error"]), (400, &error.into()), "{pairs:?}");
    }
    // For service accounts only, and this client is none.
    let (status, body) = world.token(&[("grant_type", "client_credentials")]).await;
    assert_eq!((status, &body["error"]), (401, &"invalid_client".into()));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_brings_its_successor() {
    let world = World::start().await;
    let (_, tokens) = world.tokens().await;
    let first = tokens["refresh_token"].as_str().unwrap();
    let refresh = async |token: &str| {
        world
            .token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    };
    let (status, renewed) = refresh(first).await;
    assert_eq!(status, 200);
    assert_eq!(
        claims(&renewed["id_token"])["sub"],
        claims(&tokens["id_token"])["sub"]
    );
    assert_eq!(
        claims(&renewed["id_token"])["sid"],
        claims(&tokens["id_token"])["sid"]
    );
    assert_eq!(
        world.userinfo(renewed["access_token"].as_str().unwrap()).await,
        StatusCode::OK
    );
    assert_eq!(refresh(first).await.1["error"], "invalid_grant");
    assert_eq!(refresh(renewed["refresh_token"].as_str().unwrap()).await.0, 200);
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused() {
    let world = World::start().await;
    let (_, tokens) = world.tokens().await;
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let (status, body) = answer(world.form(TOKEN, &pairs).basic_auth("other-client", Some(SECRET))).await;
    assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
}

#[tokio::test]
async fn userinfo_answers_for_access_tokens_alone() {
    let world = World::start().await;
    let (_, tokens) = world.tokens().await;
    let access = tokens["access_token"].as_str().unwrap();
    for method in [http::Method::GET, http::Method::POST] {
        let request = world
            .http
            .request(method, world.realm(USERINFO))
            .bearer_auth(access);
        let (status, body) = answer(request).await;
        assert_eq!(status, 200);
        let expected = json!({
            "sub": claims(&tokens["id_token"])["sub"], "name": "The admin", "preferred_username": "admin",
            "email": "admin@example.com", "email_verified": true, "groups": ["admins"],
        });
        assert_eq!(body, expected);
    }
    let mut forged = access.to_owned();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let (id, refresh) = (
        tokens["id_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    for wrong in [id, refresh, forged.as_str(), "", "rubbish"] {
        assert_eq!(world.userinfo(wrong).await, StatusCode::UNAUTHORIZED);
    }
    let in_url = world
        .http
        .get(format!("{}?access_token={access}", world.realm(USERINFO)));
    let refused = in_url.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer")
    );
}

#[tokio::test]
async fn an_expired_access_token_is_refused() {
    let mut settings = settings();
    settings.lifetimes.access_token = Duration::ZERO;
    let world = World::with(settings).await;
    let (_, tokens) = world.tokens().await;
    // `exp` is exact to the second, and its second counts as over once the next one begins.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let status = world.userinfo(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn of_many_who_redeem_a_code_at_once_one_gets_tokens() {
    let world = World::start().await;
    let code = Browser::new(&world).sign_in(&request(&[]), "admin").await;
    let attempts = (0..8).map(|_| world.redeem(&code));
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
}
