//! Codex on a real socket: pages, forms, the JSON API, preferences, health.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stand;

use hivematrix_backends::codex::{self, CodexSettings};
use hivematrix_platform::PermissionLevel::{self, Admin, Billing, Client, Technician};
use reqwest::Method;
use serde_json::{Value, json};

use stand::{Answer, Stand, auth, must_be_a_proper_page, service, user, user_with_email};

fn settings() -> CodexSettings {
    CodexSettings {
        database: "sqlite::memory:".to_owned(),
        auth: auth("codex"),
        demo_data: false,
        home_pages: Vec::new(),
    }
}

async fn codex() -> Stand {
    Stand::start("codex", codex::router(settings()).await.unwrap()).await
}

async fn demo() -> Stand {
    let settings = CodexSettings {
        demo_data: true,
        ..settings()
    };
    Stand::start("codex", codex::router(settings).await.unwrap()).await
}

async fn create(codex: &Stand, name: &str) -> i64 {
    let made = codex
        .call(
            Method::POST,
            "/api/companies",
            &user(Admin),
            json!({ "name": name }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn nobody_enters_without_a_token_except_to_ask_for_health() {
    let codex = demo().await;
    for path in [
        "/",
        "/companies",
        "/companies/1",
        "/companies/new",
        "/settings",
        "/api/companies",
        "/api/my/settings",
        "/api/public/user/theme?email=a@b.c",
    ] {
        let answer = codex.get(path, "").await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (401, "application/problem+json"),
            "{path}"
        );
    }
    let health = codex.get("/health", "").await;
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (200, Some("healthy"))
    );
    assert_eq!(health.json()["checks"]["database"]["status"], "healthy");
}

#[tokio::test]
async fn health_says_so_when_the_database_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("codex.db").display());
    let settings = CodexSettings {
        database: database.clone(),
        ..settings()
    };
    let codex = Stand::start("codex", codex::router(settings).await.unwrap()).await;
    assert_eq!(codex.get("/health", "").await.status, 200);

    let vandal = sqlx::SqlitePool::connect(&database).await.unwrap();
    sqlx::query("DROP TABLE agents").execute(&vandal).await.unwrap();
    let health = codex.get("/health", "").await;
    assert_eq!(
        (
            health.status,
            health.json()["checks"]["database"]["status"].as_str()
        ),
        (503, Some("unhealthy"))
    );

    // And a page that needs it says that it is our fault, without telling what the database said.
    let page = codex.page("/settings", &user(Admin)).await;
    assert_eq!(page.status, 500);
    assert!(!page.text.contains("agents"), "{}", page.text);
}

