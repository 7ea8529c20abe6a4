//! What several tests need: a real Redis process, a relay that can fail, a small HTTP server, people.

pub(crate) mod redis_server;
pub(crate) mod relay;
pub(crate) mod stub;

use std::time::Duration;

use hivematrix_platform::{PermissionLevel, ServiceName, UserData};

/// Waits until the condition holds, at most five seconds.
pub(crate) async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let patience = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), patience)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"));
}

pub(crate) fn alice() -> UserData {
    UserData {
        sub: "3d5f".to_owned(),
        name: "Alice Ärger \"A\"".to_owned(),
        email: "alice@example.com".to_owned(),
        preferred_username: "alice".to_owned(),
        permission_level: PermissionLevel::Technician,
        groups: vec!["technicians".to_owned(), "client".to_owned()],
    }
}

pub(crate) fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}
