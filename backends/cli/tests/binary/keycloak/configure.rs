//! `hivematrix keycloak configure`: what it makes, what it leaves alone, and where secrets go.

use std::os::unix::fs::PermissionsExt as _;

use hivematrix_tests::Keycloak;
use serde_json::json;

use super::place::Place;
use crate::process::Binary;

#[tokio::test]
async fn a_dry_run_shows_everything_and_changes_nothing_and_a_second_run_finds_nothing_to_do() {
    let Some(place) = Place::new("first").await else {
        return;
    };
    let planned = place.run(&["--dry-run"]).await;
    assert_eq!(planned.status, 0, "{}", planned.stderr);
    for line in [
        "+ realm first".to_owned(),
        "    + sslRequired: \"external\"".to_owned(),
        "+ client core-client".to_owned(),
        format!(
            "    + redirectUris: [\"{}keycloak-callback\"]",
            place.origin.as_str()
        ),
        "    + attributes.pkce.code.challenge.method: \"S256\"".to_owned(),
        "    + secret: (a secret)".to_owned(),
        "+ client core-client, role view-profile of account".to_owned(),
        "+ group technicians".to_owned(),
        "+ first administrator hivematrix-admin".to_owned(),
    ] {
        assert!(
            planned.stdout.lines().any(|found| found == line),
            "no {line:?} in {}",
            planned.stdout
        );
    }
    let admin = place.admin();
    assert!(
        admin.get(&["realms", "first"], &[]).await.unwrap().is_none(),
        "nothing was made"
    );
    assert!(!place.file("keycloak-client.secret").exists(), "and no secret");

    let done = place.configured().await;
    assert_eq!(done.stdout, planned.stdout, "what was shown is what was done");

    for again in [&["--dry-run"][..], &[]] {
        let again = place.run(again).await;
        assert_eq!(
            (again.status, again.stdout.as_str()),
            (0, ""),
            "nothing is left to do: {}",
            again.stderr
        );
        assert!(
            again.stderr.contains("all is as it should be"),
            "{}",
            again.stderr
        );
    }
}

