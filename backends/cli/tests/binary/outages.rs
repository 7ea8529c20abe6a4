//! Template and Helm when something around them is down, full or makes no sense: a sentence that says what to do, nothing
//! lost, no panic. Real processes, with a real Core that comes and goes.

use std::path::Path;
use std::process::Stdio;

use hivematrix_platform::{Minter, PermissionLevel, SessionId, SigningKey, UserData, unix_now};
use hivematrix_tests::{eventually, free_port};
use reqwest::{Client, Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Binary, Process};

/// A Core that is not there yet, and the token of an administrator that it would have made.
struct Core {
    folder: TempDir,
    port: u16,
    token: String,
}

impl Core {
    fn planned() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate("hivematrix-signing-key-1").unwrap();
        let file = folder.path().join("core.pem");
        std::fs::write(&file, key.to_pem().expose_secret()).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, private).unwrap();
        let ada = UserData {
            sub: "ada".to_owned(),
            name: "Ada Admin".to_owned(),
            email: "ada@hivematrix.example".to_owned(),
            preferred_username: "ada".to_owned(),
            permission_level: PermissionLevel::Admin,
            groups: Vec::new(),
        };
        let minter = Minter::new(key, "hivematrix-core");
        let token = minter.user(&ada, &SessionId::generate(), unix_now()).unwrap().0;
        Self {
            folder,
            port: free_port(),
            token,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn start(&self) -> Process {
        let key = self.folder.path().join("core.pem");
        let listen = format!("127.0.0.1:{}", self.port);
        Binary::new(&[
            "core",
            "--in-memory",
            "--key",
            key.to_str().unwrap(),
            "--listen",
            &listen,
        ])
        .env("KEYCLOAK_CLIENT_SECRET", "a secret for this case")
        .ready()
        .await
    }

    /// Template or Helm, which look for this Core.
    async fn backend(&self, arguments: &[&str]) -> Process {
        let (core, usual) = (self.url(), ["--listen", "127.0.0.1:0", "--core"]);
        Binary::new(&[arguments, &usual, &[&core]].concat()).ready().await
    }

    /// A request of the administrator's, as the gateway would forward it.
    fn request(&self, method: Method, backend: &Process, path: &str) -> RequestBuilder {
        Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .request(method, format!("{}{path}", backend.url))
            .bearer_auth(&self.token)
    }
}

