//! A replica and three Sentinels around a case's Redis: real processes that fail over by themselves.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::ports::free_port;
use crate::program::{Program, find};
use crate::redis::Redis;
use crate::{eventually, eventually_within};

/// What the Sentinels call the master.
const NAME: &str = "mymaster";

/// How long a master may be silent.
const DOWN_AFTER: Duration = Duration::from_millis(1000);

/// The replica and the Sentinels; killed on drop.
pub struct Sentinels {
    replica: Redis,
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    _program: Program,
    _folder: TempDir,
    port: u16,
}

impl Sentinels {
    /// Watches `master`, which must be running; returns when everybody knows everybody.
    ///
    /// # Panics
    /// If that does not come about.
    pub async fn around(master: &Redis) -> Self {
        let replica = Redis::start().await;
        replica.follow(master.address().port()).await;
        let sentinels = (0..3).map(|_| Sentinel::start(master.address().port())).collect();
        let all = Self { replica, sentinels };
        for sentinel in &all.sentinels {
            let knows = async || {
                let about = sentinel.about().await?;
                let is = |key: &str, value: &str| about.get(key).is_some_and(|found| found == value);
                (is("num-slaves", "1") && is("num-other-sentinels", "2") && is("flags", "master"))
                    .then_some(())
            };
            // They find each other by messages that they send every other second.
            eventually_within(
                Duration::from_secs(45),
                "the Sentinels know each other and the replica",
                knows,
            )
            .await;
        }
        all
    }

    /// The URL for gateways and Core.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self
            .sentinels
            .iter()
            .map(|s| format!("127.0.0.1:{}", s.port))
            .collect();
        format!("redis+sentinel://{}/{NAME}/0", hosts.join(","))
    }

    /// The server that a failover makes the master.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    /// Returns when the replica has all that the master has now.
    ///
    /// # Panics
    /// If it never has.
    pub async fn caught_up(&self, master: &Redis) {
        let confirmed = async || {
            let mut wait = redis::cmd("WAIT");
            let count: u32 = wait
                .arg(1)
                .arg(1000)
                .query_async(&mut master.client())
                .await
                .expect("WAIT");
            (count == 1).then_some(())
        };
        eventually("the replica has everything", confirmed).await;
    }

    /// From now on the replica gets nothing of what the master is told: its process stands still, and its connection
    /// is gone, so that nothing waits for it in the network.
    ///
    /// # Panics
    /// If Redis does not answer.
    pub async fn fall_behind(&self, master: &Redis) {
        self.replica.freeze();
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("replica");
        kill.query_async::<()>(&mut master.client())
            .await
            .expect("CLIENT KILL");
    }

    /// Asks for a failover although nothing has failed, as for an upgrade. The old master is alive, and believes for
    /// some seconds that it is the master.
    ///
    /// # Panics
    /// If the Sentinels do not want to.
    pub async fn plan(&self) {
        let done = async || {
            let mut connection = self.sentinels[0].client().await?;
            let mut order = redis::cmd("SENTINEL");
            order
                .arg("FAILOVER")
                .arg(NAME)
                .query_async::<()>(&mut connection)
                .await
                .ok()
        };
        eventually("a failover begins", done).await;
    }

    /// Returns when the former replica is the master.
    ///
    /// # Panics
    /// If it never is.
    pub async fn failed_over(&self) {
        let promoted = async || (role(&self.replica).await? == "master").then_some(());
        // The Sentinels elect one of them, and may have to try again.
        eventually_within(
            Duration::from_secs(45),
            "the replica becomes the master",
            promoted,
        )
        .await;
        self.replica.reconnect().await;
    }
}

/// What a server believes to be: `master`, `slave`; `None` if it does not answer.
async fn role(server: &Redis) -> Option<String> {
    let answer = async {
        let mut client = server.try_client().await?;
        let all: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut client).await.ok()?;
        redis::from_redis_value::<String>(all.into_iter().next()?).ok()
    };
    tokio::time::timeout(Duration::from_millis(500), answer)
        .await
        .ok()
        .flatten()
}

impl Sentinel {
    fn start(master: u16) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder for a Sentinel"), free_port());
        let down_after = DOWN_AFTER.as_millis();
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {NAME} {down_after}\nsentinel failover-timeout {NAME} 4000\n",
            folder.path().display()
        );
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, settings).expect("a Sentinel's settings");
        let mut command = Command::new(find(&["redis-server"], "redis-server"));
        command.arg(&file).arg("--sentinel");
        Self {
            _program: Program::start(&mut command),
            _folder: folder,
            port,
        }
    }

    async fn client(&self) -> Option<MultiplexedConnection> {
        let address = format!("redis://{}:{}/?protocol=resp2", Ipv4Addr::LOCALHOST, self.port);
        let client = redis::Client::open(address).expect("a valid URL");
        client.get_multiplexed_async_connection().await.ok()
    }

    async fn about(&self) -> Option<std::collections::HashMap<String, String>> {
        let mut connection = self.client().await?;
        let mut question = redis::cmd("SENTINEL");
        question
            .arg("MASTER")
            .arg(NAME)
            .query_async(&mut connection)
            .await
            .ok()
    }
}
