//! `core = "embedded"`: gateway, Redis and a provider suffice. `hivematrix keys` changes its keys while it runs.

use std::path::PathBuf;

use hivematrix_platform::unix_now;
use hivematrix_tests::{Client, Redis, eventually, free_port};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Binary, Process};

const CLIENT_SECRET: &str = "the client's secret of this case";

/// A gateway with its own Core, a provider, and a service that verifies tokens with that Core's keys.
struct World {
    gateway: Process,
    core: String,
    idp: String,
    ring: PathBuf,
    _others: Vec<Process>,
    _redis: Redis,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let (port, core_port) = (free_port(), free_port());
        let (origin, core) = (
            format!("http://localhost:{port}"),
            format!("http://127.0.0.1:{core_port}"),
        );
        let start = async |arguments: &[&str]| {
            let binary = Binary::new(&[arguments, &["--listen", "127.0.0.1:0"]].concat());
            let binary = binary.env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET);
            binary
                .env("KEYCLOAK_ADMIN_CLIENT_SECRET", CLIENT_SECRET)
                .ready()
                .await
        };
        let idp = start(&["idp", "--origin", &origin, "--admin-client-id", "looker"]).await;
        let template = start(&["template", "--core", &core]).await;
        let file = folder.path().join("gateway.toml");
        let text = format!(
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
            recheck_within = "3s"
            [provider]
            backend_url = "{idp}"
            client_secret = {{ env = "KEYCLOAK_CLIENT_SECRET" }}
            [core.embedded]
            listen = "127.0.0.1:{core_port}"
            [services.template]
            url = "{template}"
            "#,
            redis = redis.url(),
            idp = idp.url,
            template = template.url,
        );
        std::fs::write(&file, text).unwrap();
        let gateway = Binary::new(&["gateway", "--config", file.to_str().unwrap()])
            .env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET)
            .ready()
            .await;
        Self {
            gateway,
            core,
            idp: idp.url.clone(),
            ring: folder.path().join("core-keys.json"),
            _others: vec![idp, template],
            _redis: redis,
            _folder: folder,
        }
    }

    async fn published(&self) -> Vec<String> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(format!("{}/.well-known/jwks.json", self.core))
            .send()
            .await;
        let keys: Value = serde_json::from_slice(&answer.unwrap().bytes().await.unwrap()).unwrap();
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// An administrator of the provider's gives somebody another password.
    async fn give_password(&self, name: &str, password: &str) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let json = async |request: reqwest::RequestBuilder| -> Value {
            let answer = request.send().await.unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "looker"),
            ("client_secret", CLIENT_SECRET),
        ];
        let token = format!("{}/realms/hivematrix/protocol/openid-connect/token", self.idp);
        let token = json(http.post(token).form(&form)).await;
        let users = format!("{}/admin/realms/hivematrix/users", self.idp);
        let token = token["access_token"].as_str().unwrap();
        let known = json(http.get(&users).bearer_auth(token)).await;
        let mut known = known.as_array().unwrap().iter();
        let person = known.find(|user| user["username"] == name).unwrap();
        let reset = format!("{users}/{}/reset-password", person["id"].as_str().unwrap());
        let body = serde_json::json!({"type": "password", "value": password});
        let reset = http.put(reset).basic_auth("core-client", Some(CLIENT_SECRET));
        let answer = reset.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    async fn keys(&self, act: &str) -> String {
        let ended = Binary::new(&["keys", act, "--key-ring", self.ring.to_str().unwrap()])
            .ended()
            .await;
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        ended.stdout
    }
}

#[tokio::test]
async fn a_gateway_with_a_core_of_its_own_signs_people_in_and_out_and_ends_when_told_to() {
    let mut world = World::start().await;
    let client = Client::at(&world.gateway.url, None);
    let page = client.login_to("technician", "/template/").await;
    assert_eq!(
        (page.status, page.url.path()),
        (200, "/template/"),
        "{}",
        world.gateway.stderr()
    );
    assert!(page.text().contains("hivematrix-side-panel"), "{}", page.text());
    assert_eq!(
        client.fetch("/core/health").await.status,
        404,
        "it is not mounted"
    );

    world.gateway.signal("TERM");
    let (status, _, _) = world.gateway.end().await;
    assert_eq!(status, 0, "{}", world.gateway.stderr());
}

#[tokio::test]
async fn a_session_of_a_core_of_its_own_ends_when_its_person_has_another_password() {
    let world = World::start().await;
    let client = Client::at(&world.gateway.url, None);
    client.login_to("technician", "/template/").await;
    let now = unix_now();
    let later = async || (unix_now() > now + 3).then_some(());
    eventually("the login is a while ago", later).await;
    assert_eq!(client.fetch("/template/").await.status, 200);
    world.give_password("technician", "another").await;
    let ended = async || (client.fetch("/template/").await.status == 401).then_some(());
    eventually("the session has ended", ended).await;
    let page = client.login_to("technician", "/template/").await;
    assert!(page.url.path().starts_with("/keycloak/"), "{page:?}");
}

#[tokio::test]
async fn keys_are_rotated_while_it_runs_and_who_is_signed_in_stays_so() {
    let world = World::start().await;
    let client = Client::at(&world.gateway.url, None);
    client.login_to("technician", "/template/").await;
    let [before] = &world.published().await[..] else {
        panic!("one key")
    };

    let told = world.keys("rotate").await;
    assert!(told.contains("signs from") && told.contains(before), "{told}");
    assert!(!told.contains("PRIVATE"));
    eventually("the new key is published behind the one that signs", async || {
        let keys = world.published().await;
        (keys.len() == 2 && &keys[0] == before).then_some(())
    })
    .await;
    assert_eq!(client.fetch("/template/").await.status, 200);
    let again = Binary::new(&["keys", "rotate", "--key-ring", world.ring.to_str().unwrap()])
        .ended()
        .await;
    assert_eq!(again.status, 1);
    assert!(again.stderr.contains("rotate after that"), "{}", again.stderr);
    assert_eq!(world.keys("list").await.lines().count(), 2);
}

#[tokio::test]
async fn cores_on_one_redis_share_a_sealed_ring() {
    let redis = Redis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let sealing = folder.path().join("sealing.keys");
    let (url, sealing) = (redis.url(), sealing.to_str().unwrap());
    let arguments = [
        "core",
        "--redis",
        &url,
        "--key-ring-in-redis",
        "--ring-sealing-keys",
        sealing,
    ];
    let start = async || {
        Binary::new(&[&arguments[..], &["--listen", "127.0.0.1:0"]].concat())
            .ready()
            .await
    };
    let (one, other) = (start().await, start().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut sets = Vec::new();
    for core in [&one, &other] {
        let answer = client
            .get(format!("{}/.well-known/jwks.json", core.url))
            .send()
            .await
            .unwrap();
        sets.push(answer.bytes().await.unwrap());
    }
    assert_eq!(sets[0], sets[1]);
    let listed = Binary::new(&[&["keys", "list"], &arguments[1..]].concat())
        .ended()
        .await;
    assert_eq!(
        (listed.status, listed.stdout.lines().count()),
        (0, 1),
        "{}",
        listed.stderr
    );
}

#[tokio::test]
async fn keys_of_no_ring_are_not_guessed_at() {
    let ended = Binary::new(&["keys", "list"]).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (64, ""));
    assert!(ended.stderr.contains("--key-ring"), "{}", ended.stderr);
}
