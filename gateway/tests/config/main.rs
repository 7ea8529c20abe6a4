//! The configuration as its users meet it. Here: what is written becomes what is meant. The example file, the
//! files with problems, arbitrary text and the watch have a file each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any_text;
mod bad_files;
mod example;
mod original;
mod watch;

use std::path::{Path, PathBuf};

use hivematrix_gateway::config::{
    Codex, Composed, Config, Core, Environment, Origin, Problems, Provider, SealingKeysSource, Service,
    Severity, StoreChoice, Upstream,
};
use hivematrix_platform::{Access, PermissionLevel, SealingKeys, ServiceName};
use secrecy::ExposeSecret as _;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

fn environment() -> Environment {
    Environment::from_iter([("SECRET", "s3cret")])
}

const MINIMAL: &str = r#"
[server]
public_origins = ["http://localhost:8000"]
[sessions]
store = "memory"
[provider]
client_secret = { env = "SECRET" }
"#;

fn parse(text: &str, environment: &Environment) -> Result<Config, Problems> {
    Config::parse(text, "test.toml", &folder(), environment)
}

#[test]
fn the_original_platforms_variables_win_over_the_file() {
    let key = SealingKeys::fresh_base64();
    let environment = Environment::from_iter([
        ("SECRET", "from the file's variable"),
        ("CORE_SERVICE_URL", "http://localhost:5999"),
        ("KEYCLOAK_SERVER_URL", "https://hive.example.com/id/"),
        ("KEYCLOAK_BACKEND_URL", "http://localhost:8088"),
        ("KEYCLOAK_REALM", "other"),
        ("KEYCLOAK_CLIENT_ID", "other-client"),
        ("KEYCLOAK_CLIENT_SECRET", "other secret"),
        ("NEXUS_HOST", "localhost"),
        ("NEXUS_PORT", "8443"),
        ("NEXUS_SERVICE_URL", "https://hive.example.com/"),
        ("LOG_LEVEL", "WARNING"),
        ("HIVEMATRIX_REDIS_URL", "redis://:pass@localhost:6380/0"),
        ("HIVEMATRIX_SEALING_KEYS", key.expose_secret()),
        ("HIVEMATRIX_CORE_SECRET", "core secret"),
    ]);
    let text = MINIMAL.replace("[server]", "[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    let config = parse(&text, &environment).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.core.url.as_str(), "http://localhost:5999/");
    assert_eq!(config.core.secret.unwrap().expose_secret(), "core secret");
    assert_eq!(config.provider.public_path, "/id");
    assert_eq!(config.provider.identity_origin, None);
    assert_eq!(config.provider.backend_url.as_str(), "http://localhost:8088/");
    assert_eq!(
        (config.provider.realm.as_str(), config.provider.client_id.as_str()),
        ("other", "other-client")
    );
    assert_eq!(config.provider.client_secret.expose_secret(), "other secret");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(
        config.server.public_origins,
        [Origin::parse("https://hive.example.com").unwrap()]
    );
    assert_eq!(config.log.level, tracing::Level::WARN);
    assert!(
        matches!(config.sessions.store, StoreChoice::Redis(redis) if redis.url.expose_secret().ends_with("6380/0"))
    );
    assert!(matches!(
        config.sessions.sealing_keys,
        SealingKeysSource::Environment(_)
    ));
}

#[test]
fn a_provider_with_an_address_of_its_own_gets_an_origin_of_its_own() {
    let with = |url: &str| {
        let environment = Environment::from_iter([("SECRET", "x"), ("KEYCLOAK_SERVER_URL", url)]);
        parse(MINIMAL, &environment).unwrap_or_else(|p| panic!("{p}"))
    };
    let own = with("https://id.example.com");
    let origin = Origin::parse("http://localhost:8000").unwrap();
    assert_eq!(own.provider.public_base(&origin), "https://id.example.com");
    let back_channel = with("http://localhost:8080/");
    assert_eq!(
        back_channel.provider.public_base(&origin),
        "http://localhost:8000/keycloak"
    );
    assert_eq!(back_channel.warnings.iter().count(), 1);
}

#[test]
fn a_provider_that_is_named_by_its_issuer_needs_nothing_else_and_uses_nothing_else() {
    let issuer = "[provider]\nissuer = \"https://id.example.com/tenant/\"";
    let config = parse(&MINIMAL.replace("[provider]", issuer), &environment()).unwrap();
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let provider = &config.provider;
    assert_eq!(
        provider.issuer.as_deref(),
        Some("https://id.example.com/tenant/"),
        "to the letter"
    );
    assert_eq!(
        provider.identity_origin.as_ref().unwrap().to_string(),
        "https://id.example.com"
    );
    assert!(
        !provider.recheck_passwords,
        "only a Keycloak behind the gateway says"
    );
    let more = format!(
        "{issuer}\nrealm = \"other\"\nbackend_url = \"http://localhost:8080\"\nrecheck_passwords = true"
    );
    let warned = parse(&MINIMAL.replace("[provider]", &more), &environment())
        .unwrap()
        .warnings;
    assert_eq!(
        warned
            .iter()
            .filter(|problem| problem.message.starts_with("not used"))
            .count(),
        3,
        "{warned}"
    );
    let off = format!("{issuer}\nrecheck_passwords = false");
    let off = parse(&MINIMAL.replace("[provider]", &off), &environment()).unwrap();
    assert!(off.warnings.is_empty(), "{}", off.warnings);
    let ours = MINIMAL.replace("[provider]", "[provider]\nissuer = \"http://localhost:8000/id\"");
    let refused = parse(&ours, &environment()).unwrap_err().to_string();
    assert!(
        refused.contains("the gateway's own `public_origins`"),
        "{refused}"
    );
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let environment = Environment::from_iter([("SECRET", "x"), ("KEYCLOAK_REALM", ""), ("NEXUS_PORT", "")]);
    assert_eq!(parse(MINIMAL, &environment).unwrap().provider.realm, "hivematrix");
    let unset = Environment::from_iter([("SECRET", "")]);
    assert!(
        parse(MINIMAL, &unset)
            .unwrap_err()
            .to_string()
            .contains("SECRET is not set")
    );
}

#[test]
fn a_file_can_be_checked_on_a_machine_that_lacks_the_secrets() {
    let text = MINIMAL.replace(
        "store = \"memory\"",
        "sealing_keys = { env = \"KEYS\" }\nredis_url = { file = \"no.such\" }",
    );
    let config = parse(&text, &Environment::empty().without_secrets()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(
        config
            .warnings
            .iter()
            .filter(|p| p.severity == Severity::Warning)
            .count(),
        3
    );
    let inline = text.replace("{ env = \"SECRET\" }", "\"hunter2\"");
    assert!(
        parse(&inline, &Environment::empty().without_secrets()).is_err(),
        "an inline secret stays an error"
    );
}

#[test]
fn secrets_come_from_files_too_and_exposed_ones_are_mentioned() {
    let base = tempfile::tempdir().unwrap();
    let secret = base.path().join("client.secret");
    write_private(&secret, "s3cret\n");
    let text = MINIMAL.replace("{ env = \"SECRET\" }", "{ file = \"client.secret\" }");
    let load =
        || Config::parse(&text, "t", base.path(), &Environment::empty()).unwrap_or_else(|p| panic!("{p}"));
    let config = load();
    assert_eq!(config.provider.client_secret.expose_secret(), "s3cret");
    assert!(config.warnings.is_empty() && config.files == [secret.clone()]);
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(load().warnings.to_string().contains("chmod 600"));
}

#[test]
fn nothing_secret_is_in_the_debug_text() {
    let config = parse(MINIMAL, &environment()).unwrap();
    let shown = format!("{config:?} {:?}", environment());
    assert!(!shown.contains("s3cret") && shown.contains("SECRET"), "{shown}");
}

#[test]
fn a_table_changes_a_registered_service_and_keeps_its_place() {
    let text = format!(
        "registry = \"services.json\"\n{MINIMAL}\n[services.mine]\nurl = \"http://127.0.0.1:7000\"\nprefix = \"/apps/mine/\"\n\
         [services.ledger]\naccess = [\"admin\", \"client\"]\nhttp2 = true\nplugins = []\n\
         [services.archive]\ncomposition = \"off\"\n[service_defaults]\ncomposition = \"framed\"\n"
    );
    let config = parse(&text, &environment()).unwrap_or_else(|p| panic!("{p}"));
    let ledger = &config.services[1];
    assert_eq!(ledger.upstream.address, "localhost:5030");
    assert!(ledger.upstream.http2 && ledger.plugins.is_empty());
    let may = [PermissionLevel::Admin, PermissionLevel::Client];
    assert_eq!(ledger.access, Access::Levels(may.into_iter().collect()));
    let composed = |name: &str| {
        let found = config
            .services
            .iter()
            .find(|service| service.name.as_str() == name);
        found.map(|service| (service.composition, service.plugins.len()))
    };
    assert_eq!(composed("archive"), Some((Composed::Off, 1)));
    assert_eq!(composed("mine"), Some((Composed::Framed, 1)));
    let last = config.services.last().unwrap();
    assert_eq!((last.name.as_str(), last.prefix.as_str()), ("mine", "/apps/mine"));
    assert_eq!(last.plugins, ["composition"]);
}

#[test]
fn a_problem_of_a_plugin_that_is_found_later_has_its_place_too() {
    let text = format!("{MINIMAL}\n[plugins.composition]\nkind = \"composition\"\n");
    let config = parse(&text, &environment()).unwrap();
    let invalid = hivematrix_plugins::Invalid {
        span: Some(config.plugins[0].settings.span()),
        ..hivematrix_plugins::Invalid::new("no")
    };
    let report = config.explain(&[invalid.clone(), invalid]).to_string();
    assert!(
        report.starts_with("test.toml:9:1: error: ") && report.ends_with("1 error\n"),
        "{report}"
    );
}

#[test]
fn a_configuration_can_be_made_in_code() {
    let origin = Origin::parse("http://localhost:8000").unwrap();
    let provider = Provider::new("http://localhost:8080".parse().unwrap(), "s3cret".into());
    let core = Core::new("http://localhost:5000".parse().unwrap());
    let codex = Service::new(
        ServiceName::parse("codex").unwrap(),
        Upstream::parse("http://localhost:5010").unwrap(),
    );
    let mut config =
        Config::minimal("127.0.0.1:0".parse().unwrap(), origin, provider, core).with_service(codex);
    config.codex = Some(Codex::new("http://localhost:5010".parse().unwrap()));
    let written = format!("{MINIMAL}\n[services.codex]\nurl = \"http://localhost:5010\"\n");
    let read = parse(&written, &environment()).unwrap();
    assert_eq!(config.services, read.services);
    assert_eq!(
        (config.limits.clone(), config.timeouts.clone()),
        (read.limits.clone(), read.timeouts.clone())
    );
    assert_eq!(config.needs_restart(&config), [""; 0]);
    assert_eq!(config.needs_restart(&read), ["server.listen"]);
    let mut other = config.clone();
    other.provider.client_secret = "another".into();
    other.core.issuer = "hivematrix.core".to_owned();
    other.limits.body_bytes = 7;
    assert_eq!(config.needs_restart(&other), ["provider", "core"]);
}

fn write_private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}
