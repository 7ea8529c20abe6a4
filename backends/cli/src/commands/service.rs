//! `hivematrix service new|lint`: begins a service of one's own, and checks the house rules.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::service::{Flavour, New, lint};

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
                let new = New::plan(&args.name, args.flavour, args.folder, args.port)?;
                new.write()?;
                if let Some(registry) = &args.registry {
                    new.register(registry)?;
                }
                print(&new.next_steps(args.registry.as_deref()))
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

fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::outside("stdout", error))
}
