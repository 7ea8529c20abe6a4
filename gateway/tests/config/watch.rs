//! A configuration that changes while somebody watches.

use std::time::Duration;

use hivematrix_gateway::config::{Config, Watch};
use hivematrix_plugins::Registry;

use super::{MINIMAL, environment};

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

    std::fs::write(
        base.path().join("new"),
        format!("{text}\n[limits]\nbody_bytes = 5\n"),
    )
    .unwrap();
    std::fs::rename(base.path().join("new"), &path).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(10), watch.changed())
        .await
        .expect("replaced by rename");
    assert_eq!(changed.limits.body_bytes, 5);

    std::fs::write(&registry, r#"{"ledger": {"url": "http://localhost:5030"}}"#).unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(10), watch.changed())
        .await
        .expect("registry changed");
    assert_eq!(changed.services[0].name.as_str(), "ledger");

    std::fs::write(&registry, r#"{"ledger": {"url": "http://localhost:5030"}}"#).unwrap();
    let same = tokio::time::timeout(Duration::from_millis(700), watch.changed()).await;
    assert!(same.is_err(), "what was only touched yields nothing");
}
