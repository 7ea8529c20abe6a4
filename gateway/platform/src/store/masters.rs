//! Which server is the master: the one that was configured, or the one that the Sentinels name.
//!
//! The Sentinels' word counts when a majority of those that were configured answers, and then it is that of the latest failover
//! they know of (its configuration epoch): one Sentinel alone may be cut off together with an old master, and would still name
//! it. Whether the server agrees is asked of the server (`ROLE`), see `link.rs`. The library's own client of Sentinels believes the
//! first that answers; that is why we ask ourselves.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use tokio::sync::Mutex;

use super::address::RedisAddress;

/// Where to look for the master.
pub(crate) enum Masters {
    /// Always there.
    Fixed(Client),
    /// Wherever these say.
    Sentinels(Sentinels),
}

/// The Sentinels of one master.
pub(crate) struct Sentinels {
    address: RedisAddress,
    name: String,
    sentinels: Vec<Sentinel>,
    patience: Duration,
}

struct Sentinel {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What one Sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// Rises with every failover.
    epoch: u64,
    host: String,
    port: u16,
}

impl Masters {
    /// `patience` is for one question to a Sentinel.
    pub(crate) fn new(address: &RedisAddress, patience: Duration) -> Result<Self, RedisError> {
        if let Some(client) = address.fixed()? {
            return Ok(Self::Fixed(client));
        }
        let (clients, name) = address.sentinels()?;
        let sentinels = clients.into_iter().map(|client| Sentinel {
            client,
            connection: Mutex::default(),
        });
        Ok(Self::Sentinels(Sentinels {
            name: name.to_owned(),
            sentinels: sentinels.collect(),
            address: address.clone(),
            patience,
        }))
    }

    /// The master that needs no looking for.
    pub(crate) fn fixed(&self) -> Option<&Client> {
        match self {
            Self::Fixed(client) => Some(client),
            Self::Sentinels(_) => None,
        }
    }

    /// The client of the master.
    ///
    /// # Errors
    /// If the Sentinels cannot tell.
    pub(crate) async fn find(&self) -> Result<Client, RedisError> {
        match self {
            Self::Fixed(client) => Ok(client.clone()),
            Self::Sentinels(sentinels) => {
                let named = sentinels.ask().await?;
                sentinels.address.named(&named.host, named.port)
            }
        }
    }
}

/// Whether two clients lead to the same address.
pub(crate) fn is_same(one: &Client, other: &Client) -> bool {
    one.get_connection_info().addr() == other.get_connection_info().addr()
}

impl Sentinels {
    async fn ask(&self) -> Result<Named, RedisError> {
        let answers = join_all(
            self.sentinels
                .iter()
                .map(|sentinel| sentinel.ask(&self.name, self.patience)),
        )
        .await;
        latest(answers)
    }
}

/// The latest word of a majority.
fn latest(answers: Vec<Result<Named, RedisError>>) -> Result<Named, RedisError> {
    let asked = answers.len();
    let (named, mut errors): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let answered = named.len();
    match named.into_iter().flatten().max_by_key(|named| named.epoch) {
        Some(named) if answered * 2 > asked => Ok(named),
        Some(_) => Err(RedisError::from((
            ErrorKind::Io,
            "no majority of the Sentinels answers",
        ))),
        None => match errors.pop() {
            Some(Err(error)) => Err(error),
            _ => Err(RedisError::from((ErrorKind::Io, "no Sentinel answers"))),
        },
    }
}

impl Sentinel {
    async fn ask(&self, name: &str, patience: Duration) -> Result<Named, RedisError> {
        let mut kept = self.connection.lock().await;
        // A connection that is dropped in the middle of a question is of no more use.
        let connection = kept.take();
        let work = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.connect(patience).await?,
            };
            let named = question(&mut connection, name).await?;
            Ok((named, connection))
        };
        match tokio::time::timeout(patience, work).await {
            Ok(Ok((named, connection))) => {
                *kept = Some(connection);
                Ok(named)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RedisError::from((ErrorKind::Io, "a Sentinel does not answer"))),
        }
    }

    async fn connect(&self, patience: Duration) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }
}

/// First the epoch, then the address: a failover in between makes a new address look old, never an old one new.
async fn question(connection: &mut MultiplexedConnection, name: &str) -> Result<Named, RedisError> {
    let mut both = redis::pipe();
    both.cmd("SENTINEL").arg("MASTER").arg(name);
    both.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let (about, address): (HashMap<String, String>, Option<(String, u16)>) =
        both.query_async(connection).await?;
    let epoch = about.get("config-epoch").and_then(|epoch| epoch.parse().ok());
    match (epoch, address) {
        (Some(epoch), Some((host, port))) => Ok(Named { epoch, host, port }),
        _ => Err(RedisError::from((
            ErrorKind::UnexpectedReturnType,
            "this is no Sentinel",
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn says(epoch: u64, port: u16) -> Result<Named, RedisError> {
        let host = "redis".to_owned();
        Ok(Named { epoch, host, port })
    }

    fn silent() -> Result<Named, RedisError> {
        Err(RedisError::from((ErrorKind::Io, "silent")))
    }

    #[test]
    fn the_latest_failover_that_a_majority_knows_of_counts() {
        assert_eq!(latest(vec![says(1, 1), says(2, 2), says(1, 1)]).unwrap().port, 2);
        assert_eq!(latest(vec![says(3, 3), silent(), says(2, 2)]).unwrap().port, 3);
        assert_eq!(latest(vec![says(1, 1)]).unwrap().port, 1);
    }

    #[test]
    fn a_minority_is_not_believed() {
        assert!(latest(vec![says(1, 1), silent(), silent()]).is_err());
        assert!(latest(vec![says(1, 1), silent()]).is_err());
        assert!(latest(vec![silent()]).is_err());
        assert!(latest(Vec::new()).is_err());
    }
}
