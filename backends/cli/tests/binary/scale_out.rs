//! Three gateways and two Cores, processes that share a Redis and key files and nothing else, behind a balancer: each is
//! ended and started again under load, in good order and by force, and nobody notices.
//!
//! Nobody can answer a request that a killed process had in its hands. So the people of this case press "reload" when a
//! connection breaks; what must not happen is that this does not help, that a login ends anywhere but where it wanted to,
//! or that a revoked session is let in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hivematrix_tests::{Balancer, Client, Redis, Reloads, eventually, free_port};
use tokio::task::JoinSet;

use super::process::{Binary, Process};

const CLIENT_SECRET: &str = "the client's secret of this case";
const CORE_SECRET: &str = "the gateway's secret of this case";

/// Far beyond what it takes until every gateway refuses a session that has ended.
const SOON: Duration = Duration::from_secs(5);

/// How a process ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is asked to (SIGTERM), and lets requests end.
    InGoodOrder,
    /// It is killed (SIGKILL).
    ByForce,
}

/// A process that can be started again as it was.
struct Part {
    arguments: Vec<String>,
    process: Process,
    /// What it and those before it have complained of.
    complaints: Vec<String>,
}

impl Part {
    async fn start(arguments: Vec<String>) -> Self {
        let process = launch(&arguments).await;
        Self {
            arguments,
            process,
            complaints: Vec::new(),
        }
    }

    async fn end_and_start_again(&mut self, end: End) {
        self.process.signal(match end {
            End::InGoodOrder => "TERM",
            End::ByForce => "KILL",
        });
        self.process.gone().await;
        self.note_complaints();
        self.process = launch(&self.arguments).await;
    }
}

impl Part {
    fn note_complaints(&mut self) {
        let stderr = self.process.stderr();
        let lines = stderr
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"));
        self.complaints.extend(lines.map(str::to_owned));
    }
}

async fn launch(arguments: &[String]) -> Process {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Binary::new(&arguments)
        .env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET)
        .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET)
        .ready()
        .await
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

/// The platform.
struct Platform {
    origin: String,
    gateways: Vec<Part>,
    cores: Vec<Part>,
    _others: Vec<Process>,
    _balancer: Balancer,
    _redis: Redis,
    _folder: tempfile::TempDir,
}

impl Platform {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (balancer, of) = Balancer::on_a_free_port().await;
        let origin = format!("http://localhost:{}", balancer.address().port());
        let idp = launch(&owned(&["idp", "--origin", &origin, "--listen", "127.0.0.1:0"])).await;
        let key = folder.path().join("core.pem");
        let mut cores = Vec::new();
        for _ in 0..2 {
            let listen = format!("127.0.0.1:{}", free_port());
            let key = key.to_str().unwrap();
            let arguments = [
                "core",
                "--redis",
                &redis.url(),
                "--redis-timeout",
                "5000",
                "--provider",
                &idp.url,
                "--key",
                key,
                "--listen",
                &listen,
            ];
            cores.push(Part::start(owned(&arguments)).await);
        }
        let urls: Vec<String> = cores.iter().map(|core| core.process.url.clone()).collect();
        let template = launch(&owned(&[
            "template",
            "--core",
            &urls[0],
            "--listen",
            "127.0.0.1:0",
        ]))
        .await;
        let (mut gateways, mut targets) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let text = configuration(listen, &origin, &redis.url(), &idp.url, &urls, &template.url);
            let file = written(folder.path(), number, &text);
            gateways.push(Part::start(owned(&["gateway", "--config", file.to_str().unwrap()])).await);
            targets.push(listen);
        }
        of.serve(targets);
        Self {
            origin,
            gateways,
            cores,
            _others: vec![idp, template],
            _balancer: balancer,
            _redis: redis,
            _folder: folder,
        }
    }
}

fn written(folder: &Path, number: usize, text: &str) -> PathBuf {
    let file = folder.join(format!("gateway{number}.toml"));
    std::fs::write(&file, text).unwrap();
    file
}

fn configuration(
    listen: SocketAddr,
    origin: &str,
    redis: &str,
    idp: &str,
    cores: &[String],
    template: &str,
) -> String {
    format!(
        r#"
        [server]
        listen = "{listen}"
        public_origins = ["{origin}"]
        grace = "2s"
        [admin]
        listen = "off"
        [limits]
        requests_per_minute = 0
        requests_per_hour = 0
        attempts_per_address = 100000
        sessions_per_user = 10000
        [sessions]
        redis_url = "{redis}"
        redis_timeout = "5s"
        sealing_keys = {{ file = "sealing.keys" }}
        [provider]
        backend_url = "{idp}"
        client_secret = {{ env = "KEYCLOAK_CLIENT_SECRET" }}
        [core]
        url = "{first}"
        other_urls = ["{second}"]
        [services.template]
        url = "{template}"
        "#,
        first = cores[0],
        second = cores[1],
    )
}

