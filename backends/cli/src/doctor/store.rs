//! Redis: whether it answers and is fit; and who is signed in there.

use std::time::Duration;

use hivematrix_gateway::config::{Config, Redis, StoreChoice};
use hivematrix_platform::SessionRecord;
use redis::aio::MultiplexedConnection;
use secrecy::ExposeSecret as _;
use url::Url;

use super::finding::{Check, Finding, Report};
use super::skew;
use super::sockets::Sockets;

/// For connecting, and for one command.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Session records that are looked at.
const SESSIONS: usize = 200;

/// What was found, and a connection if there is one.
pub(crate) async fn examine(
    config: &Config,
    sockets: Option<&Sockets>,
) -> (Report, Option<MultiplexedConnection>) {
    let mut report = Report::default();
    let StoreChoice::Redis(redis) = &config.sessions.store else {
        report
            .skipped
            .push("redis: sessions are kept in memory".to_owned());
        return (report, None);
    };
    report.examined.push("redis".to_owned());
    let url = redis.url.expose_secret();
    exposure(url, sockets, &mut report);
    match tokio::time::timeout(TIMEOUT, connect(redis)).await {
        Ok(Ok(mut connection)) => {
            fitness(&mut connection, &mut report).await;
            (report, Some(connection))
        }
        Ok(Err(error)) => {
            // The address may hold a password; the error's kind says enough.
            let seen = format!("{}: {}", shown(url), error.category());
            report.find(Finding::new(Check::RedisDown, "redis", seen, FIX));
            (report, None)
        }
        Err(_) => {
            let seen = format!("{}: no answer within {} s", shown(url), TIMEOUT.as_secs());
            report.find(Finding::new(Check::RedisDown, "redis", seen, FIX));
            (report, None)
        }
    }
}

const FIX: &str = "start redis-server (6.2 or later), or let sessions.redis_url say where it is";

/// The address without user and password.
fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let _ = (url.set_username(""), url.set_password(None));
            url.set_query(None);
            url.to_string()
        }
        Err(_) => "its address".to_owned(),
    }
}

async fn connect(redis: &Redis) -> redis::RedisResult<MultiplexedConnection> {
    let address = redis.address().map_err(|error| {
        let kind = redis::ErrorKind::InvalidClientConfig;
        redis::RedisError::from((kind, "no address", error.to_string()))
    })?;
    let master = address.locate(TIMEOUT).await?;
    let mut connection = master.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async::<String>(&mut connection).await?;
    Ok(connection)
}

fn exposure(url: &str, sockets: Option<&Sockets>, report: &mut Report) {
    let Some((sockets, url)) = sockets.zip(Url::parse(url).ok()) else {
        return;
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let port = url.port().unwrap_or(6379);
    let exposed = if local { sockets.exposed(port) } else { Vec::new() };
    if !exposed.is_empty() {
        let addresses: Vec<String> = exposed.iter().map(ToString::to_string).collect();
        let seen = format!("it listens on {}", addresses.join(" and "));
        let fix = "bind 127.0.0.1 -::1 in redis.conf: whoever reaches it may end and forge sessions";
        report.find(Finding::new(Check::Exposed, "redis", seen, fix));
    }
}

/// Old servers cannot announce changes, and replicas answer from the past.
async fn fitness(connection: &mut MultiplexedConnection, report: &mut Report) {
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(connection)
        .await
        .unwrap_or_default();
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map(|number| number.trim().parse::<u32>().unwrap_or_default());
    let release = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    if !version.is_empty() && release < (6, 2) {
        let seen = format!("it is Redis {version}");
        report.find(Finding::new(
            Check::RedisDown,
            "redis",
            seen,
            "6.2 or later is needed (platform README §4)",
        ));
    }
    let role: Vec<redis::Value> = redis::cmd("ROLE")
        .query_async(connection)
        .await
        .unwrap_or_default();
    let role: Option<String> = role
        .into_iter()
        .next()
        .and_then(|role| redis::from_redis_value(role).ok());
    if role.as_deref().is_some_and(|role| role != "master") {
        let seen = format!("it is a {}", role.unwrap_or_default());
        report.find(Finding::new(
            Check::RedisDown,
            "redis",
            seen,
            "name the master: a replica answers from the past",
        ));
    }
    let time: Vec<i64> = redis::cmd("TIME")
        .query_async(connection)
        .await
        .unwrap_or_default();
    skew::compare("redis", time.first().copied(), report);
}

/// The e-mail addresses of people who are signed in, as far as a look at some sessions shows.
pub(crate) async fn people(connection: &mut MultiplexedConnection) -> Vec<String> {
    let (mut cursor, mut found, mut seen) = (0_u64, Vec::new(), 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg("session:*")
            .arg("COUNT")
            .arg(500);
        let Ok((next, keys)) = scan.query_async::<(u64, Vec<String>)>(connection).await else {
            break;
        };
        for key in keys {
            let value: Option<Vec<u8>> = redis::cmd("GET")
                .arg(key)
                .query_async(connection)
                .await
                .unwrap_or_default();
            let record = value.and_then(|value| SessionRecord::from_json(&value).ok());
            if let Some(record) =
                record.filter(|record| !record.revoked && !record.user_data.email.is_empty())
            {
                found.push(record.user_data.email);
            }
            seen += 1;
        }
        cursor = next;
        if cursor == 0 || seen >= SESSIONS {
            break;
        }
    }
    found.sort();
    found.dedup();
    found
}
