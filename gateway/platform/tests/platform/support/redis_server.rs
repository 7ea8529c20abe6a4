//! A redis-server process of the test's own, on a free port, gone when the test ends.

use std::process::Stdio;
use std::time::Duration;

use hivematrix_platform::{RedisSettings, RedisStore};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

pub(crate) struct RedisServer {
    pub(crate) port: u16,
    process: Child,
    directory: TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        // Between asking for a free port and using it somebody else may take it.
        for _ in 0..5 {
            let port = free_port().await;
            if let Some(server) = Self::start_on(port).await {
                return server;
            }
        }
        panic!("redis-server did not start on any of five free ports");
    }

    /// With more settings.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        Self::start_by(
            &[
                &[
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--repl-diskless-sync-delay",
                    "0",
                ],
                more,
            ]
            .concat(),
        )
        .await
    }

    /// With these arguments, besides port and directory.
    pub(crate) async fn start_by(arguments: &[&str]) -> Self {
        for _ in 0..5 {
            if let Some(server) = Self::launch(free_port().await, arguments).await {
                return server;
            }
        }
        panic!("redis-server did not start on any of five free ports");
    }

    /// `None` if the port is taken.
    pub(crate) async fn start_on(port: u16) -> Option<Self> {
        Self::launch(
            port,
            &[
                "--save",
                "",
                "--appendonly",
                "no",
                "--repl-diskless-sync-delay",
                "0",
            ],
        )
        .await
    }

    async fn launch(port: u16, arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let spawned = Command::new("redis-server")
            .args(arguments)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = spawned.unwrap_or_else(|error| {
            panic!("these tests need redis-server ({error}): install it, for instance with `sudo apt-get install redis-server`")
        });
        let mut server = Self {
            port,
            process,
            directory,
        };
        for _ in 0..200 {
            if let Ok(mut client) = server.try_client().await
                && redis::cmd("PING")
                    .query_async::<String>(&mut client)
                    .await
                    .is_ok()
            {
                return Some(server);
            }
            if server.process.try_wait().unwrap().is_some() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "redis-server on port {port} (in {}) does not answer",
            server.directory.path().display()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) async fn store(&self) -> RedisStore {
        RedisStore::connect(&self.url(), quick()).await.unwrap()
    }

    /// A connection of somebody else.
    pub(crate) async fn client(&self) -> MultiplexedConnection {
        self.try_client().await.unwrap()
    }

    async fn try_client(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection()
            .await
    }

    pub(crate) async fn stop(mut self) -> u16 {
        self.process.kill().await.unwrap();
        self.port
    }
}

/// Settings under which outages are noticed within a test's patience.
pub(crate) fn quick() -> RedisSettings {
    RedisSettings {
        heartbeat: Duration::from_millis(100),
        ..RedisSettings::default()
    }
}

pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
