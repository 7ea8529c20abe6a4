//! Tokens by which one service calls another (platform README §3, §5).
//!
//! Responsible for: that a caller is who it says, and that both sides are known. Not responsible for: what a
//! service may ask of another; the called one decides.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Extension, State};
use axum::response::{IntoResponse as _, Response};
use hivematrix_platform::{ServiceName, unix_now};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::Core;
use super::answer::{self, Failure};
use super::presented::{self, Body};
use crate::kit::secret;

/// Who may ask for service tokens, and how they prove who they are.
pub(super) struct Callers {
    pub(super) secrets: HashMap<ServiceName, SecretString>,
    pub(super) legacy: HashSet<ServiceName>,
    pub(super) known: HashSet<ServiceName>,
}

#[derive(Default, Deserialize)]
struct Asked {
    calling_service: Option<String>,
    target_service: Option<String>,
}

/// `POST /service-token`. The caller proves itself by HTTP Basic, its name and its secret.
pub(super) async fn issue(
    State(core): State<Arc<Core>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
    match token(&core, peer, &headers, body) {
        Ok(token) => answer::ok(&json!({ "token": token })),
        Err(failure) => {
            let challenge = failure.status == http::StatusCode::UNAUTHORIZED;
            let mut response = failure.into_response();
            if challenge {
                let value = HeaderValue::from_static("Basic realm=\"hivematrix-core\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, value);
            }
            response
        }
    }
}

fn token(core: &Core, peer: Option<SocketAddr>, headers: &HeaderMap, body: Body) -> Result<String, Failure> {
    let asked: Asked = presented::json::<Option<Asked>>(headers, body)?.unwrap_or_default();
    let calling = core.callers.known(asked.calling_service, "calling_service")?;
    let target = core.callers.known(asked.target_service, "target_service")?;
    core.callers.prove(&calling, peer, headers)?;
    let minted = core.keys.now().minter.service(&calling, &target, unix_now());
    let (token, _) = minted.map_err(|error| Failure::internal("Token could not be made", error))?;
    tracing::debug!(%calling, %target, "service token issued");
    Ok(token)
}

impl Callers {
    fn known(&self, name: Option<String>, member: &str) -> Result<ServiceName, Failure> {
        let name = name.ok_or_else(|| Failure::bad_request(format!("{member} is required")))?;
        let name = ServiceName::parse(&name)
            .map_err(|_| Failure::bad_request(format!("{member} is not a service name")))?;
        if self.known.contains(&name) {
            Ok(name)
        } else {
            Err(Failure::bad_request(format!("{member} is not a known service")))
        }
    }

    /// That the caller is the service it says it is.
    fn prove(
        &self,
        caller: &ServiceName,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
    ) -> Result<(), Failure> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if self.is_secret_of(caller, value) => Ok(()),
            (None, None) if self.legacy.contains(caller) && is_local(peer, headers) => {
                tracing::warn!(reason = "legacy_caller", %caller, "service token issued without proof");
                Ok(())
            }
            _ => {
                tracing::warn!(reason = "unproven_caller", %caller, ?peer, "refused a service token");
                Err(Failure::unauthorized("The calling service did not prove itself"))
            }
        }
    }

    fn is_secret_of(&self, caller: &ServiceName, value: &HeaderValue) -> bool {
        let Some((name, presented)) = value.to_str().ok().and_then(secret::basic) else {
            return false;
        };
        // Compared in any case, so that the time does not tell which services have a secret.
        let expected = self.secrets.get(caller).map_or("", ExposeSecret::expose_secret);
        let same = secret::same(&presented, expected);
        same && !expected.is_empty() && name == caller.as_str()
    }
}

/// Whether the request comes from this machine, and not on behalf of somebody elsewhere.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name));
    peer.is_some_and(|peer| peer.ip().is_loopback()) && !forwarded
}