/// What people do meanwhile, and how it went.
#[derive(Clone, Default)]
struct Load {
    stop: Arc<AtomicBool>,
    reloads: Reloads,
    logins: Arc<AtomicUsize>,
    /// Those who have copied the cookie of somebody who signed out later.
    thieves: Arc<Mutex<Vec<Client>>>,
}

impl Load {
    fn person(&self, origin: &str) -> Client {
        Client::at(origin, None).reloading(&self.reloads)
    }

    /// Signs in, over and over, each time as somebody new; what did not end where it should.
    async fn sign_in(self, origin: String) -> Vec<String> {
        let mut failed = Vec::new();
        while !self.stop.load(SeqCst) {
            let person = self.person(&origin);
            let page = person.login_to("technician", "/template/").await;
            if (page.status, page.url.path()) != (200, "/template/") {
                failed.push(format!("{page:?}"));
            }
            self.logins.fetch_add(1, SeqCst);
        }
        failed
    }

    /// Signs in and out again, over and over.
    async fn sign_out(self, origin: String) {
        while !self.stop.load(SeqCst) {
            let thief = signed_out(&self, &origin).await;
            self.thieves.lock().unwrap().push(thief);
        }
    }

    /// Asks, over and over; how often the answer had which status.
    async fn ask(self, person: Client) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        while !self.stop.load(SeqCst) {
            *counts.entry(person.fetch("/template/").await.status).or_default() += 1;
        }
        counts
    }

    /// Asks with every cookie that was copied and is worth nothing any more, over and over; how often the answer had
    /// which status.
    async fn steal(self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        while !self.stop.load(SeqCst) {
            let thieves = self.thieves.lock().unwrap().clone();
            for thief in thieves {
                *counts.entry(thief.fetch("/template/").await.status).or_default() += 1;
            }
        }
        counts
    }

    /// Waits until so many have signed in since.
    async fn goes_on(&self) {
        let before = self.logins.load(SeqCst);
        let more = async || (self.logins.load(SeqCst) > before + 2).then_some(());
        eventually("people sign in", more).await;
    }
}

/// Somebody signs in, and out again; what a thief has who copied the cookie before.
async fn signed_out(load: &Load, origin: &str) -> Client {
    let person = load.person(origin);
    person.login_to("technician", "/template/").await;
    let cookie = person.cookie("__Host-hivematrix").expect("a session");
    let thief = load.person(origin);
    thief.set_cookie("/", &format!("__Host-hivematrix={cookie}; Path=/; Secure"));
    assert_eq!(thief.fetch("/template/").await.status, 200, "not yet");
    let page = person.navigate("/logout").await;
    person.submit_once(&page, &[]).await;
    let told = Instant::now();
    while thief.fetch("/template/").await.status != 401 {
        assert!(told.elapsed() < SOON, "a session that has ended is still let in");
    }
    thief
}

#[tokio::test]
async fn gateways_and_cores_come_and_go_under_load_and_nobody_is_signed_out_or_wrongly_let_in() {
    let mut platform = Platform::start().await;
    let (origin, load) = (platform.origin.clone(), Load::default());
    let staying = load.person(&origin);
    staying.login_to("technician", "/template/").await;
    let thief = signed_out(&load, &origin).await;
    load.thieves.lock().unwrap().push(thief);

    let mut signing_in = JoinSet::new();
    for _ in 0..2 {
        signing_in.spawn(load.clone().sign_in(origin.clone()));
    }
    let stays = tokio::spawn(load.clone().ask(staying));
    let signing_out = tokio::spawn(load.clone().sign_out(origin.clone()));
    let steals = tokio::spawn(load.clone().steal());
    for end in [End::InGoodOrder, End::ByForce] {
        for core in &mut platform.cores {
            core.end_and_start_again(end).await;
            load.goes_on().await;
        }
        for gateway in &mut platform.gateways {
            gateway.end_and_start_again(end).await;
            load.goes_on().await;
        }
    }
    load.stop.store(true, SeqCst);

    let failed: Vec<String> = signing_in.join_all().await.into_iter().flatten().collect();
    if !failed.is_empty() {
        for part in platform.gateways.iter_mut().chain(&mut platform.cores) {
            part.note_complaints();
            eprintln!("{:?}: {:#?}", part.arguments, part.complaints);
        }
    }
    assert!(failed.is_empty(), "{} logins failed: {failed:#?}", failed.len());
    let (logins, reloads) = (load.logins.load(SeqCst), load.reloads.count());
    assert!(logins >= 20, "{logins} logins");
    let stays = stays.await.unwrap();
    signing_out.await.unwrap();
    let ended = load.thieves.lock().unwrap().len();
    assert!(ended >= 5, "{ended} have signed out");
    assert_eq!(
        stays.keys().collect::<Vec<_>>(),
        [&200],
        "who was signed in stays so: {stays:?}"
    );
    let steals = steals.await.unwrap();
    assert_eq!(
        steals.keys().collect::<Vec<_>>(),
        [&401],
        "sessions that have ended: {steals:?}"
    );
    let asked: usize = stays.values().chain(steals.values()).sum();
    eprintln!("{logins} logins, {ended} logouts and {asked} requests, {reloads} of them sent again");
}
