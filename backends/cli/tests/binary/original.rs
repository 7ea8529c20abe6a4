//! `hivematrix gateway --original FOLDER`: the original's files are all that a gateway needs.

use hivematrix_tests::{Client, free_port};

use tokio::sync::Mutex;

use super::installation::Installation;
use super::process::Binary;

/// The original's files say nothing of an admin listener, so it is where it always is: one gateway at a time.
static ADMIN_LISTENER: Mutex<()> = Mutex::const_new(());

/// The gateway on this installation.
fn gateway(installation: &Installation, arguments: &[&str]) -> Binary {
    let nexus = installation.nexus();
    let all = [&["gateway", "--original", nexus.to_str().unwrap()], arguments].concat();
    // Everything else is in the folder; on a usual machine Redis is where it always is.
    Binary::new(&all).env("HIVEMATRIX_REDIS_URL", &installation.redis.url())
}

#[tokio::test]
async fn the_originals_folder_is_all_that_a_gateway_needs() {
    let _alone = ADMIN_LISTENER.lock().await;
    let port = free_port();
    let installation = Installation::start(&[("codex", port)]).await;
    let listen = format!("127.0.0.1:{port}");
    let _codex = Binary::new(&[
        "codex",
        "--demo-data",
        "--listen",
        &listen,
        "--core",
        &installation.core_url,
    ])
    .ready()
    .await;
    let mut gateway = gateway(&installation, &[]).ready().await;
    assert_eq!(gateway.url, installation.origin);
    let client = Client::at(&gateway.url, Some(installation.certificate.pem()));
    let page = client.login_to("technician", "/codex/").await;
    assert_eq!(
        (page.status, page.url.path()),
        (200, "/codex/"),
        "{}",
        gateway.stderr()
    );
    assert!(page.text().contains("hivematrix-side-panel"));
    let mut left: Vec<String> = std::fs::read_dir(installation.nexus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [".flaskenv", "certs", "hivematrix-sealing.keys", "services.json"],
        "one file is added"
    );

    // A registry that is generated again is taken over, as one of ours is.
    let registry = installation.nexus().join("services.json");
    let changed = std::fs::read_to_string(&registry)
        .unwrap()
        .replace("codex", "companies");
    std::fs::write(&registry, changed).unwrap();
    gateway.told("the changed configuration is in use").await;
    assert_eq!(client.navigate("/companies/").await.status, 200);
    gateway.signal("TERM");
    assert_eq!(gateway.end().await.0, 0, "{}", gateway.stderr());
}

#[tokio::test]
async fn beside_the_original_the_login_goes_through_the_original_and_comes_back_here() {
    let _alone = ADMIN_LISTENER.lock().await;
    let installation = Installation::start(&[("codex", free_port())]).await;
    let port = free_port().to_string();
    let gateway = gateway(&installation, &["--port", &port]).ready().await;
    assert_eq!(gateway.url, format!("https://localhost:{port}"));
    let client = Client::at(&gateway.url, Some(installation.certificate.pem()));
    let begun = client.visit("/codex/").send().await;
    let login = client.follow(begun).await;
    assert!(
        login
            .leads_to()
            .starts_with(&format!("{}/keycloak/realms/hivematrix/", installation.origin)),
        "{login:?}"
    );
    assert_eq!(
        login.parameter("redirect_uri"),
        format!("{}/keycloak-callback", gateway.url)
    );
}

#[tokio::test]
async fn a_folder_is_checked_and_shown_as_a_configuration_that_says_the_same() {
    let installation = Installation::start(&[("codex", free_port()), ("beacon", free_port())]).await;
    let nexus = installation.nexus();
    let checked = Binary::new(&["check", nexus.to_str().unwrap()]).ended().await;
    assert_eq!(
        (checked.status, checked.stdout),
        (0, format!("{}: ok\n", nexus.display())),
        "{}",
        checked.stderr
    );
    let shown = Binary::new(&["check", "--show", nexus.to_str().unwrap()])
        .ended()
        .await;
    assert!(shown.stdout.contains("[services.beacon]"), "{shown:?}");
    let file = nexus.join("gateway.toml");
    std::fs::write(&file, shown.stdout).unwrap();
    let again = Binary::new(&["check", file.to_str().unwrap()]).ended().await;
    assert_eq!((again.status, again.stderr.as_str()), (0, ""));

    std::fs::write(
        nexus.join(".flaskenv"),
        "NEXUS_PORT='443'\nNEXUS_HOST=everywhere\n",
    )
    .unwrap();
    let bad = Binary::new(&["check", nexus.to_str().unwrap()]).ended().await;
    assert_eq!((bad.status, bad.stdout.as_str()), (64, ""));
    let place = format!(
        "{}/.flaskenv:2:12: error: expected an IP address, or localhost",
        nexus.display()
    );
    assert!(bad.stderr.contains(&place), "{place:?} is not in\n{}", bad.stderr);
}
