//! Agents for programs. For administrators only.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Agent, list as stored,
    sync::{SyncError, sync},
};
use crate::{
    codex::{
        Codex,
        paging::{Asked, answer},
        refusal::{bad_fields, database_failed},
    },
    kit::{Rejection, User},
};

/// `GET /api/agents?search=&page=&per_page=`: `{"agents","total","page","per_page","pages"}`.
pub(crate) async fn list(
    State(codex): State<Codex>,
    _: User,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let wanted = asked.check().map_err(|errors| bad_fields(&errors))?;
    let found = stored(&codex.pool, &wanted).await.map_err(database_failed)?;
    let agents: Vec<_> = found.rows.iter().map(shown).collect();
    Ok(answer("agents", agents, &wanted, found.total))
}

fn shown(agent: &Agent) -> Value {
    json!({
        "id": agent.id,
        "email": agent.email,
        "name": agent.name,
        "username": agent.username,
        "subject": agent.subject,
        "permission_level": agent.permission_level,
        "state": agent.state,
        "synced_at": agent.synced_at,
        "theme_preference": agent.choices.theme.as_str(),
        "color_theme": agent.choices.color_theme.as_str(),
        "home_page": agent.choices.home_page.as_ref().map(|name| name.as_str()),
    })
}

/// `POST /api/agents/sync`: `{"success":true,"created","changed","unchanged","gone","skipped"}`.
pub(crate) async fn start(State(codex): State<Codex>, _: User) -> Result<Json<Value>, Rejection> {
    let directory = codex.directory.as_deref().ok_or_else(not_configured)?;
    let report = sync(&codex.pool, directory).await.map_err(failed)?;
    let mut answer = json!(report);
    answer["success"] = json!(true);
    Ok(Json(answer))
}

/// What is said where no credential is configured.
pub(super) fn not_configured() -> Rejection {
    Rejection::new(
        StatusCode::NOT_IMPLEMENTED,
        "Codex is not told how to ask the identity provider. Set KEYCLOAK_BACKEND_URL, KEYCLOAK_ADMIN_CLIENT_ID and \
         KEYCLOAK_ADMIN_CLIENT_SECRET and start it again.",
    )
}

/// Why it did not work, for the administrator who asked.
pub(super) fn failed(error: SyncError) -> Rejection {
    match error {
        SyncError::Directory(error) => {
            tracing::warn!(reason = "directory", %error, "agents were not synchronized");
            Rejection::new(StatusCode::BAD_GATEWAY, error.to_string())
        }
        SyncError::Database(error) => database_failed(error),
    }
}
