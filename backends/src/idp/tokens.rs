//! The provider's own tokens: access tokens and ID tokens, in Keycloak's shape.
//!
//! Responsible for: signing them (RS256) and reading them back. Not responsible for: whether the session behind a
//! token is still there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{Jwks, SigningKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::login::Session;
use super::people::Person;
use super::random;
use super::settings::IdpError;

/// The provider's key, ready for use.
pub(super) struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    kid: String,
    jwks: Jwks,
}

/// What a token is about.
pub(super) struct Facts<'a> {
    pub(super) issuer: &'a str,
    pub(super) person: &'a Person,
    pub(super) session: &'a Session,
    pub(super) client_id: &'a str,
    pub(super) scope: &'a str,
    pub(super) now: u64,
    /// Seconds.
    pub(super) lifetime: u64,
}

/// The kind of a token, Keycloak's `typ` claim. One kind is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Id,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "Bearer",
            Self::Id => "ID",
        }
    }
}

/// What matters of a token that came back.
#[derive(Debug, Deserialize)]
pub(super) struct Known {
    pub(super) sub: String,
    pub(super) sid: String,
    pub(super) azp: String,
    pub(super) scope: Option<String>,
    typ: String,
}

impl Keys {
    pub(super) fn new(key: &SigningKey) -> Result<Self, IdpError> {
        let unusable = |error: jsonwebtoken::errors::Error| IdpError::Key(error.to_string());
        let jwk = key.jwk();
        Ok(Self {
            encoding: EncodingKey::from_rsa_pem(key.to_pem().expose_secret().as_bytes()).map_err(unusable)?,
            decoding: DecodingKey::from_rsa_components(&jwk.n, &jwk.e).map_err(unusable)?,
            kid: jwk.kid.clone(),
            jwks: Jwks { keys: vec![jwk] },
        })
    }

    /// The public keys.
    pub(super) fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    pub(super) fn access_token(&self, facts: &Facts<'_>) -> Result<String, jsonwebtoken::errors::Error> {
        let mut claims = common(facts, Kind::Access);
        claims["scope"] = json!(facts.scope);
        self.sign(&claims)
    }

    pub(super) fn id_token(
        &self,
        facts: &Facts<'_>,
        nonce: Option<&str>,
        access_token: &str,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut claims = common(facts, Kind::Id);
        claims["at_hash"] = json!(at_hash(access_token));
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(&claims)
    }

    /// The claims of one of our own tokens of this kind, issued under one of `issuers`; `None` for any other.
    pub(super) fn read(&self, token: &str, kind: Kind, issuers: &[&str], expired_too: bool) -> Option<Known> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 0;
        validation.validate_exp = !expired_too;
        // Which client may use it is the caller's question.
        validation.validate_aud = false;
        validation.set_issuer(issuers);
        let known = jsonwebtoken::decode::<Known>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        (known.typ == kind.as_str()).then_some(known)
    }

    /// A logout token (Back-Channel Logout 1.0 §2.4), of a type of its own so that nobody takes it for another.
    pub(super) fn logout_token(&self, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_as(Some("logout+jwt"), claims)
    }

    fn sign(&self, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_as(None, claims)
    }

    fn sign_as(&self, typ: Option<&str>, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::RS256);
        if let Some(typ) = typ {
            header.typ = Some(typ.to_owned());
        }
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }
}

fn common(facts: &Facts<'_>, kind: Kind) -> Value {
    let person = facts.person;
    json!({
        "iss": facts.issuer,
        "sub": person.sub,
        "aud": facts.client_id,
        "azp": facts.client_id,
        "typ": kind.as_str(),
        "exp": facts.now + facts.lifetime,
        "iat": facts.now,
        "auth_time": facts.session.auth_time,
        "jti": random::secret(),
        "sid": facts.session.sid,
        "acr": "1",
        "name": person.name,
        "preferred_username": person.username,
        "email": person.email,
        "email_verified": true,
        "groups": person.groups,
    })
}

/// The left half of the access token's SHA-256 (OpenID Connect Core §3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let digest = Sha256::digest(access_token);
    URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}
