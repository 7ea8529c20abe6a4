//! Core with the development identity provider: the two agree on what an access token is.

use super::*;
use crate::idp::{self, DevClient, DevUser, IdpSettings, Lifetimes};

const CALLBACK: &str = "http://localhost:8000/keycloak-callback";
const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789";

fn provider() -> Router {
    let client = |id: &str| DevClient {
        id: id.to_owned(),
        secret: "secret".to_owned().into(),
        redirect_uris: vec![CALLBACK.to_owned()],
        post_logout_redirect_uris: Vec::new(),
        backchannel_logout_uri: None,
    };
    let user = DevUser {
        username: "admin".to_owned(),
        password: "admin".to_owned().into(),
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        groups: vec!["/admins".to_owned()],
    };
    let settings = IdpSettings {
        key: key(),
        public_base: vec!["http://localhost:8000/keycloak".parse().unwrap()],
        users: vec![user],
        clients: vec![client(CLIENT), client("other")],
        service_accounts: Vec::new(),
        lifetimes: Lifetimes::default(),
        notice: None,
        trusted: None,
    };
    idp::router(settings).unwrap()
}

/// Signs in at the provider as a client of it, and returns its answer with the tokens.
async fn tokens(provider: &Running, client_id: &str) -> Value {
    use sha2::Digest as _;
    let realm = provider.url("/realms/hivematrix");
    let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    let request = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let login = client()
        .post(format!("{realm}/login-actions/authenticate"))
        .header("x-forwarded-host", "localhost:8000")
        .form(&[
            ("request", request.as_str()),
            ("username", "admin"),
            ("password", "admin"),
        ]);
    let answer = login.send().await.unwrap();
    let location: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let code = location
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let redeem = client()
        .post(format!("{realm}/protocol/openid-connect/token"))
        .basic_auth(client_id, Some("secret"))
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
    redeem.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_access_token_of_the_provider_is_accepted_and_no_other_token_is() {
    let provider = run(provider()).await;
    let mut world = World::start().await;
    world.core = run(router(CoreSettings {
        store: Arc::clone(&world.store) as Arc<dyn Store>,
        keys: Arc::clone(&world.keys),
        provider: ProviderAt::UserInfo(
            provider
                .url("/realms/hivematrix/protocol/openid-connect/userinfo")
                .parse()
                .unwrap(),
        ),
        client_id: CLIENT.to_owned(),
        secrets: HashMap::new(),
        legacy_callers: Vec::new(),
        known_services: Vec::new(),
        http: client(),
    }))
    .await;

    let ours = tokens(&provider, CLIENT).await;
    let (status, body) = world.exchange(ours["access_token"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{body}");
    let minted = claims(body["token"].as_str().unwrap());
    assert_eq!(
        (&minted["permission_level"], &minted["name"]),
        (&"admin".into(), &"Ada".into())
    );
    assert_eq!(minted["sub"], claims(ours["id_token"].as_str().unwrap())["sub"]);

    let others = tokens(&provider, "other").await;
    for token in [&ours["id_token"], &others["access_token"]] {
        assert_eq!(world.exchange(token.as_str().unwrap()).await.0, 401);
    }
}
