//! Formats that others read and write too, byte for byte; and parsers of foreign bytes, which nothing may break.

use hivematrix_platform::{Handle, Problem, SessionId, SessionRecord, UserData};
use proptest::prelude::*;

use crate::support::alice;

const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn a_session_record_is_the_json_of_the_contract() {
    let record = SessionRecord {
        user_data: alice(),
        created_at: 1_700_000_000,
        expires_at: 1_700_003_600,
        revoked: false,
    };
    let json = r#"{"user_data":{"sub":"3d5f","name":"Alice Ärger \"A\"","email":"alice@example.com","preferred_username":"alice","permission_level":"technician","groups":["technicians","client"]},"created_at":1700000000,"expires_at":1700003600,"revoked":false}"#;
    assert_eq!(String::from_utf8(record.to_json().unwrap()).unwrap(), json);
    assert_eq!(SessionRecord::from_json(json.as_bytes()).unwrap(), record);
}

#[test]
fn the_record_that_python_writes_is_read() {
    let json = br#"{"user_data": {"sub": "3d5f", "name": "Alice \u00c4rger \"A\"", "email": "alice@example.com", "preferred_username": "alice", "permission_level": "technician", "groups": ["technicians", "client"]}, "created_at": 1700000000, "expires_at": 1700003600, "revoked": true, "later": {}}"#;
    let record = SessionRecord::from_json(json).unwrap();
    assert_eq!(record.user_data, alice());
    assert!(record.revoked);
}

#[test]
fn a_record_without_what_matters_is_no_record() {
    let user = r#""sub":"1","permission_level":"client""#;
    let full = format!(r#"{{"user_data":{{{user}}},"created_at":1,"expires_at":2,"revoked":false}}"#);
    SessionRecord::from_json(full.as_bytes()).expect("name, e-mail and groups may be absent");
    for (from, to) in [
        (r#""revoked":false"#, r#""revoked":"false""#),
        (r#","revoked":false"#, ""),
        (r#""sub":"1","#, ""),
        (r#""client""#, r#""root""#),
        (r#""created_at":1"#, r#""created_at":-1"#),
        (r#""revoked":false"#, r#""revoked":true,"revoked":false"#),
    ] {
        let broken = full.replace(from, to);
        assert_ne!(broken, full);
        assert!(SessionRecord::from_json(broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn a_session_id_is_forty_three_characters_of_canonical_base64url() {
    let id = SessionId::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    assert_eq!(id.as_str(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert_eq!(id.key(), "session:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert_eq!(
        serde_json::to_string(&id).unwrap(),
        "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\""
    );
    assert_eq!(format!("{id:?}"), "SessionId(AAECAw…)");
    for bad in [
        "",
        "A",
        &ZEROS[1..],
        &format!("{ZEROS}A"),
        &format!("{ZEROS}="),
        &format!("{}B", &ZEROS[1..]),
        &format!("{}+", &ZEROS[1..]),
        &format!("{}\n", &ZEROS[1..]),
        &format!("{}ä", &ZEROS[2..]),
    ] {
        assert!(SessionId::parse(bad).is_err(), "{bad:?}");
        assert!(Handle::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn a_handle_is_known_to_the_store_by_its_hash_only() {
    let handle = Handle::parse(ZEROS).unwrap();
    assert_eq!(handle.encode(), ZEROS);
    assert_eq!(
        handle.key(),
        "hm:session:Zmh6rfhivXdsj8GLjp-OIAiXFIVu4jOzkCpZHQ1fKSU"
    );
    assert_eq!(
        handle.key_with("hm:attempt:"),
        "hm:attempt:Zmh6rfhivXdsj8GLjp-OIAiXFIVu4jOzkCpZHQ1fKSU"
    );
    assert_eq!(format!("{handle:?}"), "Handle(…)");
    assert_ne!(Handle::generate(), Handle::generate());
    assert_ne!(SessionId::generate(), SessionId::generate());
}

#[test]
fn a_user_without_a_name_is_a_user() {
    let user: UserData =
        serde_json::from_str(r#"{"sub":"1","name":null,"permission_level":"billing","groups":null}"#)
            .unwrap();
    assert_eq!(
        (user.name.as_str(), user.email.as_str(), user.groups.len()),
        ("", "", 0)
    );
}

proptest! {
    #[test]
    fn every_handle_and_session_id_is_read_as_it_is_written(bytes in any::<[u8; 32]>()) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_eq!(Handle::parse(&text).unwrap().encode(), text.clone());
        let id = SessionId::parse(&text).unwrap();
        prop_assert_eq!(id.as_str(), text.as_str());
        prop_assert_eq!(serde_json::from_str::<SessionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn whatever_is_read_as_a_handle_has_one_spelling(text in "[A-Za-z0-9_=+/ -]{41,45}") {
        let handle = Handle::parse(&text);
        prop_assert_eq!(handle.is_some(), SessionId::parse(&text).is_ok());
        if let Some(handle) = handle {
            prop_assert_eq!(handle.encode(), text);
        }
    }

    #[test]
    fn no_text_whatever_breaks_the_identifiers(text in "\\PC{0,60}") {
        prop_assert_eq!(Handle::parse(&text).is_some(), SessionId::parse(&text).is_ok());
    }

    #[test]
    fn no_bytes_whatever_break_the_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SessionRecord::from_json(&bytes);
    }

    #[test]
    fn every_record_is_read_as_it_is_written(
        sub in ".*", name in ".*", groups in proptest::collection::vec(".*", 0..4), created_at: u64, expires_at: u64, revoked: bool,
    ) {
        let user_data = UserData { sub, name, groups, ..alice() };
        let record = SessionRecord { user_data, created_at, expires_at, revoked };
        prop_assert_eq!(SessionRecord::from_json(&record.to_json().unwrap()).unwrap(), record);
    }

    #[test]
    fn a_damaged_record_is_never_read_as_alive_when_it_was_revoked(at in 0_usize..200, byte in any::<u8>()) {
        let record = SessionRecord { user_data: alice(), created_at: 1, expires_at: 2, revoked: true };
        let mut json = record.to_json().unwrap();
        let at = at % json.len();
        json[at] = byte;
        prop_assert!(SessionRecord::from_json(&json).map_or(true, |read| read.revoked));
    }

    #[test]
    fn no_bytes_whatever_break_a_problem(text in "\\PC{0,200}") {
        let _ = serde_json::from_str::<Problem>(&text);
    }
}
