//! The three forms of the registry, and what a bad one is told.

use proptest::prelude::*;

use super::*;

#[test]
fn the_current_form_is_read_in_its_order() {
    let registry = Registry::parse(
        r#"{
          "helm": {"url": "http://localhost:5004", "visible": true, "admin_only": true},
          "core": {"url": "http://localhost:5000", "visible": false},
          "ledger": {"url": "http://localhost:5030", "visible": true, "billing_or_admin_only": true},
          "codex": {"url": "https://10.0.0.1:5010", "visible": true},
          "both": {"url": "http://h", "admin_only": true, "billing_or_admin_only": true}
        }"#,
    )
    .unwrap();
    let names: Vec<&str> = registry
        .services
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["helm", "core", "ledger", "codex", "both"]);
    assert_eq!(registry.get("helm").unwrap().access, Access::admin_only());
    assert_eq!(
        registry.get("ledger").unwrap().access,
        Access::billing_or_admin_only()
    );
    assert_eq!(registry.get("codex").unwrap().access, Access::AnyUser);
    assert_eq!(
        registry.get("both").unwrap().access,
        Access::admin_only(),
        "the stricter rule wins"
    );
    assert_eq!(
        registry.get("codex").unwrap().url.as_str(),
        "https://10.0.0.1:5010/"
    );
    assert!(registry.get("core").unwrap().is_infrastructure() && !registry.get("core").unwrap().visible);
    assert!(!registry.get("helm").unwrap().is_infrastructure());
    assert!(registry.get("nobody").is_none());
}

#[test]
fn the_older_full_form_and_the_short_form_are_read_too() {
    let full = Registry::parse(
        r#"{"codex": {"url": "http://localhost:5010", "path": "../hivematrix-codex", "port": 5010,
            "python_bin": "pyenv/bin/python", "run_script": "run.py", "visible": true}}"#,
    );
    let short = Registry::parse(r#"{"codex": {"url": "http://localhost:5010", "port": 5010}}"#);
    let port_alone = Registry::parse(r#"{"codex": {"port": 5010}}"#);
    let mut full = full.unwrap();
    assert_eq!(full.services.len(), 1);
    assert_eq!(
        full.services[0].path.take().as_deref(),
        Some("../hivematrix-codex")
    );
    assert_eq!(Ok(full), short);
    assert_eq!(short, port_alone);
    assert!(
        short.unwrap().services[0].visible,
        "visible unless said otherwise"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let error = Registry::parse(
        r#"{
          "Codex": {"url": "http://localhost:1"},
          "a": {"url": "ftp://localhost"},
          "b": {"visible": "yes", "url": 5},
          "c": 7,
          "d": {"port": 70000},
          "e": {"url": "http://u:p@h/"},
          "f": {"url": "localhost:5010"},
          "g": {},
          "ok": {"url": "http://h"},
          "ok": {"url": "http://h?x"}
        }"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        line 2, column 20: service "Codex": a service name is 1 to 50 characters from a-z, 0-9, _ and -
        line 3, column 24: service "a": `url` must begin with http:// or https://
        line 4, column 28: service "b": `visible` is text, not true or false
        line 4, column 42: service "b": `url` is a number, not text
        line 5, column 16: service "c": is a number, not an object like {"url": "http://localhost:5010"}
        line 6, column 25: service "d": `port` is not a number from 1 to 65535
        line 7, column 24: service "e": `url` must not carry a user name or password
        line 8, column 24: service "f": `url` must begin with http:// or https://
        line 9, column 16: service "g": has no `url`
        line 11, column 17: service "ok": stands in the registry twice
        line 11, column 25: service "ok": `url` must not carry a query or fragment"#]]
    .assert_eq(&error.to_string());
}

#[test]
fn broken_json_is_told_with_its_place() {
    let error = Registry::parse("{\n  \"codex\": {\"url\": }\n}").unwrap_err();
    assert_eq!(error.problems[0].at, (2, 20));
    assert!(
        error.to_string().starts_with("line 2, column 20: not a registry"),
        "{error}"
    );
    assert!(Registry::parse("[]").is_err());
    assert_eq!(Registry::parse("{}").unwrap(), Registry::default());
}

proptest! {
    #[test]
    fn no_text_whatever_breaks_the_reader(text in "\\PC{0,200}") {
        let _ = Registry::parse(&text);
    }

    #[test]
    fn what_is_accepted_has_safe_addresses(name in "[a-z0-9_-]{1,50}", url in "(http|https|ftp|file)?(://)?[a-z0-9:@/?#.]{0,20}") {
        let json = serde_json::json!({ name.clone(): { "url": url } }).to_string();
        if let Ok(registry) = Registry::parse(&json) {
            let entry = registry.get(&name).unwrap();
            prop_assert!(matches!(entry.url.scheme(), "http" | "https"));
            prop_assert!(entry.url.has_host() && entry.url.username().is_empty() && entry.url.query().is_none());
        }
    }
}
