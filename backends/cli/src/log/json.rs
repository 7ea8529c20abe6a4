//! Log lines as JSON (platform README §9), one object per line.
//!
//! Every request leaves such a line, so nothing is allocated for it: the fields of an event are written straight into
//! the line, in two rounds, because those of `extra` stand together.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write as _};

use serde::Serializer as _;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The largest line whose memory is used again, in bytes.
const KEPT: usize = 16 * 1024;

thread_local! {
    /// The line that is being made: a few dozen pieces of bytes, and text once it is whole.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// A second since 1970, and its text.
    static SECOND: Cell<(i64, [u8; 20])> = const { Cell::new((i64::MIN, [0; 20])) };
}

/// `{"timestamp","level","logger","message","correlation_id","user_id","extra"}`, one object per line. The fields of
/// the event and of the spans around it go to `extra`, except for those that have members of their own.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut around = Map::new();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            let formatted = extensions
                .get::<FormattedFields<N>>()
                .map(|fields| fields.fields.as_str());
            if let Some(Ok(of_span)) = formatted.map(serde_json::from_str::<Map<String, Value>>) {
                around.extend(of_span);
            }
        }
        let mut line = LINE.take();
        line.clear();
        write_line(&mut line, event, around).map_err(|_| fmt::Error)?;
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)?;
        if line.capacity() <= KEPT {
            LINE.set(line);
        }
        Ok(())
    }
}

/// The members that a line always has, filled by fields.
#[derive(Clone, Copy)]
enum Member {
    Logger,
    Message,
    CorrelationId,
    UserId,
}

impl Member {
    const ALL: [Self; 4] = [Self::Logger, Self::Message, Self::CorrelationId, Self::UserId];

    /// By what the fields are called where they are logged. What arrives through the `log` crate brings its real
    /// target as a field.
    fn of(field: &str) -> Option<Self> {
        match field {
            "log.target" => Some(Self::Logger),
            "message" => Some(Self::Message),
            "correlation_id" | "request_id" => Some(Self::CorrelationId),
            "user_id" | "user" => Some(Self::UserId),
            _ => None,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Logger => "logger",
            Self::Message => "message",
            Self::CorrelationId => "correlation_id",
            Self::UserId => "user_id",
        }
    }
}

/// `around`: the fields of the spans around the event, whose own win.
fn write_line(out: &mut Vec<u8>, event: &Event<'_>, around: Map<String, Value>) -> io::Result<()> {
    let metadata = event.metadata();
    out.write_all(b"{\"timestamp\":\"")?;
    write_timestamp(out, OffsetDateTime::now_utc())?;
    out.write_all(b"\",\"level\":\"")?;
    out.write_all(spelled(*metadata.level()).as_bytes())?;
    out.write_all(b"\"")?;
    let mut fields = Fields {
        out,
        round: Round::Members,
        written: [false; 4],
        any_extra: false,
        around,
        result: Ok(()),
    };
    event.record(&mut fields);
    fields.absent_members(metadata.target())?;
    fields.round = Round::Extra;
    fields.out.write_all(b",\"extra\":{")?;
    event.record(&mut fields);
    fields.result?;
    let (out, mut any) = (fields.out, fields.any_extra);
    for (name, value) in &fields.around {
        let comma = if any { "," } else { "" };
        write!(out, "{comma}{}:{value}", Value::from(name.as_str()))?;
        any = true;
    }
    out.write_all(b"}}\n")
}

/// RFC 3339, to the microsecond. The calendar is asked once a second.
fn write_timestamp(out: &mut Vec<u8>, now: OffsetDateTime) -> io::Result<()> {
    let second = now.unix_timestamp();
    let (of, mut text) = SECOND.get();
    if of != second {
        let mut whole = Vec::with_capacity(text.len());
        let even = now.replace_nanosecond(0).map_err(io::Error::other)?;
        even.format_into(&mut whole, &Rfc3339).map_err(io::Error::other)?;
        text = whole.as_slice().try_into().map_err(io::Error::other)?;
        SECOND.set((second, text));
    }
    // Up to the `Z`, and behind it what of the second has passed.
    let Some((_, date)) = text.split_last() else {
        return Ok(());
    };
    out.extend_from_slice(date);
    write!(out, ".{:06}Z", now.microsecond())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Members,
    Extra,
}

/// Writes those of an event's fields that belong to the round.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    round: Round,
    /// In the order of [`Member::ALL`].
    written: [bool; 4],
    any_extra: bool,
    around: Map<String, Value>,
    result: io::Result<()>,
}

type Json<'a> = serde_json::Serializer<&'a mut Vec<u8>>;

