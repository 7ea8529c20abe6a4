//! Import for programs: the file is the body.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Kind,
    import::{ImportError, import},
};
use crate::{
    codex::{Codex, refusal::database_failed},
    kit::{Rejection, User},
};

/// How to import.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// Whether to take everything back at the end: `check=1`.
    check: Option<String>,
}

/// `POST /api/import/{kind}?check=1`, `kind` being `companies`, `contacts` or `assets`: `{"success":true,"checked_only",
/// "created","changed","unchanged"}`, or 422 with `errors`, each with `line`, `column`, `field` and `message`.
pub(crate) async fn take(
    State(codex): State<Codex>,
    user: User,
    Path(kind): Path<String>,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Result<Json<Value>, Rejection> {
    let kind = Kind::named(&kind)
        .ok_or_else(|| Rejection::not_found("There are companies, contacts and assets to import."))?;
    let only_check = asked.check.is_some_and(|check| check == "1" || check == "true");
    match import(&codex.pool, kind, &body, &user.0.user.email, only_check).await {
        Ok(done) => {
            let mut answer = json!(done);
            answer["success"] = json!(true);
            answer["checked_only"] = json!(only_check);
            Ok(Json(answer))
        }
        Err(ImportError::Problems(problems)) => {
            let count = problems.len();
            let detail = format!("Nothing was imported: the file has {count} faults.");
            Err(Rejection::unprocessable(detail).with("errors", problems))
        }
        Err(ImportError::Database(error)) => Err(database_failed(error)),
    }
}
