//! The client of Core against servers that answer well, badly, late, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hivematrix_platform::{CoreClient, CoreError, Minter, http_client, unix_now};
use serde_json::{Value, json};

use crate::support::stub::{Answer, Stub, answer};
use crate::support::{name, redis_server::free_port};
use crate::tokens::key;

pub(crate) fn core_client(core: &Stub) -> CoreClient {
    CoreClient::new(
        http_client::internal().unwrap(),
        core.base.clone(),
        name("nexus"),
        Some("s3cret".into()),
    )
}

fn service_token(now: u64) -> String {
    Minter::new(key().clone(), "hivematrix-core")
        .service(&name("nexus"), &name("codex"), now)
        .unwrap()
        .0
}

pub(crate) fn token_answer() -> Answer {
    answer(200, json!({ "token": service_token(unix_now()) }).to_string())
}

#[tokio::test]
async fn an_access_token_is_exchanged() {
    let core =
        Stub::start(|asked| {
            match serde_json::from_str::<Value>(&asked.body).unwrap()["access_token"].as_str() {
                Some("good") => answer(200, r#"{"token":"jwt"}"#),
                Some("slow") => Answer {
                    after: Duration::from_secs(60),
                    ..answer(200, "")
                },
                Some("odd") => answer(200, "<html>"),
                Some("long") => answer(200, "x".repeat(100_000)),
                _ => answer(401, r#"{"error":"Invalid\naccess token"}"#),
            }
        })
        .await;
    let client = CoreClient::with_timeout(
        http_client::internal().unwrap(),
        core.base.clone(),
        name("nexus"),
        None,
        Duration::from_millis(300),
    );
    assert_eq!(client.exchange("good").await.unwrap(), "jwt");
    let refused = client.exchange("bad").await.unwrap_err();
    assert_eq!(
        refused,
        CoreError::Refused {
            status: 401,
            message: "Invalidaccess token".to_owned()
        }
    );
    assert!(!refused.is_outage());
    assert_eq!(client.exchange("slow").await.unwrap_err(), CoreError::TimedOut);
    assert!(matches!(
        client.exchange("odd").await,
        Err(CoreError::Malformed(_))
    ));
    assert!(matches!(
        client.exchange("long").await,
        Err(CoreError::Malformed(_))
    ));
    assert_eq!(core.asked()[0].line, "POST /api/token/exchange");
}

#[tokio::test]
async fn revoking_what_is_gone_already_is_success_and_anything_else_is_not() {
    let core =
        Stub::start(
            |asked| match serde_json::from_str::<Value>(&asked.body).unwrap()["token"].as_str() {
                Some("alive") => answer(200, r#"{"message":"Session revoked successfully"}"#),
                Some("gone") => answer(404, r#"{"message":"Session not found or already revoked"}"#),
                Some("lost") => answer(404, "no such page"),
                _ => answer(500, r#"{"error":"Redis"}"#),
            },
        )
        .await;
    let client = core_client(&core);
    client.revoke("alive").await.unwrap();
    client.revoke("gone").await.unwrap();
    assert!(
        matches!(
            client.revoke("lost").await,
            Err(CoreError::Refused { status: 404, .. })
        ),
        "another server's 404"
    );
    assert!(client.revoke("x").await.unwrap_err().is_outage());
    assert_eq!(core.asked()[0].line, "POST /api/token/revoke");
}

#[tokio::test]
async fn a_service_token_is_asked_for_once_with_the_callers_secret() {
    let core = Stub::start(|_| Answer {
        after: Duration::from_millis(50),
        ..token_answer()
    })
    .await;
    let client = core_client(&core);
    let codex = name("codex");
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (client, codex) = (client.clone(), codex.clone());
            tokio::spawn(async move { client.service_token(&codex).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    client.service_token(&codex).await.unwrap();
    let asked = core.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /service-token");
    assert_eq!(
        asked[0].authorization.as_deref(),
        Some("Basic bmV4dXM6czNjcmV0"),
        "nexus:s3cret"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&asked[0].body).unwrap(),
        json!({"calling_service": "nexus", "target_service": "codex"})
    );
    client.forget_service_token(&codex);
    client.service_token(&codex).await.unwrap();
    client.service_token(&name("ledger")).await.unwrap();
    assert_eq!(core.asked().len(), 3);
}

#[tokio::test]
async fn a_service_token_is_not_used_in_its_last_half_minute() {
    let lifetime_left = Arc::new(AtomicUsize::new(29));
    let left = Arc::clone(&lifetime_left);
    let core = Stub::start(move |_| {
        let now = unix_now() - 300 + u64::try_from(left.load(Ordering::SeqCst)).unwrap();
        answer(200, json!({ "token": service_token(now) }).to_string())
    })
    .await;
    let client = core_client(&core);
    client.service_token(&name("codex")).await.unwrap();
    client.service_token(&name("codex")).await.unwrap();
    assert_eq!(core.asked().len(), 2);
    lifetime_left.store(60, Ordering::SeqCst);
    client.service_token(&name("codex")).await.unwrap();
    client.service_token(&name("codex")).await.unwrap();
    assert_eq!(core.asked().len(), 3);
}

#[tokio::test]
async fn a_core_that_is_not_there_is_unreachable_and_no_failure_is_remembered() {
    let port = free_port().await;
    let base = format!("http://127.0.0.1:{port}").parse().unwrap();
    let client = CoreClient::new(http_client::internal().unwrap(), base, name("nexus"), None);
    assert!(matches!(
        client.exchange("x").await,
        Err(CoreError::Unreachable(_))
    ));
    assert!(matches!(
        client.service_token(&name("codex")).await,
        Err(CoreError::Unreachable(_))
    ));
    let answers = Arc::new(AtomicBool::new(false));
    let good = Arc::clone(&answers);
    let core = Stub::start(move |_| {
        if good.load(Ordering::SeqCst) {
            token_answer()
        } else {
            answer(400, r#"{"error":"unknown"}"#)
        }
    })
    .await;
    let client = core_client(&core);
    client.service_token(&name("codex")).await.unwrap_err();
    answers.store(true, Ordering::SeqCst);
    client.service_token(&name("codex")).await.unwrap();
}

#[tokio::test]
async fn an_address_below_a_path_is_kept() {
    let core = Stub::start(|_| answer(200, r#"{"token":"jwt"}"#)).await;
    for base in ["/core", "/core/"] {
        let client = CoreClient::new(
            http_client::internal().unwrap(),
            core.base.join(base).unwrap(),
            name("nexus"),
            None,
        );
        client.exchange("x").await.unwrap();
        assert!(client.jwks_urls()[0].path() == "/core/.well-known/jwks.json");
    }
    assert_eq!(core.times_asked("POST /core/api/token/exchange"), 2);
}

#[tokio::test]
async fn a_replica_of_core_that_is_gone_hangs_or_is_in_trouble_is_passed_over_and_remembered() {
    let good = || Stub::start(|_| answer(200, r#"{"token":"jwt"}"#));
    let troubled = Stub::start(|_| answer(503, r#"{"error":"store"}"#)).await;
    let hanging = Stub::start(|_| Answer {
        after: Duration::from_secs(60),
        ..answer(200, "")
    })
    .await;
    let gone = format!("http://127.0.0.1:{}", free_port().await).parse().unwrap();
    for (what, first) in [
        ("gone", gone),
        ("hanging", hanging.base.clone()),
        ("troubled", troubled.base.clone()),
    ] {
        let second = good().await;
        let client = CoreClient::replicated(
            http_client::internal().unwrap(),
            (first, vec![second.base.clone()]),
            name("nexus"),
            None,
            Duration::from_secs(2),
        );
        assert_eq!(client.exchange("token").await.unwrap(), "jwt", "{what}");
        assert_eq!(client.exchange("token").await.unwrap(), "jwt", "{what}");
        assert_eq!(second.times_asked("POST /api/token/exchange"), 2, "{what}");
    }
    assert_eq!(
        hanging.times_asked("POST"),
        1,
        "the one that answered last is asked first"
    );
}

#[tokio::test]
async fn what_one_replica_of_core_has_decided_no_other_is_asked() {
    let (first, second) = (
        Stub::start(|_| answer(401, r#"{"error":"no"}"#)).await,
        Stub::start(|_| answer(200, r#"{"token":"jwt"}"#)).await,
    );
    let bases = (first.base.clone(), vec![second.base.clone()]);
    let http = http_client::internal().unwrap();
    let client = CoreClient::replicated(http, bases, name("nexus"), None, Duration::from_secs(2));
    assert!(!client.exchange("token").await.unwrap_err().is_outage());
    assert_eq!(second.asked().len(), 0);
}
