//! `hivematrix keycloak configure --audit`: silent about what is well, and clear about what is not.

use serde_json::{Value, json};

use super::place::Place;

/// The findings, as (check, object). The notes are as many as these, and contain them.
async fn findings(place: &Place, notes: &[&str]) -> Vec<(String, String)> {
    let ended = place.run(&["--audit", "--json"]).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    let said = report["notes"].as_array().unwrap();
    let as_expected = said.len() == notes.len()
        && (said.iter().zip(notes)).all(|(said, note)| said.as_str().unwrap().contains(note));
    assert!(as_expected, "{notes:?}: {report:#}");
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(
        ended.status,
        i32::from(!findings.is_empty()),
        "the exit status says it too: {report:#}"
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = findings.iter();
    findings
        .map(|finding| (text(&finding["check"]), text(&finding["object"])))
        .collect()
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one realm, changed in one thing after the other"
)]
async fn an_audit_finds_nothing_in_what_configure_made_and_each_thing_that_is_changed_then() {
    let Some(place) = Place::new("audited").await else {
        return;
    };
    place.configured().await;
    // The gateway does not run yet, so nobody knows what it would let through.
    let unknown = ["could not be tried from here"; 4];
    assert_eq!(findings(&place, &unknown).await, []);
    let _stack = place.stack().await;
    assert_eq!(findings(&place, &[]).await, []);

    let admin = place.admin();
    let clients = ["realms", "audited", "clients"];
    let wild = json!({
        "clientId": "wild",
        "publicClient": true,
        "redirectUris": ["https://wild.example/*"],
    });
    admin.post(&clients, &wild).await.unwrap();
    let ours = place.only(&["clients"], &[("clientId", "core-client")]).await;
    let ours = ours["id"].as_str().unwrap();
    let drift = json!({
        "clientId": "core-client",
        "implicitFlowEnabled": true,
        "attributes": {"pkce.code.challenge.method": ""},
    });
    let path = ["realms", "audited", "clients", ours];
    admin.put(&path, &drift).await.unwrap();
    let rival = json!({
        "name": "rival",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-attribute-mapper",
        "config": {"claim.name": "groups", "user.attribute": "nickname", "userinfo.token.claim": "true"},
    });
    let models = [&path[..], &["protocol-mappers", "models"]].concat();
    admin.post(&models, &rival).await.unwrap();
    let realm = json!({"realm": "audited", "passwordPolicy": "", "ssoSessionIdleTimeout": 600});
    admin.put(&["realms", "audited"], &realm).await.unwrap();
    let account = place.only(&["clients"], &[("clientId", "account")]).await;
    let account = ["realms", "audited", "clients", account["id"].as_str().unwrap()];
    let disabled = json!({"clientId": "account", "enabled": false});
    admin.put(&account, &disabled).await.unwrap();
    place.person_with("careless", &["technicians"], "careless").await;
    place.person("careful", &["technicians"]).await;

    let notes = [
        "ssoSessionIdleTimeout is 600 seconds",
        "client account is not there or not enabled",
    ];
    let found = findings(&place, &notes).await;
    let text = |check: &str, object: &str| (check.to_owned(), object.to_owned());
    let mut expected = vec![
        text("drift", "client core-client"),
        text("drift", "client core-client"),
        text("missing_pkce", "client core-client"),
        text("groups_claim", "client core-client"),
        text("wildcard_redirect", "client wild"),
        text("missing_pkce", "client wild"),
        text("default_password", "user careless of realm audited"),
    ];
    expected.sort();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, expected);

    let careful = place.id_of("careful").await;
    let failures = [
        "realms",
        "audited",
        "attack-detection",
        "brute-force",
        "users",
        &careful,
    ];
    let failures = admin.get(&failures, &[]).await.unwrap().unwrap();
    assert_eq!(
        failures["numFailures"], 0,
        "a try does not bring anybody nearer to a lock"
    );
    assert_eq!(
        place.sessions_of("careless").await,
        0,
        "and leaves no session behind"
    );
}

#[tokio::test]
async fn an_admin_console_that_everybody_can_reach_is_found() {
    let Some(place) = Place::with_identity_origin("exposed").await else {
        return;
    };
    place.configured().await;
    // Nothing stands in front of Keycloak's own origin here: the mistake that an audit has to find.
    let ended = place.run(&["--audit"]).await;
    assert_eq!(ended.status, 1);
    for what in ["the admin console", "the admin API", "the master realm"] {
        assert!(
            ended.stdout.contains(&format!("public_console: {what}: ")),
            "{}",
            ended.stdout
        );
    }
    assert!(ended.stderr.contains("3 findings"), "{}", ended.stderr);
}
