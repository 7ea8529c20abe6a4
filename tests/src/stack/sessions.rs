//! The sessions behind a stack's clients: their tokens, Core's records of them, and how they end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{Handle, SealingKeys, SessionId, SessionRecord};
use secrecy::ExposeSecret as _;

use super::{Stack, platform};
use crate::client::Client;

/// The claims of a token, unverified.
///
/// # Panics
/// If it is no token.
#[must_use]
pub fn claims(token: &str) -> serde_json::Value {
    let payload = token
        .split('.')
        .nth(1)
        .and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.unwrap_or_else(|| panic!("not a token: {token}"))
}

impl Stack {
    /// The HiveMatrix token that the gateway sends to backends for this client.
    ///
    /// # Panics
    /// If the client is not signed in.
    pub async fn token_of(&self, client: &Client) -> String {
        let answer = client.fetch("/plain/whoami").await;
        assert_eq!(answer.status, 200, "{answer:?}: {}", answer.text());
        let echo = answer.json();
        let headers = echo["headers"].as_array().expect("headers").iter();
        let found = headers.filter(|pair| {
            pair[0]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case("authorization"))
        });
        let value = found
            .map(|pair| pair[1].as_str().unwrap_or_default())
            .next()
            .expect("an Authorization");
        value.trim_start_matches("Bearer ").to_owned()
    }

    /// Core's session of this client.
    ///
    /// # Panics
    /// If the client is not signed in.
    pub async fn session_of(&self, client: &Client) -> SessionId {
        let claims = claims(&self.token_of(client).await);
        SessionId::parse(claims["jti"].as_str().expect("a jti")).expect("a session id")
    }

    /// Core's record of a session, as Redis has it.
    ///
    /// # Panics
    /// If it is malformed.
    pub async fn record_of(&self, session: &SessionId) -> Option<SessionRecord> {
        let json = self.redis.get(&session.key()).await?;
        Some(SessionRecord::from_json(json.as_bytes()).expect("a session record"))
    }

    /// Asks Core to revoke the session of a token, as any service may.
    ///
    /// # Panics
    /// If Core does not.
    pub async fn revoke(&self, token: &str) {
        let url = self.core().join("/api/token/revoke").expect("a URL");
        let http = hivematrix_platform::http_client::internal().expect("an HTTP client");
        let answer = http
            .post(url)
            .json(&serde_json::json!({ "token": token }))
            .send()
            .await
            .expect("Core answers");
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    }

    /// Revokes as the Python Core does: by rewriting the record.
    ///
    /// # Panics
    /// If there is no such session.
    pub async fn revoke_as_python(&self, session: &SessionId) {
        let mut record = self.record_of(session).await.expect("a session to revoke");
        record.revoked = true;
        let json = serde_json::to_string(&record).expect("JSON");
        self.redis.set_keeping_ttl(&session.key(), &json).await;
    }

    /// Lets a client's login be this much older than it is, as far as it was a proof of who somebody is.
    ///
    /// # Panics
    /// If the client is not signed in.
    pub async fn age_login(&self, client: &Client, seconds: u64) {
        let handle = client.cookie("__Host-hivematrix").expect("a session's cookie");
        let key = Handle::parse(&handle).expect("a handle").key();
        let keys = SealingKeys::from_base64(self.sealing.expose_secret()).expect("sealing keys");
        let mut redis = self.redis.client();
        let sealed: Vec<u8> = redis::cmd("GET")
            .arg(&key)
            .query_async(&mut redis)
            .await
            .expect("GET");
        let plain = keys
            .open(key.as_bytes(), &sealed)
            .expect("a record of the gateway's");
        let mut record: serde_json::Value = serde_json::from_slice(&plain).expect("JSON");
        let proved = record["auth_time"].as_u64().expect("a moment");
        record["auth_time"] = (proved - seconds).into();
        let sealed = keys.seal(key.as_bytes(), record.to_string().as_bytes());
        redis::cmd("SET")
            .arg(&key)
            .arg(sealed)
            .arg("KEEPTTL")
            .query_async::<()>(&mut redis)
            .await
            .expect("SET");
    }

    /// Core's private key, for tokens that Core would not make.
    #[must_use]
    pub fn signing_key_pem(&self) -> String {
        platform::signing_key_pem()
    }
}