impl Fields<'_> {
    fn write(&mut self, name: &str, value: impl FnOnce(Json<'_>) -> serde_json::Result<()>) {
        if self.result.is_ok() {
            self.result = self.try_write(name, value);
        }
    }

    fn try_write(
        &mut self,
        name: &str,
        value: impl FnOnce(Json<'_>) -> serde_json::Result<()>,
    ) -> io::Result<()> {
        let member = Member::of(name);
        match (self.round, member) {
            (Round::Members, Some(member))
                if !std::mem::replace(&mut self.written[member as usize], true) =>
            {
                self.out.write_all(b",\"")?;
                self.out.write_all(member.key().as_bytes())?;
            }
            (Round::Extra, None) if !name.starts_with("log.") => {
                self.around.remove(name);
                let comma: &[u8] = if self.any_extra { b",\"" } else { b"\"" };
                self.any_extra = true;
                // Names of fields are identifiers: nothing to escape.
                self.out.write_all(comma)?;
                self.out.write_all(name.as_bytes())?;
            }
            _ => return Ok(()),
        }
        self.out.write_all(b"\":")?;
        value(serde_json::Serializer::new(&mut *self.out)).map_err(io::Error::from)
    }

    /// Members that the event does not have: from the spans around it, or without a value.
    fn absent_members(&mut self, target: &str) -> io::Result<()> {
        let mut of_spans = [const { None }; 4];
        if !self.around.is_empty() {
            self.around.retain(|name, value| match Member::of(name) {
                Some(member) => {
                    of_spans[member as usize] = Some(value.take());
                    false
                }
                None => true,
            });
        }
        for (member, of_span) in Member::ALL.into_iter().zip(of_spans) {
            if self.written[member as usize] {
                continue;
            }
            write!(self.out, ",\"{}\":", member.key())?;
            match (of_span, member) {
                (Some(value), _) => write!(self.out, "{value}")?,
                (None, Member::Logger) => write!(self.out, "\"{target}\"")?,
                (None, Member::Message) => self.out.write_all(b"\"\"")?,
                (None, Member::CorrelationId | Member::UserId) => self.out.write_all(b"null")?,
            }
        }
        Ok(())
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field.name(), |mut json| {
            json.collect_str(&format_args!("{value:?}"))
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field.name(), |mut json| json.serialize_str(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field.name(), |mut json| json.serialize_bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field.name(), |mut json| json.serialize_i64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field.name(), |mut json| json.serialize_u64(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field.name(), |mut json| json.serialize_f64(value));
    }
}

/// Levels by the names that the platform's central logs use.
fn spelled(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    /// A writer that remembers.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_events_own_fields_win_over_those_of_the_spans_around_it() {
        let line = line_of(|| {
            let span = tracing::info_span!("request", request_id = "outer", status = 1, user = "kim");
            span.in_scope(|| tracing::info!(request_id = "inner", status = 2, "done"));
        });
        assert_eq!(
            (&line["correlation_id"], &line["user_id"], &line["extra"]),
            (&json!("inner"), &json!("kim"), &json!({ "status": 2 }))
        );
    }

    #[test]
    fn a_line_of_the_log_crate_is_its_real_loggers() {
        let line =
            line_of(|| tracing::info!(log.target = "pingora_core", log.line = 7, "it said \u{e9}\u{1}"));
        assert_eq!(
            (&line["logger"], &line["message"], &line["extra"]),
            (&json!("pingora_core"), &json!("it said \u{e9}\u{1}"), &json!({}))
        );
    }

    fn line_of(log: impl FnOnce()) -> Value {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_time_is_what_the_calendar_says_to_the_microsecond() {
        let start = OffsetDateTime::parse("2026-02-28T23:59:59.999999Z", &Rfc3339).unwrap();
        for micros in [0, 1, 2, 500_000, 1_000_001, 86_400_000_000] {
            let now = start + time::Duration::microseconds(micros);
            let mut text = Vec::new();
            write_timestamp(&mut text, now).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert_eq!(OffsetDateTime::parse(&text, &Rfc3339).unwrap(), now, "{text}");
            assert_eq!(text.len(), "2026-02-28T23:59:59.999999Z".len());
        }
    }

    #[test]
    fn a_json_line_has_the_members_of_the_platform() {
        let line = line_of(|| {
            let span = tracing::info_span!("request", correlation_id = "abc", path = "/x");
            span.in_scope(|| tracing::warn!(user_id = "u1", status = 502, ms = 1.5, "it \"failed\"\nbadly"));
        });
        let members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "timestamp",
            "level",
            "logger",
            "message",
            "correlation_id",
            "user_id",
            "extra",
        ];
        expected.sort_unstable();
        assert_eq!(
            {
                let mut members = members;
                members.sort_unstable();
                members
            },
            expected
        );
        assert_eq!(
            (&line["level"], &line["message"]),
            (&json!("WARNING"), &json!("it \"failed\"\nbadly"))
        );
        assert_eq!(
            (&line["correlation_id"], &line["user_id"]),
            (&json!("abc"), &json!("u1"))
        );
        assert_eq!(line["extra"], json!({ "path": "/x", "status": 502, "ms": 1.5 }));
        assert!(OffsetDateTime::parse(line["timestamp"].as_str().unwrap(), &Rfc3339).is_ok());
    }

    #[test]
    fn an_access_line_of_the_gateway_finds_its_place() {
        let line = line_of(
            || tracing::info!(target: "hivematrix::access", request_id = "r1", user = "kim", "request"),
        );
        assert_eq!(
            (&line["correlation_id"], &line["user_id"]),
            (&json!("r1"), &json!("kim"))
        );
        assert_eq!(
            (&line["logger"], &line["extra"]),
            (&json!("hivematrix::access"), &json!({}))
        );
    }
}
