//! A gateway inside your own program: configuration in code, your own service behind it.
//!
//! `cargo run -p hivematrix-gateway --example embed`, then `curl -i http://localhost:8000/hello/` shows that
//! a program without a session gets 401 problem+json, and `curl http://localhost:8000/hello/open` what is
//! public.

use axum::Router;
use axum::routing::get;
use hivematrix_gateway::Builder;
use hivematrix_gateway::config::{Config, Core, Origin, Provider, PublicPath, PublicRule, Service, Upstream};
use hivematrix_platform::ServiceName;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let at = format!("http://{}", listener.local_addr()?);
    let hello = Router::new()
        .route("/", get(|| async { "for signed-in users" }))
        .route("/open", get(|| async { "for everybody\n" }));
    tokio::spawn(async move { axum::serve(listener, hello).await });

    let mut service = Service::new(ServiceName::parse("hello")?, Upstream::parse(&at)?);
    service.public.push(PublicRule {
        path: PublicPath::Exact("/open".to_owned()),
        methods: vec![http::Method::GET, http::Method::HEAD],
    });
    let provider = Provider::new(
        "http://127.0.0.1:8080".parse()?,
        "the client's secret".to_owned().into(),
    );
    let core = Core::new("http://127.0.0.1:5000".parse()?);
    let origin = Origin::parse("http://localhost:8000")?;
    let mut config = Config::minimal("127.0.0.1:8000".parse()?, origin, provider, core);
    config.services.push(service);

    let gateway = Builder::new(config).start().await?;
    eprintln!("listening on http://localhost:{}", gateway.address().port());
    gateway.wait().await?;
    Ok(())
}
