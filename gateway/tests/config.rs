//! The configuration as its users meet it: the example file, the files with problems, the environment, the watch.
//! `UPDATE_EXPECT=1 cargo test -p hivematrix-gateway --test config` rewrites the expected reports in `config/bad`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hivematrix_gateway::config::{
    Codex, Config, Core, Environment, OVERRIDES, Origin, Problems, Provider, PublicPath, SealingKeysSource, Service, Severity,
    StoreChoice, Upstream, Watch, keys,
};
use hivematrix_platform::{Access, PermissionLevel, SealingKeys, ServiceName};
use hivematrix_plugins::Registry;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

fn example() -> String {
    std::fs::read_to_string(folder().join("gateway.toml")).unwrap()
}

/// The example with every key in it: a `#` right before a key or a table is removed.
fn uncommented() -> String {
    let begins_setting = |line: &&str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with([' ', '#']));
    example()
        .lines()
        .map(|line| if begins_setting(&line) { &line[1..] } else { line })
        .map(|line| format!("{line}\n"))
        .collect()
}

fn environment() -> Environment {
    Environment::from_iter([("KEYCLOAK_CLIENT_SECRET", "from the environment"), ("SECRET", "s3cret")])
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
fn the_example_loads_without_a_warning() {
    let config = Config::load(&folder().join("gateway.toml"), &environment()).unwrap_or_else(|p| panic!("{p}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let names: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    let menu = ["codex", "ledger", "knowledgetree", "beacon", "archive", "brainhair", "template", "helm"];
    assert_eq!(names, menu, "the registry's order, without core, nexus and keycloak");
    let helm = config.services.last().unwrap();
    assert!(helm.access.allows(PermissionLevel::Admin) && !helm.access.allows(PermissionLevel::Technician));
    let beacon = &config.services[3];
    assert!(beacon.public.iter().any(|rule| rule.path == PublicPath::Prefix("/display/".to_owned())));
    assert_eq!(config.core.url.as_str(), "http://localhost:5000/");
    assert_eq!(config.codex.unwrap().url.as_str(), "http://localhost:5010/");
    assert_eq!(config.provider.client_secret.expose_secret(), "from the environment");
    assert!(matches!(config.sessions.sealing_keys, SealingKeysSource::File(path) if path.ends_with("sealing.keys")));
}

#[test]
fn the_example_lists_every_key_and_no_other() {
    let known: BTreeSet<String> = keys().into_iter().collect();
    let mut listed = BTreeSet::new();
    let example: toml::Value = toml::from_str(&uncommented()).unwrap_or_else(|error| panic!("{error}"));
    list(&example, "", &known, &mut listed);
    let missing: Vec<_> = known.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&known).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "not documented: {missing:?}, no such keys: {unknown:?}");
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
                let key = if ["services", "plugins", "redirects"].contains(&path) { "*" } else { key };
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
    let text = uncommented().replace("http://localhost:8000", "https://localhost:8000");
    let full = Config::parse(&text, "full.toml", base.path(), &environment()).unwrap_or_else(|p| panic!("{p}"));
    assert!(full.warnings.is_empty(), "{}", full.warnings);
    let plain = Config::load(&folder().join("gateway.toml"), &environment()).unwrap();
    assert_eq!(full.limits, plain.limits);
    assert_eq!(full.timeouts, plain.timeouts);
    assert_eq!((full.admin, full.log, &full.home), (plain.admin, plain.log, &plain.home));
    assert_eq!(full.server.grace, plain.server.grace);
    assert_eq!(full.codex, plain.codex);
    assert_eq!(full.core.issuer, plain.core.issuer);
    assert_eq!((full.core.url, full.core.timeout), (plain.core.url, plain.core.timeout));
    assert_eq!(full.provider.public_path, plain.provider.public_path);
    assert_eq!(full.provider.backend_url, plain.provider.backend_url);
    assert_eq!((full.provider.realm, full.provider.scopes), (plain.provider.realm, plain.provider.scopes));
    assert_eq!(full.sessions.lifetime, plain.sessions.lifetime);
    assert_eq!(full.sessions.cache_entries, plain.sessions.cache_entries);
    assert!(!full.sessions.strict && !full.sessions.legacy_bearer);
    let beacon = |services: &[Service]| services.iter().find(|s| s.name.as_str() == "beacon").cloned().unwrap();
    let (mut full, plain) = (beacon(&full.services), beacon(&plain.services));
    assert_eq!(full.timeouts.first_byte, Duration::from_secs(300));
    // These two are examples; everything else of the service is written with its default.
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

#[test]
fn each_file_with_problems_gets_exactly_the_report_beside_it() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 13, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let environment = if name == "environment.toml" { bad_environment() } else { environment() };
        let problems = Config::parse(&text, name, path.parent().unwrap(), &environment)
            .err()
            .unwrap_or_else(|| panic!("{name} has no problem"));
        let report = problems.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "");
        assert!(!report.contains("hunter2"), "{name} shows a secret:\n{report}");
        expect_test::expect_file![path.with_extension("txt").canonicalize().unwrap_or(path.with_extension("txt"))]
            .assert_eq(&report);
    }
}

