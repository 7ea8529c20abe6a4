//! Log lines of all services: taken in, kept in a bounded ring, found again.
//!
//! Here are the endpoints. `line` says what a line is and what is cut off it, `ring` keeps the lines.

mod line;
mod ring;

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
};
use hivematrix_platform::{PermissionLevel, ServiceName};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(super) use self::{line::Line, ring::Ring};
use self::{line::Sent, ring::Wanted};
use super::{Helm, views};
use crate::kit::{Caller, Page, Prefix, Rejection, User};

/// Most lines in one batch (platform README §9).
const MOST_LINES: usize = 10_000;

/// Lines in an answer where the client does not say, and the most.
const LIMIT: (usize, usize) = (100, 1000);

/// A batch as services send it.
#[derive(Debug, Deserialize)]
struct Batch {
    service_name: Option<String>,
    logs: Vec<Sent>,
}

/// `POST /api/logs/ingest`: from a service, its own lines; from an administrator, anybody's.
///
/// Nobody else may write: a log that anybody can write into is no evidence of anything.
pub(super) async fn ingest(
    State(helm): State<Helm>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Value>, Rejection> {
    let batch: Batch = serde_json::from_slice(&body).map_err(|_| {
        Rejection::bad_request("The body must be a JSON object: service_name, and logs, an array of objects.")
    })?;
    let service = author(&caller, batch.service_name.as_deref())?;
    if batch.logs.len() > MOST_LINES {
        let message = format!(
            "logs: At most {MOST_LINES} entries are taken at once, not {}.",
            batch.logs.len()
        );
        return Err(Rejection::bad_request(message));
    }
    let count = batch.logs.len();
    let now = OffsetDateTime::now_utc();
    helm.logs
        .add(batch.logs.into_iter().map(|sent| sent.into_line(&service, now)));
    Ok(Json(json!({
        "success": true,
        "ingested": count,
        "message": format!("Successfully ingested {count} log entries"),
    })))
}

/// Whose lines these are.
fn author(caller: &Caller, named: Option<&str>) -> Result<ServiceName, Rejection> {
    let named = named
        .map(|name| {
            name.parse::<ServiceName>()
                .map_err(|error| Rejection::bad_request(format!("service_name: {error}.")))
        })
        .transpose()?;
    match caller {
        Caller::Service(claims) => {
            let caller: ServiceName = claims
                .calling_service
                .parse()
                .map_err(|_| Rejection::unauthorized("The token names no calling service."))?;
            match named {
                Some(named) if named != caller => Err(Rejection::forbidden(format!(
                    "{caller} may send its own lines only, not those of {named}."
                ))),
                _ => Ok(caller),
            }
        }
        Caller::User(claims) if claims.user.permission_level == PermissionLevel::Admin => {
            named.ok_or_else(|| Rejection::bad_request("service_name: This must be the name of a service."))
        }
        Caller::User(_) => Err(Rejection::forbidden(
            "Only services and administrators may send log lines.",
        )),
    }
}

/// What lines are asked for. Text at first, so that a bad value is refused by the name of its field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) level: String,
    trace_id: String,
    start_time: String,
    end_time: String,
    limit: String,
    offset: String,
}

impl Asked {
    fn wanted(&self) -> Result<Wanted, Rejection> {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Wanted {
            service: text(&self.service),
            level: text(&self.level).map(|level| line::level(&level)),
            trace_id: text(&self.trace_id),
            start: moment("start_time", &self.start_time)?,
            end: moment("end_time", &self.end_time)?,
            limit: number("limit", &self.limit, LIMIT.0)?.min(LIMIT.1),
            offset: number("offset", &self.offset, 0)?,
        })
    }
}

fn number(field: &str, typed: &str, default: usize) -> Result<usize, Rejection> {
    if typed.is_empty() {
        return Ok(default);
    }
    typed
        .parse()
        .map_err(|_| Rejection::bad_request(format!("{field}: This must be a whole number, zero or more.")))
}

fn moment(field: &str, typed: &str) -> Result<Option<OffsetDateTime>, Rejection> {
    if typed.is_empty() {
        return Ok(None);
    }
    // In a query, the plus of an offset arrives as a space unless it was encoded.
    match line::moment(&typed.replace(' ', "+")) {
        Some(moment) => Ok(Some(moment)),
        None => Err(Rejection::bad_request(format!(
            "{field}: This must be a time such as 2026-01-31T12:00:00Z."
        ))),
    }
}

/// `GET /api/logs?service=&level=&trace_id=&start_time=&end_time=&limit=&offset=`: `{"total","limit","offset","logs"}`,
/// newest first. For administrators, not for services: lines may tell about people.
pub(super) async fn find(
    State(helm): State<Helm>,
    _: User,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let wanted = asked.wanted()?;
    let (total, lines) = helm.logs.find(&wanted);
    Ok(Json(
        json!({ "total": total, "limit": wanted.limit, "offset": wanted.offset, "logs": lines }),
    ))
}

/// `GET /logs`: the newest lines, for people.
pub(super) async fn page(
    State(helm): State<Helm>,
    _: User,
    prefix: Prefix,
    Query(asked): Query<Asked>,
) -> Result<Page, Rejection> {
    let (total, lines) = helm.logs.find(&asked.wanted()?);
    Ok(views::logs(&prefix, &asked, &helm.services, total, &lines))
}
