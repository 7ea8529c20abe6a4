//! The identity provider as an OpenID Connect client sees it (platform README §2, §11).
//!
//! Responsible for: the authorization request, the code's exchange over the back channel, and whether the
//! tokens that come back are genuine, meant for us, and those that were asked for. Not responsible for
//! attempts, cookies or sessions (see `login`).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier,
    CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthUrl, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _, TokenUrl,
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::access_token::is_for_us;
use super::back_channel::{BackChannel, OnBehalfOf};
use super::endpoints::Endpoints;
use super::login_error::LoginError;
use super::login_refusal::{refusal_of_claims, refusal_of_exchange};
use super::provider_keys::ProviderKeys;
use super::wish::Wish;
use crate::config::{Origin, Provider};

/// How far the provider's clock may be ahead of ours or behind it, in seconds.
const CLOCK_SKEW: i64 = 60;

/// What may sign an ID token: asymmetric, and nothing else (RFC 8725 §3.1).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointNotSet>;

/// The configured provider.
pub(super) struct Oidc {
    pub(super) endpoints: Endpoints,
    pub(super) back_channel: BackChannel,
    keys: ProviderKeys,
}

/// The authorization request of one attempt, and the secrets that prove its answer.
pub(super) struct AuthorizationRequest {
    pub(super) url: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Who has signed in, with verified tokens.
pub(super) struct SignedIn {
    pub(super) sub: String,
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) id_token: String,
    /// The provider's session, where the ID token names it.
    pub(super) sid: Option<String>,
    /// When the provider issued the ID token, in Unix seconds.
    pub(super) issued_at: u64,
    /// When the person proved who they are, in Unix seconds, if the provider says so.
    pub(super) auth_time: Option<u64>,
}

/// What is taken from a verified ID token.
pub(super) struct Verified {
    pub(super) sub: String,
    sid: Option<String>,
    issued_at: u64,
    pub(super) auth_time: Option<u64>,
}

impl Oidc {
    pub(super) fn new(settings: Provider) -> Result<Self, reqwest::Error> {
        let endpoints = Endpoints::new(settings);
        let keys = ProviderKeys::new(endpoints.clone());
        Ok(Self {
            endpoints,
            back_channel: BackChannel::new()?,
            keys,
        })
    }

    /// Our client there.
    pub(super) fn client_id(&self) -> &str {
        &self.endpoints.settings.client_id
    }

    /// Its keys as last fetched.
    pub(super) fn keys(&self) -> Arc<CoreJsonWebKeySet> {
        self.keys.current()
    }

    /// Its keys, fetched again unless that was a moment ago.
    ///
    /// # Errors
    /// [`LoginError::ProviderDown`].
    pub(super) async fn newer_keys(
        &self,
        seen: &Arc<CoreJsonWebKeySet>,
    ) -> Result<Arc<CoreJsonWebKeySet>, LoginError> {
        self.keys.newer_than(seen, &self.back_channel).await
    }

    /// Sees to it that its addresses are known; to be awaited before a request is made.
    ///
    /// # Errors
    /// [`LoginError::ProviderDown`].
    pub(super) async fn ready(&self) -> Result<(), LoginError> {
        self.endpoints.ready(&self.back_channel).await
    }

    /// Its issuer for browsers that use `origin`.
    pub(super) fn issuer(&self, origin: &Origin) -> String {
        self.endpoints.issuer(origin)
    }

    pub(super) fn client(&self, origin: &Origin, keys: &CoreJsonWebKeySet) -> Result<Client, LoginError> {
        let settings = &self.endpoints.settings;
        let misconfigured =
            |error: url::ParseError| LoginError::ProviderDown(format!("its address: {error}"));
        let issuer = IssuerUrl::new(self.endpoints.issuer(origin)).map_err(misconfigured)?;
        let auth = AuthUrl::new(self.endpoints.authorization(origin)).map_err(misconfigured)?;
        let token = TokenUrl::new(self.endpoints.token()).map_err(misconfigured)?;
        let redirect = RedirectUrl::new(Endpoints::callback(origin)).map_err(misconfigured)?;
        Ok(
            CoreClient::new(ClientId::new(settings.client_id.clone()), issuer, keys.clone())
                .set_client_secret(ClientSecret::new(
                    settings.client_secret.expose_secret().to_owned(),
                ))
                .set_auth_type(self.endpoints.auth_type())
                .set_auth_uri(auth)
                .set_token_uri(token)
                .set_redirect_uri(redirect),
        )
    }

