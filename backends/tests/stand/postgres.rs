//! A PostgreSQL server of the tests' own: a real process on a free port, with files that go with it.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// The user as whom the server runs where we are root, which it refuses to run as: nobody.
const NOBODY: u32 = 65_534;

/// The server; killed on drop.
pub(crate) struct Postgres {
    server: Option<Child>,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes one and waits until it answers.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=codex",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut postgres = Self {
            server: None,
            folder,
            port,
        };
        postgres.restart().await;
        postgres
    }

    /// Starts a killed server again on the same port, with the same data.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let mut server = command("postgres");
        server.arg("-D").arg(self.folder.path().join("data"));
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=400",
            "fsync=off",
            "full_page_writes=off",
            "shared_buffers=32MB",
        ] {
            server.args(["-c", setting]);
        }
        // Not a pipe: what nobody reads is full after a hundred and fifty refused statements, and then the server waits
        // with its next word, and everybody for the server.
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let server = server
            .args(["-p", &self.port.to_string()])
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(server);
        let end = Instant::now() + Duration::from_secs(60);
        while PgConnection::connect(&self.url("postgres")).await.is_err() {
            assert!(Instant::now() < end, "PostgreSQL did not answer for a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Where a database of it is.
    pub(crate) fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://codex@127.0.0.1:{port}/{database}")
}

/// A database that nobody has used, on the server at this port.
pub(crate) async fn fresh_database(port: u16) -> String {
    let name = format!("codex_{:016x}", rand::random::<u64>());
    let mut connection = PgConnection::connect(&url(port, "postgres")).await.unwrap();
    let statement = format!("CREATE DATABASE {name} TEMPLATE template0");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    url(port, &name)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program of PostgreSQL's, as somebody who may run it.
fn command(program: &str) -> Command {
    let program = find(program);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        let nobody = NOBODY.to_string();
        command
            .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Debian keeps the programs of a server outside of PATH, one folder for each version.
fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders
        .iter()
        .map(|folder: &PathBuf| folder.join(program))
        .find(|file: &PathBuf| Path::is_file(file));
    found.unwrap_or_else(|| panic!("this case needs PostgreSQL's {program}: install it, for instance with `apt-get install postgresql`"))
}
