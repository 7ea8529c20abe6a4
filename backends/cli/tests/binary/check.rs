//! `hivematrix check`.

use super::process::Binary;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/gateway.toml");

#[tokio::test]
async fn the_shipped_configuration_is_ok() {
    let ended = Binary::new(&["check", SHIPPED]).ended().await;
    assert_eq!(
        (ended.status, ended.stdout),
        (0, format!("{SHIPPED}: ok\n")),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn every_problem_is_shown_at_once_with_file_line_and_column_and_the_status_is_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = \"nowhere\"\n\n[limits]\nheader_cuont = 7\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let ended = Binary::new(&["check", file]).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (64, ""));
    for place in [format!("{file}:2:10: error: "), format!("{file}:5:1: error: ")] {
        let found = ended.stderr.lines().any(|line| line.starts_with(&place));
        assert!(found, "no line begins with {place:?}:\n{}", ended.stderr);
    }
    assert!(ended.stderr.contains("^"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_problem_too() {
    let ended = Binary::new(&["check", "/nowhere/gateway.toml"]).ended().await;
    assert_eq!((ended.status, ended.stdout.as_str()), (64, ""));
    assert!(ended.stderr.contains("/nowhere/gateway.toml"), "{}", ended.stderr);
}

#[tokio::test]
async fn arguments_that_make_no_sense_end_with_64_and_help_with_0() {
    for arguments in [&["fly"][..], &["demo", "--listen", "nowhere"], &["gateway"], &[]] {
        let ended = Binary::new(arguments).ended().await;
        assert_eq!(
            (ended.status, ended.stdout.as_str()),
            (64, ""),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    for arguments in [&["--help"][..], &["demo", "--help"], &["--version"]] {
        let ended = Binary::new(arguments).ended().await;
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ended.stdout.is_empty(), "{arguments:?}");
    }
}
