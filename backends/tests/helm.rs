//! Helm on a real socket: services and their health, log lines, who may see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stand;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use hivematrix_backends::helm::{self, HelmSettings, Watched};
use hivematrix_platform::PermissionLevel::{Admin, Billing, Client, Technician};
use hivematrix_platform::http_client;
use reqwest::Method;
use serde_json::{Value, json};

use stand::{Stand, auth, must_be_a_proper_page, serve, service, user};

fn watched(name: &str, address: SocketAddr) -> Watched {
    Watched {
        name: name.parse().unwrap(),
        url: format!("http://{address}/").parse().unwrap(),
        visible: true,
    }
}

async fn helm(services: Vec<Watched>) -> Stand {
    let settings = HelmSettings {
        auth: auth("helm"),
        services,
        http: http_client::internal().unwrap(),
        probe_timeout: Duration::from_millis(300),
        log_lines: NonZeroUsize::new(2000).unwrap(),
    };
    Stand::start("helm", helm::router(settings)).await
}

/// A port on which nothing listens.
async fn nowhere() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Something that takes connections and never answers.
async fn silence() -> (SocketAddr, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[tokio::test]
async fn administrators_enter_and_nobody_else() {
    let helm = helm(Vec::new()).await;
    for path in [
        "/",
        "/logs",
        "/api/services",
        "/api/services/status",
        "/api/services/codex/status",
        "/api/dashboard/status",
        "/api/logs",
    ] {
        assert_eq!(helm.get(path, "").await.status, 401, "{path}");
        for level in [Client, Billing, Technician] {
            assert_eq!(
                helm.get(path, &user(level)).await.status,
                403,
                "{level} at {path}"
            );
        }
        assert_ne!(helm.get(path, &user(Admin)).await.status, 403, "{path}");
    }
    assert_eq!(
        helm.get("/api/services", &service("codex", "core")).await.status,
        401,
        "a token for another service"
    );
    assert_eq!(
        helm.get("/api/logs", &service("codex", "helm")).await.status,
        403,
        "log lines are not for services"
    );
    assert_eq!(helm.get("/health", "").await.json()["status"], "healthy");
}

#[tokio::test]
async fn each_service_is_shown_as_it_is_in_the_shape_of_the_contract() {
    let (fine, _fine) = serve(Router::new().route(
        "/health",
        get(|| async { axum::Json(json!({"status": "healthy"})) }),
    ))
    .await;
    let report =
        json!({"status": "unhealthy", "checks": {"database": {"status": "unhealthy", "message": "<b>gone"}}});
    let (ill, _ill) = serve(Router::new().route(
        "/health",
        get(|| async { (StatusCode::SERVICE_UNAVAILABLE, axum::Json(report)) }),
    ))
    .await;
    let (bare, _bare) = serve(Router::new()).await;
    let (silent, _silent) = silence().await;
    let gone = nowhere().await;
    let services = [
        ("fine", fine),
        ("ill", ill),
        ("bare", bare),
        ("silent", silent),
        ("gone", gone),
    ];
    let helm = helm(services.map(|(name, address)| watched(name, address)).into()).await;
    let admin = user(Admin);

    let names = helm.get("/api/services", &admin).await.json();
    assert_eq!(
        names["services"],
        json!(["fine", "ill", "bare", "silent", "gone"])
    );
    assert_eq!(names["details"]["gone"]["port"], gone.port());

    let all = helm.get("/api/services/status", &admin).await.json();
    assert_eq!(
        all["gone"],
        json!({
            "service_name": "gone", "configured_port": gone.port(), "configured_url": format!("http://{gone}/"),
            "status": "stopped", "health": "unreachable", "health_message": "Nothing answers at this address.",
            "pid": null, "cpu_percent": null, "memory_mb": null, "started_at": null,
        })
    );
    for (name, status, health) in [
        ("fine", "running", "healthy"),
        ("ill", "running", "degraded"),
        ("bare", "running", "unknown"),
        ("silent", "unknown", "unreachable"),
    ] {
        assert_eq!(
            (&all[name]["status"], &all[name]["health"]),
            (&json!(status), &json!(health)),
            "{name}: {all}"
        );
    }
    assert_eq!(all["ill"]["health_message"], "database: <b>gone");
    assert_eq!(
        helm.get("/api/services/ill/status", &admin).await.json(),
        all["ill"]
    );
    assert_eq!(
        helm.get("/api/dashboard/status", &admin).await.json()["statuses"]["fine"]["health"],
        "healthy"
    );
    for unknown in ["nobody", "%2e%2e", "fine%2Fx"] {
        assert_eq!(
            helm.get(&format!("/api/services/{unknown}/status"), &admin)
                .await
                .status,
            404,
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn the_overview_shows_what_services_say_and_believes_none_of_it() {
    let report =
        json!({"status": "degraded", "checks": {"database": {"status": "unhealthy", "message": "<b>gone"}}});
    let (ill, _ill) = serve(Router::new().route("/health", get(|| async { axum::Json(report) }))).await;
    let helm = helm(vec![watched("ill", ill), watched("gone", nowhere().await)]).await;
    let page = helm.page("/", &user(Admin)).await;
    must_be_a_proper_page(&page, "/helm");
    assert!(
        page.text.contains("0 of 2 healthy") && page.text.contains("database: &lt;b&gt;gone"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn services_are_asked_at_the_same_time_and_not_again_for_everybody_who_looks() {
    let mut kept = Vec::new();
    let mut services = Vec::new();
    for number in 0..8 {
        let (address, listener) = silence().await;
        services.push(watched(&format!("silent{number}"), address));
        kept.push(listener);
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let (counted, _counted) = serve(Router::new().route(
        "/health",
        get(move || async move {
            counter.fetch_add(1, Ordering::SeqCst);
        }),
    ))
    .await;
    services.push(watched("counted", counted));
    let helm = helm(services).await;

    let started = Instant::now();
    let admin = user(Admin);
    let answers =
        futures_util::future::join_all((0..10).map(|_| helm.get("/api/services/status", &admin))).await;
    // One after the other would take 8 × 300 ms, and that ten times.
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "{:?}",
        started.elapsed()
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.json()["counted"]["health"] == "healthy")
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_services_lines_are_found_by_administrators() {
    let helm = helm(Vec::new()).await;
    let sent = json!({"service_name": "codex", "logs": [
        {"level": "info", "message": "started", "timestamp": "2026-01-31T12:00:00Z", "context": {"port": 5010}},
        {"level": "ERROR", "message": "<script>alert(1)</script>", "timestamp": "2026-01-31T12:00:01.5", "trace_id": "t-1", "user_id": "kim", "process_id": 7},
    ]});
    let taken = helm
        .call(Method::POST, "/api/logs/ingest", &service("codex", "helm"), sent)
        .await;
    assert_eq!(
        (taken.status, taken.json()),
        (
            200,
            json!({"success": true, "ingested": 2, "message": "Successfully ingested 2 log entries"})
        )
    );

    let admin = user(Admin);
    let all = helm.get("/api/logs", &admin).await.json();
    assert_eq!(
        (&all["total"], &all["limit"], &all["offset"]),
        (&json!(2), &json!(100), &json!(0))
    );
    assert_eq!(
        all["logs"][0],
        json!({
            "id": 2, "service_name": "codex", "timestamp": "2026-01-31T12:00:01.5Z", "level": "ERROR",
            "message": "<script>alert(1)</script>", "context": null, "trace_id": "t-1", "user_id": "kim",
            "hostname": null, "process_id": 7,
        })
    );
    for (query, total) in [
        ("service=codex", 2),
        ("service=core", 0),
        ("level=error", 1),
        ("trace_id=t-1", 1),
        ("start_time=2026-01-31T12:00:01Z", 1),
        ("start_time=2026-01-31T13:00:01+01:00", 1),
        ("end_time=2026-01-31T12:00:00", 1),
        ("limit=1&offset=1", 2),
    ] {
        assert_eq!(
            helm.get(&format!("/api/logs?{query}"), &admin).await.json()["total"],
            total,
            "{query}"
        );
    }
    assert_eq!(
        helm.get("/api/logs?limit=99999", &admin).await.json()["limit"],
        1000
    );
    for bad in ["limit=x", "offset=-1", "start_time=yesterday", "end_time=1"] {
        assert_eq!(
            helm.get(&format!("/api/logs?{bad}"), &admin).await.status,
            400,
            "{bad}"
        );
    }

    let page = helm.page("/logs?service=codex&level=ERROR", &admin).await;
    must_be_a_proper_page(&page, "/helm");
    assert!(
        page.text.contains("&lt;script&gt;alert(1)") && !page.text.contains("started"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn nobody_writes_lines_in_anothers_name() {
    let helm = helm(Vec::new()).await;
    let lines = |name: Value| json!({"service_name": name, "logs": [{"message": "x"}]});
    for (who, token, name, status) in [
        ("nobody", String::new(), json!("codex"), 401),
        ("a client", user(Client), json!("codex"), 403),
        ("a technician", user(Technician), json!("codex"), 403),
        (
            "a service for another",
            service("core", "helm"),
            json!("codex"),
            403,
        ),
        (
            "a service that calls another",
            service("codex", "core"),
            json!("codex"),
            401,
        ),
        (
            "a service for itself",
            service("codex", "helm"),
            json!("codex"),
            200,
        ),
        (
            "a service that does not say",
            service("codex", "helm"),
            json!(null),
            200,
        ),
        ("an administrator", user(Admin), json!("beacon"), 200),
        ("an administrator who does not say", user(Admin), json!(null), 400),
        (
            "an administrator who says nonsense",
            user(Admin),
            json!("../x"),
            400,
        ),
    ] {
        assert_eq!(
            helm.call(Method::POST, "/api/logs/ingest", &token, lines(name))
                .await
                .status,
            status,
            "{who}"
        );
    }
    assert_eq!(helm.get("/api/logs", &user(Admin)).await.json()["total"], 3);
}

#[tokio::test]
async fn batches_and_memory_are_bounded() {
    let helm = helm(Vec::new()).await;
    let token = service("codex", "helm");
    let batch = |count: usize| json!({"logs": vec![json!({"message": "a line of some length"}); count]});
    assert_eq!(
        helm.call(Method::POST, "/api/logs/ingest", &token, batch(10_001))
            .await
            .status,
        400
    );
    let full = helm
        .call(Method::POST, "/api/logs/ingest", &token, batch(10_000))
        .await;
    assert_eq!(
        (full.status, full.json()["ingested"].as_u64()),
        (200, Some(10_000))
    );
    assert_eq!(
        helm.get("/api/logs", &user(Admin)).await.json()["total"],
        2000,
        "the ring keeps what it was told to keep"
    );

    for (body, status) in [("{", 400), ("[]", 400), ("{\"logs\":[1]}", 400), ("{}", 400)] {
        let answer = helm
            .send(helm.request(Method::POST, "/api/logs/ingest", &token).body(body))
            .await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (status, "application/problem+json"),
            "{body}"
        );
    }
    let huge = helm
        .request(Method::POST, "/api/logs/ingest", &token)
        .body(vec![b' '; 9 * 1024 * 1024]);
    // Depending on who notices first, the answer arrives or the connection ends.
    if let Ok(answer) = huge.send().await {
        assert_eq!(answer.status(), 413);
    }
}
