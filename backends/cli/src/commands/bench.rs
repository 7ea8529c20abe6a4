//! `hivematrix bench`: the load benchmark, run from the executable that it measures.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hivematrix_load::{BenchError, Plan, Progress, Results, Scenario, Subject, report, run, serve, table};

use crate::failure::Failure;
use crate::{runtime, signals};

/// Measure this gateway under load, beside nginx, HAProxy, Envoy and others, as far as they are installed.
///
/// Starts everything by itself on free loopback ports (redis-server, a service, Core, the identity provider, the gateway, its
/// rivals), drives load with wrk, oha and h2load, prints one table and writes one page with plots. Takes some ten minutes with
/// everybody installed; nothing is left running afterwards.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// One short round of each: a minute or less.
    #[arg(long)]
    quick: bool,
    /// Only these kinds of work: json, page, unedited, compressed, sessions, upload, tls, websocket, idle, login, revocation.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Only these subjects: gateway, nginx, haproxy, envoy, apache, caddy, traefik, pingap, forwarder.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Subject>,
    /// How often everything is repeated; figures are medians. Default: 3, quick 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How long each measurement takes. Default: 2, quick 1.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// Connections of the load.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    /// Worker threads of each subject.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Requests per second where latencies are taken. Default: 60 % of what the gateway manages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How many are signed in where many ask. Default: 100000, quick 5000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sessions: Option<u32>,
    /// How many connections are open where many are idle. Default: 4000, quick 1000; fewer where not so many files
    /// may be open.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=25_000))]
    idle: Option<u32>,
    /// Where a program is that is not on the PATH, or another one than is: nginx=/opt/nginx/sbin/nginx. Repeatable.
    #[arg(long = "program", value_name = "NAME=PATH", value_parser = place)]
    programs: Vec<(String, PathBuf)>,
    /// Where the page is written.
    #[arg(long, value_name = "FILE", default_value = "hivematrix-bench.html")]
    out: PathBuf,
    /// Write every single measurement there, too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What runs beside the benchmark in a process of its own.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// The service behind all subjects.
    #[command(hide = true)]
    Serve {
        /// The port for HTTP.
        http: u16,
        /// The port for WebSockets.
        sockets: u16,
    },
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if let Some(Part::Serve { http, sockets }) = self.part {
            return runtime::block_on(Some(1), async move {
                let stop = signals::listen()?;
                tokio::select! {
                    served = serve(http, sockets) => Ok(served?),
                    () = stop.asked.cancelled() => Ok(()),
                }
            });
        }
        let (out, json) = (self.out.clone(), self.json.clone());
        for file in [Some(&out), json.as_ref()].into_iter().flatten() {
            writable(file)?;
        }
        let plan = self.plan()?;
        if plan.unoptimized {
            eprintln!(
                "hivematrix: this is an unoptimized build; its figures say nothing about what ships (cargo build --release)"
            );
        }
        let results = runtime::block_on(None, async {
            let stop = signals::listen()?;
            Ok(run(&plan, &Progress::new(), &stop.asked).await?)
        })?;
        tell(&results, &out, json.as_deref())
    }

    fn plan(self) -> Result<Plan, Failure> {
        let executable = std::env::current_exe()
            .map_err(|error| Failure::outside("this executable cannot be found", error))?;
        let mut plan = Plan::new(executable);
        if self.quick {
            plan = plan.quick();
        }
        plan.unoptimized = cfg!(debug_assertions);
        plan.version = env!("CARGO_PKG_VERSION").to_owned();
        plan.command = command();
        if !self.scenarios.is_empty() {
            plan.scenarios = self.scenarios;
        }
        if !self.only.is_empty() {
            plan.subjects = self.only;
        }
        plan.rounds = self.rounds.unwrap_or(plan.rounds);
        plan.seconds = self.seconds.map_or(plan.seconds, Duration::from_secs);
        plan.sessions = self.sessions.unwrap_or(plan.sessions);
        plan.idle = self.idle.unwrap_or(plan.idle);
        plan.connections = self.connections;
        plan.threads = self.threads;
        plan.rate = self.rate;
        plan.programs = self.programs.into_iter().collect();
        Ok(plan)
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        Self::Outside(error.to_string())
    }
}

/// A program's name and where it is.
fn place(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("not NAME=PATH")?;
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    if path.is_file() {
        Ok((name.to_owned(), path))
    } else {
        Err(format!("{} is no file", path.display()))
    }
}

/// The command line as it was given, for whoever wants to repeat it.
fn command() -> String {
    let arguments = std::env::args()
        .skip(1)
        .map(|argument| match argument.contains(' ') {
            true => format!("'{argument}'"),
            false => argument,
        });
    std::iter::once("hivematrix".to_owned())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Finds out before the benchmark, not after it, that a file cannot be written. Leaves none behind.
fn writable(file: &Path) -> Result<(), Failure> {
    let there = file.exists();
    let tried = || {
        std::fs::OpenOptions::new().append(true).create(true).open(file)?;
        if there { Ok(()) } else { std::fs::remove_file(file) }
    };
    tried().map_err(|error| Failure::outside(file.display(), error))
}

fn tell(results: &Results, out: &Path, json: Option<&Path>) -> Result<(), Failure> {
    // Nobody reads it? Then the page is left.
    let _ = std::io::stdout().lock().write_all(table(results).as_bytes());
    std::fs::write(out, report(results)).map_err(|error| Failure::outside(out.display(), error))?;
    if let Some(file) = json {
        let text =
            serde_json::to_vec_pretty(results).map_err(|error| Failure::outside("the figures", error))?;
        std::fs::write(file, text).map_err(|error| Failure::outside(file.display(), error))?;
    }
    eprintln!(
        "The page: {}",
        std::path::absolute(out)
            .unwrap_or_else(|_| out.to_owned())
            .display()
    );
    Ok(())
}
