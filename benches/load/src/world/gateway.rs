//! Gateways: their configuration, and starting them. The executable is the one that runs the benchmark.

use crate::error::BenchError;
use crate::plan::Plan;
use crate::stage::{Program, Stage, Started};

use super::template::Values;
use super::{World, until};

const TEMPLATE: &str = include_str!("../../../peers/gateway.toml");
/// Where the certificate is.
const TLS: &str = "[server.tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n";

/// The number of the gateway that speaks TLS; those before it do not.
pub(crate) const WITH_TLS: usize = super::GATEWAYS;

/// The origin of a gateway at this port.
pub(crate) fn origin(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Starts the gateway of this number, and waits until it answers.
pub(crate) async fn start(
    stage: &Stage,
    world: &World,
    plan: &Plan,
    number: usize,
) -> Result<(Started, u16), BenchError> {
    let port = world.gateways[number];
    let name = format!("gateway-{}", number + 1);
    let file = stage.write(&format!("{name}.toml"), configuration(world, plan, number))?;
    let arguments = ["gateway".into(), "--config".into(), file];
    let started = stage.start(&Program::new(name, &plan.executable, arguments))?;
    until(&started, async || started.ready()).await?;
    Ok((started, port))
}

fn configuration(world: &World, plan: &Plan, number: usize) -> String {
    let port = world.gateways[number];
    // A gateway without a certificate has no origins with https, and the other way round.
    let (tls, origins) = match number {
        WITH_TLS => (TLS, vec![format!("https://127.0.0.1:{port}")]),
        _ => (
            "",
            world.gateways[..WITH_TLS].iter().copied().map(origin).collect(),
        ),
    };
    let origins: Vec<String> = origins.iter().map(|origin| format!("{origin:?}")).collect();
    let values = Values::default()
        .with("PORT", port)
        .with("ORIGINS", origins.join(", "))
        .with("WORKERS", plan.threads)
        .with("SERVER_TLS", tls)
        .with("REDIS", world.redis)
        .with("PROVIDER", &world.provider)
        .with("CORE", &world.core)
        .with("UP", world.service)
        .with("WS", world.sockets);
    values.fill(TEMPLATE)
}
