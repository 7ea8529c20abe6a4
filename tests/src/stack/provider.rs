//! What the provider and its administrators do behind everybody's back.

use hivematrix_platform::http_client;
use hivematrix_platform::{SessionId, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{Stack, platform};
use crate::client::Answer;

impl Stack {
    /// The subject of the person that this client is signed in as.
    ///
    /// # Panics
    /// If it is not signed in.
    pub async fn subject_of(&self, client: &crate::client::Client) -> String {
        let claims = super::claims(&self.token_of(client).await);
        claims["sub"].as_str().expect("a sub").to_owned()
    }

    /// An administrator ends all sessions of a person at the provider. Returns when the provider has told everybody.
    ///
    /// # Panics
    /// If the provider does not.
    pub async fn sign_out_at_provider(&self, sub: &str) {
        let answer = self
            .administer(http::Method::POST, &format!("users/{sub}/logout"), None)
            .await;
        assert_eq!(answer, 200, "the provider signs {sub} out");
    }

    /// An administrator changes a person at the provider: `{"enabled": false}`, `{"groups": ["admins"]}`.
    ///
    /// # Panics
    /// If the provider does not.
    pub async fn change_at_provider(&self, sub: &str, change: &Value) {
        let answer = self
            .administer(http::Method::PUT, &format!("users/{sub}"), Some(change))
            .await;
        assert_eq!(answer, 204, "the provider changes {sub}");
    }

    /// An administrator gives a person another password at the provider, which tells nobody.
    ///
    /// # Panics
    /// If the provider does not.
    pub async fn reset_password_at_provider(&self, sub: &str, password: &str) {
        let path = format!("users/{sub}/reset-password");
        let body = json!({ "type": "password", "value": password, "temporary": false });
        let answer = self.administer(http::Method::PUT, &path, Some(&body)).await;
        assert_eq!(answer, 204, "the provider gives {sub} another password");
    }

    async fn administer(&self, method: http::Method, path: &str, body: Option<&Value>) -> u16 {
        let url = self
            .provider()
            .join(&format!("/admin/realms/hivematrix/{path}"))
            .expect("a URL");
        let http = http_client::internal().expect("an HTTP client");
        let mut request = http
            .request(method, url)
            .basic_auth("core-client", Some(platform::CLIENT_SECRET));
        if let Some(body) = body {
            request = request.json(body);
        }
        request
            .send()
            .await
            .expect("the provider answers")
            .status()
            .as_u16()
    }

    /// A logout token as the provider would sign it, with these claims changed; `null` removes one.
    ///
    /// # Panics
    /// If it cannot be signed.
    #[must_use]
    pub fn logout_token(&self, changes: &Value) -> String {
        let now = unix_now();
        let mut claims = json!({
            "iss": format!("{}/keycloak/realms/hivematrix", self.origin().origin().ascii_serialization()),
            "aud": "core-client",
            "iat": now,
            "exp": now + 120,
            "jti": SessionId::generate(),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            match value {
                Value::Null => drop(members.remove(name)),
                value => drop(members.insert(name.clone(), value.clone())),
            }
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(platform::PROVIDER_KEY.to_owned());
        let key = EncodingKey::from_rsa_pem(self.signing_key_pem().as_bytes()).expect("a key");
        jsonwebtoken::encode(&header, &claims, &key).expect("a signed token")
    }

    /// Sends a logout token to the gateway, as a provider does: from anywhere, without a cookie.
    pub async fn send_logout_token(&self, token: &str) -> Answer {
        let form = [("logout_token".to_owned(), token.to_owned())];
        self.client().post("/backchannel-logout").form(&form).send().await
    }
}
