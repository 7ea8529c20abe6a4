//! The identity provider: whether it answers, is the one that browsers are sent to, and knows the gateway.

use hivematrix_gateway::config::{Config, Origin};
use secrecy::ExposeSecret as _;
use url::Url;

use super::finding::{Check, Finding, Report};
use super::probe::Probe;
use super::skew;

/// Where the gateway takes up a login (platform README §2).
const CALLBACK: &str = "/keycloak-callback";

pub(crate) async fn examine(config: &Config, probe: &Probe) -> Report {
    let mut report = Report {
        examined: vec!["identity provider".to_owned()],
        ..Report::default()
    };
    let provider = &config.provider;
    let Some(origin) = config.server.public_origins.first() else {
        return report;
    };
    let base = provider.backend_url.as_str().trim_end_matches('/');
    let realm = match &provider.issuer {
        Some(issuer) => issuer.trim_end_matches('/').to_owned(),
        None => format!("{base}/realms/{}", provider.realm),
    };
    let Ok(discovery) = Url::parse(&format!("{realm}/.well-known/openid-configuration")) else {
        return report;
    };
    let forwarded = Forwarded::of(config, origin);
    let seen = match probe.get(&discovery, "", &forwarded.headers()).await {
        Ok(seen) => seen,
        Err(silence) => {
            let fix = "start it, or let KEYCLOAK_BACKEND_URL (provider.backend_url, provider.issuer) say where it is";
            report.find(finding(Check::ProviderDown, format!("{base}: {silence}"), fix));
            return report;
        }
    };
    skew::compare("identity provider", seen.date(), &mut report);
    let document = seen.json();
    let Some(issuer) = document["issuer"].as_str() else {
        let seen = format!("{discovery} is {} and no discovery document", seen.status);
        let fix = "see that the realm is there and that its name is right (KEYCLOAK_REALM, provider.realm)";
        report.find(finding(Check::ProviderDown, seen, fix));
        return report;
    };
    let expected = match &provider.issuer {
        Some(issuer) => issuer.clone(),
        None => format!("{}/realms/{}", provider.public_base(origin), provider.realm),
    };
    if issuer != expected {
        let seen = format!("it calls itself {issuer}, and the gateway sends browsers to {expected}");
        let fix = "run Keycloak 26 with hostname=<the public address>/keycloak, proxy-headers=xforwarded and \
                   hostname-backchannel-dynamic=true; or let KEYCLOAK_SERVER_URL say that address";
        report.find(finding(Check::ProviderIssuer, seen, fix));
    }
    // Keycloak's document names its public addresses, and it is asked at the back channel's.
    let endpoint = |member: &str, keycloaks: &str| match &provider.issuer {
        Some(_) => document[member].as_str().unwrap_or_default().to_owned(),
        None => format!("{realm}/protocol/openid-connect/{keycloaks}"),
    };
    client(
        config,
        probe,
        &endpoint("token_endpoint", "token"),
        origin,
        &mut report,
    )
    .await;
    redirect(
        config,
        probe,
        &endpoint("authorization_endpoint", "auth"),
        origin,
        &mut report,
    )
    .await;
    report
}

fn finding(check: Check, seen: String, fix: &str) -> Finding {
    Finding::new(check, "identity provider", seen, fix)
}

/// A code that nobody made is refused for itself if the client is known, and for the client if it is not.
async fn client(config: &Config, probe: &Probe, token: &str, origin: &Origin, report: &mut Report) {
    let provider = &config.provider;
    let redirect = format!("{origin}{CALLBACK}");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", "hivematrix-doctor"),
        ("redirect_uri", redirect.as_str()),
        ("client_id", provider.client_id.as_str()),
        ("client_secret", provider.client_secret.expose_secret()),
    ];
    let Ok(seen) = probe.post(token, &fields).await else {
        return;
    };
    let error = seen.json()["error"].as_str().unwrap_or_default().to_owned();
    if matches!(error.as_str(), "invalid_client" | "unauthorized_client") {
        let seen = format!("asked as `{}`, it says {error}", provider.client_id);
        let fix =
            "compare client id and secret with the provider's (KEYCLOAK_CLIENT_ID, KEYCLOAK_CLIENT_SECRET)";
        report.find(finding(Check::ProviderClient, seen, fix));
    }
}

/// Whether it would send browsers back to the gateway.
async fn redirect(config: &Config, probe: &Probe, authorization: &str, origin: &Origin, report: &mut Report) {
    let redirect = format!("{origin}{CALLBACK}");
    let Ok(mut url) = Url::parse(authorization) else {
        return;
    };
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("client_id", &config.provider.client_id)
        .append_pair("redirect_uri", &redirect)
        .append_pair("state", "hivematrix-doctor")
        .append_pair("nonce", "hivematrix-doctor")
        .append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        .append_pair("code_challenge_method", "S256");
    let Ok(seen) = probe
        .get(&url, "", &Forwarded::of(config, origin).headers())
        .await
    else {
        return;
    };
    // A known address gets a login page, or is redirected to one; an unknown one must not be redirected to.
    if seen.status == 400 {
        let seen = format!("it refuses a login that would come back to {redirect} (status 400)");
        let fix = "add that address to the client's valid redirect URIs; a gateway on another port needs another one";
        report.find(finding(Check::ProviderClient, seen, fix));
    }
}

/// What a proxy tells it of its public address.
struct Forwarded {
    proto: &'static str,
    host: String,
    port: String,
    prefix: String,
}

impl Forwarded {
    fn of(config: &Config, origin: &Origin) -> Self {
        let origin = config.provider.identity_origin.as_ref().unwrap_or(origin);
        Self {
            proto: origin.scheme.as_str(),
            host: origin.authority(),
            port: origin.port.to_string(),
            prefix: config.provider.public_path.clone(),
        }
    }

    fn headers(&self) -> [(&str, &str); 4] {
        [
            ("x-forwarded-proto", self.proto),
            ("x-forwarded-host", &self.host),
            ("x-forwarded-port", &self.port),
            ("x-forwarded-prefix", &self.prefix),
        ]
    }
}
