//! The services: the overview for people, and the same as JSON in the contract's shapes (platform README §9).

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Map, Value, json};

use super::{Helm, probe::ServiceStatus, views};
use crate::kit::{Page, Prefix, Rejection, User};

/// `GET /`
pub(super) async fn page(State(helm): State<Helm>, _: User, prefix: Prefix) -> Page {
    let statuses = helm.probe.all().await;
    views::services(&prefix, &statuses)
}

/// `GET /api/services`: `{"services":[name…],"details":{name:{"url","port","visible"}}}`, without asking any of them.
pub(super) async fn list(State(helm): State<Helm>) -> Json<Value> {
    let names: Vec<&str> = helm
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    let details: Map<String, Value> = helm
        .services
        .iter()
        .map(|service| {
            let details = json!({
                "url": service.url.as_str(),
                "port": service.url.port_or_known_default(),
                "visible": service.visible,
            });
            (service.name.to_string(), details)
        })
        .collect();
    Json(json!({ "services": names, "details": details }))
}

/// `GET /api/services/status`: `{name: status…}`
pub(super) async fn all(State(helm): State<Helm>) -> Json<Value> {
    Json(by_name(&helm.probe.all().await))
}

/// `GET /api/services/{name}/status`
pub(super) async fn one(
    State(helm): State<Helm>,
    Path(name): Path<String>,
) -> Result<Json<ServiceStatus>, Rejection> {
    if !helm.services.iter().any(|service| *service.name.as_str() == name) {
        return Err(Rejection::not_found("Service not found"));
    }
    let statuses = helm.probe.all().await;
    let status = statuses.iter().find(|status| status.service_name == name);
    status
        .cloned()
        .map(Json)
        .ok_or_else(|| Rejection::not_found("Service not found"))
}

/// `GET /api/dashboard/status`: `{"statuses":{name: status…},"log_stats":{name:{level: lines in the last hour}}}`
pub(super) async fn dashboard(State(helm): State<Helm>) -> Json<Value> {
    let statuses = helm.probe.all().await;
    let counted = helm.logs.counts_of_the_last_hour();
    let stats: Map<String, Value> = statuses
        .iter()
        .map(|status| {
            (
                status.service_name.clone(),
                json!(counted.get(&status.service_name).cloned().unwrap_or_default()),
            )
        })
        .collect();
    Json(json!({ "statuses": by_name(&statuses), "log_stats": stats }))
}

fn by_name(statuses: &[ServiceStatus]) -> Value {
    statuses
        .iter()
        .map(|status| (status.service_name.clone(), json!(status)))
        .collect::<Map<_, _>>()
        .into()
}
