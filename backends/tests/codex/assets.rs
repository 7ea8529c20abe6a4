//! Assets as pages and as JSON, and what becomes of them when others go.

use super::*;

async fn with_contact(codex: &Stand, company: i64, name: &str) -> i64 {
    let path = format!("/api/companies/{company}/contacts");
    let made = codex
        .call(Method::POST, &path, &user(Admin), json!({ "name": name }))
        .await;
    made.json()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn an_asset_lives_from_the_form_to_its_deletion() {
    let codex = codex().await;
    let admin = user(Technician);
    let company = create(&codex, "Acme").await;
    let kim = with_contact(&codex, company, "Kim").await;
    let form = codex
        .page(&format!("/companies/{company}/assets/new"), &admin)
        .await;
    must_be_a_proper_page(&form, "/codex");
    assert!(
        form.text
            .contains(&format!("<option value=\"{kim}\">Kim</option>")),
        "{}",
        form.text
    );

    let made = codex
        .submit(
            &format!("/companies/{company}/assets"),
            &admin,
            &[
                ("name", "srv-1"),
                ("kind", "server"),
                ("serial_number", "SN-7"),
                ("contact_id", &kim.to_string()),
            ],
        )
        .await;
    assert_eq!(
        (made.status, made.location),
        (303, format!("/codex/companies/{company}?done=asset-created"))
    );
    let page = codex
        .page(&format!("/companies/{company}?done=asset-created"), &admin)
        .await;
    for shown in ["The asset was created.", "srv-1", "SN-7", "Server", "Kim"] {
        assert!(page.text.contains(shown), "no {shown} in {}", page.text);
    }
}

#[tokio::test]
async fn an_asset_is_changed_found_and_deleted() {
    let codex = codex().await;
    let admin = user(Technician);
    let company = create(&codex, "Acme").await;
    let list = format!("/companies/{company}/assets");
    let made = codex
        .submit(&list, &admin, &[("name", "srv-1"), ("kind", "server")])
        .await;
    assert_eq!(made.status, 303);
    let edit = codex
        .page(&format!("/companies/{company}/assets/1/edit"), &admin)
        .await;
    assert!(
        edit.text.contains("value=\"srv-1\"") && edit.text.contains("value=\"server\" selected"),
        "{}",
        edit.text
    );
    let saved = codex
        .submit(
            &format!("/companies/{company}/assets/1"),
            &admin,
            &[("name", "srv-2"), ("kind", "server")],
        )
        .await;
    assert_eq!(saved.status, 303);
    let found = codex.page("/assets?search=SRV-2+server", &admin).await;
    assert!(
        found.text.contains("srv-2") && found.text.contains("Acme"),
        "{}",
        found.text
    );

    let question = codex
        .page(&format!("/companies/{company}/assets/1/delete"), &admin)
        .await;
    assert!(
        question.text.contains("This cannot be undone."),
        "{}",
        question.text
    );
    let gone = codex
        .submit(&format!("/companies/{company}/assets/1/delete"), &admin, &[])
        .await;
    assert_eq!(gone.status, 303);
    assert_eq!(
        codex
            .page(&format!("/companies/{company}/assets/1/edit"), &admin)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_refused_asset_says_which_field_and_keeps_what_was_typed() {
    let codex = codex().await;
    let (company, other) = (create(&codex, "Acme").await, create(&codex, "Other").await);
    let stranger = with_contact(&codex, other, "Stranger").await.to_string();
    let refused = codex
        .submit(
            &format!("/companies/{company}/assets"),
            &user(Admin),
            &[("name", ""), ("kind", "spaceship"), ("location", "<b>Moon")],
        )
        .await;
    assert_eq!(refused.status, 422);
    for shown in [
        "This must not be empty.",
        "This must be one of workstation, ",
        "value=\"&lt;b&gt;Moon\"",
    ] {
        assert!(refused.text.contains(shown), "no {shown} in {}", refused.text);
    }
    let refused = codex
        .submit(
            &format!("/companies/{company}/assets"),
            &user(Admin),
            &[("name", "pc"), ("kind", "laptop"), ("contact_id", &stranger)],
        )
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text
            .contains("This must be one of the company's contacts."),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn the_api_keeps_assets_under_their_company_and_takes_a_contact_as_number_or_text() {
    let codex = codex().await;
    let token = service("beacon", "codex");
    let company = create(&codex, "Acme").await;
    let kim = with_contact(&codex, company, "Kim").await;
    let list = format!("/api/companies/{company}/assets");
    for contact in [json!(kim), json!(kim.to_string())] {
        let made = codex
            .call(
                Method::POST,
                &list,
                &token,
                json!({"name": "pc", "kind": "laptop", "contact_id": contact}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(
            (&made.json()["contact_id"], &made.json()["contact_name"]),
            (&json!(kim), &json!("Kim"))
        );
        assert!(
            made.location.starts_with("/codex/api/companies/"),
            "{}",
            made.location
        );
    }
}

#[tokio::test]
async fn the_api_names_the_field_of_an_asset_that_it_refuses_and_deletes_once() {
    let codex = codex().await;
    let token = service("beacon", "codex");
    let (company, other) = (create(&codex, "Acme").await, create(&codex, "Other").await);
    let list = format!("/api/companies/{company}/assets");
    let made = codex
        .call(Method::POST, &list, &token, json!({"name": "pc"}))
        .await;
    assert_eq!((made.status, &made.json()["kind"]), (201, &json!("other")));
    let one = format!("{list}/1");
    assert_eq!(
        codex
            .get(&format!("/api/companies/{other}/assets/1"), &token)
            .await
            .status,
        404
    );
    let replaced = codex
        .call(
            Method::PUT,
            &one,
            &token,
            json!({"name": "pc-9", "kind": "workstation"}),
        )
        .await;
    assert_eq!(
        (replaced.status, &replaced.json()["contact_id"]),
        (200, &Value::Null)
    );
    for (body, field) in [
        (json!({"kind": "server"}), "name"),
        (json!({"name": "x", "kind": "car"}), "kind"),
        (json!({"name": "x", "contact_id": "Kim"}), "contact_id"),
        (json!({"name": "x", "contact_id": 99}), "contact_id"),
        (json!({"name": "x", "contact_id": 1.5}), "contact_id"),
    ] {
        let refused = codex.call(Method::POST, &list, &token, body.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["field"]),
            (400, &json!(field)),
            "{body}"
        );
    }
    let missing = codex
        .call(
            Method::POST,
            "/api/companies/99/assets",
            &token,
            json!({"name": "x"}),
        )
        .await;
    assert_eq!(missing.status, 404);
    assert_eq!(
        codex.call(Method::DELETE, &one, &token, Value::Null).await.status,
        204
    );
    assert_eq!(
        codex.call(Method::DELETE, &one, &token, Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn an_asset_outlives_its_contact_and_goes_with_its_company() {
    let codex = codex().await;
    let admin = user(Admin);
    let company = create(&codex, "Acme").await;
    let kim = with_contact(&codex, company, "Kim").await;
    let list = format!("/api/companies/{company}/assets");
    codex
        .call(
            Method::POST,
            &list,
            &admin,
            json!({"name": "pc", "contact_id": kim}),
        )
        .await;
    let contact = format!("/api/companies/{company}/contacts/{kim}");
    assert_eq!(
        codex
            .call(Method::DELETE, &contact, &admin, Value::Null)
            .await
            .status,
        204
    );
    let asset = codex.get(&format!("{list}/1"), &admin).await.json();
    assert_eq!(
        (&asset["name"], &asset["contact_id"]),
        (&json!("pc"), &Value::Null)
    );

    let question = codex.page(&format!("/companies/{company}/delete"), &admin).await;
    assert!(
        question.text.contains("So will its one asset."),
        "{}",
        question.text
    );
    let path = format!("/api/companies/{company}");
    assert_eq!(
        codex
            .call(Method::DELETE, &path, &admin, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(codex.get("/api/assets", &admin).await.json()["total"], 0);
}
