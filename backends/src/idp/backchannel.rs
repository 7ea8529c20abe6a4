//! Telling applications that a session has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! Responsible for: who is told, and logout tokens on their way. Not responsible for: ending the session, nor for what
//! applications make of it; who does not listen is not told again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hivematrix_platform::unix_now;
use serde_json::{Value, json};
use url::Url;

use super::login::Session;
use super::{Idp, random};

/// For one application to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a logout token is good, in seconds: it is sent at once.
const LIFETIME: u64 = 120;

impl Idp {
    /// Ends a session and tells whoever wants to know, in the background.
    pub(super) fn end_session(self: &Arc<Self>, sid: &str, now: u64) {
        if let Some(session) = self.sessions.end(sid, now) {
            let idp = Arc::clone(self);
            tokio::spawn(async move { idp.tell(&session).await });
        }
    }

    /// Tells whoever wants to know that a session has ended, and waits until they have heard. How many have.
    pub(super) async fn tell(&self, session: &Session) -> usize {
        let clients = self.clients.values();
        let addresses =
            clients.filter_map(|client| Some((client.id.as_str(), client.backchannel_logout_uri.as_ref()?)));
        let told = addresses.map(|(client, url)| self.tell_one(client, url, session));
        join_all(told).await.into_iter().filter(|heard| *heard).count()
    }

    async fn tell_one(&self, client: &str, url: &Url, session: &Session) -> bool {
        let token = match self.keys.logout_token(&self.logout_claims(client, session)) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(reason = "signing", %error, "could not sign a logout token");
                return false;
            }
        };
        let form = [("logout_token", token)];
        let answer = self
            .http
            .post(url.clone())
            .form(&form)
            .timeout(TIMEOUT)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => true,
            Ok(answer) => {
                tracing::warn!(client, status = %answer.status(), "an application did not take a logout");
                false
            }
            Err(error) => {
                tracing::warn!(client, error = %error.without_url(), "an application could not be told of a logout");
                false
            }
        }
    }

    /// With the session and the person, and without what would make it an ID token (§2.4).
    fn logout_claims(&self, client: &str, session: &Session) -> Value {
        let now = unix_now();
        json!({
            "iss": self.bases.issuers().first(),
            "aud": client,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": random::secret(),
            "sub": session.sub,
            "sid": session.sid,
            "typ": "Logout",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        })
    }
}
