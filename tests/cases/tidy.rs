//! House rules that no compiler knows: file lengths, who imports whom, what each file says about itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The longest file of ours that can still be read in one sitting.
const LONGEST: usize = 400;

/// Package, its folder, and the packages of ours that it may depend on (dev-dependencies included).
const PACKAGES: [(&str, &str, &[&str]); 9] = [
    ("hivematrix-platform", "gateway/platform", &[]),
    ("hivematrix-plugins", "plugins", &["hivematrix-platform"]),
    (
        "hivematrix-gateway",
        "gateway",
        &["hivematrix-platform", "hivematrix-plugins"],
    ),
    ("hivematrix-backends", "backends", &["hivematrix-platform"]),
    (
        "hivematrix",
        "backends/cli",
        // The harness is a dev-dependency: cases that start the real binary live in its package.
        &[
            "hivematrix-platform",
            "hivematrix-plugins",
            "hivematrix-gateway",
            "hivematrix-backends",
            "hivematrix-tests",
            "hivematrix-load",
        ],
    ),
    // What `hivematrix bench` runs: a library that knows the binary as a program that it starts.
    ("hivematrix-load", "benches/load", &["hivematrix-platform"]),
    (
        "hivematrix-benches",
        "benches",
        &[
            "hivematrix-platform",
            "hivematrix-plugins",
            "hivematrix-gateway",
            "hivematrix-backends",
        ],
    ),
    (
        "hivematrix-fuzz",
        "tests/fuzz",
        &["hivematrix-platform", "hivematrix-plugins", "hivematrix-gateway"],
    ),
    (
        "hivematrix-tests",
        "tests",
        &[
            "hivematrix-platform",
            "hivematrix-plugins",
            "hivematrix-gateway",
            "hivematrix-backends",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(ROOT).canonicalize().expect("the workspace's folder")
}

/// Every file of ours with one of these endings.
fn files(endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    assert!(found.len() > 5, "the walk finds files");
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn no_source_file_is_too_long_to_be_read_in_one_sitting() {
    let long: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(path, _)| !shown(path).contains("/assets/") && !shown(path).contains("generated"))
        .filter(|(_, text)| text.lines().count() > LONGEST)
        .map(|(path, text)| format!("{}: {} lines", shown(path), text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn every_source_file_opens_with_what_it_is_responsible_for() {
    let silent: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(_, text)| !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!("))
        .map(|(path, _)| shown(path))
        .collect();
    assert!(
        silent.is_empty(),
        "these do not open with `//!`:\n{}",
        silent.join("\n")
    );
    let unwritten: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(path, text)| {
            text.lines().next().is_some_and(|line| line.len() < 15) && !shown(path).ends_with("main.rs")
        })
        .map(|(path, _)| shown(path))
        .collect();
    assert!(
        unwritten.is_empty(),
        "these say next to nothing about themselves:\n{}",
        unwritten.join("\n")
    );
}

/// The packages of ours that a manifest names, in whatever section.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        if inside && name.starts_with("hivematrix") {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn packages_depend_on_each_other_only_as_the_design_allows() {
    for (package, folder, allowed) in PACKAGES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        assert!(
            manifest.contains(&format!("name = \"{package}\"")),
            "{folder} is {package}"
        );
        for dependency in dependencies(&manifest) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let members = workspace
        .lines()
        .find(|line| line.starts_with("members"))
        .expect("members");
    assert_eq!(
        members.matches('"').count() / 2,
        PACKAGES.len(),
        "a new member needs a row above"
    );
}

#[test]
fn nothing_depends_on_the_command_line_program() {
    for (package, folder, _) in PACKAGES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        assert!(
            !dependencies(&manifest).contains("hivematrix"),
            "{package} depends on the binary's package"
        );
    }
}

#[test]
fn heavy_libraries_stay_out_of_the_gateway_and_the_plugins() {
    for (folder, banned) in [
        (
            "gateway/platform",
            &["pingora", "axum", "sqlx", "lol_html", "openidconnect", "clap"][..],
        ),
        (
            "plugins",
            &[
                "pingora",
                "axum",
                "sqlx",
                "reqwest",
                "redis",
                "clap",
                "openidconnect",
            ],
        ),
        ("gateway", &["sqlx", "clap", "tonic", "criterion"]),
        ("backends", &["pingora", "pingora-proxy", "lol_html", "clap"]),
    ] {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        let normal = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for name in banned {
            let named = normal
                .lines()
                .any(|line| line.split(['=', '.', ' ']).next() == Some(name));
            assert!(!named, "{folder} depends on {name}");
        }
    }
}

/// The modules of `crate::phases` that a text imports or names.
fn phases_named_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("phases::") {
        let rest = &text[at + "phases::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list
                .split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            None => vec![
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect::<String>(),
            ],
        };
        found.extend(
            names
                .into_iter()
                .map(|name| name.split(':').next().unwrap_or_default().to_owned()),
        );
    }
    found.remove("");
    found
}

#[test]
fn phases_do_not_import_each_other() {
    // Values that phases share, and no phases themselves.
    let values = ["path", "location", "credentials", "cookie"];
    let folder = root().join("gateway/src/phases");
    let mut wrong = Vec::new();
    let mut phases = 0;
    for (path, text) in files(&[".rs"])
        .iter()
        .filter(|(path, _)| path.starts_with(&folder))
    {
        let inside = path
            .strip_prefix(&folder)
            .expect("inside")
            .components()
            .next()
            .expect("a name");
        let own = inside
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        phases += 1;
        let others = phases_named_in(code)
            .into_iter()
            .filter(|name| *name != own && !values.contains(&name.as_str()));
        wrong.extend(others.map(|other| format!("{} names {other}", shown(path))));
    }
    assert!(phases > 8, "the folder is the one of the phases");
    assert!(wrong.is_empty(), "phases name each other:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_proxys_own_modules_name_pingora() {
    let allowed = [
        "proxy", "answer", "server", "phases", "cut", "context", "conclude", "measured",
    ];
    let folder = root().join("gateway/src");
    let wrong: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(path, text)| {
            path.starts_with(&folder) && (text.contains("pingora::") || text.contains("pingora_proxy::"))
        })
        .filter(|(path, _)| {
            let inside = path
                .strip_prefix(&folder)
                .expect("inside")
                .components()
                .next()
                .expect("a name");
            !allowed.contains(&inside.as_os_str().to_string_lossy().trim_end_matches(".rs"))
        })
        .map(|(path, _)| shown(path))
        .collect();
    assert!(wrong.is_empty(), "these name Pingora:\n{}", wrong.join("\n"));
}

#[test]
fn identity_talks_to_the_store_core_and_the_provider_only() {
    let folder = root().join("gateway/src/identity");
    let banned = [
        "crate::phases",
        "crate::proxy",
        "crate::answer",
        "crate::snapshot",
        "pingora::",
        "CodexClient",
    ];
    let wrong: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(path, _)| path.starts_with(&folder))
        .flat_map(|(path, text)| {
            let named = banned.iter().filter(|name| text.contains(**name));
            named
                .map(|name| format!("{} names {name}", shown(path)))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_file_is_part_of_the_one_binary() {
    let main = std::fs::read_to_string(root().join("tests/cases/main.rs")).expect("a file");
    for (path, _) in files(&[".rs"])
        .iter()
        .filter(|(path, _)| path.starts_with(root().join("tests/cases")))
    {
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(
            module == "main" || main.contains(&format!("mod {module};")),
            "{module} is never run"
        );
    }
}

#[test]
fn every_case_that_the_readme_names_exists() {
    let readme = std::fs::read_to_string(root().join("tests/README.md")).expect("tests/README.md");
    let is_case = |word: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.split_once("::")
            .is_some_and(|(module, case)| module.chars().chain(case.chars()).all(plain))
    };
    let named: BTreeSet<&str> = readme.split('`').filter(is_case).collect();
    let mut cases = BTreeSet::new();
    for (path, text) in files(&[".rs"])
        .iter()
        .filter(|(path, _)| path.starts_with(root().join("tests/cases")))
    {
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let plain = text.replace("test(flavor = \"multi_thread\", worker_threads = 2)]", "test]");
        for after in plain.split("test]\n").skip(1) {
            let name = after
                .split_once("fn ")
                .map(|(_, rest)| rest.split('(').next().unwrap_or_default());
            cases.insert(format!("{module}::{}", name.unwrap_or_default()));
        }
    }
    let missing: Vec<&&str> = named.iter().filter(|name| !cases.contains(**name)).collect();
    assert!(
        missing.is_empty(),
        "the README names cases that do not exist: {missing:?}"
    );
    assert!(named.len() > 50, "the README has the table: {}", named.len());
}
