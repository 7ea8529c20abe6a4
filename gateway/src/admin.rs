//! The admin listener: metrics, liveness, readiness and health in detail. Loopback by default, read-only.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::health::Report;

/// Serves until `stop`. A connection that lingers does not hold up the end.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: TcpListener, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/health", get(detail))
        .with_state(gateway);
    tokio::select! {
        ended = axum::serve(listener, router) => {
            if let Err(error) = ended {
                tracing::error!("the admin listener failed: {error}");
            }
        }
        () = stop.cancelled() => {}
    }
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let report = report(&gateway).await;
    gateway.metrics.sessions(report.healthy, report.feed());
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        gateway.metrics.text(&gateway.tools.counters),
    )
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    if report(&gateway).await.ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: sessions can't be checked\n",
        )
    }
}

async fn detail(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let report = report(&gateway).await;
    let status = if report.healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report.detail()))
}

async fn report(gateway: &Gateway) -> Report {
    let grace = gateway.snapshot.load().longest_grace();
    gateway.health.report(grace).await
}
