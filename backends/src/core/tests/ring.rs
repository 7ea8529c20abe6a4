//! Keys that change while Core runs: from a file, from the store, by several Cores at once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use hivematrix_platform::token::{LEAD_SECONDS, OVERLAP_SECONDS};
use hivematrix_platform::{KeyRing, SealingKeys};

use super::super::ring::{RingFailure, RingPlace, look};
use super::*;

const ISSUER: &str = "hivematrix-core";
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Folder {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("core-keys.json");
    Folder {
        _folder: folder,
        file,
    }
}

fn in_store(store: &Arc<MemoryStore>, sealing: &Arc<SealingKeys>) -> RingPlace {
    RingPlace::Store {
        store: Arc::clone(store) as Arc<dyn Store>,
        sealing: Arc::clone(sealing),
    }
}

fn kid(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(world: &World) -> Vec<String> {
    let url = world.core.url("/.well-known/jwks.json");
    let jwks: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_rotated_while_core_runs_and_nobody_is_signed_out() {
    let folder = folder();
    let place = RingPlace::File(folder.file.clone());
    let ring = place.open().await.unwrap();
    let began = ring.entries(unix_now())[0].created_at;
    let world = World::with(ring.minter(ISSUER, began), MemoryStore::default()).await;
    let before = world.signed_in().await;

    // The newest key is a day old: the next look makes another. It is published, and does not sign yet.
    let now = began + DAY.as_secs();
    look(&place, &world.keys, ISSUER, Some(DAY), now).await.unwrap();
    assert_eq!(published(&world).await.len(), 2);
    assert_eq!(kid(&world.signed_in().await), kid(&before));

    // Its turn has come: it signs, and what the old one has signed is good.
    let now = now + LEAD_SECONDS;
    look(&place, &world.keys, ISSUER, Some(DAY), now).await.unwrap();
    let after = world.signed_in().await;
    assert_ne!(kid(&after), kid(&before));
    assert_eq!(published(&world).await, [kid(&after), kid(&before)]);
    assert_eq!(world.validate(&before).await.0, 200);
    assert_eq!(world.validate(&after).await.0, 200);

    // Nothing that the old one has signed can be alive: it is gone.
    let now = now + OVERLAP_SECONDS;
    look(&place, &world.keys, ISSUER, None, now).await.unwrap();
    assert_eq!(published(&world).await, [kid(&after)]);
    let (status, body) = world.validate(&before).await;
    assert_eq!(status, 401);
    assert!(
        body["error"].as_str().unwrap().starts_with("Invalid token: "),
        "{body}"
    );
    assert_eq!(world.validate(&after).await.0, 200);
}

#[tokio::test]
async fn cores_that_share_a_store_share_the_ring_and_rotate_it_once() {
    let (store, sealing) = (
        Arc::new(MemoryStore::default()),
        Arc::new(SealingKeys::generate()),
    );
    let place = in_store(&store, &sealing);
    let opened = futures_util::future::join_all((0..4).map(|_| place.open())).await;
    let kids: Vec<_> = opened.into_iter().map(|ring| ring.unwrap().entries(0)).collect();
    assert!(kids.windows(2).all(|pair| pair[0] == pair[1]), "{kids:?}");

    let later = unix_now() + DAY.as_secs();
    let keys: Vec<_> = (0..3).map(|_| Keys::new(Minter::new(key(), ISSUER))).collect();
    let looks = keys
        .iter()
        .map(|keys| look(&place, keys, ISSUER, Some(DAY), later));
    for looked in futures_util::future::join_all(looks).await {
        looked.unwrap();
    }
    assert_eq!(
        place.open().await.unwrap().entries(later).len(),
        2,
        "one new key, not three"
    );
    assert!(
        keys.windows(2)
            .all(|pair| format!("{:?}", pair[0]) == format!("{:?}", pair[1]))
    );
}

#[tokio::test]
async fn a_ring_in_the_store_is_sealed_and_nobody_without_the_keys_can_put_another_in_its_place() {
    let (store, sealing) = (
        Arc::new(MemoryStore::default()),
        Arc::new(SealingKeys::generate()),
    );
    let place = in_store(&store, &sealing);
    place.open().await.unwrap();
    let sealed = store.get("hm:core:keys").await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&sealed);
    assert!(!text.contains("PRIVATE") && !text.contains("kid"), "{text}");

    let stranger = in_store(&store, &Arc::new(SealingKeys::generate()));
    assert!(matches!(stranger.open().await, Err(RingFailure::Sealed)));
    let forged = KeyRing::generate(unix_now()).unwrap();
    let forged = secrecy::ExposeSecret::expose_secret(&forged.to_json()).to_owned();
    store.put("hm:core:keys", forged.as_bytes(), DAY).await.unwrap();
    assert!(matches!(place.open().await, Err(RingFailure::Sealed)));
}

#[tokio::test]
async fn keys_stay_as_they_are_while_the_ring_cannot_be_read() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let (store, sealing) = (
        Arc::new(MemoryStore::default()),
        Arc::new(SealingKeys::generate()),
    );
    store.put("hm:core:keys", b"nonsense", DAY).await.unwrap();
    let looked = look(&in_store(&store, &sealing), &world.keys, ISSUER, None, unix_now()).await;
    assert!(looked.is_err());
    assert_eq!(world.validate(&token).await.0, 200);
    assert_eq!(kid(&world.signed_in().await), kid(&token));
}

#[tokio::test]
async fn a_ring_in_a_file_is_its_owners_alone_and_no_change_is_lost() {
    let folder = folder();
    let place = RingPlace::File(folder.file.clone());
    place.open().await.unwrap();
    let mode = std::fs::metadata(&folder.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let now = unix_now();
    let step = |nth: u64| place.change(move |ring| ring.rotate(now + nth * (LEAD_SECONDS + 1)).map(drop));
    // One after the other, as their times say, yet each from its own reading of the file.
    for nth in 1..4 {
        step(nth).await.unwrap();
    }
    assert_eq!(place.open().await.unwrap().entries(now).len(), 4);

    std::fs::set_permissions(&folder.file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = place.open().await.unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_ring_that_is_malformed_is_refused_and_left_as_it_is() {
    let folder = folder();
    std::fs::write(
        &folder.file,
        "{\"version\":1,\"keys\":[{\"kid\":\"a\",\"created_at\":0,\"pem\":\"secret\"}]}",
    )
    .unwrap();
    std::fs::set_permissions(&folder.file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let place = RingPlace::File(folder.file.clone());
    let before = std::fs::read(&folder.file).unwrap();
    let error = place
        .change(|ring| ring.rotate(1).map(drop))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("\"a\"") && !error.contains("secret"), "{error}");
    assert_eq!(std::fs::read(&folder.file).unwrap(), before);
}
