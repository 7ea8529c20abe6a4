//! `hivematrix service new|lint`: begins a service of one's own, and checks the house rules.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::service::{Flavour, New, Registration, lint};

/// Begin a service of your own, or check the house rules of one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(NewArgs),
    Lint(LintArgs),
}

/// Make a folder with a service that runs: a page in the design system, a form, an API endpoint, tests, a README.
///
/// Prints the two commands that come next, and the entry for the registry.
#[derive(Debug, clap::Args)]
struct NewArgs {
    /// The service's name: the first part of its addresses. Lower-case letters, digits, - and _.
    name: String,
    /// In Rust with axum, or in Python with Flask.
    #[arg(long, value_enum, default_value_t)]
    flavour: Flavour,
    /// The folder to make; by default one with the service's name, here.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The port on which it will listen; by default the first of 5060 to 5099 that is free.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Add the service to this registry (services.json), too.
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,
}

/// Check the house rules: known classes only, no CSS, every route protected, loopback only. Exit status 1 on findings.
#[derive(Debug, clap::Args)]
struct LintArgs {
    /// The service's folder.
    path: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::New(args) => {
                let registry = args.registry.map(Registration::read).transpose()?;
                let registry = registry.as_ref();
                let new = New::plan(&args.name, args.flavour, args.folder, args.port, registry)?;
                new.write(registry)?;
                print(&new.next_steps(registry, &program()))
            }
            Command::Lint(args) => {
                let report = lint::folder(&args.path)
                    .map_err(|error| Failure::Usage(format!("{}: {error}", args.path.display())))?;
                if report.findings.is_empty() {
                    return print(&format!(
                        "{}: {} files, nothing found\n",
                        args.path.display(),
                        report.files
                    ));
                }
                let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
                Err(Failure::Findings(lines.join("\n")))
            }
        }
    }
}

/// What starts this program in another terminal: its name, if it was found by that, or else where it is.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match std::env::current_exe() {
        Ok(file) if called.components().count() > 1 => file.display().to_string(),
        _ => "hivematrix".to_owned(),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::outside("stdout", error))
}
