//! Who calls a service, by the token that the gateway (or another service) sends.
//!
//! Responsible for: verifying `Authorization: Bearer`, telling users from services, guarding routes by permission
//! level. Not responsible for: revocation (the gateway has checked the session before it forwarded the request;
//! platform README §3) and for tokens anywhere but in that header.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use hivematrix_platform::{
    Access, Claims, PermissionLevel, ServiceClaims, ServiceName, TokenError, UserClaims, Verifier, unix_now,
};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Rejection;

/// What a service needs to know its callers: how to verify tokens, and its own name, for which service tokens
/// must have been made. Part of a router's state: extractors take it from there by [`FromRef`].
#[derive(Clone)]
pub struct Auth {
    verifier: Arc<Verifier>,
    service: ServiceName,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Auth")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Auth {
    /// For the service called `service`.
    #[must_use]
    pub fn new(verifier: Arc<Verifier>, service: ServiceName) -> Self {
        Self { verifier, service }
    }

    /// The name of this service.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Lets only those users through to the routes of `router` whom `access` allows, and other services.
    ///
    /// Services are let through because they act for the platform, not for a user (platform README §3); a route
    /// that must not be open to them takes [`User`].
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, router: Router<S>, access: Access) -> Router<S> {
        router.route_layer(middleware::from_fn_with_state((self.clone(), access), guarded))
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Rejection> {
        let token = bearer(headers)?;
        let now = unix_now();
        match self
            .verifier
            .verify(token, now)
            .await
            .map_err(|error| refuse(&error))?
        {
            Claims::User(claims) => Ok(Caller::User(claims)),
            Claims::Service(claims) if claims.target_service == self.service.as_str() => {
                Ok(Caller::Service(claims))
            }
            Claims::Service(_) => Err(refuse(&TokenError::WrongTarget)),
        }
    }
}

/// Who calls: a user through the gateway, or another service on its own behalf.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A signed-in user.
    User(UserClaims),
    /// Another service, whose token was made for this service and no other.
    Service(ServiceClaims),
}

impl Caller {
    /// Refuses users whose level `access` does not allow. Services pass.
    ///
    /// # Errors
    /// 403.
    pub fn must_be(&self, access: Access) -> Result<(), Rejection> {
        match self {
            Self::User(claims) if !access.allows(claims.user.permission_level) => Err(not_allowed()),
            Self::User(_) | Self::Service(_) => Ok(()),
        }
    }
}

/// The signed-in user who calls. Anybody else: 401, and 403 for a service.
#[derive(Clone, Debug)]
pub struct User(pub UserClaims);

impl User {
    /// The user's permission level.
    #[must_use]
    pub fn level(&self) -> PermissionLevel {
        self.0.user.permission_level
    }

    /// Refuses a user whose level `access` does not allow.
    ///
    /// # Errors
    /// 403.
    pub fn must_be(&self, access: Access) -> Result<(), Rejection> {
        if access.allows(self.level()) {
            Ok(())
        } else {
            Err(not_allowed())
        }
    }
}

/// Found in the extensions once a guard has verified the token, so that handlers need not verify it again.
#[derive(Clone)]
struct Known(Caller);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Auth: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        if let Some(Known(caller)) = parts.extensions.get() {
            return Ok(caller.clone());
        }
        let caller = Auth::from_ref(state).caller(&parts.headers).await?;
        parts.extensions.insert(Known(caller.clone()));
        Ok(caller)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User
where
    Auth: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::User(claims) => Ok(Self(claims)),
            Caller::Service(_) => Err(Rejection::forbidden(
                "This is for signed-in users, not for services.",
            )),
        }
    }
}

async fn guarded(
    State((auth, access)): State<(Auth, Access)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Rejection> {
    let caller = auth.caller(request.headers()).await?;
    caller.must_be(access)?;
    request.extensions_mut().insert(Known(caller));
    Ok(next.run(request).await)
}

/// The one bearer token of a request (RFC 6750 §2.1; not from the body, never from the URL).
fn bearer(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Rejection::unauthorized("Sign in first."));
    };
    value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| Rejection::unauthorized("Sign in first."))
}

fn refuse(error: &TokenError) -> Rejection {
    if let TokenError::KeysUnavailable(cause) = error {
        tracing::warn!(reason = error.reason(), %cause, "tokens cannot be checked: does Core answer, and is CORE_SERVICE_URL right?");
    } else {
        tracing::info!(reason = error.reason(), "refused a token");
    }
    match error {
        TokenError::KeysUnavailable(_) => Rejection::unavailable(
            "Who you are cannot be checked at the moment. Nothing was changed; please try again in a moment.",
            1,
        ),
        TokenError::WrongTarget => Rejection::unauthorized("This token was made for another service."),
        _ => Rejection::unauthorized("The token is not valid."),
    }
}

fn not_allowed() -> Rejection {
    Rejection::forbidden("Your permission level does not allow this.")
}
