//! Python services of a case: the Flask applications of `../python`, each a process of its own under a real WSGI server.
//!
//! Responsible for: finding the Python that `.dev/test` sets up (`target/python`, or `HIVEMATRIX_PYTHON`), and starting
//! and ending its processes. Not responsible for what the applications do; that is written in `../python`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;
use tokio::net::TcpStream;

use crate::program::Program;

/// A Python with everything in it that `../python/requirements.txt` names.
#[derive(Clone, Debug)]
pub struct Python {
    program: PathBuf,
}

/// What serves a WSGI application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wsgi {
    /// One worker, eight threads.
    Gunicorn,
    /// Eight threads, everything else at its default: it drops `X-Forwarded-For`, `-Proto` and `-Host`, and keeps the
    /// prefix.
    Waitress,
    /// The same, told to believe a proxy on this machine.
    TrustingWaitress,
}

impl Wsgi {
    fn arguments(self, address: &str, application: &str) -> Vec<String> {
        let listen = format!("--listen={address}");
        let words: &[&str] = match self {
            Self::Gunicorn => &["gunicorn", "--bind", address, "--workers", "1", "--threads", "8"],
            Self::Waitress => &["waitress", "--threads=8", &listen],
            Self::TrustingWaitress => &[
                "waitress",
                "--threads=8",
                &listen,
                "--trusted-proxy=127.0.0.1",
                "--trusted-proxy-headers=x-forwarded-for x-forwarded-proto x-forwarded-host",
            ],
        };
        let all = ["-m"].iter().chain(words).chain([&application]);
        all.map(|word| (*word).to_owned()).collect()
    }
}

impl Python {
    /// The Python of the cases; `None` where it is not set up, with one sentence on stderr that says how to.
    ///
    /// # Panics
    /// Where it is not set up although the environment variable `CI` says that nothing may be left out.
    #[must_use]
    pub fn find() -> Option<Self> {
        let folder = std::env::var_os("HIVEMATRIX_PYTHON").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python")),
            PathBuf::from,
        );
        let program = folder.join("bin/python3");
        if program.is_file() {
            return Some(Self { program });
        }
        let sentence = format!(
            "this case needs {}, a Python with tests/python/requirements.txt in it: run .dev/test once, which sets it up",
            folder.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{sentence}");
        eprintln!("skipped: {sentence}");
        None
    }

    /// Runs a script to its end; what it printed.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn run(&self, script: &str, arguments: &[&str]) -> String {
        let output = self
            .command()
            .args(["-c", script])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("Python starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the script failed: {stderr}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Serves an application of `../python` (`module:name`) at 127.0.0.1, once it accepts connections.
    ///
    /// # Panics
    /// With what it wrote, if it does not.
    pub async fn serve(
        &self,
        wsgi: Wsgi,
        application: &str,
        port: u16,
        environment: &[(&str, &str)],
    ) -> Served {
        let listen = format!("127.0.0.1:{port}");
        self.serve_from(&sources(), wsgi, application, &listen, environment)
            .await
    }

    /// The same with another working folder, and at an address that need not be this machine's own.
    ///
    /// # Panics
    /// As [`Python::serve`]; and if `listen` has no port.
    pub async fn serve_from(
        &self,
        folder: &Path,
        wsgi: Wsgi,
        application: &str,
        listen: &str,
        environment: &[(&str, &str)],
    ) -> Served {
        let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("an address with a port")));
        let mut command = self.command();
        command
            .current_dir(folder)
            .args(wsgi.arguments(listen, application))
            .envs(environment.iter().copied());
        let log = NamedTempFile::new().expect("a file for what it writes");
        let program = Program::start_writing(&mut command, log.as_file());
        let mut served = Served {
            program,
            log,
            address,
        };
        let answers = async || {
            assert!(
                !served.program.has_ended(),
                "{command:?} ended: {}",
                served.written()
            );
            TcpStream::connect(address).await.ok().map(drop)
        };
        crate::eventually("a Python service accepts connections", answers).await;
        served
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(sources())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONPATH", sources());
        command
    }
}

/// Where the applications are.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// A running Python service; ends with its value.
pub struct Served {
    program: Program,
    log: NamedTempFile,
    address: SocketAddr,
}

impl Served {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// What it has written so far.
    #[must_use]
    pub fn written(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}
