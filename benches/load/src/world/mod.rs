//! What stands behind all subjects, once per run: Redis, the service, Core, the identity provider, and people who are
//! signed in.

pub(crate) mod fixtures;
pub(crate) mod gateway;
pub(crate) mod people;
pub(crate) mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hivematrix_platform::SealingKeys;
use secrecy::ExposeSecret as _;

use crate::error::BenchError;
use crate::plan::Plan;
use crate::programs::{Found, Known, REDIS};
use crate::stage::{Program, Stage, Started, ports};
use people::{KEY_ID, People, Person};
use template::Values;

/// How long a part may take until it answers; an unoptimized build on a busy machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Gateways that share a Redis, at most.
pub(crate) const GATEWAYS: usize = 4;
/// The gateway's secret at the provider, and at Core: of no use after the run.
const SECRET: &str = "of this benchmark alone";

const UPSTREAM: &str = include_str!("../../../peers/upstream.conf");

/// nginx, as a service.
const NGINX: Known = Known {
    name: "nginx",
    purpose: "the service behind all",
    get: "apt-get install nginx",
    version: &["-v"],
};

/// The parts behind the subjects.
pub(crate) struct World {
    /// The service, over HTTP.
    pub(crate) service: u16,
    /// The service's WebSocket.
    pub(crate) sockets: u16,
    /// Where gateways will listen.
    pub(crate) gateways: [u16; GATEWAYS + 1],
    /// Core's address.
    pub(crate) core: String,
    /// The identity provider's address.
    pub(crate) provider: String,
    /// Redis's port.
    pub(crate) redis: u16,
    /// Who can be signed in.
    pub(crate) people: People,
    /// Who asks in all scenarios but those of many sessions.
    pub(crate) person: Person,
    /// What everything is made of.
    pub(crate) programs: Vec<Found>,
    /// What the service is.
    pub(crate) service_is: &'static str,
}

impl World {
    /// Starts everything.
    pub(crate) async fn start(stage: &Stage, plan: &Plan) -> Result<Self, BenchError> {
        let redis_server = REDIS.find(&plan.programs).await?;
        let ([redis], gateways) = (ports::free()?, ports::free()?);
        start_redis(stage, &redis_server, redis).await?;
        let fresh = SealingKeys::fresh_base64();
        stage.write_secret("sealing.keys", fresh.expose_secret())?;
        stage.write_secret("secret", SECRET)?;
        let keys = SealingKeys::from_base64(fresh.expose_secret())
            .map_err(|error| BenchError::outside("the sealing keys", error))?;
        let people = People::new(redis, keys)?;
        stage.write("pub.pem", &people.public)?;
        certificate(stage)?;
        let key = stage.write_secret("key.pem", &people.key)?;

        let (mut programs, mut service_is) = (vec![redis_server], "a small server of our own");
        let nginx = NGINX.find(&plan.programs).await.ok();
        let (own, sockets) = start_service(stage, plan).await?;
        let service = match nginx {
            Some(nginx) => {
                let port = start_nginx(stage, &nginx).await?;
                programs.push(nginx);
                service_is = "nginx";
                port
            }
            None => own,
        };
        let origins = gateways
            .iter()
            .flat_map(|port| ["--origin".to_owned(), gateway::origin(*port)]);
        let provider = own_part(stage, plan, "idp", origins.collect()).await?;
        let core = [
            "--redis",
            &format!("redis://127.0.0.1:{redis}"),
            "--provider",
            &provider,
            "--key",
        ];
        let mut core: Vec<String> = core.map(str::to_owned).to_vec();
        core.extend([
            key.display().to_string(),
            "--key-id".to_owned(),
            KEY_ID.to_owned(),
        ]);
        let core = own_part(stage, plan, "core", core).await?;
        let person = people.sign_in(1).await?.pop();
        Ok(Self {
            service,
            sockets,
            gateways,
            core,
            provider,
            redis,
            people,
            person: person.ok_or_else(|| BenchError::Outside("nobody could be signed in".to_owned()))?,
            programs,
            service_is,
        })
    }
}

