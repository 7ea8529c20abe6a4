//! The database goes away, and comes back.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn a_form_that_could_not_be_stored_comes_back_filled_in_on_postgresql() {
    let mut postgres = Postgres::start().await;
    let database = postgres::fresh_database(postgres.port()).await;
    let codex = codex_with(CodexSettings::new(database, auth("codex"))).await;
    let admin = user(Admin);
    let company = create(&codex, "Acme").await;
    postgres.kill();

    let typed = ("name", "Typed for an hour");
    let forms = [
        ("/companies".to_owned(), vec![typed, ("notes", "all of it")]),
        (
            format!("/companies/{company}"),
            vec![typed, ("notes", "all of it")],
        ),
        (
            format!("/companies/{company}/contacts"),
            vec![typed, ("title", "all of it")],
        ),
        (
            format!("/companies/{company}/assets"),
            vec![typed, ("kind", "server"), ("notes", "all of it")],
        ),
    ];
    // All at once: each waits some seconds for a database to talk to.
    let sent = forms
        .iter()
        .map(|(path, fields)| codex.submit(path, &admin, fields));
    for (refused, (path, _)) in join_all(sent).await.into_iter().zip(&forms) {
        assert_eq!(refused.status, 503, "{path}: {}", refused.text);
        must_be_a_proper_page(&refused, "/codex");
        for shown in [
            "Typed for an hour",
            "all of it",
            "Codex cannot reach its database. Nothing was changed",
        ] {
            assert!(
                refused.text.contains(shown),
                "{path}: no {shown} in {}",
                refused.text
            );
        }
    }
    let asked = ["/companies", "/settings", "/agents"];
    for (page, path) in join_all(asked.map(|path| codex.page(path, &admin)))
        .await
        .into_iter()
        .zip(asked)
    {
        assert_eq!(page.status, 503, "{path}");
        assert!(
            page.text.contains("Codex cannot reach its database."),
            "{}",
            page.text
        );
    }
    let answer = codex.get("/api/companies", &admin).await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (503, "application/problem+json")
    );
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    assert_eq!(codex.get("/health", "").await.status, 503);

    postgres.restart().await;
    let works = async || {
        let made = codex
            .submit("/companies", &admin, &[("name", "Typed for an hour")])
            .await;
        (made.status == 303).then_some(())
    };
    until(works).await;
    assert_eq!(codex.get("/api/companies", &admin).await.json()["total"], 2);
    assert_eq!(codex.get("/health", "").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_the_start_without_the_password_on_postgresql() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://codex:secret@{free}/codex");
    let error = codex::router(CodexSettings::new(url, auth("codex")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("the database cannot be opened"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}
