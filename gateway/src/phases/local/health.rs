//! `/health` of the public listener: the contract's shape, no detail that would help an attacker.

use http::StatusCode;

use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::reply::Reply;

/// Healthy when sessions can be checked; a missing service makes no gateway unhealthy.
pub(super) async fn answer(gateway: &Gateway) -> Result<Reply, Refusal> {
    let report = gateway.health.report().await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(Reply::json(status, &report.public()))
}
