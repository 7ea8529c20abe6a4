//! `/health` of the public listener: the contract's shape, no detail that would help an attacker.

use http::StatusCode;

use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::reply::Reply;

/// Healthy when sessions can be checked; a missing service makes no gateway unhealthy.
pub(super) async fn answer(gateway: &Gateway) -> Result<Reply, Refusal> {
    let grace = gateway.snapshot.load().longest_grace();
    let report = gateway.health.report(grace).await;
    let status = if report.healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(Reply::json(status, &report.public()))
}