#[tokio::test]
async fn secrets_go_to_files_of_their_owner_and_nowhere_else() {
    let Some(place) = Place::new("secrets").await else {
        return;
    };
    let ended = place.configured().await;
    let mut secrets = vec![Keycloak::PASSWORD.to_owned()];
    for name in ["keycloak-client.secret", "keycloak-first-admin.password"] {
        let mode = std::fs::metadata(place.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(ended.stderr.contains(name), "its place is said: {}", ended.stderr);
        secrets.push(std::fs::read_to_string(place.file(name)).unwrap());
    }
    for secret in &secrets {
        assert!(secret.len() > 15);
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
    }
    let client = place.only(&["clients"], &[("clientId", "core-client")]).await;
    assert_eq!(
        client["secret"],
        secrets[1].as_str(),
        "the file has what Keycloak has"
    );

    // A lost file is written again, with the secret that is in use.
    std::fs::remove_file(place.file("keycloak-client.secret")).unwrap();
    assert_eq!(place.configured().await.stdout, "");
    let again = std::fs::read_to_string(place.file("keycloak-client.secret")).unwrap();
    assert_eq!(again, secrets[1]);
}

#[tokio::test]
async fn what_differs_is_put_right_and_what_is_not_ours_is_left_alone() {
    let Some(place) = Place::new("lived-in").await else {
        return;
    };
    let admin = place.admin();
    let realm = json!({
        "realm": "lived-in",
        "enabled": true,
        "displayName": "Ours since 2019",
        "ssoSessionIdleTimeout": 600,
        "attributes": {"theirs": "kept"},
        "groups": [{"name": "admins"}, {"name": "gardeners"}],
        "clients": [
            {"clientId": "theirs", "redirectUris": ["https://theirs.example/*"], "publicClient": true},
            {
                "clientId": "core-client",
                "publicClient": true,
                "directAccessGrantsEnabled": true,
                "description": "theirs",
                "redirectUris": ["*"],
                "attributes": {"theirs": "kept"},
                "protocolMappers": [{
                    "name": "theirs",
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-hardcoded-claim-mapper",
                    "config": {"claim.name": "theirs", "claim.value": "1"},
                }],
            },
        ],
        "users": [{"username": "boss", "enabled": true, "groups": ["/admins"]}],
    });
    admin.post(&["realms"], &realm).await.unwrap();
    let theirs = place.only(&["clients"], &[("clientId", "theirs")]).await;

    let done = place.configured().await;
    for line in [
        "    ~ redirectUris: [\"*\"] -> [\"".to_owned() + place.origin.as_str() + "keycloak-callback\"]",
        "    ~ publicClient: true -> false".to_owned(),
        "    ~ directAccessGrantsEnabled: true -> false".to_owned(),
        "    ~ bruteForceProtected: false -> true".to_owned(),
        "+ group billing".to_owned(),
    ] {
        assert!(
            done.stdout.lines().any(|found| found == line),
            "no {line:?} in {}",
            done.stdout
        );
    }
    assert!(
        !done.stdout.contains("first administrator") && !done.stdout.contains("group admins"),
        "{}",
        done.stdout
    );

    let realm = admin.get(&["realms", "lived-in"], &[]).await.unwrap().unwrap();
    assert_eq!(realm["displayName"], "Ours since 2019");
    assert_eq!(realm["ssoSessionIdleTimeout"], 600);
    assert_eq!(realm["attributes"]["theirs"], "kept");
    let ours = place.only(&["clients"], &[("clientId", "core-client")]).await;
    assert_eq!(
        (&ours["description"], &ours["attributes"]["theirs"]),
        (&json!("theirs"), &json!("kept"))
    );
    let mappers = ours["protocolMappers"].as_array().unwrap();
    assert!(mappers.iter().any(|mapper| mapper["name"] == "theirs"));
    assert!(mappers.iter().any(|mapper| mapper["name"] == "groups"));
    assert_eq!(
        place.only(&["clients"], &[("clientId", "theirs")]).await,
        theirs,
        "another client"
    );
    assert_eq!(place.configured().await.stdout, "", "nothing is left to do");
}

#[tokio::test]
async fn what_stands_in_the_way_is_one_sentence() {
    let Some(place) = Place::new("refused").await else {
        return;
    };
    let config = place.file("gateway.toml").display().to_string();
    let configure = |password: &str| {
        let binary = Binary::new(&["keycloak", "configure", "--config", &config]);
        if password.is_empty() {
            binary
        } else {
            binary.env("KEYCLOAK_ADMIN_PASSWORD", password)
        }
    };
    for (password, status, sentence) in [
        ("", 64, "KEYCLOAK_ADMIN_PASSWORD"),
        (
            "wrong",
            1,
            "does not let the administrator \"admin\" of realm \"master\" in",
        ),
    ] {
        let ended = configure(password).ended().await;
        assert_eq!((ended.status, ended.stdout.as_str()), (status, ""));
        assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    let weak = configure(Keycloak::PASSWORD).env("KEYCLOAK_CLIENT_SECRET", "short");
    let ended = weak.ended().await;
    assert_eq!(ended.status, 64);
    assert!(ended.stderr.contains("shorter than 16"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_administrator_may_be_a_service_account_and_secrets_may_be_given() {
    let Some(place) = Place::new("given").await else {
        return;
    };
    let admin = place.admin();
    let robot = json!({
        "clientId": "robot",
        "secret": "the robot's own secret",
        "serviceAccountsEnabled": true,
        "standardFlowEnabled": false,
    });
    let clients = ["realms", "master", "clients"];
    admin.post(&clients, &robot).await.unwrap();
    let found = admin.list(&clients, &[("clientId", "robot")]).await.unwrap();
    let robot = found[0]["id"].as_str().unwrap();
    let account = [&clients[..], &[robot, "service-account-user"]].concat();
    let account = admin.get(&account, &[]).await.unwrap().unwrap();
    let role = admin.get(&["realms", "master", "roles", "admin"], &[]).await;
    let account = account["id"].as_str().unwrap();
    let roles = ["realms", "master", "users", account, "role-mappings", "realm"];
    admin
        .post(&roles, &json!([role.unwrap().unwrap()]))
        .await
        .unwrap();

    let config = place.file("gateway.toml").display().to_string();
    let arguments = ["keycloak", "configure", "--config", &config];
    let ended = Binary::new(&[&arguments[..], &["--admin-client", "robot"]].concat())
        .env("KEYCLOAK_ADMIN_CLIENT_SECRET", "the robot's own secret")
        .env("KEYCLOAK_CLIENT_SECRET", "a secret that was given")
        .env("HIVEMATRIX_FIRST_ADMIN_PASSWORD", "a password that was given")
        .patiently()
        .ended()
        .await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let client = place.only(&["clients"], &[("clientId", "core-client")]).await;
    assert_eq!(client["secret"], "a secret that was given");
    for file in ["keycloak-client.secret", "keycloak-first-admin.password"] {
        assert!(!place.file(file).exists(), "what was given is not written down");
    }
}
