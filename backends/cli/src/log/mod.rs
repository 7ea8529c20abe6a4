//! Where log lines go (stderr), which of them, and how they look. What is logged is the business of whoever logs it.

mod buffer;
mod json;
mod strangers;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use clap::ValueEnum;
use hivematrix_gateway::config::{Log, LogFormat};
use tracing::Level;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::buffer::Buffer;
use self::json::JsonLines;
use self::strangers::Strangers;
use crate::failure::Failure;

/// Variables whose directives (`info`, `hivematrix=debug,warn`) replace the usual choice of lines; the first that
/// is set counts.
const VARIABLES: [&str; 2] = ["HIVEMATRIX_LOG", "RUST_LOG"];

/// Where lines wait to be written, once something is logged.
static BUFFER: OnceLock<Buffer> = OnceLock::new();

/// The form of log lines, as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Text, coloured on a terminal.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// Writes log lines from here on.
///
/// `least` is the least important level that is written of ours; of others, warnings at most.
pub(crate) fn begin(form: Form, least: Level) -> Result<(), Failure> {
    let (filter, strangers) = match asked_for()? {
        Some(filter) => (filter, None),
        None => (usual(least), (least < Level::DEBUG).then_some(Strangers)),
    };
    let buffer = Buffer::new(std::io::stderr())
        .map_err(|error| Failure::outside("log lines cannot be written", error))?;
    let buffer = BUFFER.get_or_init(|| buffer).clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(buffer);
    let lines = match form {
        Form::Human => lines.with_ansi(std::io::stderr().is_terminal()).compact().boxed(),
        Form::Json => lines
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(strangers)
        .with(lines)
        .try_init()
        .map_err(|error| Failure::outside("log lines cannot be written", error))
}

/// Writes what has been logged and not yet written. What is logged afterwards is written at once.
pub(crate) fn end() {
    if let Some(buffer) = BUFFER.get() {
        buffer.end();
    }
}

/// As the gateway's configuration says.
pub(crate) fn begin_as_configured(log: Log) -> Result<(), Failure> {
    let form = match log.format {
        LogFormat::Json => Form::Json,
        LogFormat::Human => Form::Human,
    };
    begin(form, log.level)
}

/// What the environment asks for.
fn asked_for() -> Result<Option<EnvFilter>, Failure> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some((name, directives)) = VARIABLES.into_iter().find_map(|name| Some((name, value(name)?))) else {
        return Ok(None);
    };
    EnvFilter::try_new(directives)
        .map(Some)
        .map_err(|error| Failure::Usage(format!("the environment variable {name}: {error}")))
}

fn usual(least: Level) -> EnvFilter {
    // Ours are all targets that begin with "hivematrix". In the order of levels ERROR is the smallest.
    // The audit log is written in any case.
    let (others, audit) = (least.min(Level::WARN), least.max(Level::INFO));
    EnvFilter::new(format!("{others},hivematrix={least},hivematrix::audit={audit}"))
}
