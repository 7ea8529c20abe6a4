//! `hivematrix core|codex|template|helm|idp`: each backend alone.

use std::time::Duration;

use super::process::Binary;

/// The commands with the arguments they need where nothing else runs.
const ALONE: [&[&str]; 5] = [
    &["core", "--in-memory"],
    &["codex", "--demo-data"],
    &["template"],
    &["helm"],
    &["idp"],
];

fn alone(arguments: &[&str], listen: &str) -> Binary {
    let arguments = [arguments, &["--listen", listen]].concat();
    Binary::new(&arguments).env("KEYCLOAK_CLIENT_SECRET", "a secret for this case")
}

#[tokio::test]
async fn each_backend_alone_is_healthy_and_ends_at_once_when_told_to() {
    for arguments in ALONE {
        let mut process = alone(arguments, "127.0.0.1:0").ready().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(format!("{}/health", process.url))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{arguments:?}");
        let health: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let expected = (serde_json::json!(arguments[0]), serde_json::json!("healthy"));
        assert_eq!(
            (health["service"].clone(), health["status"].clone()),
            expected,
            "{health}"
        );

        process.signal("TERM");
        let (status, took, rest) = process.end().await;
        assert_eq!(
            (status, rest.as_str()),
            (0, ""),
            "{arguments:?}: {}",
            process.stderr()
        );
        assert!(took < Duration::from_secs(1), "{arguments:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_backend_refuses_to_listen_beyond_loopback() {
    for arguments in ALONE {
        let ended = alone(arguments, "0.0.0.0:0").ended().await;
        assert_eq!((ended.status, ended.stdout.as_str()), (64, ""), "{arguments:?}");
        assert!(
            ended.stderr.contains("loopback only"),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = alone(&["template"], &address).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(
        ended
            .stderr
            .starts_with(&format!("hivematrix: {address} is already in use; ")),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn cores_key_is_made_once_for_its_owner_alone_and_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("core.pem");
    let keys = async || {
        let arguments = ["core", "--in-memory", "--key", key.to_str().unwrap()];
        let process = alone(&arguments, "127.0.0.1:0").ready().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(format!("{}/.well-known/jwks.json", process.url))
            .send()
            .await
            .unwrap();
        answer.text().await.unwrap()
    };
    let first = keys().await;
    assert!(first.contains("\"hivematrix-signing-key-1\""), "{first}");
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(keys().await, first);

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = ["core", "--in-memory", "--key", key.to_str().unwrap()];
    let ended = alone(&arguments, "127.0.0.1:0").ended().await;
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
}
