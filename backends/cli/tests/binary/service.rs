//! `hivematrix service new|lint`, and the services it makes: started, and seen as composed pages behind a real gateway.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use hivematrix_tests::{Client, free_port};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::process::{Binary, Ended, Process};

/// Makes a service called `name` in a folder.
async fn new(name: &str, flavour: &str, port: u16) -> (TempDir, PathBuf, Ended) {
    let folder = tempfile::tempdir().unwrap();
    let service = folder.path().join(name);
    let ended = Binary::new(&[
        "service",
        "new",
        name,
        "--flavour",
        flavour,
        "--port",
        &port.to_string(),
        "--folder",
        service.to_str().unwrap(),
    ])
    .ended()
    .await;
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    (folder, service, ended)
}

/// The demo with a service of one's own, and the address of its Core.
async fn demo_with(name: &str, port: u16) -> (Process, String) {
    let core = format!("127.0.0.1:{}", free_port());
    let service = format!("{name}=http://127.0.0.1:{port}");
    let arguments = [
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--core",
        &core,
        "--service",
        &service,
    ];
    (Binary::new(&arguments).ready().await, format!("http://{core}"))
}

/// A service of one's own; killed on drop.
fn start(program: &Path, arguments: &[&str], folder: &Path, core: &str, port: u16) -> Child {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("LISTEN", format!("127.0.0.1:{port}"))
        .env("CORE_SERVICE_URL", core)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// What a new user would do: sign in, find the service in the menu, leave a note, be told what is wrong with one.
async fn must_be_a_composed_service(demo: &Process, name: &str, label: &str, port: u16) {
    let client = Client::at(&demo.url, None);
    let outside = client.get(&format!("/{name}/api/notes")).send().await;
    assert_eq!(outside.status, 401, "{name}");
    client.login_to("admin", "/codex/").await;
    let path = format!("/{name}/");
    let up = async || {
        let page = client.navigate(&path).await;
        (page.status == 200).then_some(page)
    };
    let page = hivematrix_tests::eventually("the service answers through the gateway", up).await;
    let text = page.text();
    for part in [
        "hivematrix-side-panel",
        "/static/css/global",
        &format!("href=\"/{name}/\""),
        &format!("<h1 class=\"page-header__title\">{label}</h1>"),
        "Hello, Ada Admin. You are signed in as admin.",
        &format!("action=\"/{name}/notes\""),
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    // In the menu of another service's page, too.
    assert!(
        client
            .navigate("/template/")
            .await
            .text()
            .contains(&format!("href=\"/{name}/\""))
    );

    let refused = client.submit(&page, &[("text", &"x".repeat(201))]).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text().contains(&"x".repeat(201)),
        "what was typed is kept"
    );
    let left = client.submit(&page, &[("text", "<b>milk")]).await;
    assert_eq!((left.status, left.url.path()), (200, path.as_str()));
    assert!(
        left.text().contains("&lt;b&gt;milk — Ada Admin"),
        "{}",
        left.text()
    );
    let notes = client.fetch(&format!("/{name}/api/notes")).await.json();
    assert_eq!(notes["notes"][0], "<b>milk — Ada Admin");

    // Past the gateway there is nothing to be had.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let direct = http
        .get(format!("http://127.0.0.1:{port}/"))
        .send()
        .await
        .unwrap();
    assert_eq!(direct.status(), 401);
}

/// The template for Rust as a program, which `cargo test` builds with everything else unless it is told to build less.
fn template() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_hivematrix"))
        .with_file_name("examples")
        .join("new_service");
    assert!(
        program.exists(),
        "this case needs {}: `cargo test --workspace --no-run` builds it",
        program.display()
    );
    program
}

async fn must_keep_the_house_rules(service: &Path) {
    let ended = Binary::new(&["service", "lint", service.to_str().unwrap()])
        .ended()
        .await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);
}

#[tokio::test]
async fn a_new_service_in_rust_is_composed_and_in_the_menu() {
    let port = free_port();
    // The name that it has as an example of this package, which is how it is built here.
    let (_folder, service, told) = new("new-service", "axum", port).await;
    for line in [
        format!("cd {} && cargo run", service.display()),
        format!("hivematrix demo --service new-service=http://127.0.0.1:{port}"),
        "[services.new-service]".to_owned(),
        format!("\"new-service\": {{ \"url\": \"http://127.0.0.1:{port}\", \"visible\": true }}"),
    ] {
        assert!(told.stdout.contains(&line), "no {line} in {}", told.stdout);
    }
    must_keep_the_house_rules(&service).await;
    for file in ["main.rs", "caller.rs", "pages.rs"] {
        let made = std::fs::read_to_string(service.join("src").join(file)).unwrap();
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/axum/src/");
        let built = std::fs::read_to_string(Path::new(built).join(file)).unwrap();
        assert_eq!(made, built.replace("5099", &port.to_string()), "{file}");
    }

    let (demo, core) = demo_with("new-service", port).await;
    let program = template();
    let _running = start(&program, &[], &service, &core, port);
    must_be_a_composed_service(&demo, "new-service", "New service", port).await;
}

#[tokio::test]
async fn a_new_service_in_python_is_composed_and_in_the_menu_and_its_own_tests_pass() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    if !python.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "`.dev/test` has not set up {}",
            python.display()
        );
        eprintln!(
            "skipped: there is no {}; `.dev/test` sets it up",
            python.display()
        );
        return;
    }
    let port = free_port();
    let (_folder, service, told) = new("stock-room", "flask", port).await;
    assert!(
        told.stdout
            .contains(&format!("cd {} && ./run", service.display())),
        "{}",
        told.stdout
    );
    must_keep_the_house_rules(&service).await;

    let tests = Command::new(&python)
        .args(["-m", "unittest", "discover", "-s", "tests", "-t", "."])
        .current_dir(&service)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stderr);
    assert!(tests.status.success() && said.contains("Ran 3 tests"), "{said}");

    let (demo, core) = demo_with("stock-room", port).await;
    let _running = start(&python, &["app.py"], &service, &core, port);
    must_be_a_composed_service(&demo, "stock-room", "Stock room", port).await;
}

#[tokio::test]
async fn lint_names_file_line_and_column_and_ends_with_1() {
    let (_folder, service, _) = new("stock", "flask", 5060).await;
    let page = service.join("templates/home.html");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(
        &page,
        text.replace("class=\"container\"", "class=\"containr\" style=\"color: red\""),
    )
    .unwrap();
    let ended = Binary::new(&["service", "lint", service.to_str().unwrap()])
        .ended()
        .await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let page = page.display();
    assert_eq!(
        lines,
        [
            format!(
                "{page}:9:16: unknown-class: the design system has no class containr; did you mean container?"
            ),
            format!(
                "{page}:9:26: no-css: a style attribute: a service carries no CSS; use the classes of the design system"
            ),
        ]
    );
    let nowhere = Binary::new(&["service", "lint", "nowhere"]).ended().await;
    assert_eq!(nowhere.status, 64, "{}", nowhere.stderr);
}

#[tokio::test]
async fn a_name_that_cannot_be_is_refused_in_one_sentence() {
    for (name, told) in [
        ("codex", "choose another name"),
        ("Stock", "cannot be a service's name"),
    ] {
        let ended = Binary::new(&["service", "new", name]).ended().await;
        assert_eq!((ended.status, ended.stdout.as_str()), (64, ""), "{name}");
        assert!(
            ended.stderr.contains(told) && ended.stderr.lines().count() == 1,
            "{}",
            ended.stderr
        );
    }
}
