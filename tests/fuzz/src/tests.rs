//! Every target on its corpus, and on what becomes of the corpus when bytes are changed at random: what a fuzzer does, for
//! a second and without its sense of direction.

use std::path::PathBuf;

use proptest::prelude::*;

type Target = fn(&[u8]);

/// Every target, by the name of its program and its folder.
const TARGETS: [(&str, Target); 10] = [
    ("registry", super::registry),
    ("token", super::token),
    ("session_record", super::session_record),
    ("key_ring", super::key_ring),
    ("cookies", super::cookies),
    ("set_cookie", super::set_cookie),
    ("path", super::path),
    ("return_path", super::return_path),
    ("configuration", super::configuration),
    ("page", super::page),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no corpus");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus_that_it_passes() {
    let mut programs: Vec<String> = std::fs::read_dir(folder().join("targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    programs.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(programs, names);
    for (name, target) in TARGETS {
        for seed in corpus(name) {
            target(&seed);
        }
    }
}

/// One change of some bytes: where (in 65,536ths of the length), how many are taken out, what is put in.
type Change = (u16, u8, Vec<u8>);

fn change() -> impl Strategy<Value = Change> {
    let telling =
        prop::sample::select(b"\0\t\n \"#%&'()*+,-./:;<=>?@[\\]_`{|}~aZ09\x7f\x80\xc3\xff".to_vec());
    let put = prop_oneof![
        prop::collection::vec(telling, 0..4),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    (any::<u16>(), 0..6_u8, put)
}

fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, out, put) in changes {
        let at = usize::from(*place) * bytes.len() / 65_536;
        let end = (at + usize::from(*out)).min(bytes.len());
        bytes.splice(at..end, put.iter().copied());
    }
    bytes
}

fn hold_whatever_is_changed(name: &str, cases: u32) {
    let (_, target) = TARGETS.into_iter().find(|(other, _)| *other == name).unwrap();
    let seeds = corpus(name);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let strategy = (prop::sample::select(seeds), prop::collection::vec(change(), 0..6));
    proptest!(config, |((seed, changes) in strategy)| target(&changed(&seed, &changes)));
}

#[test]
fn values_of_one_line_hold_whatever_is_changed() {
    for name in ["cookies", "set_cookie", "path", "return_path", "token"] {
        hold_whatever_is_changed(name, 4_000);
    }
}

#[test]
fn documents_of_the_platform_hold_whatever_is_changed() {
    for name in ["registry", "session_record", "configuration"] {
        hold_whatever_is_changed(name, 1_000);
    }
    hold_whatever_is_changed("key_ring", 100);
}

#[test]
fn pages_hold_whatever_is_changed() {
    hold_whatever_is_changed("page", 40);
}