/// A certificate for this machine, signed by itself: `tls.crt`, `tls.key`, and `tls.pem` with both.
fn certificate(stage: &Stage) -> Result<(), BenchError> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]);
    let made = made.map_err(|error| BenchError::outside("a certificate", error))?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    stage.write("tls.crt", &certificate)?;
    stage.write_secret("tls.key", &key)?;
    stage.write_secret("tls.pem", &(certificate + &key))?;
    Ok(())
}

async fn start_redis(stage: &Stage, found: &Found, port: u16) -> Result<(), BenchError> {
    let folder = stage.path("");
    let port_text = port.to_string();
    let arguments = [
        "--bind",
        "127.0.0.1",
        "--port",
        &port_text,
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
    ];
    let arguments = arguments.map(PathBuf::from).into_iter().chain([folder]);
    let started = stage.start(&Program::new("redis", &found.path, arguments))?;
    listening(&started, port).await
}

/// The service as nginx. As a server it is cheaper than anything of ours, which leaves more of the machine to who is
/// measured.
async fn start_nginx(stage: &Stage, found: &Found) -> Result<u16, BenchError> {
    let html = stage.path("html");
    std::fs::create_dir_all(&html).map_err(|error| BenchError::outside(html.display(), error))?;
    stage.write("html/json", fixtures::json())?;
    stage.write("html/page", fixtures::page())?;
    let port = ports::one()?;
    let values = Values::common()
        .with("DIR", stage.path("").display())
        .with("UP", port);
    let file = stage.write("upstream.conf", values.fill(UPSTREAM))?;
    let arguments = ["-e".into(), "stderr".into(), "-c".into(), file];
    let started = stage.start(&Program::new("service", &found.path, arguments))?;
    listening(&started, port).await?;
    Ok(port)
}

/// Our own service: its ports for HTTP and for WebSockets.
async fn start_service(stage: &Stage, plan: &Plan) -> Result<(u16, u16), BenchError> {
    let ports: [u16; 2] = ports::free()?;
    let [http, sockets] = ports.map(|port| port.to_string());
    let program = Program::new("sockets", &plan.executable, ["bench", "serve", &http, &sockets]);
    let started = stage.start(&program)?;
    listening(&started, ports[0]).await?;
    listening(&started, ports[1]).await?;
    Ok((ports[0], ports[1]))
}

/// One of our own backends; its address.
async fn own_part(
    stage: &Stage,
    plan: &Plan,
    name: &str,
    arguments: Vec<String>,
) -> Result<String, BenchError> {
    let usual = [name, "--listen", "127.0.0.1:0"].map(str::to_owned);
    let program = Program::new(name, &plan.executable, usual.into_iter().chain(arguments))
        .env("KEYCLOAK_CLIENT_SECRET", SECRET)
        .env("HIVEMATRIX_CORE_SECRET", SECRET);
    let started = stage.start(&program)?;
    until(&started, async || started.ready()).await
}

/// Waits until somebody listens on a port.
pub(crate) async fn listening(started: &Started, port: u16) -> Result<(), BenchError> {
    let connects = async || {
        let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        connected.ok().map(drop)
    };
    until(started, connects).await
}

/// Waits for something of a process, which must not end meanwhile.
pub(crate) async fn until<T>(started: &Started, there: impl AsyncFn() -> Option<T>) -> Result<T, BenchError> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = there().await {
            return Ok(found);
        }
        if tokio::time::Instant::now() > end || !started.runs() {
            return Err(BenchError::Outside(format!(
                "{} does not start: {}",
                started.name,
                started.last_words()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Environment for Go programs, which otherwise use every core.
pub(crate) fn go_threads(threads: u32) -> BTreeMap<String, String> {
    BTreeMap::from([("GOMAXPROCS".to_owned(), threads.to_string())])
}
