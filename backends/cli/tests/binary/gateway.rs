//! `hivematrix gateway`, alone and with every other part as a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hivematrix_tests::{Client, Redis, eventually, free_port};
use tempfile::TempDir;

use super::process::{Binary, Process};

const CLIENT_SECRET: &str = "the client's secret of this case";
const CORE_SECRET: &str = "the gateway's secret of this case";

/// The whole platform, each part a process: as it runs in production, with the development identity provider.
struct Processes {
    gateway: Process,
    _others: Vec<Process>,
    _redis: Redis,
    folder: TempDir,
}

impl Processes {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let origin = format!("http://localhost:{}", free_port());
        let start = async |arguments: &[&str]| {
            let binary = Binary::new(&[arguments, &["--listen", "127.0.0.1:0"]].concat());
            binary
                .env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET)
                .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET)
                .ready()
                .await
        };
        let idp = start(&["idp", "--origin", &origin]).await;
        let core = start(&["core", "--redis", &redis.url(), "--provider", &idp.url]).await;
        let codex = start(&["codex", "--demo-data", "--core", &core.url]).await;
        let template = start(&["template", "--core", &core.url]).await;
        let config = configuration(&origin, &redis.url(), [&idp, &core, &codex, &template]);
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        let gateway = gateway(&folder.path().join("gateway.toml")).ready().await;
        assert_eq!(gateway.url, origin);
        Self {
            gateway,
            _others: vec![idp, core, codex, template],
            _redis: redis,
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// Changes the configuration as an editor does.
    fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "no {from} in {text}");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }
}

fn gateway(file: &Path) -> Binary {
    Binary::new(&["gateway", "--config", file.to_str().unwrap()])
        .env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET)
        .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET)
}

fn configuration(origin: &str, redis: &str, [idp, core, codex, template]: [&Process; 4]) -> String {
    let port = origin.rsplit(':').next().unwrap();
    format!(
        r#"
        [server]
        listen = "127.0.0.1:{port}"
        public_origins = ["{origin}"]
        grace = "500ms"
        [admin]
        listen = "off"
        [sessions]
        redis_url = "{redis}"
        sealing_keys = {{ file = "sealing.keys" }}
        [provider]
        backend_url = "{idp}"
        client_secret = {{ env = "KEYCLOAK_CLIENT_SECRET" }}
        [core]
        url = "{core}"
        [home]
        default_service = "codex"
        [services.codex]
        url = "{codex}"
        [services.template]
        url = "{template}"
        "#,
        idp = idp.url,
        core = core.url,
        codex = codex.url,
        template = template.url,
    )
}

#[tokio::test]
async fn the_parts_as_processes_of_their_own_make_one_platform() {
    let mut platform = Processes::start().await;
    let client = Client::at(&platform.gateway.url, None);
    let page = client.login_to("technician", "/codex/").await;
    assert_eq!(
        (page.status, page.url.path()),
        (200, "/codex/"),
        "{}",
        platform.gateway.stderr()
    );
    assert!(page.text().contains("hivematrix-side-panel"), "{}", page.text());
    assert_eq!(client.navigate("/template/").await.status, 200);

    let log = platform.gateway.told("/template/").await;
    let mut lines = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON lines"));
    let access = lines
        .rfind(|line| line["logger"] == "hivematrix::access")
        .expect("an access line");
    assert_eq!(
        (&access["level"], access["extra"]["status"].as_u64()),
        (&"INFO".into(), Some(200)),
        "{access}"
    );
    assert!(
        access["correlation_id"].is_string() && access["user_id"].is_string(),
        "{access}"
    );

    platform.gateway.signal("TERM");
    let (status, took, rest) = platform.gateway.end().await;
    assert_eq!((status, rest.as_str()), (0, ""), "{}", platform.gateway.stderr());
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_changed_file_is_taken_over_and_a_bad_one_changes_nothing() {
    let platform = Processes::start().await;
    let client = Client::at(&platform.gateway.url, None);
    client.login_to("technician", "/codex/").await;
    assert_eq!(client.fetch("/moved/").await.status, 404);

    platform.change(
        "[services.template]",
        "[services.template]\n        prefix = \"/moved\"",
    );
    eventually("the new prefix answers", async || {
        (client.fetch("/moved/").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(client.fetch("/template/").await.status, 404);

    platform.change(
        "[services.template]",
        "[services.template]\n        prefx = \"/again\"",
    );
    platform.gateway.told("gateway.toml:").await;
    assert_eq!(
        client.fetch("/moved/").await.status,
        200,
        "the old version goes on"
    );
}

#[tokio::test]
async fn a_bad_configuration_is_explained_as_by_check_and_the_status_is_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = 8000\npublic_origins = [\"http://localhost:8000\"]\n",
    )
    .unwrap();
    let ended = gateway(&file).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (64, ""));
    let place = format!("{}:2:10: error: ", file.display());
    assert!(
        ended.stderr.lines().any(|line| line.starts_with(&place)),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "[server]\nlisten = \"{address}\"\npublic_origins = [\"http://localhost:{}\"]\n[admin]\nlisten = \"off\"\n\
         [log]\nformat = \"human\"\n[sessions]\nstore = \"memory\"\n[provider]\n\
         client_secret = {{ env = \"KEYCLOAK_CLIENT_SECRET\" }}\n[services.codex]\nurl = \"http://127.0.0.1:5010\"\n",
        address.port()
    );
    std::fs::write(&file, text).unwrap();
    let ended = gateway(&file).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains(&format!("hivematrix: {address} is already in use")),
        "{}",
        ended.stderr
    );
}
