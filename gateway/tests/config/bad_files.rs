//! Each file of `config/bad` and the report that it gets, word by word.
//! `UPDATE_EXPECT=1 cargo test -p hivematrix-gateway --test config` rewrites the reports.

use std::path::PathBuf;

use hivematrix_gateway::config::{Config, Environment};

use super::{environment, folder};

#[test]
fn each_file_with_problems_gets_exactly_the_report_beside_it() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let environment = if name == "environment.toml" {
            bad_environment()
        } else {
            environment()
        };
        let problems = Config::parse(&text, name, path.parent().unwrap(), &environment)
            .err()
            .unwrap_or_else(|| panic!("{name} has no problem"));
        let report = problems
            .to_string()
            .replace(&format!("{}/", path.parent().unwrap().display()), "");
        assert!(!report.contains("hunter2"), "{name} shows a secret:\n{report}");
        expect_test::expect_file![
            path.with_extension("txt")
                .canonicalize()
                .unwrap_or(path.with_extension("txt"))
        ]
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
