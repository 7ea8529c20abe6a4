//! The line `ready <URL>` on stdout, which scripts and tests wait for, and the request that proves it true.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use crate::failure::Failure;

/// How long a gateway may take from its start to its first answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Prints the line. Nothing else of a server command goes to stdout.
pub(crate) fn announce(url: &str) {
    let mut stdout = std::io::stdout().lock();
    // Nobody reads it? Then nobody waits for it.
    let _ = writeln!(stdout, "ready {url}").and_then(|()| stdout.flush());
}

/// Asks `origin` for `/health` as a client would, until it answers 200.
///
/// The connection goes to `address` whatever the origin's name resolves to, and trusts `certificate` (PEM) besides
/// the usual authorities.
pub(crate) async fn wait(
    origin: &str,
    address: SocketAddr,
    certificate: Option<&str>,
) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Outside(format!("the gateway does not answer at {origin}/health: {error}"))
    };
    let client = client(origin, address, certificate).map_err(|error| failed(&error))?;
    let ask = async || {
        client
            .get(format!("{origin}/health"))
            .send()
            .await?
            .error_for_status()
    };
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(_) => return Ok(()),
            Err(error) if tokio::time::Instant::now() > end => return Err(failed(&chain(&error))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn client(origin: &str, address: SocketAddr, certificate: Option<&str>) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2));
    let host = url::Url::parse(origin)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    if let Some(host) = host {
        builder = builder.resolve(&host, address);
    }
    if let Some(pem) = certificate {
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes())?);
    }
    builder.build()
}

/// An error with its causes; the HTTP client's own sentence does not name them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
