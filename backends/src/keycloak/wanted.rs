//! What the platform needs of a realm: the tables that [`configure`](super::configure) compares with.
//!
//! Each field that is owned is one the gateway or Core relies on, or one that would open a door. The rest is the
//! operator's.

use serde_json::{Value, json};

use super::Settings;
use super::field::{At, Rule};
use super::object::Wanted;

/// The groups from which permission levels come (platform README §2).
pub(super) const GROUPS: [&str; 4] = ["admins", "technicians", "billing", "client"];
/// The group of the platform's administrators.
pub(super) const ADMINS: &str = "admins";
/// Default scopes without which tokens lack `sub`, name or address.
const SCOPES: [&str; 3] = ["basic", "profile", "email"];
/// The default scope without which tokens lack the roles that the client may pass on.
const ROLES_SCOPE: &str = "roles";
/// The claim that holds the groups.
pub(super) const GROUPS_CLAIM: &str = "groups";
/// The kind of mapper that fills it.
const GROUPS_MAPPER: &str = "oidc-group-membership-mapper";

/// How long a new realm keeps an idle session, in seconds: longer than Core's tokens live, so that the gateway's renewal
/// finds it alive.
const IDLE_SECONDS: u64 = 2 * 3600;

/// The default scopes that the client needs.
pub(super) fn scopes(settings: &Settings) -> Vec<&'static str> {
    let mut scopes = SCOPES.to_vec();
    if settings.recheck_passwords {
        scopes.push(ROLES_SCOPE);
    }
    scopes
}

/// How the realm is called.
pub(super) fn realm_name(settings: &Settings) -> String {
    format!("realm {}", settings.realm)
}

/// How the client is called.
pub(super) fn client_name(settings: &Settings) -> String {
    format!("client {}", settings.client_id)
}

/// The realm. `frontend` is its public address where the server's own `hostname` says another.
pub(super) fn realm(settings: &Settings, frontend: Option<&str>) -> Wanted {
    let mut owned = vec![
        (At::Top("enabled"), Rule::Is(json!(true))),
        (At::Top("sslRequired"), Rule::OneOf(&["external", "all"])),
        (At::Top("bruteForceProtected"), Rule::Is(json!(true))),
    ];
    if let Some(frontend) = frontend {
        owned.push((At::In("attributes", "frontendUrl"), Rule::Is(json!(frontend))));
    }
    let lifetimes = lifetimes(settings)
        .into_iter()
        .map(|(name, seconds)| (At::Top(name), json!(seconds)));
    let mut initial = vec![
        (At::Top("displayName"), json!("HiveMatrix")),
        (At::Top("registrationAllowed"), json!(false)),
        (At::Top("failureFactor"), json!(10)),
        (
            At::Top("passwordPolicy"),
            json!("length(12) and notUsername(undefined) and notEmail(undefined)"),
        ),
    ];
    initial.extend(lifetimes);
    Wanted {
        object: realm_name(settings),
        named: vec![("realm", json!(settings.realm))],
        initial,
        owned,
    }
}

