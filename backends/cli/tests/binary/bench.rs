//! `hivematrix bench`: a short one of the gateway alone, with real load; what it says when a program is missing; and that it
//! leaves nothing behind.

use std::path::Path;

use hivematrix_tests::eventually;
use serde_json::Value;

use super::process::Binary;

/// The gateway alone, as short as can be.
fn bench(arguments: &[&str]) -> Binary {
    let usual = ["bench", "--quick", "--only", "gateway", "--connections", "4"];
    Binary::new(&[&usual, arguments].concat())
}

fn path() -> String {
    std::env::var("PATH").unwrap()
}

#[tokio::test]
async fn the_gateway_is_measured_and_a_table_a_page_and_all_figures_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let (page, json) = (
        folder.path().join("page.html"),
        folder.path().join("figures.json"),
    );
    let files = ["--out", page.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let ended = bench(&[&["--scenarios", "page,websocket,login"][..], &files].concat())
        .env("PATH", &path())
        .patiently()
        .ended()
        .await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);

    let lines: Vec<&str> = ended.stdout.lines().collect();
    for scenario in ["page", "websocket", "login"] {
        let heading = lines
            .iter()
            .position(|line| line.starts_with(scenario))
            .expect(scenario);
        assert!(lines[heading].contains("CPU µs"), "{}", ended.stdout);
        assert!(lines[heading + 1].starts_with("HiveMatrix"), "{}", ended.stdout);
        assert!(
            lines[heading + 1].ends_with(" 0"),
            "nothing failed: {}",
            ended.stdout
        );
    }
    assert!(ended.stderr.contains("unoptimized build"), "{}", ended.stderr);

    let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let rows = figures["rows"].as_array().unwrap();
    let of = |scenario: &str| {
        let row = rows.iter().find(|row| row["series"]["scenario"] == scenario);
        row.unwrap_or_else(|| panic!("no {scenario} in {figures:#}"))
    };
    for (scenario, figure) in [
        ("page", "per_second"),
        ("page", "cpu_us"),
        ("page", "memory_mib"),
        ("websocket", "cpu_us"),
        ("login", "per_second"),
    ] {
        let median = of(scenario)[figure]["median"].as_f64().unwrap();
        assert!(median > 0.0, "{figure} of {scenario}: {median}");
    }
    assert!(!of("websocket")["latency"].as_array().unwrap().is_empty());

    let page = std::fs::read_to_string(&page).unwrap();
    for part in [
        "<h2>A page, edited</h2>",
        "<h2>WebSocket echo</h2>",
        "class=\"curve",
        "class=\"bars\"",
        "To repeat it",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["<script", "src=", "@import", "url("] {
        assert!(
            !page.contains(outside),
            "{outside}: the page needs nothing but itself"
        );
    }
}

#[tokio::test]
async fn without_the_load_program_one_sentence_says_how_to_get_it() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let page = out.path().join("page.html");
    let ended = bench(&["--scenarios", "json", "--out", page.to_str().unwrap()])
        .env("PATH", folder.path().to_str().unwrap())
        .ended()
        .await;
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    let sentence = "wrk is needed (closed-loop load) and not on the PATH; install it: apt-get install wrk";
    assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
    assert!(!page.exists());
}

#[tokio::test]
async fn interrupted_it_ends_everything_that_it_has_started() {
    let mut process = bench(&["--scenarios", "login", "--rounds", "100", "--out", "page.html"])
        .env("PATH", &path())
        .started();
    process.told("login, HiveMatrix").await;
    let folder = process.folder().canonicalize().unwrap();
    assert!(
        living_in(&folder).len() >= 5,
        "Redis, the service, Core, provider, gateway: {:?}",
        living_in(&folder)
    );
    process.signal("INT");
    let (status, _, stdout) = process.end().await;
    assert_eq!((status, stdout.as_str()), (1, ""), "{}", process.stderr());
    assert!(
        process.stderr().contains("nothing of it is left running"),
        "{}",
        process.stderr()
    );
    eventually("all processes are gone", async || {
        living_in(&folder).is_empty().then_some(())
    })
    .await;
    assert!(process.files().is_empty(), "{:?}", process.files());
}

/// The processes that live in a folder or below it.
fn living_in(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let there = processes.filter(|process| {
        let at = std::fs::read_link(process.path().join("cwd"));
        at.is_ok_and(|at| at.starts_with(folder) && at != folder)
    });
    there
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}
