//! Leaves out what Pingora reports as errors and is no error of ours: strangers who fail at the TLS handshake, scanners
//! and browsers that do not trust the certificate. Who wants to see them asks for debug lines.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where Pingora accepts connections; other lines from there matter.
const LISTENER: &str = "pingora_core::services::listening";

/// The layer that leaves them out.
pub(super) struct Strangers;

impl<S: Subscriber> Layer<S> for Strangers {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // Pingora logs through the `log` crate, whose lines all have this target here. Errors are rare: reading the
        // fields of each costs nothing that matters.
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR || metadata.target() != "log" {
            return true;
        }
        let mut line = Line::default();
        event.record(&mut line);
        line.target != LISTENER || !line.message.starts_with("Downstream handshake ")
    }
}

/// What matters of a line that came through the `log` crate.
#[derive(Default)]
struct Line {
    target: String,
    message: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => value.clone_into(&mut self.target),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }
}
