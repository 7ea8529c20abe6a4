//! Who sees and who changes what.

use super::*;

/// A company of the client, with one contact and one asset, and one of somebody else.
async fn two_companies(codex: &Stand) -> (i64, i64) {
    let (own, other) = (create(codex, "Own").await, create(codex, "Other").await);
    for (company, email) in [(own, "Client@Example.com"), (other, "else@example.com")] {
        let token = service("beacon", "codex");
        for (list, body) in [
            (
                "contacts",
                json!({"name": format!("Person of {company}"), "email": email}),
            ),
            (
                "assets",
                json!({"name": format!("pc-{company}"), "kind": "laptop"}),
            ),
        ] {
            let made = codex
                .call(
                    Method::POST,
                    &format!("/api/companies/{company}/{list}"),
                    &token,
                    body,
                )
                .await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
    }
    (own, other)
}

#[tokio::test]
async fn a_client_sees_the_companies_that_have_them_as_a_contact_and_no_others() {
    let codex = codex().await;
    let (own, other) = two_companies(&codex).await;
    let client = user(Client);
    for path in ["/companies", "/contacts", "/assets", "/companies?search=o"] {
        let page = codex.page(path, &client).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.text.contains(&format!("/codex/companies/{own}\"")),
            "{path}: {}",
            page.text
        );
        assert!(
            !page.text.contains(&format!("/codex/companies/{other}\"")),
            "{path}: {}",
            page.text
        );
    }
    for (path, list) in [
        ("/api/companies", "companies"),
        ("/api/contacts", "contacts"),
        ("/api/assets", "assets"),
    ] {
        let found = codex.get(path, &client).await.json();
        assert_eq!(
            (&found["total"], found[list].as_array().unwrap().len()),
            (&json!(1), 1),
            "{found}"
        );
        assert_eq!(codex.get(path, &user(Billing)).await.json()["total"], 2, "{path}");
        assert_eq!(
            codex.get(path, &service("beacon", "codex")).await.json()["total"],
            2,
            "{path}"
        );
    }
    for below in ["", "/contacts", "/contacts/1", "/assets", "/assets/1"] {
        let path = format!("/api/companies/{own}{below}");
        assert_eq!(codex.get(&path, &client).await.status, 200, "{path}");
    }
    for below in ["", "/contacts", "/contacts/2", "/assets", "/assets/2"] {
        let path = format!("/api/companies/{other}{below}");
        assert_eq!(codex.get(&path, &client).await.status, 404, "{path}");
    }
    assert_eq!(
        codex.page(&format!("/companies/{other}"), &client).await.status,
        404
    );
    assert_eq!(
        codex.page(&format!("/companies/{own}"), &client).await.status,
        200
    );

    // Nobody's address is no key to everything, and the sign for nobody is no address.
    for email in ["", "-", "%", "else"] {
        let stranger = user_with_email(Client, email);
        assert_eq!(
            codex.get("/api/companies", &stranger).await.json()["total"],
            0,
            "{email:?}"
        );
        let page = codex.page("/companies", &stranger).await;
        assert!(
            page.text.contains("please ask your service provider to add you"),
            "{}",
            page.text
        );
    }
}

#[tokio::test]
async fn a_client_may_look_but_not_change_and_staff_may_do_both() {
    let codex = codex().await;
    let (own, _) = two_companies(&codex).await;
    let client = user(Client);
    let page = codex.page("/companies", &client).await;
    for absent in ["/companies/new", "/import", "/agents", "/pull"] {
        assert!(!page.text.contains(absent), "{absent}: {}", page.text);
    }
    let company = codex.page(&format!("/companies/{own}"), &client).await;
    assert!(
        !company.text.contains("/edit") && !company.text.contains("/delete"),
        "{}",
        company.text
    );
    for path in [
        "/companies/new".to_owned(),
        format!("/companies/{own}/edit"),
        format!("/companies/{own}/delete"),
        format!("/companies/{own}/contacts/new"),
        format!("/companies/{own}/assets/1/edit"),
        "/import".to_owned(),
        "/export/companies.csv".to_owned(),
        "/export/contacts.csv".to_owned(),
        "/export/assets.csv".to_owned(),
    ] {
        assert_eq!(codex.page(&path, &client).await.status, 403, "{path}");
        assert_eq!(codex.page(&path, &user(Technician)).await.status, 200, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/companies".to_owned()),
        (Method::POST, format!("/companies/{own}")),
        (Method::POST, format!("/companies/{own}/delete")),
        (Method::POST, format!("/companies/{own}/contacts")),
        (Method::POST, format!("/companies/{own}/assets")),
        (Method::POST, "/import".to_owned()),
        (Method::POST, "/api/import/companies".to_owned()),
        (Method::POST, "/api/companies".to_owned()),
        (Method::PUT, format!("/api/companies/{own}")),
        (Method::DELETE, format!("/api/companies/{own}")),
        (Method::POST, format!("/api/companies/{own}/contacts")),
        (Method::DELETE, format!("/api/companies/{own}/assets/1")),
    ] {
        let answer = codex
            .call(method.clone(), &path, &client, json!({"name": "Mine"}))
            .await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    assert_eq!(
        codex.get(&format!("/api/companies/{own}"), &client).await.json()["name"],
        "Own"
    );
    for level in [Billing, Technician, Admin] {
        let name = format!("Of {level}");
        let made = codex.submit("/companies", &user(level), &[("name", &name)]).await;
        assert_eq!(made.status, 303, "{level}");
    }
}

#[tokio::test]
async fn agents_and_synchronization_are_for_administrators() {
    let codex = codex().await;
    for (method, path) in [
        (Method::GET, "/agents"),
        (Method::POST, "/agents/sync"),
        (Method::GET, "/pull"),
        (Method::POST, "/pull"),
        (Method::GET, "/api/agents"),
        (Method::POST, "/api/agents/sync"),
        (Method::GET, "/api/pull"),
        (Method::POST, "/api/pull"),
    ] {
        for token in [
            user(Client),
            user(Billing),
            user(Technician),
            service("beacon", "codex"),
        ] {
            let answer = codex.call(method.clone(), path, &token, Value::Null).await;
            assert_eq!(answer.status, 403, "{method} {path}");
        }
        let answer = codex.call(method.clone(), path, &user(Admin), Value::Null).await;
        assert_ne!(answer.status, 403, "{method} {path}");
    }
}