    /// Calls that tell the provider its public address, for browsers that use `origin`.
    pub(super) fn on_behalf_of(&self, origin: &Origin) -> OnBehalfOf<'_> {
        self.back_channel.on_behalf_of(self.endpoints.forwarded(origin))
    }

    /// The request that begins a login on `origin`: code flow with PKCE (S256) and a nonce.
    pub(super) fn authorization_request(
        &self,
        origin: &Origin,
        state: String,
        wish: Wish,
    ) -> Result<AuthorizationRequest, LoginError> {
        let client = self.client(origin, &CoreJsonWebKeySet::default())?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        // `openid` is always asked for.
        let scopes = self.endpoints.settings.scopes.iter();
        let scopes = scopes.filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                Nonce::new_random,
            )
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        if wish.ask {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        if let Some(seconds) = wish.max_age {
            request = request.set_max_age(Duration::from_secs(seconds));
        }
        let (url, _, nonce) = request.url();
        Ok(AuthorizationRequest {
            url: url.into(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Exchanges the code for tokens and verifies them.
    ///
    /// # Errors
    /// [`LoginError::ProviderDown`], [`LoginError::ProviderRefused`], [`LoginError::IdTokenInvalid`].
    pub(super) async fn sign_in(
        &self,
        origin: &Origin,
        code: String,
        verifier: String,
        nonce: String,
    ) -> Result<SignedIn, LoginError> {
        self.ready().await?;
        let client = self.client(origin, &self.keys.current())?;
        let channel = self.on_behalf_of(origin);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&channel)
            .await
            .map_err(refusal_of_exchange)?;
        let id_token = answer.id_token().ok_or_else(|| invalid("there is none"))?;
        let access_token = answer.access_token();
        let verified = self
            .verify(origin, id_token, access_token, Some(Nonce::new(nonce)))
            .await?;
        Ok(SignedIn {
            sub: verified.sub,
            sid: verified.sid,
            issued_at: verified.issued_at,
            access_token: access_token.secret().clone(),
            refresh_token: answer.refresh_token().map(|token| token.secret().clone()),
            id_token: id_token.to_string(),
            auth_time: verified.auth_time,
        })
    }

    /// Verifies the ID token, with fresh keys if need be, and that the access token belongs to it. One that was not
    /// asked for by a browser needs no nonce.
    pub(super) async fn verify(
        &self,
        origin: &Origin,
        id_token: &CoreIdToken,
        access_token: &AccessToken,
        nonce: Option<Nonce>,
    ) -> Result<Verified, LoginError> {
        let keys = self.keys.current();
        let check = |keys: &CoreJsonWebKeySet| {
            let client = self.client(origin, keys)?;
            Ok::<_, LoginError>(self.check(
                id_token,
                access_token,
                &client.id_token_verifier(),
                nonce.as_ref(),
            ))
        };
        match check(&keys)? {
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let fresh = self.keys.newer_than(&keys, &self.back_channel).await?;
                check(&fresh)?.map_err(refusal_of_claims)
            }
            answer => answer.map_err(refusal_of_claims),
        }
    }

    /// Signature, issuer, audience, expiry and nonce by the library; the rest here.
    fn check(
        &self,
        id_token: &CoreIdToken,
        access_token: &AccessToken,
        verifier: &CoreIdTokenVerifier<'_>,
        nonce: Option<&Nonce>,
    ) -> Result<Verified, ClaimsVerificationError> {
        let skewed = |seconds: i64| (seconds > now() + CLOCK_SKEW).then(|| "issued in the future".to_owned());
        let verifier = verifier
            .clone()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(|| Utc::now() - TimeDelta::seconds(CLOCK_SKEW))
            .set_issue_time_verifier_fn(|issued| skewed(issued.timestamp()).map_or(Ok(()), Err));
        let claims = match nonce {
            Some(nonce) => id_token.claims(&verifier, nonce)?,
            None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(()))?,
        };
        let client_id = &self.endpoints.settings.client_id;
        if claims
            .authorized_party()
            .is_some_and(|party| party.as_str() != client_id)
        {
            return Err(ClaimsVerificationError::InvalidAudience(
                "azp is another client".to_owned(),
            ));
        }
        let bound = is_bound(id_token, claims, access_token, &verifier)?;
        // `at_hash` is optional in this flow (OpenID Connect Core §3.1.3.6), where the token comes from the provider itself in
        // answer to our client; Core asks the provider about an opaque one. Keycloak's speak for themselves.
        let vouched = bound || self.endpoints.is_discovered();
        is_for_us(access_token.secret(), client_id, vouched)
            .map_err(|why| ClaimsVerificationError::InvalidAudience(why.to_owned()))?;
        Ok(Verified {
            sub: claims.subject().to_string(),
            sid: sid_of(&id_token.to_string()),
            issued_at: u64::try_from(claims.issue_time().timestamp()).unwrap_or_default(),
            auth_time: claims
                .auth_time()
                .and_then(|time| u64::try_from(time.timestamp()).ok()),
        })
    }
}

/// The `sid` of a token that has been verified (Back-Channel Logout 1.0 §2.1); the library does not know it.
fn sid_of(id_token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Sid {
        #[serde(default)]
        sid: Option<String>,
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Sid>(&payload).ok()?.sid
}

pub(super) fn invalid(why: &str) -> LoginError {
    LoginError::IdTokenInvalid(why.to_owned())
}

fn now() -> i64 {
    i64::try_from(hivematrix_platform::unix_now()).unwrap_or(i64::MAX)
}

/// Whether the ID token vouches for the access token (`at_hash`, OpenID Connect Core §3.1.3.8). A wrong hash
/// is an error, a missing one is not.
fn is_bound(
    id_token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    access_token: &AccessToken,
    verifier: &CoreIdTokenVerifier<'_>,
) -> Result<bool, ClaimsVerificationError> {
    let Some(expected) = claims.access_token_hash() else {
        return Ok(false);
    };
    let algorithm = id_token
        .signing_alg()
        .map_err(ClaimsVerificationError::SignatureVerification)?;
    let key = id_token
        .signing_key(verifier)
        .map_err(ClaimsVerificationError::SignatureVerification)?;
    match AccessTokenHash::from_token(access_token, algorithm, key) {
        Ok(actual) if actual == *expected => Ok(true),
        _ => Err(ClaimsVerificationError::Other(
            "at_hash does not match the access token".to_owned(),
        )),
    }
}
