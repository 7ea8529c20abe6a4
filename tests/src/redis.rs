//! A Redis server of the case's own: a real process on a free port, empty, without files that outlive it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::ports::free_port;
use crate::program::{Program, find};

/// The server; killed on drop.
pub struct Redis {
    program: Option<Program>,
    folder: TempDir,
    port: u16,
    connection: Mutex<MultiplexedConnection>,
}

impl Redis {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// If redis-server is not installed, or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for redis-server");
        for _ in 0..5 {
            let port = free_port();
            let mut program = launch(port, &folder);
            if let Some(connection) = answers(port, &mut program).await {
                return Self {
                    program: Some(program),
                    folder,
                    port,
                    connection: Mutex::new(connection),
                };
            }
        }
        panic!("redis-server was started five times and never answered");
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Kills the server; everything in it is gone.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// Starts a killed server again, empty, on the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let mut program = launch(self.port, &self.folder);
        let connection = answers(self.port, &mut program).await;
        self.connection = Mutex::new(connection.expect("redis-server answers again on its port"));
        self.program = Some(program);
    }

    /// Stops the process where it is: connections stay, and nobody answers.
    ///
    /// # Panics
    /// If there is no process.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen process go on.
    ///
    /// # Panics
    /// If there is no process.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.program.as_ref().expect("a running Redis").id().to_string();
        let command = ["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &id];
        let sent = Command::new("sh").args(command).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {signal} {id}");
    }

    /// Becomes a replica of the server on this port.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub(crate) async fn follow(&self, port: u16) {
        let mut order = redis::cmd("REPLICAOF");
        order.arg("127.0.0.1").arg(port);
        order
            .query_async::<()>(&mut self.client())
            .await
            .expect("REPLICAOF");
    }

    /// Connects anew: a server that becomes the master drops its clients.
    ///
    /// # Panics
    /// If it does not answer.
    pub(crate) async fn reconnect(&self) {
        let fresh = self.try_client().await.expect("Redis answers");
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// Whether it is a replica of that server now.
    pub async fn follows(&self, master: &Self) -> bool {
        let answer = async {
            let mut client = self.try_client().await?;
            let all: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut client).await.ok()?;
            let of: u16 = redis::from_redis_value(all.into_iter().nth(2)?).ok()?;
            Some(of)
        };
        let found = tokio::time::timeout(Duration::from_millis(500), answer).await;
        found.ok().flatten() == Some(master.port)
    }

    /// A connection of its own, if the server answers.
    pub(crate) async fn try_client(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(format!("{}/0", self.url())).expect("a valid URL");
        client.get_multiplexed_async_connection().await.ok()
    }

    /// A connection as any other client would have it.
    #[must_use]
    pub fn client(&self) -> MultiplexedConnection {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The value of a key.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn get(&self, key: &str) -> Option<String> {
        let mut client = self.client();
        redis::cmd("GET")
            .arg(key)
            .query_async(&mut client)
            .await
            .expect("GET")
    }

    /// All keys of a pattern, sorted.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn keys(&self, pattern: &str) -> Vec<String> {
        let mut client = self.client();
        let mut keys: Vec<String> = redis::cmd("KEYS")
            .arg(pattern)
            .query_async(&mut client)
            .await
            .expect("KEYS");
        keys.sort();
        keys
    }

    /// Writes a value and keeps the key's time to live, as the Python Core does when it revokes.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn set_keeping_ttl(&self, key: &str, value: &str) {
        let mut client = self.client();
        let done = redis::cmd("SET")
            .arg(key)
            .arg(value)
            .arg("KEEPTTL")
            .query_async::<()>(&mut client)
            .await;
        done.expect("SET KEEPTTL");
    }

    /// Removes a key.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn delete(&self, key: &str) {
        let mut client = self.client();
        redis::cmd("DEL")
            .arg(key)
            .query_async::<()>(&mut client)
            .await
            .expect("DEL");
    }

    /// Seconds a key has left.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn ttl(&self, key: &str) -> i64 {
        let mut client = self.client();
        redis::cmd("TTL")
            .arg(key)
            .query_async(&mut client)
            .await
            .expect("TTL")
    }
}

fn launch(port: u16, folder: &TempDir) -> Program {
    let mut command = Command::new(find(&["redis-server"], "redis-server"));
    command.current_dir(folder.path());
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    command.args(["--io-threads", "1", "--databases", "1"]);
    command.args(["--repl-diskless-sync-delay", "0"]);
    Program::start(&mut command)
}

/// A connection to the server we started, and to no other that happens to have the port.
async fn answers(port: u16, program: &mut Program) -> Option<MultiplexedConnection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/0")).expect("a valid URL");
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && !program.has_ended() {
        if let Ok(mut connection) = client.get_multiplexed_async_connection().await
            && let Ok(info) = redis::cmd("INFO")
                .arg("server")
                .query_async::<String>(&mut connection)
                .await
        {
            let ours = format!("process_id:{}\r", program.id());
            return info.contains(&ours).then_some(connection);
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}