/// How long the realm's sessions have to live, idle and at all, in seconds, so that they do not end before the
/// gateway's.
pub(super) fn lifetimes(settings: &Settings) -> [(&'static str, u64); 2] {
    let lifetime = settings.session_lifetime.as_secs();
    [
        ("ssoSessionIdleTimeout", IDLE_SECONDS.min(lifetime)),
        ("ssoSessionMaxLifespan", lifetime),
    ]
}

/// The gateway's client: confidential, code flow with PKCE, exact addresses, and nothing else.
pub(super) fn client(settings: &Settings) -> Wanted {
    let at_origins = |path: &str| -> Vec<String> {
        let origins = settings.origins.iter();
        origins.map(|origin| format!("{origin}{path}")).collect()
    };
    let yes = || Rule::Is(json!(true));
    let no = || Rule::Is(json!(false));
    let attribute = |name, value: &str| (At::In("attributes", name), Rule::Is(json!(value)));
    let owned = vec![
        (At::Top("enabled"), yes()),
        (At::Top("protocol"), Rule::Is(json!("openid-connect"))),
        (At::Top("publicClient"), no()),
        (At::Top("bearerOnly"), no()),
        (
            At::Top("clientAuthenticatorType"),
            Rule::Is(json!("client-secret")),
        ),
        (At::Top("secret"), Rule::Secret(settings.client_secret.clone())),
        (At::Top("standardFlowEnabled"), yes()),
        (At::Top("implicitFlowEnabled"), no()),
        (At::Top("directAccessGrantsEnabled"), no()),
        (At::Top("serviceAccountsEnabled"), no()),
        // Who is an administrator of Keycloak as well gets a token that is of no use there.
        (At::Top("fullScopeAllowed"), no()),
        (At::Top("frontchannelLogout"), no()),
        (
            At::Top("redirectUris"),
            Rule::Set(at_origins("/keycloak-callback")),
        ),
        // What Keycloak derives from the former by itself.
        (At::Top("webOrigins"), Rule::Set(at_origins(""))),
        (
            At::In("attributes", "post.logout.redirect.uris"),
            Rule::Joined(at_origins("/")),
        ),
        attribute("pkce.code.challenge.method", "S256"),
        attribute("backchannel.logout.url", settings.back_channel_logout.as_str()),
        attribute("backchannel.logout.session.required", "true"),
        attribute("backchannel.logout.revoke.offline.tokens", "true"),
        attribute("use.refresh.tokens", "true"),
        attribute("client.use.lightweight.access.token.enabled", "false"),
        attribute("oauth2.device.authorization.grant.enabled", "false"),
        attribute("oidc.ciba.grant.enabled", "false"),
        attribute("standard.token.exchange.enabled", "false"),
    ];
    let home = settings.origins.first().map(|origin| format!("{origin}/"));
    Wanted {
        object: client_name(settings),
        named: vec![("clientId", json!(settings.client_id))],
        initial: vec![
            (At::Top("name"), json!("HiveMatrix")),
            (
                At::Top("description"),
                json!("The HiveMatrix gateway. Kept by `hivematrix keycloak configure`."),
            ),
            (At::Top("baseUrl"), json!(home)),
        ],
        owned,
    }
}

/// The client's mappers: the groups without their paths, and the client itself as audience.
pub(super) fn mappers(settings: &Settings) -> Vec<Wanted> {
    let groups = [
        ("claim.name", GROUPS_CLAIM),
        ("full.path", "false"),
        ("id.token.claim", "true"),
        ("access.token.claim", "true"),
        ("userinfo.token.claim", "true"),
    ];
    let audience = [
        ("included.client.audience", settings.client_id.as_str()),
        ("id.token.claim", "false"),
        ("access.token.claim", "true"),
    ];
    vec![
        mapper(settings, GROUPS_CLAIM, GROUPS_MAPPER, &groups),
        mapper(settings, "audience", "oidc-audience-mapper", &audience),
    ]
}

fn mapper(settings: &Settings, name: &str, kind: &str, config: &[(&'static str, &str)]) -> Wanted {
    let fixed = [("protocol", "openid-connect"), ("protocolMapper", kind)];
    let fixed = fixed
        .into_iter()
        .map(|(name, value)| (At::Top(name), Rule::Is(json!(value))));
    let config = config
        .iter()
        .map(|(name, value)| (At::In("config", name), Rule::Is(json!(value))));
    Wanted {
        object: format!("{}, mapper {name}", client_name(settings)),
        named: vec![("name", json!(name))],
        initial: Vec::new(),
        owned: fixed.chain(config).collect(),
    }
}

/// A group.
pub(super) fn group(name: &str) -> Wanted {
    Wanted {
        object: format!("group {name}"),
        named: vec![("name", json!(name))],
        initial: Vec::new(),
        owned: Vec::new(),
    }
}

/// Whether a mapper other than ours fills the claim from which permission levels come.
pub(super) fn is_rival_of_groups(mapper: &Value) -> bool {
    mapper["config"]["claim.name"] == GROUPS_CLAIM && mapper["protocolMapper"] != GROUPS_MAPPER
}
