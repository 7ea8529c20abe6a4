//! One log line: as services send it, and as it is kept.
//!
//! Nothing that a service sends is refused for its form alone, because a lost line is worse than an odd one: what is
//! missing gets a default, what is too long is cut.

use hivematrix_platform::ServiceName;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// Longest message that is kept, in bytes.
const MESSAGE: usize = 8 * 1024;
/// Longest context that is kept, in bytes of JSON.
const CONTEXT: usize = 8 * 1024;
/// Longest of the short texts, in bytes.
const SHORT: usize = 200;

/// A line as a service sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    level: Value,
    message: Value,
    timestamp: Value,
    context: Value,
    trace_id: Value,
    user_id: Value,
    hostname: Value,
    process_id: Value,
}

/// A line as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::helm) struct Line {
    /// Counts all lines since Helm started.
    pub(in crate::helm) id: u64,
    pub(in crate::helm) service_name: String,
    #[serde(serialize_with = "as_rfc3339")]
    pub(in crate::helm) timestamp: OffsetDateTime,
    pub(in crate::helm) level: String,
    pub(in crate::helm) message: String,
    pub(in crate::helm) context: Option<Value>,
    pub(in crate::helm) trace_id: Option<String>,
    pub(in crate::helm) user_id: Option<String>,
    pub(in crate::helm) hostname: Option<String>,
    pub(in crate::helm) process_id: Option<i64>,
}

impl Sent {
    /// The line as it is kept; without a usable time of its own it gets `now`. Its number is given by the ring.
    pub(super) fn into_line(self, service: &ServiceName, now: OffsetDateTime) -> Line {
        Line {
            id: 0,
            service_name: service.to_string(),
            timestamp: self.timestamp.as_str().and_then(moment).unwrap_or(now),
            level: level(self.level.as_str().unwrap_or("INFO")),
            message: text(self.message, MESSAGE).unwrap_or_default(),
            context: context(self.context),
            trace_id: text(self.trace_id, SHORT),
            user_id: text(self.user_id, SHORT),
            hostname: text(self.hostname, SHORT),
            process_id: self
                .process_id
                .as_i64()
                .or_else(|| self.process_id.as_str()?.parse().ok()),
        }
    }
}

impl Line {
    /// About how much memory the line takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>()
            + self.service_name.len()
            + self.level.len()
            + self.message.len()
            + length(&self.trace_id)
            + length(&self.user_id)
            + length(&self.hostname)
            // A parsed value takes several times the room of its text.
            + self.context.as_ref().map_or(0, |context| 4 * context.to_string().len())
    }
}

fn as_rfc3339<S: Serializer>(time: &OffsetDateTime, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&time.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
}

/// A level in the one spelling by which lines are found: `DEBUG INFO WARNING ERROR CRITICAL`, or what the service
/// invented, if that is a word.
pub(super) fn level(sent: &str) -> String {
    match sent.trim().to_ascii_uppercase().as_str() {
        "" => "INFO".to_owned(),
        "WARN" => "WARNING".to_owned(),
        "FATAL" => "CRITICAL".to_owned(),
        "TRACE" => "DEBUG".to_owned(),
        word if word.len() <= 20
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            word.to_owned()
        }
        _ => "INFO".to_owned(),
    }
}

/// A moment as RFC 3339 writes it, or as Python's `isoformat()` does, without a zone: that is UTC.
pub(super) fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Iso8601::PARSING))
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::PARSING).map(PrimitiveDateTime::assume_utc))
        .ok()
}

fn text(value: Value, longest: usize) -> Option<String> {
    let mut text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    if text.len() > longest {
        let end = (0..=longest)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

fn context(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        value if value.to_string().len() > CONTEXT => Some(json!({ "dropped": "the context was too long" })),
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use time::macros::datetime;

    use super::*;

    fn kept(sent: Value) -> Line {
        let sent: Sent = serde_json::from_value(sent).unwrap();
        sent.into_line(&"codex".parse().unwrap(), datetime!(2026-01-31 12:00 UTC))
    }

    #[test]
    fn a_time_may_have_a_zone_or_be_utc() {
        let rows = [
            ("2026-01-31T12:00:00Z", Some(datetime!(2026-01-31 12:00 UTC))),
            ("2026-01-31T13:00:00+01:00", Some(datetime!(2026-01-31 12:00 UTC))),
            (
                "2026-01-31T12:00:00.250000",
                Some(datetime!(2026-01-31 12:00:00.25 UTC)),
            ),
            ("2026-01-31T12:00:00", Some(datetime!(2026-01-31 12:00 UTC))),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(moment(text), expected, "for {text:?}");
        }
    }

    #[test]
    fn an_odd_line_is_kept_with_defaults() {
        let line = kept(
            json!({"level": 7, "message": {"a": 1}, "timestamp": "soon", "process_id": "42", "extra": true}),
        );
        assert_eq!(
            (line.level.as_str(), line.message.as_str(), line.process_id),
            ("INFO", "{\"a\":1}", Some(42))
        );
        assert_eq!(line.timestamp, datetime!(2026-01-31 12:00 UTC));
        assert_eq!(kept(json!({})).message, "");
    }

    #[test]
    fn what_is_too_long_is_cut_on_a_letter() {
        let line = kept(
            json!({"message": "é".repeat(MESSAGE), "trace_id": "x".repeat(1000), "context": {"a": "y".repeat(CONTEXT)}}),
        );
        assert!(line.message.len() <= MESSAGE + "…".len() && line.message.ends_with("é…"));
        assert_eq!(line.trace_id.unwrap().chars().count(), SHORT + 1);
        assert_eq!(line.context, Some(json!({"dropped": "the context was too long"})));
    }

    #[test]
    fn levels_have_one_spelling() {
        for (sent, expected) in [
            ("warn", "WARNING"),
            ("Error", "ERROR"),
            ("fatal", "CRITICAL"),
            ("", "INFO"),
            ("<b>", "INFO"),
            ("audit", "AUDIT"),
        ] {
            assert_eq!(level(sent), expected);
        }
    }
}
