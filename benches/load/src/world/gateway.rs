//! Gateways: their configuration, and starting them. The executable is the one that runs the benchmark.

use crate::error::BenchError;
use crate::plan::Plan;
use crate::stage::{Program, Stage, Started};

use super::{World, until};

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
    let file = stage.write(&format!("{name}.toml"), configuration(world, plan, port))?;
    let arguments = ["gateway".into(), "--config".into(), file];
    let started = stage.start(&Program::new(name, &plan.executable, arguments))?;
    until(&started, async || started.ready()).await?;
    Ok((started, port))
}

/// As in production, but for limits that one client would reach who stands for many.
fn configuration(world: &World, plan: &Plan, port: u16) -> String {
    let origins: Vec<String> = world
        .gateways
        .iter()
        .map(|port| format!("{:?}", origin(*port)))
        .collect();
    format!(
        r#"[server]
listen = "127.0.0.1:{port}"
public_origins = [{origins}]
threads = {threads}
grace = "500ms"

[admin]
listen = "off"

[limits]
connections_per_address = 100000
requests_per_minute = 0
requests_per_hour = 0
attempts_per_address = 1000000

[timeouts]
keepalive = "10m"

[sessions]
redis_url = "redis://127.0.0.1:{redis}"
sealing_keys = {{ file = {sealing:?} }}
recheck_within = "50m"

[provider]
backend_url = "{provider}"
client_secret = {{ file = {secret:?} }}

[core]
url = "{core}"
secret = {{ file = {secret:?} }}

[codex]
url = "http://127.0.0.1:{service}"

# Pages of this one are composed.
[services.codex]
url = "http://127.0.0.1:{service}"

[services.raw]
url = "http://127.0.0.1:{service}"
composition = "off"

[services.ws]
url = "http://127.0.0.1:{sockets}"
composition = "off"

# The rest of a menu.
[services.ledger]
url = "http://127.0.0.1:{service}"

[services.helm]
url = "http://127.0.0.1:{service}"
"#,
        origins = origins.join(", "),
        threads = plan.threads,
        redis = world.redis,
        sealing = world.sealing,
        secret = world.secret,
        provider = world.provider,
        core = world.core,
        service = world.service,
        sockets = world.sockets,
    )
}
