//! The pages. No CSS: the gateway brings the design system, /template/components shows its classes.

use std::sync::{Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::NAME;
use crate::caller::{Caller, Callers, User};

/// What people leave here. Put your own data, in a database of your own, in its place.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Longest note, in characters, and most notes.
const LIMITS: (usize, usize) = (200, 100);

/// Which address leads where. Every handler but `health` takes a [`User`] or a [`Caller`]: that is its protection.
pub(crate) fn router(callers: Callers) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/notes", post(leave_note))
        .route("/api/notes", get(list_notes))
        .route("/health", get(health))
        .with_state(callers)
}

/// Where the browser sees us: `/new-service`. Every link and redirect goes through it.
struct Prefix(String);

impl<S: Send + Sync> FromRequestParts<S> for Prefix {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get("x-forwarded-prefix");
        let prefix = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self(prefix.trim_end_matches('/').to_owned()))
    }
}

impl Prefix {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// `GET /`
async fn home(user: User, prefix: Prefix) -> Html<String> {
    page(&user, &prefix, "", None)
}

#[derive(Deserialize)]
struct Typed {
    #[serde(default)]
    text: String,
}

/// `POST /notes`: answers 303, so that reloading does not send the form again; or shows it again as it was typed.
async fn leave_note(user: User, prefix: Prefix, Form(typed): Form<Typed>) -> Response {
    let text = typed.text.trim();
    let problem = match text.chars().count() {
        0 => Some("Please write something."),
        length if length > LIMITS.0 => Some("Please write less: a note can have 200 characters."),
        _ => None,
    };
    if problem.is_some() {
        let page = page(&user, &prefix, &typed.text, problem);
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    notes.insert(0, format!("{text} — {}", user.name));
    notes.truncate(LIMITS.1);
    Redirect::to(&prefix.url("/")).into_response()
}

/// `GET /api/notes`: for people's scripts and for other services.
async fn list_notes(caller: Caller) -> Json<Value> {
    let asked_by = match caller {
        Caller::User(user) => user.email,
        Caller::Service(name) => name,
    };
    let notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    Json(json!({ "asked_by": asked_by, "notes": *notes }))
}

/// `GET /health`: for operators, without token.
async fn health() -> Json<Value> {
    Json(json!({ "service": NAME, "status": "healthy", "checks": {} }))
}

fn page(user: &User, prefix: &Prefix, typed: &str, problem: Option<&str>) -> Html<String> {
    let body = html! {
        main .container {
            header .page-header {
                div {
                    h1 .page-header__title { "New service" }
                    p .page-header__subtitle { "Hello, " (user.name) ". You are signed in as " (user.permission_level) "." }
                }
            }
            section .card {
                div .card__header { h2 .card__title { "Leave a note" } }
                div .card__body { (form(prefix, typed, problem)) }
            }
            section .card {
                div .card__header { h2 .card__title { "Notes" } }
                div .card__body { (notes()) }
            }
        }
    };
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "New service" }
            }
            body { (body) }
        }
    };
    Html(document.into_string())
}

fn form(prefix: &Prefix, typed: &str, problem: Option<&str>) -> Markup {
    html! {
        form .form method="post" action=(prefix.url("/notes")) novalidate {
            div .form__group {
                label .form__label for="text" { "Note" }
                input .form__input .form__input--invalid[problem.is_some()] #text name="text" value=(typed)
                    aria-invalid=[problem.map(|_| "true")] aria-describedby=[problem.map(|_| "text-problem")];
                @if let Some(problem) = problem { p .form__error #text-problem { (problem) } }
            }
            div .form__actions {
                button .btn .btn--primary type="submit" { span .btn__label { "Leave note" } }
            }
        }
    }
}

fn notes() -> Markup {
    let notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    html! {
        @if notes.is_empty() {
            div .empty-state { p .empty-state__text { "No notes yet." } }
        } @else {
            ul { @for note in notes.iter() { li { (note) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The service on a free port, with a Core that is not there.
    async fn start() -> (String, reqwest::Client) {
        let callers = Callers::of_core("http://127.0.0.1:1", "hivematrix-core", NAME).expect("a client");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router(callers)).await });
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        (base, http)
    }

    #[tokio::test]
    async fn nobody_enters_without_a_token_except_to_ask_for_health() {
        let (base, http) = start().await;
        let status =
            async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status();
        for path in ["/", "/api/notes"] {
            let url = format!("{base}{path}");
            assert_eq!(status(http.get(&url)).await, 401, "{path}");
            assert_eq!(
                status(http.get(&url).bearer_auth("nonsense")).await,
                401,
                "{path}"
            );
        }
        assert_eq!(status(http.post(format!("{base}/notes"))).await, 401);
        assert_eq!(status(http.get(format!("{base}/health"))).await, 200);
    }

    #[test]
    fn what_people_write_is_escaped_and_links_stay_below_the_prefix() {
        let user = User {
            name: "<b>Kim".to_owned(),
            ..User::default()
        };
        let Html(page) = page(&user, &Prefix("/new-service".to_owned()), "\"><script>", None);
        assert!(
            page.contains("&lt;b&gt;Kim") && !page.contains("<script>"),
            "{page}"
        );
        assert!(page.contains("action=\"/new-service/notes\""), "{page}");
    }
}
