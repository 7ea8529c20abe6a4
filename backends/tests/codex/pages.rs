//! Pages and forms about companies and contacts, as a browser sees them.

use super::*;

#[tokio::test]
async fn the_demo_has_fifteen_companies_with_contacts_that_can_be_searched() {
    let codex = demo().await;
    let all = codex.get("/api/companies", &user(Technician)).await.json();
    assert_eq!(
        (all["total"].as_i64(), all["companies"].as_array().unwrap().len()),
        (Some(15), 15)
    );
    assert!(
        all["companies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|company| company["contact_count"].as_i64() >= Some(2))
    );

    let page = codex
        .page("/companies?search=gl%C3%84ser", &user(Technician))
        .await;
    must_be_a_proper_page(&page, "/codex");
    assert!(
        page.text.contains("Gläser Optik GmbH") && !page.text.contains("Bluewater"),
        "{}",
        page.text
    );
    let nothing = codex
        .page("/companies?search=%3Cb%3Enothing", &user(Technician))
        .await;
    assert!(
        nothing
            .text
            .contains("None of the companies matches “&lt;b&gt;nothing”"),
        "{}",
        nothing.text
    );
}

#[tokio::test]
async fn every_page_is_a_complete_document_whose_links_stay_under_the_prefix() {
    let codex = demo().await;
    let admin = user(Admin);
    for path in [
        "/",
        "/companies",
        "/companies/1",
        "/companies/new",
        "/companies/1/edit",
        "/companies/1/delete",
        "/companies/1/contacts/new",
        "/companies/1/contacts/1/edit",
        "/companies/1/contacts/1/delete",
        "/companies/1/assets/new",
        "/companies/1/assets/1/edit",
        "/companies/1/assets/1/delete",
        "/contacts",
        "/contacts?search=nobody+at+all",
        "/assets",
        "/import",
        "/agents",
        "/pull",
        "/settings",
    ] {
        let page = codex.page(path, &admin).await;
        assert_eq!(page.status, 200, "{path}");
        must_be_a_proper_page(&page, "/codex");
    }
}

#[tokio::test]
async fn a_company_lives_from_the_form_to_its_deletion() {
    let codex = codex().await;
    let admin = user(Admin);
    let empty = codex.page("/companies", &admin).await;
    assert!(empty.text.contains("No companies yet"));

    let made = codex
        .submit(
            "/companies",
            &admin,
            &[
                ("name", "  Acme & Sons  "),
                ("website", "acme.example"),
                ("notes", "one\r\ntwo"),
            ],
        )
        .await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (303, "/codex/companies/1?done=company-created")
    );
    let page = codex.page("/companies/1?done=company-created", &admin).await;
    for shown in [
        "Acme &amp; Sons",
        "The company was created.",
        "href=\"https://acme.example/\"",
        "one<br>two",
    ] {
        assert!(page.text.contains(shown), "no {shown} in {}", page.text);
    }

    let edit = codex.page("/companies/1/edit", &admin).await;
    assert!(edit.text.contains("value=\"Acme &amp; Sons\""), "{}", edit.text);
    let saved = codex
        .submit(
            "/companies/1",
            &admin,
            &[("name", "Acme"), ("phone", "+1 555 0100")],
        )
        .await;
    assert_eq!(
        (saved.status, saved.location.as_str()),
        (303, "/codex/companies/1?done=company-saved")
    );
}

#[tokio::test]
async fn contacts_come_and_go_with_their_company_which_asks_before_it_goes() {
    let codex = codex().await;
    let admin = user(Admin);
    create(&codex, "Acme").await;
    let person = codex
        .submit(
            "/companies/1/contacts",
            &admin,
            &[("name", "Kim"), ("email", "kim@acme.example")],
        )
        .await;
    assert_eq!(
        (person.status, person.location.as_str()),
        (303, "/codex/companies/1?done=contact-created")
    );
    let person = codex
        .submit("/companies/1/contacts/1", &admin, &[("name", "Kim Lee")])
        .await;
    assert_eq!(person.status, 303);
    assert!(codex.page("/companies/1", &admin).await.text.contains("Kim Lee"));

    let question = codex.page("/companies/1/delete", &admin).await;
    assert!(
        question.text.contains("Its one contact will be deleted with it."),
        "{}",
        question.text
    );
    assert_eq!(
        codex.page("/companies/1", &admin).await.status,
        200,
        "asking does not delete"
    );
    let gone = codex.submit("/companies/1/delete", &admin, &[]).await;
    assert_eq!(
        (gone.status, gone.location.as_str()),
        (303, "/codex/companies?done=company-deleted")
    );
    let missing = codex.page("/companies/1", &admin).await;
    assert_eq!(missing.status, 404);
    must_be_a_proper_page(&missing, "/codex");
    assert_eq!(codex.get("/api/companies/1/contacts/1", &admin).await.status, 404);
}

#[tokio::test]
async fn a_refused_form_says_which_field_and_keeps_what_was_typed() {
    let codex = codex().await;
    let admin = user(Admin);
    let refused = codex
        .submit(
            "/companies",
            &admin,
            &[
                ("name", " "),
                ("website", "javascript:alert(1)"),
                ("notes", "</textarea><b>keep me"),
            ],
        )
        .await;
    assert_eq!(refused.status, 422);
    must_be_a_proper_page(
        &Answer {
            text: refused.text.replace("value=\"javascript:", ""),
            ..refused.clone()
        },
        "/codex",
    );
    for shown in [
        "This must not be empty.",
        "This must be a web address such as https://example.com.",
        "value=\"javascript:alert(1)\"",
        "&lt;/textarea&gt;&lt;b&gt;keep me</textarea>",
        "aria-invalid=\"true\"",
        "href=\"#website\"",
    ] {
        assert!(refused.text.contains(shown), "no {shown} in {}", refused.text);
    }

    create(&codex, "Taken").await;
    let taken = codex
        .submit(
            "/companies",
            &admin,
            &[("name", "TAKEN"), ("phone", "+1 555 0100")],
        )
        .await;
    assert_eq!(taken.status, 422);
    assert!(
        taken.text.contains("There is a company named “TAKEN” already.")
            && taken.text.contains("+1 555 0100")
    );

    let other = create(&codex, "Other").await;
    let taken = codex
        .submit(&format!("/companies/{other}"), &admin, &[("name", "Taken")])
        .await;
    assert_eq!(taken.status, 422);
    let contact = codex
        .submit(
            &format!("/companies/{other}/contacts"),
            &admin,
            &[("name", "Kim"), ("email", "nonsense")],
        )
        .await;
    assert_eq!(contact.status, 422);
    assert!(
        contact.text.contains("This must be an e-mail address")
            && contact.text.contains("value=\"nonsense\"")
    );
}
