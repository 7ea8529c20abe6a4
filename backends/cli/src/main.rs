//! The command line of HiveMatrix: which commands there are, and how the process ends.
//!
//! Each command is one file in `commands/`. What the parts do is the business of the libraries; only this
//! package knows all of them.

mod certificate;
mod commands;
mod demo;
mod doctor;
mod embedded_core;
mod failure;
mod key_ring;
mod log;
mod parts;
mod private_file;
mod ready;
mod redis;
mod runtime;
mod service;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    bench, check, codex, core, demo as demo_command, doctor as doctor_command, gateway, helm, idp, keycloak,
    keys, service as service_command, template,
};
use failure::{Failure, USAGE};

/// A request is made of a few hundred short-lived pieces of memory; this allocator hands them out at half the price of
/// the C library's (`benches/README.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// HiveMatrix: independent web apps on one origin, with one login, one look, one menu.
///
/// Exit status: 0 when it did what it was asked, 1 when something outside stood in the way (a taken port, a
/// file that cannot be written), 64 when what it was asked makes no sense (arguments, configuration).
#[derive(Parser)]
#[command(
    name = "hivematrix",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Begin with `hivematrix demo`, and open the address that it prints.")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo_command::Args),
    Gateway(gateway::Args),
    Check(check::Args),
    Doctor(doctor_command::Args),
    Core(core::Args),
    Keys(keys::Args),
    Codex(codex::Args),
    Template(template::Args),
    Helm(helm::Args),
    Idp(idp::Args),
    Keycloak(keycloak::Args),
    Service(service_command::Args),
    Bench(bench::Args),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(args) => args.run(),
            Self::Gateway(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Doctor(args) => args.run(),
            Self::Core(args) => args.run(),
            Self::Keys(args) => args.run(),
            Self::Codex(args) => args.run(),
            Self::Template(args) => args.run(),
            Self::Helm(args) => args.run(),
            Self::Idp(args) => args.run(),
            Self::Keycloak(args) => args.run(),
            Self::Service(args) => args.run(),
            Self::Bench(args) => args.run(),
        }
    }
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(error) => {
            // Help and version come this way, too. Nothing can be done where even this cannot be written.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let outcome = command.run();
    log::end();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        CommandLine::command().debug_assert();
    }
}
