//! The original gateway's folder, read as it is.

use std::path::Path;

use hivematrix_gateway::config::{Environment, Location, PublicPath, text_of_original};
use secrecy::ExposeSecret as _;

use super::write_private;

const SERVICES: &str = r#"{
  "core": {"url": "http://localhost:5000", "visible": false},
  "codex": {"url": "http://localhost:5010", "visible": true},
  "beacon": {"url": "http://localhost:5001", "visible": true},
  "helm": {"url": "http://localhost:5004", "visible": true, "admin_only": true}
}"#;

const FLASKENV: &str = "FLASK_APP=run.py\nSECRET_KEY='of all services'\nCORE_SERVICE_URL=http://localhost:5000\n\
    NEXUS_SERVICE_URL=https://hive.example.com\nHELM_SERVICE_URL=http://localhost:5004\n\
    KEYCLOAK_SERVER_URL=https://hive.example.com/keycloak\nKEYCLOAK_BACKEND_URL=http://localhost:8080\n\
    KEYCLOAK_REALM=hivematrix\nKEYCLOAK_CLIENT_ID=core-client\nKEYCLOAK_CLIENT_SECRET='s3 cret#1' # Keycloak's\n\
    NEXUS_HOST=0.0.0.0\nNEXUS_PORT=443\nLOG_LEVEL=WARNING\n";

/// A folder as the original's installer leaves it.
fn original(folder: &Path) -> Location {
    std::fs::create_dir(folder.join("certs")).unwrap();
    write_private(&folder.join("certs/nexus.crt"), "a certificate");
    write_private(&folder.join("certs/nexus.key"), "a key");
    write_private(&folder.join("services.json"), SERVICES);
    write_private(&folder.join(".flaskenv"), FLASKENV);
    Location::Original(folder.to_owned())
}

#[test]
fn the_folder_of_the_original_is_a_whole_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = original(folder.path())
        .load(&Environment::empty())
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:443");
    assert_eq!(
        config.server.public_origins[0].to_string(),
        "https://hive.example.com"
    );
    let tls = config.server.tls.unwrap();
    assert!(tls.certificate.ends_with("certs/nexus.crt") && tls.key.ends_with("certs/nexus.key"));
    assert_eq!(config.provider.client_secret.expose_secret(), "s3 cret#1");
    assert_eq!(
        (
            config.provider.public_path.as_str(),
            config.provider.identity_origin
        ),
        ("/keycloak", None)
    );
    assert_eq!(config.log.level.as_str(), "WARN");
    let names: Vec<&str> = config
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["codex", "beacon", "helm"]);
    assert!(
        config.services[1]
            .public
            .iter()
            .any(|rule| rule.path == PublicPath::Prefix("/api/tickets/".into()))
    );
    assert_eq!(config.redirects.len(), 2);
    for read in [".flaskenv", "services.json", "certs/nexus.key"] {
        assert!(
            config.files.iter().any(|file| file.ends_with(read)),
            "a change of {read} is noticed"
        );
    }
}

#[test]
fn beside_the_original_it_has_a_port_of_its_own_and_the_provider_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = original(folder.path())
        .load(&Environment::empty().at_port(8443))
        .unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(
        config.server.public_origins[0].to_string(),
        "https://hive.example.com:8443"
    );
    let provider = config.provider;
    assert_eq!(
        provider.public_base(&config.server.public_origins[0]),
        "https://hive.example.com/keycloak",
        "behind the original, whose address Keycloak names as its issuer"
    );
}

#[test]
fn the_processs_variables_win_over_the_flaskenv() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::from_iter([("NEXUS_PORT", "8444"), ("KEYCLOAK_REALM", "")]);
    let config = original(folder.path()).load(&environment).unwrap();
    assert_eq!(config.server.listen.port(), 8444);
    assert_eq!(
        config.provider.realm, "hivematrix",
        "an empty one counts as not set"
    );
}

#[test]
fn the_short_registry_serves_where_there_is_no_other_and_without_beacon_nothing_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let location = original(folder.path());
    std::fs::remove_file(folder.path().join("services.json")).unwrap();
    write_private(
        &folder.path().join("master_services.json"),
        r#"{"codex": {"url": "http://localhost:5010", "port": 5010}}"#,
    );
    let config = location.load(&Environment::empty()).unwrap();
    assert_eq!((config.services.len(), config.redirects.len()), (1, 0));
}

#[test]
fn what_is_missing_or_wrong_is_said_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let location = original(folder.path());
    let services = SERVICES.replace("\"http://localhost:5001\"", "5001");
    write_private(&folder.path().join("services.json"), &services);
    write_private(&folder.path().join(".flaskenv"), "NEXUS_PORT=many\n");
    std::fs::remove_file(folder.path().join("certs/nexus.key")).unwrap();
    let report = location.load(&Environment::empty()).unwrap_err().to_string();
    let base = folder.path().display();
    for told in [
        format!("{base}/services.json:4:21: error: service \"beacon\": `url` is a number, not text"),
        format!("{base}/.flaskenv:1:12: error: expected a port between 1 and 65535"),
        format!("{base}/certs/nexus.key cannot be read"),
        "`client_secret` is missing".to_owned(),
        "NEXUS_SERVICE_URL in a .flaskenv".to_owned(),
    ] {
        assert!(report.contains(&told), "{told:?} is not in\n{report}");
    }
}

#[test]
fn the_text_of_a_folder_is_a_configuration_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let location = original(folder.path());
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text_of_original(folder.path())).unwrap();
    let (as_file, as_folder) = (
        Location::from(&file).load(&Environment::empty()),
        location.load(&Environment::empty()),
    );
    assert_eq!(as_file.unwrap().services, as_folder.unwrap().services);
}
