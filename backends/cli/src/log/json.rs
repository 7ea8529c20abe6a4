//! Log lines as JSON (platform README §9), one object per line.

use std::fmt;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// `{"timestamp","level","logger","message","correlation_id","user_id","extra"}`, one object per line. The fields of
/// the event and of the spans around it go to `extra`, except for the two that have members of their own.
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
        let mut fields = Fields::default();
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
                fields.0.extend(of_span);
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        writeln!(
            writer,
            "{}",
            fields.into_line(*metadata.level(), metadata.target())
        )
    }
}

/// The fields of an event, and those of the spans around it.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    fn into_line(mut self, level: Level, target: &str) -> Value {
        // What arrives through the `log` crate brings its real target as a field.
        let logger = self.0.remove("log.target").unwrap_or_else(|| target.into());
        self.0.retain(|name, _| !name.starts_with("log."));
        let mut take = |names: &[&str]| names.iter().find_map(|name| self.0.remove(*name));
        let message = take(&["message"]).unwrap_or_else(|| "".into());
        let correlation_id = take(&["correlation_id", "request_id"]);
        let user_id = take(&["user_id", "user"]);
        json!({
            "timestamp": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            "level": spelled(level),
            "logger": logger,
            "message": message,
            "correlation_id": correlation_id,
            "user_id": user_id,
            "extra": self.0,
        })
    }

    /// The text of a field, empty if it has none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn set(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
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
