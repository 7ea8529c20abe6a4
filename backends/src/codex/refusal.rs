//! What Codex answers when something cannot be done: one place for each kind of reason.
//!
//! The form of a refusal, page or problem+json, is the kit's business.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{fields::FieldErrors, tables::SaveError};
use crate::kit::Rejection;

/// The database failed: nobody's fault but ours. When it is busy or away, the client is told to come again.
pub(crate) fn database_failed(error: sqlx::Error) -> Rejection {
    if is_busy(&error) {
        tracing::warn!(reason = "database_busy", %error, "the database is busy");
        Rejection::unavailable(
            "Codex is busy. Nothing was changed; please try again in a moment.",
            1,
        )
    } else if is_slow(&error) {
        tracing::error!(reason = "database_slow", %error, "a statement was given up");
        Rejection::unavailable(
            "Codex's database takes too long to answer. If you were changing something, look whether it is there before \
             you try again.",
            10,
        )
    } else if is_away(&error) {
        tracing::error!(reason = "database_unreachable", %error, "the database does not answer");
        Rejection::unavailable(
            "Codex cannot reach its database. Nothing was changed; please try again in a few minutes.",
            10,
        )
    } else {
        Rejection::internal(error)
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.message().contains("is locked"),
        _ => false,
    }
}

/// Whether the time limit of statements has ended it: ours, or PostgreSQL's.
fn is_slow(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::TimedOut,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57014"),
        _ => false,
    }
}

/// Whether there is no database to talk to, by PostgreSQL's codes (appendix A of its manual) where it had time to say so.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "53", "57"]
                .iter()
                .any(|class| code.len() == 5 && code.starts_with(class))
        }),
        _ => false,
    }
}

/// Values that cannot be accepted, for a program: 400, with every field's name and what was expected.
pub(crate) fn bad_fields(errors: &FieldErrors) -> Rejection {
    Rejection::bad_request(errors.sentences()).with("errors", errors)
}

/// Something was not saved, for a program: what is `missing` (404), 400 or 409 with the field's name, 500 or 503.
pub(crate) fn not_saved(error: SaveError, missing: fn() -> Rejection) -> Rejection {
    match error {
        SaveError::Missing => missing(),
        SaveError::Refused(errors) => bad_fields(&errors),
        SaveError::Conflict(errors) => Rejection::conflict(errors.sentences()).with("errors", &errors),
        SaveError::Database(error) => database_failed(error),
    }
}

/// 404 for a company.
pub(crate) fn no_company() -> Rejection {
    Rejection::not_found("There is no such company. It may have been deleted.")
}

/// 404 for a contact.
pub(crate) fn no_contact() -> Rejection {
    Rejection::not_found("There is no such contact. It may have been deleted.")
}

/// 404 for an asset.
pub(crate) fn no_asset() -> Rejection {
    Rejection::not_found("There is no such asset. It may have been deleted.")
}

/// The numbers in a path. What is not a number cannot name anything, so it is 404, not 400.
pub(crate) struct Ids<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let Path(ids) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|_| Rejection::not_found("There is nothing under this address."))?;
        Ok(Self(ids))
    }
}

/// What has fields of text, each of which may be left out.
pub(crate) trait Fields: DeserializeOwned {
    /// The names of the fields.
    const NAMES: &'static [&'static str];
    /// Those that may be sent as whole numbers, too.
    const NUMBERS: &'static [&'static str] = &[];
}

/// The fields of a JSON object: texts, or null for nothing. Members that are no fields are passed over, so that a
/// client may send back what it got. Anything else is 400, with the field's name where there is one.
pub(crate) struct JsonFields<T>(pub(crate) T);

impl<T: Fields, S: Send + Sync> FromRequest<S> for JsonFields<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let Json(mut object) = Json::<Map<String, Value>>::from_request(request, state)
            .await
            .map_err(unreadable)?;
        object.retain(|name, value| T::NAMES.contains(&name.as_str()) && !value.is_null());
        let mut errors = FieldErrors::default();
        for name in T::NUMBERS {
            if let Some(value) = object.get_mut(*name)
                && (value.is_i64() || value.is_u64())
            {
                *value = Value::String(value.to_string());
            }
        }
        for name in T::NAMES {
            if object.get(*name).is_some_and(|value| !value.is_string()) {
                errors.add(name, "This must be a text or null.");
            }
        }
        errors.unless_any(()).map_err(|errors| bad_fields(&errors))?;
        serde_json::from_value(Value::Object(object))
            .map(Self)
            .map_err(Rejection::internal)
    }
}

fn unreadable(error: JsonRejection) -> Rejection {
    match error {
        JsonRejection::MissingJsonContentType(_) => {
            Rejection::new(error.status(), "The body must be JSON, sent as application/json.")
        }
        JsonRejection::BytesRejection(_) => Rejection::new(error.status(), "The body could not be read."),
        _ => Rejection::bad_request("The body must be a JSON object."),
    }
}
