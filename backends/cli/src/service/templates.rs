//! The templates, as they are in this program: programs that run as they are, whose name, label and port are replaced.

use clap::ValueEnum;

/// In which language a service is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavour {
    /// Rust.
    #[default]
    Axum,
    /// Python.
    Flask,
}

/// A file: its path in the new folder, its text, whether it is a program.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) executable: bool,
}

macro_rules! file {
    ($path:literal from $source:literal) => {
        File {
            path: $path,
            text: include_str!(concat!("../../templates/", $source)),
            executable: false,
        }
    };
}

/// What stands in the templates where a service's own values belong.
pub(super) const NAME: &str = "new-service";
pub(super) const LABEL: &str = "New service";
pub(super) const PORT: &str = "5099";

const AXUM: &[File] = &[
    file!("Cargo.toml" from "axum/Cargo.toml.template"),
    file!("README.md" from "axum/README.md"),
    file!(".gitignore" from "axum/gitignore.template"),
    file!("src/main.rs" from "axum/src/main.rs"),
    file!("src/caller.rs" from "axum/src/caller.rs"),
    file!("src/pages.rs" from "axum/src/pages.rs"),
];

const FLASK: &[File] = &[
    file!("README.md" from "flask/README.md"),
    file!(".gitignore" from "flask/gitignore.template"),
    file!("requirements.txt" from "flask/requirements.txt"),
    File {
        path: "run",
        text: include_str!("../../templates/flask/run.template"),
        executable: true,
    },
    file!("app.py" from "flask/app.py"),
    file!("caller.py" from "flask/caller.py"),
    file!("templates/home.html" from "flask/templates/home.html"),
    file!("tests/__init__.py" from "flask/tests/__init__.py"),
    file!("tests/test_app.py" from "flask/tests/test_app.py"),
];

impl Flavour {
    pub(super) const fn files(self) -> &'static [File] {
        match self {
            Self::Axum => AXUM,
            Self::Flask => FLASK,
        }
    }

    /// What starts the service in its folder.
    pub(super) const fn start(self) -> &'static str {
        match self {
            Self::Axum => "cargo run",
            Self::Flask => "./run",
        }
    }
}