fn bad_environment() -> Environment {
    Environment::from_iter([
        ("CORE_SERVICE_URL", "localhost:5000"),
        ("KEYCLOAK_SERVER_URL", "https://id.example.com/?realm=x"),
        ("KEYCLOAK_BACKEND_URL", "unix:///run/keycloak"),
        ("KEYCLOAK_REALM", "master"),
        ("KEYCLOAK_CLIENT_ID", " "),
        ("KEYCLOAK_CLIENT_SECRET", "hunter2"),
        ("NEXUS_HOST", "nexus"),
        ("NEXUS_PORT", "70000"),
        ("NEXUS_SERVICE_URL", "https://hive.example.com/app"),
        ("LOG_LEVEL", "LOUD"),
        ("HIVEMATRIX_REDIS_URL", "http://:hunter2@localhost"),
        ("HIVEMATRIX_SEALING_KEYS", "hunter2"),
        ("SECRET", "s3cret"),
    ])
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
    assert_eq!((config.provider.realm.as_str(), config.provider.client_id.as_str()), ("other", "other-client"));
    assert_eq!(config.provider.client_secret.expose_secret(), "other secret");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(config.server.public_origins, [Origin::parse("https://hive.example.com").unwrap()]);
    assert_eq!(config.log.level, tracing::Level::WARN);
    assert!(matches!(config.sessions.store, StoreChoice::Redis(url) if url.expose_secret().ends_with("6380/0")));
    assert!(matches!(config.sessions.sealing_keys, SealingKeysSource::Environment(_)));
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
    assert_eq!(back_channel.provider.public_base(&origin), "http://localhost:8000/keycloak");
    assert_eq!(back_channel.warnings.iter().count(), 1);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let environment = Environment::from_iter([("SECRET", "x"), ("KEYCLOAK_REALM", ""), ("NEXUS_PORT", "")]);
    assert_eq!(parse(MINIMAL, &environment).unwrap().provider.realm, "hivematrix");
    let unset = Environment::from_iter([("SECRET", "")]);
    assert!(parse(MINIMAL, &unset).unwrap_err().to_string().contains("SECRET is not set"));
}

#[test]
fn a_file_can_be_checked_on_a_machine_that_lacks_the_secrets() {
    let text = MINIMAL.replace("store = \"memory\"", "sealing_keys = { env = \"KEYS\" }\nredis_url = { file = \"no.such\" }");
    let config = parse(&text, &Environment::empty().without_secrets()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.warnings.iter().filter(|p| p.severity == Severity::Warning).count(), 3);
    let inline = text.replace("{ env = \"SECRET\" }", "\"hunter2\"");
    assert!(parse(&inline, &Environment::empty().without_secrets()).is_err(), "an inline secret stays an error");
}

#[test]
fn secrets_come_from_files_too_and_exposed_ones_are_mentioned() {
    let base = tempfile::tempdir().unwrap();
    let secret = base.path().join("client.secret");
    write_private(&secret, "s3cret\n");
    let text = MINIMAL.replace("{ env = \"SECRET\" }", "{ file = \"client.secret\" }");
    let load = || Config::parse(&text, "t", base.path(), &Environment::empty()).unwrap_or_else(|p| panic!("{p}"));
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
         [services.ledger]\naccess = [\"admin\", \"client\"]\nhttp2 = true\nplugins = []\n"
    );
    let config = parse(&text, &environment()).unwrap_or_else(|p| panic!("{p}"));
    let ledger = &config.services[1];
    assert_eq!(ledger.upstream.address, "localhost:5030");
    assert!(ledger.upstream.http2 && ledger.plugins.is_empty());
    let may = [PermissionLevel::Admin, PermissionLevel::Client];
    assert_eq!(ledger.access, Access::Levels(may.into_iter().collect()));
    let last = config.services.last().unwrap();
    assert_eq!((last.name.as_str(), last.prefix.as_str()), ("mine", "/apps/mine"));
    assert_eq!(last.plugins, ["composition"]);
}

