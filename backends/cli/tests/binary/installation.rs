//! An installation of the original, in front of which the gateway is put: its folders and files as they are, with the parts that
//! run there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hivematrix_tests::{Certificate, Redis, free_port};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Binary, Process};

pub(crate) const CLIENT_SECRET: &str = "the client's secret of this case";
pub(crate) const CORE_SECRET: &str = "the gateway's secret of this case";

/// An installation of the original, with its folders, and the parts that run.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) redis: Redis,
    pub(crate) idp: Process,
    pub(crate) core: Process,
    pub(crate) core_url: String,
    pub(crate) origin: String,
    pub(crate) certificate: Certificate,
}

/// The file `services.json` of services at these ports.
fn registry(services: &[(&str, u16)]) -> String {
    let entries = services
        .iter()
        .map(|(name, port)| format!("\"{name}\": {{\"url\": \"http://127.0.0.1:{port}\"}}"));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(",\n"))
}

impl Installation {
    /// One with these services in its registry, and none of them running.
    pub(crate) async fn start(services: &[(&str, u16)]) -> Self {
        let (redis, folder, certificate) = (
            Redis::start().await,
            tempfile::tempdir().unwrap(),
            Certificate::for_localhost(),
        );
        let nexus = folder.path().join("hivematrix-nexus");
        std::fs::create_dir_all(nexus.join("certs")).unwrap();
        std::fs::copy(certificate.certificate(), nexus.join("certs/nexus.crt")).unwrap();
        std::fs::copy(certificate.key(), nexus.join("certs/nexus.key")).unwrap();
        std::fs::set_permissions(
            nexus.join("certs/nexus.key"),
            std::fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        std::fs::write(nexus.join("services.json"), registry(services)).unwrap();
        let (port, core_url) = (free_port(), format!("http://127.0.0.1:{}", free_port()));
        let origin = format!("https://localhost:{port}");
        let idp = Binary::new(&["idp", "--listen", "127.0.0.1:0", "--origin", &origin])
            .env("KEYCLOAK_CLIENT_SECRET", CLIENT_SECRET)
            .ready()
            .await;
        let file = nexus.join("services.json");
        let core = core(&core_url, &redis, &idp, file.to_str().unwrap(), "hivematrix-core").await;
        let variables = format!(
            "NEXUS_SERVICE_URL='{origin}'\nNEXUS_HOST=127.0.0.1\nNEXUS_PORT={port}\nCORE_SERVICE_URL={core_url}\n\
             KEYCLOAK_SERVER_URL={origin}/keycloak\nKEYCLOAK_BACKEND_URL={}\nKEYCLOAK_CLIENT_SECRET=\"{CLIENT_SECRET}\"\n",
            idp.url
        );
        std::fs::write(nexus.join(".flaskenv"), variables).unwrap();
        Self {
            folder,
            redis,
            idp,
            core,
            core_url,
            origin,
            certificate,
        }
    }

    /// The gateway's folder.
    pub(crate) fn nexus(&self) -> PathBuf {
        self.folder.path().join("hivematrix-nexus")
    }

    /// A file beside the gateway's folder.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// What the doctor says, with these variables in place of those of the installation.
    pub(crate) async fn examined(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Value) {
        let nexus = self.nexus();
        let all = [
            &["doctor", "--json", "--original", nexus.to_str().unwrap()],
            arguments,
        ]
        .concat();
        let mut binary = Binary::new(&all)
            .env("HIVEMATRIX_REDIS_URL", &self.redis.url())
            .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET);
        for (name, value) in variables {
            binary = binary.env(name, value);
        }
        let ended = binary.ended().await;
        let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no report: {ended:?}"));
        (ended.status, report)
    }
}

/// Core, which knows the services of a registry.
pub(crate) async fn core(url: &str, redis: &Redis, idp: &Process, registry: &str, issuer: &str) -> Process {
    let listen = url.trim_start_matches("http://");
    let arguments = [
        "core",
        "--listen",
        listen,
        "--redis",
        &redis.url(),
        "--provider",
        &idp.url,
        "--registry",
        registry,
        "--issuer",
        issuer,
    ];
    Binary::new(&arguments)
        .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET)
        .ready()
        .await
}
