//! New service: a service of HiveMatrix. Starts it; what it does is in `pages.rs`, who calls in `caller.rs`.

mod caller;
mod pages;

use std::net::SocketAddr;

use tokio::net::TcpListener;

use caller::Callers;

/// The name in the registry, the first part of every address: /new-service/…
pub(crate) const NAME: &str = "new-service";

/// Where it listens, unless LISTEN says otherwise.
const LISTEN: &str = "127.0.0.1:5099";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let listen: SocketAddr = setting("LISTEN", LISTEN).parse()?;
    if !listen.ip().is_loopback() {
        // The gateway is the only door. Whoever reached this service past it could be anybody.
        return Err(format!("LISTEN={listen}: a service listens on loopback only").into());
    }
    let core = setting("CORE_SERVICE_URL", "http://127.0.0.1:5000");
    let issuer = setting("HIVEMATRIX_ISSUER", "hivematrix-core");
    let callers = Callers::of_core(&core, &issuer, NAME)?;

    let listener = TcpListener::bind(listen).await?;
    eprintln!("{NAME} answers at http://{}", listener.local_addr()?);
    axum::serve(listener, pages::router(callers))
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}