#[test]
fn a_problem_of_a_plugin_that_is_found_later_has_its_place_too() {
    let text = format!("{MINIMAL}\n[plugins.composition]\nkind = \"composition\"\n");
    let config = parse(&text, &environment()).unwrap();
    let invalid = hivematrix_plugins::Invalid { span: Some(config.plugins[0].settings.span()), ..hivematrix_plugins::Invalid::new("no") };
    let report = config.explain(&[invalid.clone(), invalid]).to_string();
    assert!(report.starts_with("test.toml:10:1: error: ") && report.ends_with("1 error\n"), "{report}");
}

#[test]
fn a_configuration_can_be_made_in_code() {
    let origin = Origin::parse("http://localhost:8000").unwrap();
    let provider = Provider::new("http://localhost:8080".parse().unwrap(), "s3cret".into());
    let core = Core::new("http://localhost:5000".parse().unwrap());
    let codex = Service::new(ServiceName::parse("codex").unwrap(), Upstream::parse("http://localhost:5010").unwrap());
    let mut config =
        Config::minimal("127.0.0.1:0".parse().unwrap(), origin, provider, core).with_service(codex);
    config.codex = Some(Codex::new("http://localhost:5010".parse().unwrap()));
    let written = format!("{MINIMAL}\n[services.codex]\nurl = \"http://localhost:5010\"\n");
    let read = parse(&written, &environment()).unwrap();
    assert_eq!(config.services, read.services);
    assert_eq!((config.limits.clone(), config.timeouts.clone()), (read.limits.clone(), read.timeouts.clone()));
    assert_eq!(config.needs_restart(&config), [""; 0]);
    assert_eq!(config.needs_restart(&read), ["server.listen"]);
    let mut other = config.clone();
    other.provider.client_secret = "another".into();
    other.core.issuer = "hivematrix.core".to_owned();
    other.limits.body_bytes = 7;
    assert_eq!(config.needs_restart(&other), ["provider", "core"]);
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("gateway.toml");
    let registry = base.path().join("services.json");
    std::fs::write(&registry, r#"{"codex": {"url": "http://localhost:5010"}}"#).unwrap();
    let text = format!("registry = \"services.json\"\n{MINIMAL}");
    std::fs::write(&path, &text).unwrap();
    let first = Config::load(&path, &environment()).unwrap();
    let mut watch = Watch::start(&path, environment(), Registry::standard(), &first).unwrap();

    std::fs::write(&path, "[server]\nlisten = 7\n").unwrap();
    let bad = tokio::time::timeout(Duration::from_millis(700), watch.changed()).await;
    assert!(bad.is_err(), "a file with problems yields nothing");

    std::fs::write(base.path().join("new"), format!("{text}\n[limits]\nbody_bytes = 5\n")).unwrap();
    std::fs::rename(base.path().join("new"), &path).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("replaced by rename");
    assert_eq!(changed.limits.body_bytes, 5);

    std::fs::write(&registry, r#"{"ledger": {"url": "http://localhost:5030"}}"#).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("registry changed");
    assert_eq!(changed.services[0].name.as_str(), "ledger");

    std::fs::write(&registry, r#"{"ledger": {"url": "http://localhost:5030"}}"#).unwrap();
    let same = tokio::time::timeout(Duration::from_millis(700), watch.changed()).await;
    assert!(same.is_err(), "what was only touched yields nothing");
}

fn write_private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// Lines as somebody might write them, right and wrong, in any order.
fn line() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = example()
        .lines()
        .map(|line| line.trim_start_matches('#').to_owned())
        .chain(["]", "[", "= 1", "a = {", "\"\"\"", "'''", "[[a]]", "[a.b]", "a.b = [[]]", "\u{0}é\u{feff}"].map(String::from))
        .collect();
    prop_oneof![4 => prop::sample::select(pieces), 1 => "\\PC{0,20}", 1 => "[\\[\\]{}=.,\"'#a-c0-9 \n]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        if let Err(problems) = parse(&text, &environment()) {
            prop_assert!(problems.to_string().ends_with('\n'));
        }
    }

    #[test]
    fn settings_in_any_order_cut_anywhere_never_panic(lines in prop::collection::vec(line(), 0..40), cut in 0_usize..4000) {
        let text = lines.join("\n");
        let cut = text.floor_char_boundary(cut.min(text.len()));
        if let Err(problems) = parse(&text[..cut], &environment()) {
            prop_assert!(problems.to_string().ends_with('\n'));
        }
    }
}
