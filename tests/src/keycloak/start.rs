//! Starting Keycloak: where it comes from, its options, and that it ends with this process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use url::Url;

use super::Keycloak;
use crate::ports::free_port;
use crate::tls::Certificate;

/// What is recommended to users. Only what cannot be the same here is said otherwise.
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/keycloak.conf");

/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs what follows until standard input ends, then ends it and removes the first two arguments. So nothing is left
/// behind, whether the tests end well, by a panic, or by a signal.
const UNTIL_INPUT_ENDS: &str = r#"
work=$1 certificate=$2
shift 2
"$@" </dev/null >"$work/log" 2>&1 &
read -r _
kill -TERM $!
wait $!
rm -rf "$work" "$certificate"
"#;

/// Starts it, if there is one.
pub(super) async fn start() -> Option<Keycloak> {
    let home = match prepared() {
        Ok(home) => home,
        Err(why) if std::env::var_os("CI").is_some_and(|ci| ci != "false") => panic!("{why}"),
        Err(why) => {
            use std::io::Write as _;
            // Not `eprintln`, which is shown for cases that fail only.
            let _ = writeln!(
                std::io::stderr(),
                "skipped, all cases with a real Keycloak: {why}"
            );
            return None;
        }
    };
    let certificate = Arc::new(Certificate::for_localhost());
    let work = tempfile::tempdir().expect("a folder for Keycloak").keep();
    let database = work.join("database");
    copy(&home.join("database"), &database);
    let (http, https, gateway) = (free_port(), free_port(), free_port());
    let hostname = format!("https://localhost:{gateway}");
    let options = [
        format!("--hostname={hostname}/keycloak"),
        format!("--hostname-admin=http://localhost:{http}"),
        format!("--http-port={http}"),
        format!("--https-port={https}"),
        format!("--https-certificate-file={}", certificate.certificate().display()),
        format!("--https-certificate-key-file={}", certificate.key().display()),
        format!("--truststore-paths={}", certificate.certificate().display()),
        format!(
            "--db-url=jdbc:h2:file:{};NON_KEYWORDS=VALUE;DB_CLOSE_DELAY=0",
            database.join("keycloak").display()
        ),
    ];
    let lifeline = launch(&home, &work, &certificate, &options);
    let keycloak = Keycloak {
        http: SocketAddr::from((Ipv4Addr::LOCALHOST, http)),
        hostname: Url::parse(&hostname).expect("a URL"),
        own_origin: Url::parse(&format!("https://127.0.0.1:{https}")).expect("a URL"),
        certificate,
        _lifeline: lifeline,
    };
    answers(&keycloak, &work.join("log")).await;
    Some(keycloak)
}

/// The folder of a prepared Keycloak, or the sentence that says what is missing.
fn prepared() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.dev/keycloak");
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return Ok(PathBuf::from(said.trim()));
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a prepared Keycloak").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn launch(home: &Path, work: &Path, certificate: &Certificate, options: &[String]) -> Child {
    let folder = certificate.certificate();
    let mut command = Command::new("sh");
    command
        .args(["-c", UNTIL_INPUT_ENDS, "sh"])
        .arg(work)
        .arg(folder.parent().unwrap_or(&folder))
        .arg("bash")
        .arg(home.join("bin/kc.sh"))
        .arg(format!("--config-file={CONFIGURATION}"))
        .args(["start", "--optimized"])
        .args(options)
        // Starts sooner, at the price of a speed that no case needs.
        .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1")
        .env("JAVA_OPTS_KC_HEAP", "-Xms64m -Xmx512m")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C is for the tests; Keycloak ends after them.
        .process_group(0);
    command.spawn().expect("a shell")
}

async fn answers(keycloak: &Keycloak, log: &Path) {
    let http = hivematrix_platform::http_client::internal().expect("an HTTP client");
    let url = keycloak.url().join("realms/master").expect("a URL");
    let end = Instant::now() + PATIENCE;
    loop {
        if let Ok(answer) = http.get(url.clone()).send().await
            && answer.status() == 200
        {
            return;
        }
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < end, "Keycloak does not start:\n{}", said());
        sleep(Duration::from_millis(50)).await;
    }
}
