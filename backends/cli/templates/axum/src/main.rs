//! New service: a service of HiveMatrix. Starts it; what it does is in `pages.rs`, who calls in `caller.rs`.

mod caller;
mod pages;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;

use caller::Callers;

/// The name in the registry, the first part of every address: /new-service/…
pub(crate) const NAME: &str = "new-service";

/// Where it listens, unless LISTEN says otherwise.
const LISTEN: &str = "127.0.0.1:5099";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let listen = setting("LISTEN", LISTEN);
    let Some(listen) = loopback(&listen) else {
        return Err(
            format!("LISTEN={listen}: this must be a loopback address and a port, such as {LISTEN}").into(),
        );
    };
    let core = setting("CORE_SERVICE_URL", "http://127.0.0.1:5000");
    let issuer = setting("HIVEMATRIX_ISSUER", "hivematrix-core");
    let callers = Callers::of_core(&core, &issuer, NAME)?;

    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("{listen}: {error}; LISTEN chooses another address"))?;
    eprintln!("{NAME} answers at http://{}", listener.local_addr()?);
    axum::serve(listener, pages::router(callers))
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}

/// The gateway is the only door. Whoever reached this service past it could be anybody.
fn loopback(address: &str) -> Option<SocketAddr> {
    address
        .parse()
        .ok()
        .filter(|address: &SocketAddr| address.ip().is_loopback())
}