#[tokio::test]
async fn the_demo_has_fifteen_companies_with_contacts_that_can_be_searched() {
    let codex = demo().await;
    let all = codex.get("/api/companies", &user(Client)).await.json();
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

    let page = codex.page("/companies?search=gl%C3%84ser", &user(Client)).await;
    must_be_a_proper_page(&page, "/codex");
    assert!(
        page.text.contains("Gläser Optik GmbH") && !page.text.contains("Bluewater"),
        "{}",
        page.text
    );
    let nothing = codex
        .page("/companies?search=%3Cb%3Enothing", &user(Client))
        .await;
    assert!(
        nothing.text.contains("No company matches “&lt;b&gt;nothing”"),
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

#[tokio::test]
async fn a_client_may_look_but_not_change_and_everybody_else_may_do_both() {
    let codex = codex().await;
    let id = create(&codex, "Acme").await;
    let client = user(Client);
    assert_eq!(codex.page(&format!("/companies/{id}"), &client).await.status, 200);
    assert!(
        !codex
            .page("/companies", &client)
            .await
            .text
            .contains("/companies/new")
    );
    for path in [
        "/companies/new".to_owned(),
        format!("/companies/{id}/edit"),
        format!("/companies/{id}/delete"),
    ] {
        assert_eq!(codex.page(&path, &client).await.status, 403, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/companies".to_owned()),
        (Method::POST, format!("/companies/{id}")),
        (Method::POST, format!("/companies/{id}/delete")),
        (Method::POST, format!("/companies/{id}/contacts")),
        (Method::POST, "/api/companies".to_owned()),
        (Method::PUT, format!("/api/companies/{id}")),
        (Method::DELETE, format!("/api/companies/{id}")),
        (Method::POST, format!("/api/companies/{id}/contacts")),
    ] {
        let answer = codex
            .call(method.clone(), &path, &client, json!({"name": "Mine"}))
            .await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    assert_eq!(
        codex.get(&format!("/api/companies/{id}"), &client).await.json()["name"],
        "Acme"
    );
    for level in [Billing, Technician, Admin] {
        let name = format!("Of {level}");
        assert_eq!(
            codex
                .submit("/companies", &user(level), &[("name", &name)])
                .await
                .status,
            303,
            "{level}"
        );
    }
}

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
            json!({"name": "Acme Ltd"}),
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

    assert_eq!(
        codex
            .call(Method::DELETE, "/api/companies/1", &token, Value::Null)
            .await
            .status,
        204
    );
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
    for (body, status) in [("{", 400), ("[]", 422), ("{\"name\": 7}", 422)] {
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
        third.text.contains("Company 44") && third.text.contains("Page 3 of 3"),
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

async fn theme_of(codex: &Stand, email: &str) -> Value {
    codex
        .get(
            &format!("/api/public/user/theme?email={email}"),
            &service("nexus", "codex"),
        )
        .await
        .json()
}

#[tokio::test]
async fn the_theme_toggle_works_on_the_first_visit_and_the_gateway_learns_of_it() {
    let codex = codex().await;
    assert_eq!(
        theme_of(&codex, "technician@example.com").await,
        json!({"theme": "light", "color_theme": "purple", "source": "default"})
    );

    let token = user(Technician);
    let toggled = codex
        .call(
            Method::PUT,
            "/api/my/settings",
            &token,
            json!({"theme_preference": "dark"}),
        )
        .await;
    assert_eq!(
        (toggled.status, &toggled.json()["theme_preference"]),
        (200, &json!("dark"))
    );
    assert_eq!(
        theme_of(&codex, "technician@example.com").await,
        json!({"theme": "dark", "color_theme": "purple", "source": "codex"})
    );
    assert_eq!(
        theme_of(&codex, "Technician%40Example.COM").await["theme"],
        "dark",
        "whatever the case of the address"
    );

    let rest = codex
        .call(
            Method::PUT,
            "/api/my/settings",
            &token,
            json!({"color_theme": "bee", "home_page": "ledger"}),
        )
        .await;
    assert_eq!(rest.status, 200);
    assert_eq!(
        codex.get("/api/my/settings", &token).await.json(),
        json!({"theme_preference": "dark", "color_theme": "bee", "home_page": "ledger"})
    );
    let home = codex
        .get(
            "/api/public/user/home-page?email=technician@example.com",
            &service("nexus", "codex"),
        )
        .await;
    assert_eq!(home.json(), json!({"home_page": "ledger", "source": "codex"}));
    let home = codex
        .get(
            "/api/public/user/home-page?email=nobody@example.com",
            &service("nexus", "codex"),
        )
        .await;
    assert_eq!(home.json(), json!({"home_page": "helm", "source": "default"}));
}

#[tokio::test]
async fn who_has_no_email_address_is_told_that_there_is_no_agent() {
    let codex = codex().await;
    let token = user_with_email(Client, "");
    for answer in [
        codex.get("/api/my/settings", &token).await,
        codex
            .call(
                Method::PUT,
                "/api/my/settings",
                &token,
                json!({"theme_preference": "dark"}),
            )
            .await,
    ] {
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({"error": "Agent not found"}))
        );
    }
    let page = codex.page("/settings", &token).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("has no e-mail address"), "{}", page.text);
    assert_eq!(codex.page("/companies", &token).await.status, 200);
}

#[tokio::test]
async fn bad_preferences_are_refused_by_the_name_of_the_field() {
    let settings = CodexSettings {
        home_pages: vec!["codex".parse().unwrap()],
        ..settings()
    };
    let codex = Stand::start("codex", codex::router(settings).await.unwrap()).await;
    let token = user(Client);
    for (body, field) in [
        (json!({"theme_preference": "blue"}), "theme_preference"),
        (json!({"color_theme": "dark"}), "color_theme"),
        (json!({"home_page": "//evil.example"}), "home_page"),
        (json!({"home_page": "unknown"}), "home_page"),
    ] {
        let answer = codex.call(Method::PUT, "/api/my/settings", &token, body).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (400, "application/problem+json")
        );
        assert_eq!(answer.json()["errors"][0]["field"], field, "{}", answer.text);
    }
    assert_eq!(
        codex
            .call(Method::PUT, "/api/my/settings", &token, json!([1]))
            .await
            .status,
        400
    );
    assert_eq!(
        codex.get("/api/my/settings", &token).await.json()["theme_preference"],
        "light"
    );
}

#[tokio::test]
async fn only_services_that_call_codex_may_ask_about_somebody() {
    let codex = codex().await;
    for path in [
        "/api/public/user/theme?email=a@example.com",
        "/api/public/user/home-page?email=a@example.com",
    ] {
        for (who, token, status) in [
            ("nobody", String::new(), 401),
            ("a client", user(Client), 403),
            ("an administrator", user(Admin), 403),
            ("a service that calls another", service("nexus", "helm"), 401),
            ("a service", service("nexus", "codex"), 200),
        ] {
            assert_eq!(codex.get(path, &token).await.status, status, "{who} asked {path}");
        }
    }
    assert_eq!(
        codex
            .get("/api/my/settings", &service("nexus", "codex"))
            .await
            .status,
        403,
        "a service has no settings"
    );
}

#[tokio::test]
async fn the_settings_page_is_a_plain_form_that_keeps_what_was_chosen() {
    let settings = CodexSettings {
        home_pages: vec!["codex".parse().unwrap(), "helm".parse().unwrap()],
        ..settings()
    };
    let codex = Stand::start("codex", codex::router(settings).await.unwrap()).await;
    let token = user(Client);
    let page = codex.page("/settings", &token).await;
    for color in [
        "purple", "blue", "green", "orange", "gold", "red", "yellow", "matrix", "bee",
    ] {
        assert!(
            page.text.contains(&format!("value=\"{color}\"")),
            "no {color} in {}",
            page.text
        );
    }
    assert!(page.text.contains("<option value=\"light\" selected>"));

    let chosen = [
        ("theme_preference", "dark"),
        ("color_theme", "matrix"),
        ("home_page", "codex"),
    ];
    let saved = codex.submit("/settings", &token, &chosen).await;
    assert_eq!(
        (saved.status, saved.location.as_str()),
        (303, "/codex/settings?done=settings-saved")
    );
    let page = codex.page("/settings?done=settings-saved", &token).await;
    for shown in [
        "<option value=\"dark\" selected>",
        "<option value=\"matrix\" selected>",
        "<option value=\"codex\" selected>",
        "Your settings were saved.",
    ] {
        assert!(page.text.contains(shown), "no {shown} in {}", page.text);
    }

    let refused = codex
        .submit(
            "/settings",
            &token,
            &[
                ("theme_preference", "blue"),
                ("color_theme", "red"),
                ("home_page", ""),
            ],
        )
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text
            .contains("This must be one of light, dark, not &quot;blue&quot;."),
        "{}",
        refused.text
    );
    assert_eq!(
        theme_of(&codex, "client@example.com").await["color_theme"],
        "matrix",
        "nothing of it was saved"
    );
}