/// Status and text.
async fn sent(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn must_not_have_panicked(backend: &Process) {
    let log = backend.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn while_core_is_down_nobody_new_is_known_which_is_said_and_what_was_there_is_kept() {
    let core = Core::planned();
    for arguments in [&["template"][..], &["helm"]] {
        let backend = core.backend(arguments).await;
        let page = core
            .request(Method::GET, &backend, "/")
            .header("sec-fetch-mode", "navigate");
        let (status, text) = sent(page).await;
        assert_eq!(status, 503, "{arguments:?}: {text}");
        assert!(
            text.contains("cannot be checked at the moment. Nothing was changed; please try again"),
            "{text}"
        );
        assert!(text.contains("<h1"), "a person gets a page: {text}");
        let answer = core.request(Method::GET, &backend, "/").send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "1");
        backend.told("is CORE_SERVICE_URL right?").await;
        // It is Core that is down, not this.
        assert_eq!(sent(core.request(Method::GET, &backend, "/health")).await.0, 200);

        let running = core.start().await;
        let works = async || (sent(core.request(Method::GET, &backend, "/")).await.0 == 200).then_some(());
        eventually("Core is found", works).await;
        let (write, read, body) = match arguments[0] {
            "template" => ("/notes", "/api/notes", "text=kept"),
            _ => (
                "/api/logs/ingest",
                "/api/logs",
                r#"{"service_name":"codex","logs":[{"message":"kept"}]}"#,
            ),
        };
        let kind = if body.starts_with('{') {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let writing = core
            .request(Method::POST, &backend, write)
            .header("content-type", kind)
            .body(body);
        let (status, text) = sent(writing).await;
        assert!(status < 400, "{arguments:?}: {status} {text}");

        // Whose keys are known need no Core.
        drop(running);
        let gone = async || Client::new().get(core.url()).send().await.is_err().then_some(());
        eventually("Core is gone", gone).await;
        let (status, text) = sent(core.request(Method::GET, &backend, read)).await;
        assert!(
            status == 200 && text.contains("kept"),
            "{arguments:?}: {status} {text}"
        );
        must_not_have_panicked(&backend);
    }
}

#[tokio::test]
async fn helm_shows_which_services_are_down_and_template_says_that_codex_is() {
    let core = Core::planned();
    let running = core.start().await;
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("services.json");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let services = json!({"core": {"url": core.url()}, "codex": {"url": nowhere}});
    std::fs::write(&registry, services.to_string()).unwrap();
    let helm = core
        .backend(&["helm", "--registry", registry.to_str().unwrap()])
        .await;
    let statuses = async || {
        let (_, text) = sent(core.request(Method::GET, &helm, "/api/services/status")).await;
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let all = statuses().await;
    let of = |all: &Value, name: &str| {
        let status = &all[name];
        (
            status["status"].clone(),
            status["health"].clone(),
            status["health_message"].clone(),
        )
    };
    assert_eq!(of(&all, "core").1, "healthy", "{all}");
    let down = (
        json!("stopped"),
        json!("unreachable"),
        json!("Nothing answers at this address."),
    );
    assert_eq!(of(&all, "codex"), down);
    drop(running);
    let noticed = async || (of(&statuses().await, "core") == down).then_some(());
    eventually("Helm shows that Core is down", noticed).await;
    let (status, page) = sent(core.request(Method::GET, &helm, "/")).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("0 of 2 healthy"), "{page}");
    must_not_have_panicked(&helm);

    let _running = core.start().await;
    let template = core.backend(&["template", "--codex", &nowhere]).await;
    let page = core
        .request(Method::GET, &template, "/companies")
        .header("sec-fetch-mode", "navigate");
    let (status, text) = sent(page).await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("is not available. Please try again in a moment."),
        "{text}"
    );
    template.told("a call to another service failed").await;
    must_not_have_panicked(&template);
}

/// To whom, where, as what, the body; the answer's status, and a word of it.
type Row<'a> = (&'a Process, &'a str, &'a str, &'a [u8], u16, &'a str);

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "a table of what is sent and what is said of it"
)]
async fn what_makes_no_sense_is_refused_by_name_and_the_next_one_is_served() {
    let core = Core::planned();
    let _core = core.start().await;
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("text={}", "x".repeat(2 * 1024 * 1024));
    let many = format!(
        "{{\"service_name\":\"codex\",\"logs\":[{}{{}}]}}",
        "{},".repeat(10_000)
    );
    let template = core.backend(&["template"]).await;
    let helm = core.backend(&["helm"]).await;
    let rows: [Row<'_>; 11] = [
        (&template, "/notes", form, b"", 422, "write something"),
        (&template, "/notes", form, b"other=1", 422, "write something"),
        (
            &template,
            "/notes",
            json,
            b"{\"text\":\"x\"}",
            415,
            "application/x-www-form-urlencoded",
        ),
        (&template, "/notes", form, large.as_bytes(), 413, "larger than"),
        (&template, "/notes", form, b"text=1&text=2", 422, "text"),
        (
            &helm,
            "/api/logs/ingest",
            json,
            b"\xff\xfe",
            400,
            "logs, an array",
        ),
        (
            &helm,
            "/api/logs/ingest",
            json,
            b"{\"logs\":7}",
            400,
            "logs, an array",
        ),
        (
            &helm,
            "/api/logs/ingest",
            json,
            deep.as_bytes(),
            400,
            "logs, an array",
        ),
        (
            &helm,
            "/api/logs/ingest",
            json,
            b"{\"service_name\":\"A b\",\"logs\":[]}",
            400,
            "service_name",
        ),
        (
            &helm,
            "/api/logs/ingest",
            json,
            many.as_bytes(),
            400,
            "logs: At most 10000 entries",
        ),
        (&helm, "/api/logs?level=a&level=b", json, b"", 405, "Not Allowed"),
    ];
    for (backend, path, kind, body, status, told) in rows {
        let request = core
            .request(Method::POST, backend, path)
            .header("content-type", kind)
            .body(body.to_vec());
        let (found, text) = sent(request).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!(found, status, "{path} {shown}: {text}");
        assert!(text.contains(told), "{path} {shown}: no {told:?} in {text}");
    }
    for (query, told) in [
        ("limit=many", "limit: This must be a whole number"),
        ("start_time=soon", "start_time: This must be a time"),
        ("level=a&level=b", "level"),
    ] {
        let (status, text) = sent(core.request(Method::GET, &helm, &format!("/api/logs?{query}"))).await;
        assert_eq!(status, 400, "{query}: {text}");
        assert!(
            text.contains(told) && text.contains("\"detail\""),
            "{query}: {text}"
        );
    }
    for backend in [&template, &helm] {
        assert_eq!(sent(core.request(Method::GET, backend, "/")).await.0, 200);
        must_not_have_panicked(backend);
    }
}

/// They keep nothing on a disk, but write their log: what stands for a disk that is full is `/dev/full`.
#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nobody() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let core = Core::planned();
    for name in ["template", "helm"] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut child = Command::new(env!("CARGO_BIN_EXE_hivematrix"))
            .args([name, "--listen", &address, "--core", &core.url()])
            .env_clear()
            .env("HIVEMATRIX_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(full())
            .stderr(full())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let ask = async |path: &str| {
            let answer = http.get(format!("http://{address}{path}")).send().await.ok()?;
            Some(answer.status().as_u16())
        };
        let healthy = async || (ask("/health").await == Some(200)).then_some(());
        eventually("it answers", healthy).await;
        for _ in 0..50 {
            assert_eq!(ask("/").await, Some(401), "{name}");
        }
        assert_eq!(ask("/health").await, Some(200), "{name}");
        let pid = child.id().unwrap().to_string();
        let told = Command::new("sh")
            .args(["-c", "kill -s TERM \"$1\"", "sh", &pid])
            .status()
            .await;
        assert!(told.unwrap().success());
        assert_eq!(child.wait().await.unwrap().code(), Some(0), "{name}");
    }
}
