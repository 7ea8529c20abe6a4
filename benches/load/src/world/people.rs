//! Who asks: people who are signed in, with what a gateway needs to know them and with the token that its rivals check.
//!
//! Their sessions are written as a login leaves them (platform README §4), because a hundred thousand logins would take
//! longer than everything that is measured. If the form changes, nobody is known, and the benchmark says so before it
//! measures.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, TryStreamExt as _};
use hivematrix_platform::{
    Handle, Minter, PermissionLevel, RedisAddress, RedisSettings, RedisStore, SealingKeys, SessionId,
    SessionRecord, Sessions, SigningKey, Store, UserData, unix_now,
};
use rand::distr::{Alphanumeric, SampleString as _};

use crate::error::BenchError;

/// Longer than any benchmark.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Sessions that are written at the same time.
const AT_ONCE: usize = 128;
/// The id of the key that signs.
pub(crate) const KEY_ID: &str = "hivematrix-signing-key-1";
/// Who issues tokens.
pub(crate) const ISSUER: &str = "hivematrix-core";

/// What is kept of a session in a gateway's own record (platform README §4).
#[derive(serde::Serialize)]
struct Record<'a> {
    jwt: &'a str,
    refresh_token: String,
    id_token: String,
    sub: &'a str,
    jti: SessionId,
    created_at: u64,
    checked_at: u64,
    expires_at: u64,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// What a gateway's cookie holds.
    pub(crate) handle: String,
    /// What the rivals' cookie holds.
    pub(crate) token: String,
    /// The session at Core.
    pub(crate) session: SessionId,
}

/// Keys, and the store that sessions are written to.
pub(crate) struct People {
    minter: Minter,
    /// The private key, PEM.
    pub(crate) key: String,
    /// The public half, PEM.
    pub(crate) public: String,
    /// The key set, JSON.
    pub(crate) jwks: String,
    /// The secret of HS256 tokens.
    pub(crate) shared_secret: String,
    sealing: Arc<SealingKeys>,
    store: Arc<dyn Store>,
}

impl People {
    /// Nobody yet. `sealing` are the keys of the gateways; Redis is at this port.
    pub(crate) fn new(redis: u16, sealing: SealingKeys) -> Result<Self, BenchError> {
        let failed = |error: &dyn std::fmt::Display| BenchError::outside("the keys of this run", error);
        let pair = RsaPair::generate(KeySize::Rsa2048).map_err(|error| failed(&error))?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|error| failed(&error))?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|error| failed(&error))?;
        let key = pem("PRIVATE KEY", private.as_ref());
        let minter = Minter::new(
            SigningKey::from_pem(KEY_ID, &key).map_err(|error| failed(&error))?,
            ISSUER,
        );
        let jwks = serde_json::to_string(&minter.jwks()).map_err(|error| failed(&error))?;
        let address = RedisAddress::parse(&format!("redis://127.0.0.1:{redis}"));
        let address = address.map_err(|error| failed(&error))?;
        let settings = RedisSettings {
            command_timeout: Duration::from_secs(10),
            ..RedisSettings::default()
        };
        let store = RedisStore::open(&address, settings).map_err(|error| failed(&error))?;
        Ok(Self {
            minter,
            key,
            public: pem("PUBLIC KEY", public.as_ref()),
            jwks,
            shared_secret: Alphanumeric.sample_string(&mut rand::rng(), 24),
            sealing: Arc::new(sealing),
            store: Arc::new(store),
        })
    }

    /// So many more are signed in, each somebody else.
    pub(crate) async fn sign_in(&self, count: usize) -> Result<Vec<Person>, BenchError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let signing = (0..cores).map(|core| {
            let (minter, share) = (self.minter.clone(), (core..count).step_by(cores));
            tokio::task::spawn_blocking(move || {
                let signed = share.map(|number| Signed::new(&minter, number));
                signed.collect::<Result<Vec<_>, _>>()
            })
        });
        let mut signed = Vec::with_capacity(count);
        for share in futures_util::future::join_all(signing).await {
            signed.extend(share.map_err(|error| BenchError::outside("signing", error))??);
        }
        futures_util::stream::iter(signed)
            .map(|signed| self.written(signed))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn written(&self, signed: Signed) -> Result<Person, BenchError> {
        let failed = |error: &dyn std::fmt::Display| BenchError::outside("writing sessions to Redis", error);
        let (handle, now) = (Handle::generate(), unix_now());
        let expires_at = now + LIFETIME.as_secs();
        let record = SessionRecord {
            user_data: signed.user,
            created_at: now,
            expires_at,
            revoked: false,
        };
        let sessions = Sessions::new(self.store.clone());
        let created = sessions.create(&signed.session, &record, LIFETIME);
        created.await.map_err(|error| failed(&error))?;
        let own = serde_json::to_vec(&Record {
            jwt: &signed.token,
            // As long as a Keycloak's.
            refresh_token: "r".repeat(700),
            id_token: "i".repeat(1100),
            sub: &record.user_data.sub,
            jti: signed.session,
            created_at: now,
            checked_at: now,
            expires_at,
        });
        let (key, own) = (handle.key(), own.map_err(|error| failed(&error))?);
        let sealed = self.sealing.seal(key.as_bytes(), &own);
        let put = self.store.put(&key, &sealed, LIFETIME).await;
        put.map_err(|error| failed(&error))?;
        Ok(Person {
            handle: handle.encode(),
            token: signed.token,
            session: signed.session,
        })
    }

    /// The same claims in a token that a shared secret signs.
    pub(crate) fn shared_secret_token(&self) -> Result<String, BenchError> {
        let failed = |error: &dyn std::fmt::Display| BenchError::outside("signing", error);
        let (_, claims) = self
            .minter
            .user_until(
                &user(0),
                &SessionId::generate(),
                unix_now(),
                unix_now() + LIFETIME.as_secs(),
            )
            .map_err(|error| failed(&error))?;
        let key = jsonwebtoken::EncodingKey::from_secret(self.shared_secret.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key);
        token.map_err(|error| failed(&error))
    }

    /// Ends a session in the store, as Core does.
    pub(crate) async fn revoke(&self, session: &SessionId) -> Result<(), BenchError> {
        let revoked = Sessions::new(self.store.clone()).revoke(session).await;
        revoked
            .map_err(|error| BenchError::outside("revoking a session", error))
            .map(drop)
    }
}

/// A session before it is written.
struct Signed {
    user: UserData,
    session: SessionId,
    token: String,
}

impl Signed {
    fn new(minter: &Minter, number: usize) -> Result<Self, BenchError> {
        let (user, session) = (user(number), SessionId::generate());
        let token = minter.user(&user, &session, unix_now());
        let (token, _) = token.map_err(|error| BenchError::outside("signing a token", error))?;
        Ok(Self { user, session, token })
    }
}

/// Somebody with as many groups as people have after some years.
fn user(number: usize) -> UserData {
    let groups = [
        "technicians",
        "vpn-users",
        "office-vienna",
        "on-call",
        "first-aid",
    ];
    UserData {
        sub: format!("3f1c9f5e-6a52-4f0c-9a53-{number:012x}"),
        name: format!("Alice Example {number}"),
        email: format!("alice.{number}@hivematrix.example"),
        preferred_username: format!("alice.{number}"),
        permission_level: PermissionLevel::Technician,
        groups: groups.map(|group| format!("/{group}")).to_vec(),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_has_lines_of_64_characters() {
        let text = pem("X", &[0; 60]);
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [17, 64, 16, 15]);
    }
}
