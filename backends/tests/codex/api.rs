//! Companies and contacts as JSON, and what happens when many write at once.

use super::*;

#[tokio::test]
async fn the_api_creates_reads_replaces_and_deletes() {
    let codex = codex().await;
    let token = service("beacon", "codex");
    let made = codex
        .call(
            Method::POST,
            "/api/companies",
            &token,
            json!({"name": "Acme", "account_number": "A-1", "phone": null}),
        )
        .await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (201, "/codex/api/companies/1")
    );
    assert_eq!(made.json()["account_number"], "A-1");
    assert_eq!(made.json()["phone"], Value::Null);

    let replaced = codex
        .call(
            Method::PUT,
            "/api/companies/1",
            &token,
            json!({"id": 7, "name": "Acme Ltd"}),
        )
        .await;
    assert_eq!(
        (replaced.status, &replaced.json()["account_number"]),
        (200, &Value::Null)
    );
    assert_eq!(
        codex.get("/api/companies/1", &token).await.json()["name"],
        "Acme Ltd"
    );

    assert_eq!(
        codex
            .call(Method::DELETE, "/api/companies/1", &token, Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn the_api_keeps_contacts_under_their_company() {
    let codex = codex().await;
    let token = service("beacon", "codex");
    create(&codex, "Acme").await;
    create(&codex, "Other").await;
    let contact = codex
        .call(
            Method::POST,
            "/api/companies/1/contacts",
            &token,
            json!({"name": "Kim"}),
        )
        .await;
    assert_eq!(
        (contact.status, contact.location.as_str()),
        (201, "/codex/api/companies/1/contacts/1")
    );
    let contacts = codex.get("/api/companies/1/contacts", &token).await.json();
    assert_eq!(contacts["contacts"][0]["name"], "Kim");

    let path = "/api/companies/1/contacts/1";
    let replaced = codex
        .call(
            Method::PUT,
            path,
            &token,
            json!({"name": "Kim Lee", "email": "kim@acme.example"}),
        )
        .await;
    assert_eq!(
        (replaced.status, replaced.json()["email"].as_str()),
        (200, Some("kim@acme.example"))
    );
    assert_eq!(codex.get(path, &token).await.json()["name"], "Kim Lee");
    assert_eq!(codex.get("/api/companies/2/contacts/1", &token).await.status, 404);
    assert_eq!(
        codex.call(Method::DELETE, path, &token, Value::Null).await.status,
        204
    );
    assert_eq!(
        codex.call(Method::DELETE, path, &token, Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn what_is_not_there_is_404_for_the_api() {
    let codex = codex().await;
    let token = service("beacon", "codex");
    for (method, path) in [
        (Method::GET, "/api/companies/1"),
        (Method::DELETE, "/api/companies/1"),
        (Method::PUT, "/api/companies/1"),
        (Method::GET, "/api/companies/1/contacts"),
        (Method::POST, "/api/companies/1/contacts"),
        (Method::GET, "/api/companies/99999999999999999999"),
        (Method::GET, "/api/companies/one"),
    ] {
        let body = if method == Method::GET {
            Value::Null
        } else {
            json!({"name": "X"})
        };
        let answer = codex.call(method.clone(), path, &token, body).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (404, "application/problem+json"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn the_api_names_the_field_that_it_refuses() {
    let codex = codex().await;
    let admin = user(Admin);
    create(&codex, "Taken").await;
    let rows = [
        (json!({}), 400, "name"),
        (json!({"name": "x".repeat(201)}), 400, "name"),
        (json!({"name": "X", "website": "ftp://x.example"}), 400, "website"),
        (json!({"name": "X", "phone": "call me"}), 400, "phone"),
        (json!({"name": "X", "notes": ["a"]}), 400, "notes"),
        (json!({"name": "taken"}), 409, "name"),
    ];
    for (body, status, field) in rows {
        let answer = codex
            .call(Method::POST, "/api/companies", &admin, body.clone())
            .await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{}", answer.text);
        assert!(
            answer.json()["detail"].as_str().unwrap().starts_with(field),
            "{}",
            answer.text
        );
    }
    for (body, status) in [
        ("{", 400),
        ("[]", 400),
        ("[\"Acme\"]", 400),
        ("{\"name\": 7}", 400),
    ] {
        let request = codex.request(Method::POST, "/api/companies", &admin);
        let answer = codex
            .send(request.header("content-type", "application/json").body(body))
            .await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (status, "application/problem+json"),
            "{body}"
        );
    }
    let huge = codex
        .call(
            Method::POST,
            "/api/companies",
            &admin,
            json!({"notes": "x".repeat(2_000_000)}),
        )
        .await;
    assert_eq!(huge.status, 413);
}

#[tokio::test]
async fn lists_are_paged_within_limits() {
    let codex = codex().await;
    let admin = user(Admin);
    for number in 0..45 {
        create(&codex, &format!("Company {number:02}")).await;
    }
    let second = codex
        .get("/api/companies?per_page=20&page=2", &admin)
        .await
        .json();
    assert_eq!(
        (second["total"].as_i64(), second["pages"].as_i64()),
        (Some(45), Some(3))
    );
    assert_eq!(second["companies"][0]["name"], "Company 20");
    let beyond = codex.get("/api/companies?page=99", &admin).await.json();
    assert_eq!(beyond["companies"], json!([]));
    for (query, field) in [
        ("per_page=101", "per_page"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=-1", "page"),
    ] {
        let refused = codex.get(&format!("/api/companies?{query}"), &admin).await;
        assert_eq!(
            (refused.status, refused.json()["errors"][0]["field"].as_str()),
            (400, Some(field)),
            "{query}"
        );
    }
    let search = "x".repeat(101);
    assert_eq!(
        codex
            .get(&format!("/api/companies?search={search}"), &admin)
            .await
            .status,
        400
    );

    // People get a page whatever they typed into the address.
    let third = codex.page("/companies?page=3", &admin).await;
    assert!(
        third.text.contains("Company 44") && third.text.contains("aria-current=\"page\">3<"),
        "{}",
        third.text
    );
    for (query, shown) in [
        ("page=99", "Company 44"),
        ("page=x", "Company 00"),
        ("page=-7", "Company 00"),
    ] {
        let page = codex.page(&format!("/companies?{query}"), &admin).await;
        assert!(
            page.status == 200 && page.text.contains(shown),
            "{query}: {}",
            page.text
        );
    }
    let searched = codex.page("/companies?search=company+%26&page=1", &admin).await;
    assert_eq!(searched.status, 200);
    let words = codex.page("/companies?search=company", &admin).await;
    assert!(
        words.text.contains("/codex/companies?search=company&amp;page=2"),
        "{}",
        words.text
    );
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing_and_a_restart_keeps_everything() {
    let (settings, _folder) = lasting_settings().await;
    let database = settings.database.clone();
    let codex = codex_with(settings).await;
    let names: Vec<String> = (0..40).map(|number| format!("Company {number}")).collect();
    let made = futures_util::future::join_all(names.iter().map(|name| create(&codex, name))).await;
    assert_eq!(made.len(), 40);
    drop(codex);
    let again = codex_with(CodexSettings::new(database, auth("codex"))).await;
    assert_eq!(
        again.get("/api/companies", &user(Admin)).await.json()["total"],
        40
    );
}
