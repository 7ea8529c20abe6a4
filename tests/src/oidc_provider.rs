//! An identity provider that nobody here wrote: npm's oidc-provider, a process of the case's own (`../node/provider.mjs`).
//!
//! Responsible for: finding what `.dev/test` installs (`target/node`, or `HIVEMATRIX_NODE`), starting and ending it, and the way
//! of a browser through its pages. Not responsible for how it behaves; that is written in `../node`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::client::{Answer, Client};
use crate::ports::free_port;
use crate::program::Program;

/// Redirects and forms on the way of a login.
const STEPS: usize = 20;

/// The provider; ends with its value.
pub struct OidcProvider {
    program: Option<Program>,
    log: NamedTempFile,
    module: PathBuf,
    settings: Value,
    port: u16,
}

impl OidcProvider {
    /// The gateway's client secret there.
    pub const CLIENT_SECRET: &'static str = "the secret of the second provider's client";

    /// A provider on a free port that does not run yet; `None` where it is not installed, with one sentence on stderr that
    /// says how to.
    ///
    /// # Panics
    /// Where it is not installed although the environment variable `CI` says that nothing may be left out.
    #[must_use]
    pub fn find() -> Option<Self> {
        let folder = std::env::var_os("HIVEMATRIX_NODE").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/node")),
            PathBuf::from,
        );
        let module = folder.join("node_modules/oidc-provider/lib/index.js");
        if module.is_file() {
            return Some(Self {
                program: None,
                log: NamedTempFile::new().expect("a file for what it writes"),
                module,
                settings: Value::Null,
                port: free_port(),
            });
        }
        let sentence = format!(
            "this case needs {}, what tests/node/package.json names: run .dev/test once, which installs it",
            folder.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{sentence}");
        eprintln!("skipped: {sentence}");
        None
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it for a gateway on `origin` (without a slash at the end), with these settings on top of the usual ones.
    ///
    /// # Panics
    /// With what it wrote, if it does not start.
    pub async fn start(&mut self, origin: &str, settings: &Value) {
        self.settings = json!({
            "port": self.port,
            "redirect_uri": format!("{origin}/keycloak-callback"),
            "post_logout_redirect_uri": format!("{origin}/"),
            "client_secret": Self::CLIENT_SECRET,
        });
        let own = settings.as_object().cloned().unwrap_or_default();
        self.settings.as_object_mut().expect("an object").extend(own);
        let mut command = Command::new(crate::program::find(&["node"], "nodejs"));
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/provider.mjs"))
            .env("OIDC_PROVIDER", &self.module)
            .env("SETTINGS", self.settings.to_string());
        let mut program = Program::start_writing(&mut command, self.log.as_file());
        let address = (std::net::Ipv4Addr::LOCALHOST, self.port);
        // It makes keys before it listens, and on a busy machine that takes longer than anything else here.
        for _ in 0..600 {
            assert!(!program.has_ended(), "the provider ended: {}", self.written());
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                self.program = Some(program);
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the provider did not listen within a minute: {}", self.written());
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// Lets it sign with a new key, and publish no other.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn rotate(&self) {
        let http = hivematrix_platform::http_client::internal().expect("an HTTP client");
        let answer = http.post(format!("{}/rotate", self.issuer())).send().await;
        assert_eq!(answer.expect("the provider answers").status(), 200);
    }

    /// What it has written so far.
    #[must_use]
    pub fn written(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Signs in at its pages on the way to a page of the gateway: `name` is typed, and every question is answered with yes. The
    /// answer is the page at which that ends.
    pub async fn sign_in(client: &Client, name: &str, path: &str) -> Answer {
        let first = client.visit(path).send().await;
        Self::walk(client, first, name).await
    }

    /// Follows redirects to wherever they lead, and sends the forms that are met on the provider's pages.
    ///
    /// # Panics
    /// If that never ends.
    pub async fn walk(client: &Client, mut answer: Answer, name: &str) -> Answer {
        for _ in 0..STEPS {
            let away = answer.url.origin().ascii_serialization() != client.origin_text();
            if (301..=308).contains(&answer.status) {
                let next = answer
                    .url
                    .join(answer.header("location"))
                    .expect("a Location that is a URL");
                answer = client.visit(next.as_str()).send().await;
            } else if away && answer.is_page() && answer.text().contains("<form") {
                let fields = [("login", name), ("password", "anything"), ("logout", "yes")];
                answer = client.submit_once(&answer, &fields).await;
            } else {
                return answer;
            }
        }
        panic!("more than {STEPS} steps, the last at {}", answer.url);
    }
}
