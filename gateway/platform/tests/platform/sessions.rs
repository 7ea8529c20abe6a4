//! Core's session records over any store: created once, revoked once, never resurrected.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{MemoryStore, Revocation, SessionError, SessionId, SessionRecord, Sessions, Store};

use crate::support::alice;
use crate::support::redis_server::RedisServer;

const HOUR: Duration = Duration::from_secs(3600);

fn record() -> SessionRecord {
    SessionRecord {
        user_data: alice(),
        created_at: 1_700_000_000,
        expires_at: 1_700_003_600,
        revoked: false,
    }
}

#[tokio::test]
async fn a_session_is_found_until_it_is_revoked_and_stays_revoked() {
    let sessions = Sessions::new(Arc::new(MemoryStore::default()));
    let id = SessionId::generate();
    assert_eq!(sessions.get(&id).await.unwrap(), None);
    assert_eq!(sessions.revoke(&id).await.unwrap(), Revocation::Absent);
    sessions.create(&id, &record(), HOUR).await.unwrap();
    assert_eq!(sessions.get(&id).await.unwrap(), Some(record()));
    assert_eq!(sessions.revoke(&id).await.unwrap(), Revocation::Revoked);
    assert_eq!(sessions.revoke(&id).await.unwrap(), Revocation::AlreadyRevoked);
    assert_eq!(
        sessions.get(&id).await.unwrap(),
        Some(SessionRecord {
            revoked: true,
            ..record()
        })
    );
    assert_eq!(
        sessions.create(&id, &record(), HOUR).await,
        Err(SessionError::Exists),
        "nothing resurrects it"
    );
}

#[tokio::test]
async fn a_session_is_renewed_with_what_is_known_by_now_and_nothing_that_ended_comes_back() {
    let sessions = Sessions::new(Arc::new(MemoryStore::default()));
    let (id, now) = (SessionId::generate(), 1_700_001_000);
    let mut user = alice();
    assert!(
        !sessions.renew(&id, &user, now, now + 3600).await.unwrap(),
        "absent"
    );
    sessions.create(&id, &record(), HOUR).await.unwrap();
    user.groups = vec!["admins".to_owned()];
    assert!(sessions.renew(&id, &user, now, now + 3600).await.unwrap());
    let renewed = SessionRecord {
        user_data: user.clone(),
        expires_at: now + 3600,
        ..record()
    };
    assert_eq!(sessions.get(&id).await.unwrap(), Some(renewed.clone()));
    let mut other = user.clone();
    other.sub = "somebody else".to_owned();
    assert!(!sessions.renew(&id, &other, now, now + 9000).await.unwrap());
    let over = now + 3600;
    assert!(!sessions.renew(&id, &user, over, over + 3600).await.unwrap());
    assert_eq!(
        sessions.get(&id).await.unwrap(),
        Some(renewed),
        "and nothing changed"
    );
    sessions.revoke(&id).await.unwrap();
    assert!(!sessions.renew(&id, &user, now, now + 3600).await.unwrap());
    assert!(sessions.get(&id).await.unwrap().unwrap().revoked);
}

#[tokio::test]
async fn however_renewals_and_a_revocation_meet_the_session_ends_revoked() {
    for _ in 0..50 {
        let sessions = Sessions::new(Arc::new(MemoryStore::default()));
        let (id, now) = (SessionId::generate(), 1_700_001_000);
        sessions.create(&id, &record(), HOUR).await.unwrap();
        let renewing: Vec<_> = (0..8)
            .map(|index| {
                let sessions = sessions.clone();
                tokio::spawn(async move { sessions.renew(&id, &alice(), now, now + 3600 + index).await })
            })
            .collect();
        sessions.revoke(&id).await.unwrap();
        for each in renewing {
            each.await.unwrap().unwrap();
        }
        assert!(sessions.get(&id).await.unwrap().unwrap().revoked);
    }
}

#[tokio::test]
async fn of_many_that_revoke_at_once_one_does() {
    let sessions = Sessions::new(Arc::new(MemoryStore::default()));
    let id = SessionId::generate();
    sessions.create(&id, &record(), HOUR).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move { sessions.revoke(&id).await.unwrap() })
        })
        .collect();
    let mut revoked = 0;
    for task in tasks {
        revoked += usize::from(task.await.unwrap() == Revocation::Revoked);
    }
    assert_eq!(revoked, 1);
}

#[tokio::test]
async fn a_record_that_nobody_can_read_lets_nobody_in() {
    let store = Arc::new(MemoryStore::default());
    let sessions = Sessions::new(Arc::clone(&store) as Arc<dyn Store>);
    let id = SessionId::generate();
    store.put(&id.key(), b"{\"user_data\":", HOUR).await.unwrap();
    assert!(matches!(sessions.get(&id).await, Err(SessionError::Malformed(_))));
    assert_eq!(sessions.revoke(&id).await.unwrap(), Revocation::Revoked);
    assert_eq!(sessions.get(&id).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_of_the_python_core_is_read_and_revoked_with_its_time_to_live() {
    let server = RedisServer::start().await;
    let sessions = Sessions::new(Arc::new(server.store().await));
    let id = SessionId::generate();
    let mut python = server.client().await;
    let json = r#"{"user_data": {"sub": "1", "name": null, "email": "a@b", "preferred_username": "a", "permission_level": "admin", "groups": ["/admins"]}, "created_at": 1, "expires_at": 3601, "revoked": false}"#;
    redis::cmd("SETEX")
        .arg(id.key())
        .arg(100)
        .arg(json)
        .exec_async(&mut python)
        .await
        .unwrap();
    let found = sessions.get(&id).await.unwrap().unwrap();
    assert_eq!(
        (
            found.user_data.name.as_str(),
            found.user_data.permission_level.as_str(),
            found.revoked
        ),
        ("", "admin", false)
    );
    assert_eq!(sessions.revoke(&id).await.unwrap(), Revocation::Revoked);
    let left: i64 = redis::cmd("TTL")
        .arg(id.key())
        .query_async(&mut python)
        .await
        .unwrap();
    assert!((90..=100).contains(&left), "{left}");
    let raw: String = redis::cmd("GET")
        .arg(id.key())
        .query_async(&mut python)
        .await
        .unwrap();
    assert!(
        raw.ends_with(r#""created_at":1,"expires_at":3601,"revoked":true}"#),
        "{raw}"
    );
}
