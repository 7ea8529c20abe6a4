//! What sealing promises: only the right key, in the right context, opens, and only what was sealed.

use super::*;

const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[test]
fn what_was_sealed_opens_in_its_own_context_only() {
    let keys = SealingKeys::generate();
    let sealed = keys.seal(b"hm:session:x", b"secret");
    assert_eq!(keys.open(b"hm:session:x", &sealed).unwrap(), b"secret");
    assert_eq!(keys.open(b"hm:session:y", &sealed), Err(Unsealed));
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    assert_ne!(
        sealed,
        keys.seal(b"hm:session:x", b"secret"),
        "every sealing has a nonce of its own"
    );
}

#[test]
fn no_changed_bit_is_accepted() {
    let keys = SealingKeys::generate();
    let sealed = keys.seal(b"c", b"plain");
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(keys.open(b"c", &changed), Err(Unsealed), "byte {index}");
        assert_eq!(keys.open(b"c", &sealed[..index]), Err(Unsealed), "cut at {index}");
    }
}

#[test]
fn an_old_key_opens_after_a_rotation_and_the_new_one_seals() {
    let old = SealingKeys::from_base64(A).unwrap();
    let both = SealingKeys::from_base64(&format!("{B},{A}")).unwrap();
    let new = SealingKeys::from_base64(B).unwrap();
    assert_eq!(both.open(b"", &old.seal(b"", b"1")).unwrap(), b"1");
    assert_eq!(new.open(b"", &both.seal(b"", b"2")).unwrap(), b"2");
    assert_eq!(new.open(b"", &old.seal(b"", b"1")), Err(Unsealed));
}

#[test]
fn a_list_of_keys_is_read_or_its_fault_is_named() {
    assert_eq!(
        SealingKeys::from_base64(&format!("# newest first\n {B}\n\n{A} , {A}"))
            .unwrap()
            .keys
            .len(),
        3
    );
    assert!(matches!(
        SealingKeys::from_base64(" \n# nothing\n"),
        Err(SealingKeysError::Empty)
    ));
    assert!(matches!(
        SealingKeys::from_base64(&format!("{A},c2hvcnQ")),
        Err(SealingKeysError::Key(2))
    ));
    assert!(matches!(
        SealingKeys::from_base64("not base64!"),
        Err(SealingKeysError::Key(1))
    ));
}

#[test]
fn a_missing_file_is_made_for_its_owner_only_and_read_ever_after() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealing.keys");
    let first = SealingKeys::load_or_create_file(&path).unwrap();
    let second = SealingKeys::load_or_create_file(&path).unwrap();
    assert_eq!(second.open(b"", &first.seal(b"", b"x")).unwrap(), b"x");
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        1,
        "no draft is left behind"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            SealingKeys::load_or_create_file(&path),
            Err(SealingKeysError::TooOpen(_))
        ));
    }
}

#[test]
fn processes_that_start_at_once_agree_on_one_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealing.keys");
    let loaded: Vec<SealingKeys> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SealingKeys::load_or_create_file(&path).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sealed = loaded[0].seal(b"", b"x");
    assert!(loaded.iter().all(|keys| keys.open(b"", &sealed).is_ok()));
}
