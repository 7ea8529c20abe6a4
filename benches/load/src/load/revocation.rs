//! Revocations: from the write in Redis until every gateway, each of which is asked without a pause, refuses the session.

use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::COOKIE;
use tokio::task::JoinSet;

use super::Counted;
use super::paced::Latencies;
use crate::error::BenchError;
use crate::target::COOKIE as SESSION;
use crate::world::people::{People, Person};

/// How long a refusal may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Revokes the session of each of these people, one after the other, for at most so long.
pub(crate) async fn revoke(
    http: &reqwest::Client,
    people: &People,
    sessions: Vec<Person>,
    gateways: &[u16],
    longest: Duration,
) -> Result<Counted, BenchError> {
    let (began, mut latencies, mut failed) = (Instant::now(), Latencies::new()?, 0);
    for person in sessions {
        if began.elapsed() > longest {
            break;
        }
        match one(http, people, &person, gateways).await? {
            Some(latency) => latencies.add(latency),
            None => failed += 1,
        }
    }
    Ok(latencies.counted(began.elapsed(), failed))
}

/// The time until the last gateway refuses; none if one never does.
async fn one(
    http: &reqwest::Client,
    people: &People,
    person: &Person,
    gateways: &[u16],
) -> Result<Option<Duration>, BenchError> {
    let cookie = format!("{SESSION}={}", person.handle);
    for port in gateways {
        match ask(http, *port, &cookie).await {
            Ok(StatusCode::OK) => {}
            other => {
                return Err(BenchError::Outside(format!(
                    "a gateway does not know a session: {other:?}"
                )));
            }
        }
    }
    let mut asking = JoinSet::new();
    for port in gateways.iter().copied() {
        let (http, cookie) = (http.clone(), cookie.clone());
        asking.spawn(async move {
            // A request that is under way when its session ends may be broken off.
            while ask(&http, port, &cookie).await.ok() != Some(StatusCode::UNAUTHORIZED) {}
            Instant::now()
        });
    }
    let written = Instant::now();
    people.revoke(&person.session).await?;
    let refused = tokio::time::timeout(PATIENCE, asking.join_all()).await;
    Ok(refused
        .ok()
        .and_then(|times| times.into_iter().max())
        .map(|last| last - written))
}

async fn ask(http: &reqwest::Client, port: u16, cookie: &str) -> Result<StatusCode, reqwest::Error> {
    let request = http.get(format!("http://127.0.0.1:{port}/raw/json"));
    let request = request
        .header(COOKIE, cookie)
        .header("Accept", "application/json");
    let answer = request.header("Sec-Fetch-Mode", "cors").send().await?;
    let status = answer.status();
    // So that the connection is used again.
    answer.bytes().await?;
    Ok(status)
}
