//! Core: whether it answers, and whether its keys and tokens are what everybody expects.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_gateway::config::Config;
use hivematrix_platform::{
    CoreClient, CoreError, Jwks, ServiceName, StaticKeys, TokenError, Verifier, unix_now,
};
use jsonwebtoken::dangerous::insecure_decode;

use super::finding::{Check, Finding, Report};
use super::probe::Probe;
use super::skew;

/// The gateway's name as a caller of Core.
const CALLER: &str = "nexus";

/// Core as the doctor asks it.
pub(crate) struct Core<'a> {
    config: &'a Config,
    probe: &'a Probe,
    client: Option<CoreClient>,
}

impl<'a> Core<'a> {
    pub(crate) fn new(config: &'a Config, probe: &'a Probe) -> Self {
        let client = ServiceName::parse(CALLER).ok().map(|caller| {
            let core = &config.core;
            CoreClient::with_timeout(
                probe.http().clone(),
                core.url.clone(),
                caller,
                core.secret.clone(),
                Duration::from_secs(4),
            )
        });
        Self {
            config,
            probe,
            client,
        }
    }

    /// A token with which a service may be asked.
    pub(crate) async fn token(&self, service: &ServiceName) -> Option<Arc<str>> {
        self.client.as_ref()?.service_token(service).await.ok()
    }

    pub(crate) async fn examine(&self) -> Report {
        let mut report = Report {
            examined: vec!["core".to_owned()],
            ..Report::default()
        };
        let url = &self.config.core.url;
        let keys = match self.probe.get(url, "/.well-known/jwks.json", &[]).await {
            Ok(keys) => keys,
            Err(silence) => {
                let fix = "start Core, or let CORE_SERVICE_URL (core.url) say where it is";
                report.find(Finding::new(
                    Check::CoreDown,
                    "core",
                    format!("{url}: {silence}"),
                    fix,
                ));
                return report;
            }
        };
        skew::compare("core", keys.date(), &mut report);
        let Ok(jwks) = serde_json::from_str::<Jwks>(&keys.body) else {
            let seen = format!("{url}.well-known/jwks.json is {} and no key set", keys.status);
            let fix = "see that Core is what listens there, and that it has a key";
            report.find(Finding::new(Check::CoreTokens, "core", seen, fix));
            return report;
        };
        let Some(service) = self.config.services.first() else {
            return report;
        };
        if let Some(client) = &self.client {
            match client.service_token(&service.name).await {
                Ok(token) => self.verify(&token, &service.name, &jwks, &mut report).await,
                Err(error) => report.find(refusal(&error, &service.name)),
            }
        }
        report
    }

    /// Whether a receiver would take a token that Core has just made.
    async fn verify(&self, token: &str, service: &ServiceName, jwks: &Jwks, report: &mut Report) {
        let issuer = &self.config.core.issuer;
        let verifier = Verifier::new(Arc::new(StaticKeys::new(jwks)), issuer.as_str());
        let Err(error) = verifier.service(token, service.as_str(), unix_now()).await else {
            return;
        };
        let claims: serde_json::Value = insecure_decode(token)
            .map(|token| token.claims)
            .unwrap_or_default();
        let (seen, fix) = match error {
            TokenError::WrongIssuer => (
                format!(
                    "its tokens say the issuer {}, and `{issuer}` is expected",
                    claims["iss"]
                ),
                "make them one: core.issuer here, `--issuer` or JWT_ISSUER at Core".to_owned(),
            ),
            TokenError::Expired | TokenError::NotYetValid => (
                format!("its token is refused as it comes: {error}"),
                "set the clocks of both machines (NTP)".to_owned(),
            ),
            other => (
                format!("its token is refused: {other}"),
                "see that Core signs with the key that it publishes at /.well-known/jwks.json".to_owned(),
            ),
        };
        report.find(Finding::new(Check::CoreTokens, "core", seen, fix));
    }
}

fn refusal(error: &CoreError, service: &ServiceName) -> Finding {
    let seen = format!("asked for a service token for `{service}`: {error}");
    let fix = "give the gateway its secret (core.secret, HIVEMATRIX_CORE_SECRET), the same that Core has for `nexus`; \
               and Core the registry in which the services stand";
    Finding::new(Check::CoreRefuses, "core", seen, fix)
}
