//! The database goes away, and comes back.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection};

use super::*;

/// What people read when a statement has met its time limit.
const SLOW: &str = "database takes too long to answer. If you were changing something";

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

/// Codex on PostgreSQL, whose statements may take two seconds.
async fn impatient(database: &str) -> Stand {
    codex_with(CodexSettings {
        statement_limit: Duration::from_secs(2),
        ..CodexSettings::new(database, auth("codex"))
    })
    .await
}

/// Somebody who has the companies for himself until he is dropped.
async fn locker(database: &str) -> PgConnection {
    let mut locker = PgConnection::connect(database).await.unwrap();
    for statement in ["BEGIN", "LOCK TABLE companies IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut locker).await.unwrap();
    }
    locker
}

#[tokio::test]
async fn who_waits_for_a_lock_is_told_so_in_time_and_nothing_typed_is_lost_on_postgresql() {
    let postgres = Postgres::start().await;
    let database = postgres::fresh_database(postgres.port()).await;
    let codex = impatient(&database).await;
    let admin = user(Admin);
    create(&codex, "Acme").await;
    let locker = locker(&database).await;

    let import = codex.request(Method::POST, "/api/import/companies", &admin);
    let began = Instant::now();
    let (form, page, program, import) = tokio::join!(
        codex.submit("/companies", &admin, &[("name", "Typed for an hour")]),
        codex.page("/companies", &admin),
        codex.get("/api/companies", &admin),
        codex.send(import.body("name\nTyped for an hour\n")),
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for answer in [&form, &page, &program, &import] {
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(
            answer.text.contains("takes too long to answer"),
            "{}",
            answer.text
        );
    }
    assert!(form.text.contains("Typed for an hour"), "{}", form.text);

    drop(locker);
    // The same connections, none of which was lost.
    let works = async || (codex.get("/api/companies", &admin).await.status == 200).then_some(());
    until(works).await;
    create(&codex, "Typed for an hour").await;
    assert_eq!(codex.get("/api/companies", &admin).await.json()["total"], 2);
}

#[tokio::test]
async fn a_server_that_falls_silent_in_the_middle_of_a_statement_holds_up_nobody_on_postgresql() {
    let postgres = Postgres::start().await;
    let database = postgres::fresh_database(postgres.port()).await;
    let codex = impatient(&database).await;
    let admin = user(Admin);
    let locker = locker(&database).await;

    let mut observer = PgConnection::connect(&database).await.unwrap();
    let stop = async {
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let mut waits = async || {
            sqlx::query_scalar::<_, i32>(waiting)
                .fetch_optional(&mut observer)
                .await
                .unwrap()
        };
        let pid = until(&mut waits).await;
        signal("STOP", pid);
        pid
    };
    let began = Instant::now();
    let (page, stopped) = tokio::join!(codex.page("/companies", &admin), stop);
    assert_eq!(page.status, 503);
    assert!(page.text.contains(SLOW), "{}", page.text);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // Its place is free for another connection; that one is never used again.
    drop(locker);
    for name in ["One", "Two"] {
        create(&codex, name).await;
    }
    assert_eq!(codex.get("/health", "").await.status, 200);
    signal("CONT", stopped);
}

/// Sends a signal to one of the server's processes.
fn signal(name: &str, pid: i32) {
    let sent = std::process::Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "signal {name}");
}

#[tokio::test]
async fn what_the_database_refuses_hundreds_of_times_it_still_answers() {
    let codex = codex().await;
    create(&codex, "Acme").await;
    for _ in 0..400 {
        let refused = codex
            .call(
                Method::POST,
                "/api/companies",
                &user(Admin),
                json!({ "name": "Acme" }),
            )
            .await;
        assert_eq!(refused.status, 409, "{}", refused.text);
    }
    assert_eq!(codex.get("/api/companies", &user(Admin)).await.json()["total"], 1);
}
