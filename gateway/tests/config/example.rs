//! `config/gateway.toml`: it loads, it documents every key and no other, and the defaults it names are the defaults.

use std::collections::BTreeSet;
use std::time::Duration;

use hivematrix_gateway::config::{
    Config, Environment, OVERRIDES, PublicPath, SealingKeysSource, Service, keys,
};
use hivematrix_platform::PermissionLevel;
use secrecy::ExposeSecret as _;

use super::{folder, write_private};

pub(super) fn example() -> String {
    std::fs::read_to_string(folder().join("gateway.toml")).unwrap()
}

fn with_secret() -> Environment {
    Environment::from_iter([("KEYCLOAK_CLIENT_SECRET", "from the environment")])
}

/// The example with every key in it: a `#` right before a key or a table is removed.
fn uncommented() -> String {
    let begins_setting = |line: &&str| {
        line.strip_prefix('#')
            .is_some_and(|rest| !rest.starts_with([' ', '#']))
    };
    example()
        .lines()
        .map(|line| if begins_setting(&line) { &line[1..] } else { line })
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_example_loads_without_a_warning() {
    let config =
        Config::load(&folder().join("gateway.toml"), &with_secret()).unwrap_or_else(|p| panic!("{p}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let names: Vec<&str> = config
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    let menu = [
        "codex",
        "ledger",
        "knowledgetree",
        "beacon",
        "archive",
        "brainhair",
        "template",
        "helm",
    ];
    assert_eq!(
        names, menu,
        "the registry's order, without core, nexus and keycloak"
    );
    let helm = config.services.last().unwrap();
    assert!(helm.access.allows(PermissionLevel::Admin) && !helm.access.allows(PermissionLevel::Technician));
    let beacon = &config.services[3];
    assert!(
        beacon
            .public
            .iter()
            .any(|rule| rule.path == PublicPath::Prefix("/display/".to_owned()))
    );
    assert_eq!(config.core.url.as_str(), "http://localhost:5000/");
    assert_eq!(config.codex.unwrap().url.as_str(), "http://localhost:5010/");
    assert_eq!(
        config.provider.client_secret.expose_secret(),
        "from the environment"
    );
    assert!(
        matches!(config.sessions.sealing_keys, SealingKeysSource::File(path) if path.ends_with("sealing.keys"))
    );
}

#[test]
fn the_example_lists_every_key_and_no_other() {
    let known: BTreeSet<String> = keys().into_iter().collect();
    let mut listed = BTreeSet::new();
    let example: toml::Value = toml::from_str(&uncommented()).unwrap_or_else(|error| panic!("{error}"));
    list(&example, "", &known, &mut listed);
    let missing: Vec<_> = known.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not documented: {missing:?}, no such keys: {unknown:?}"
    );
    assert!(known.len() > 70, "the list itself must not be empty: {known:?}");
}

/// Collects the dotted names of a document, with `*` for names of the user's choice.
fn list(value: &toml::Value, path: &str, known: &BTreeSet<String>, listed: &mut BTreeSet<String>) {
    match value {
        _ if known.contains(path) => {
            listed.insert(path.to_owned());
        }
        toml::Value::Table(table) => {
            for (key, value) in table {
                let key = if ["services", "plugins", "redirects"].contains(&path) {
                    "*"
                } else {
                    key
                };
                let dot = if path.is_empty() { "" } else { "." };
                list(value, &format!("{path}{dot}{key}"), known, listed);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| list(item, path, known, listed)),
        _ => {
            listed.insert(path.to_owned());
        }
    }
}

#[test]
fn the_example_with_every_key_in_it_loads_and_its_defaults_are_the_defaults() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir(base.path().join("tls")).unwrap();
    std::fs::copy(folder().join("services.json"), base.path().join("services.json")).unwrap();
    for file in ["tls/fullchain.pem", "tls/privkey.pem", "core.secret"] {
        write_private(&base.path().join(file), "content");
    }
    write_private(&base.path().join(".flaskenv"), "LOG_LEVEL=INFO\n");
    let made = rcgen::generate_simple_self_signed(vec!["redis".to_owned()]).unwrap();
    for file in ["tls/redis-ca.pem", "tls/redis-client.pem"] {
        write_private(&base.path().join(file), &made.cert.pem());
    }
    write_private(
        &base.path().join("tls/redis-client-key.pem"),
        &made.signing_key.serialize_pem(),
    );
    // Certificates are for rediss:// only; and another kind of provider excludes what else is said of one.
    let text = uncommented()
        .replace("issuer = \"https://id.example.com\"\n", "")
        .replace("http://localhost:8000", "https://localhost:8000")
        .replace("\"redis://", "\"rediss://");
    let full =
        Config::parse(&text, "full.toml", base.path(), &with_secret()).unwrap_or_else(|p| panic!("{p}"));
    assert!(full.warnings.is_empty(), "{}", full.warnings);
    let plain = Config::load(&folder().join("gateway.toml"), &with_secret()).unwrap();
    assert_eq!(full.limits, plain.limits);
    assert_eq!(full.timeouts, plain.timeouts);
    assert_eq!(
        (full.admin, full.log, &full.home),
        (plain.admin, plain.log, &plain.home)
    );
    assert_eq!(full.server.grace, plain.server.grace);
    assert_eq!(full.codex, plain.codex);
    assert_eq!(full.core.issuer, plain.core.issuer);
    assert_eq!(full.core.timeout, plain.core.timeout);
    // Every key includes the table of an embedded Core, which is the other place it can be.
    assert_eq!(full.core.url.port(), plain.core.url.port());
    assert!(full.core.embedded.is_some() && plain.core.embedded.is_none());
    assert_eq!(full.provider.public_path, plain.provider.public_path);
    assert_eq!(full.provider.backend_url, plain.provider.backend_url);
    assert_eq!(
        (full.provider.realm, full.provider.scopes),
        (plain.provider.realm, plain.provider.scopes)
    );
    assert_eq!(full.provider.recheck_passwords, plain.provider.recheck_passwords);
    assert_eq!(full.sessions.lifetime, plain.sessions.lifetime);
    assert_eq!(full.sessions.cache_entries, plain.sessions.cache_entries);
    assert!(!full.sessions.strict && !full.sessions.legacy_bearer);
    let beacon = |services: &[Service]| {
        services
            .iter()
            .find(|s| s.name.as_str() == "beacon")
            .cloned()
            .unwrap()
    };
    let (mut full, plain) = (beacon(&full.services), beacon(&plain.services));
    assert_eq!(full.timeouts.first_byte, Duration::from_secs(300));
    assert_eq!(full.icon, "life-buoy");
    // These three are examples; everything else of the service is written with its default.
    full.icon.clear();
    full.timeouts.first_byte = plain.timeouts.first_byte;
    full.access = plain.access;
    assert_eq!(full, plain);
}

#[test]
fn every_environment_variable_is_in_the_example() {
    let example = example();
    for (variable, key) in OVERRIDES {
        assert!(example.contains(variable), "{variable} ({key})");
    }
}
