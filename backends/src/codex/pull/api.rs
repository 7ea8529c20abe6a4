//! The pull for programs. For administrators only.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::{
    codex::{Codex, refusal::database_failed},
    kit::{Rejection, User},
};

/// Runs that are listed.
const LISTED: i64 = 20;

/// `GET /api/pull`: `{"source","runs"}`, newest first; `source` is null where nothing is configured.
pub(crate) async fn show(State(codex): State<Codex>, _: User) -> Result<Json<Value>, Rejection> {
    let Some(puller) = &codex.puller else {
        return Ok(Json(json!({ "source": null, "runs": [] })));
    };
    let runs = puller.newest(LISTED).await.map_err(database_failed)?;
    Ok(Json(json!({ "source": puller.source(), "runs": runs })))
}

/// `POST /api/pull`: runs now, and answers the run when it is over; 409 while another one is under way.
pub(crate) async fn start(State(codex): State<Codex>, _: User) -> Result<Json<Value>, Rejection> {
    let puller = codex
        .puller
        .as_ref()
        .ok_or_else(|| Rejection::not_found("Codex is not told where to pull companies from."))?;
    match puller.run().await {
        Some(run) => Ok(Json(json!({ "source": puller.source(), "run": run }))),
        None => Err(busy()),
    }
}

/// What is said when there is no run to tell about.
pub(super) fn busy() -> Rejection {
    Rejection::conflict(
        "A pull is under way already, or the database is busy. Please look again in a moment.",
    )
}