#[tokio::test]
async fn one_persons_settings_are_not_anothers() {
    let codex = codex().await;
    let set = |level: PermissionLevel, color: &'static str| {
        let codex = &codex;
        async move {
            codex
                .call(
                    Method::PUT,
                    "/api/my/settings",
                    &user(level),
                    json!({"color_theme": color}),
                )
                .await
                .status
        }
    };
    assert_eq!((set(Admin, "red").await, set(Client, "blue").await), (200, 200));
    assert_eq!(theme_of(&codex, "admin@example.com").await["color_theme"], "red");
    assert_eq!(
        theme_of(&codex, "client@example.com").await["color_theme"],
        "blue"
    );
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing_and_a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("codex.db").display());
    let start = || async {
        let settings = CodexSettings {
            database: database.clone(),
            ..settings()
        };
        Stand::start("codex", codex::router(settings).await.unwrap()).await
    };
    let codex = start().await;
    let names: Vec<String> = (0..40).map(|number| format!("Company {number}")).collect();
    let made = futures_util::future::join_all(names.iter().map(|name| create(&codex, name))).await;
    assert_eq!(made.len(), 40);
    drop(codex);
    let again = start().await;
    assert_eq!(
        again.get("/api/companies", &user(Admin)).await.json()["total"],
        40
    );
}
