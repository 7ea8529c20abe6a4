//! Template: what a new service is copied from. Read it from top to bottom; it shows each thing once.
//!
//! A service is a router. It knows its callers by the token that the gateway sends, its own address by [`Prefix`], and
//! nothing of login, menu or styles: its pages use the classes of the design system, which `/components` shows.
//! Copy this folder, rename it, put your own data in the place of the notes.

mod companies;
mod components;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use futures_util::{Stream, stream};
use hivematrix_platform::Access;
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::kit::{self, Auth, Field, Health, Page, Prefix, Services, Status, User, field};

/// Longest note, in characters. Everything that comes from outside has a limit.
const LONGEST_NOTE: usize = 200;

/// How many notes are kept; older ones make room.
const MOST_NOTES: usize = 100;

/// What the service needs to run. Whoever starts it fills this in; the service reads no files or environment itself.
#[derive(Debug)]
pub struct TemplateSettings {
    /// How callers are known; its service name is the one in the registry.
    pub auth: Auth,
    /// How other services are called; without it the page that shows companies says so.
    pub services: Option<Services>,
}

/// What every handler can reach. Cloned for every request, so anything big is behind an `Arc`.
#[derive(Clone)]
struct Template {
    auth: Auth,
    services: Option<Services>,
    notes: Arc<Mutex<VecDeque<Note>>>,
}

/// Lets the kit's extractors find what they need.
impl FromRef<Template> for Auth {
    fn from_ref(template: &Template) -> Self {
        template.auth.clone()
    }
}

/// A note that somebody left. A real service would keep it in a database of its own (see Codex).
#[derive(Debug, Clone, Serialize)]
struct Note {
    author: String,
    text: String,
}

/// The service: which address leads to which function, and who may go there.
pub fn router(settings: TemplateSettings) -> Router {
    let template = Template {
        auth: settings.auth,
        services: settings.services,
        notes: Arc::default(),
    };
    let for_users = Router::new()
        .route("/", get(home))
        .route("/notes", post(leave_note))
        .route("/api/notes", get(list_notes))
        .route("/companies", get(companies::show))
        .route("/clock", get(clock))
        .route("/clock/events", get(clock_events))
        .route("/clock.js", get(clock_script))
        .route("/components", get(components::show));
    // `guard` refuses whoever is not signed in (401) or not of the right level (403). Health is for everybody.
    template
        .auth
        .guard(for_users, Access::AnyUser)
        .route("/health", get(health))
        .with_state(template)
}

// ---- A protected page -----------------------------------------------------------------------------------------------

/// `GET /`. Asking for [`User`] is what makes the claims available.
async fn home(State(template): State<Template>, user: User, prefix: Prefix) -> Page {
    home_page(&template, &user, &prefix, "", None)
}

fn home_page(template: &Template, user: &User, prefix: &Prefix, typed: &str, problem: Option<&str>) -> Page {
    let person = &user.0.user;
    // maud escapes whatever it puts in; every link goes through the prefix.
    kit::page(
        "Template",
        html! {
            main .container {
                header .page-header {
                    div {
                        h1 .page-header__title { "Hello, " (person.name) }
                        p .page-header__subtitle { "You are signed in as " (person.email) " (" (user.level()) ")." }
                    }
                    div .page-header__actions {
                        a .btn href=(prefix.url("/companies")) { span .btn__label { "Companies" } }
                        a .btn href=(prefix.url("/clock")) { span .btn__label { "Clock" } }
                        a .btn href=(prefix.url("/components")) { span .btn__label { "Components" } }
                    }
                }
                section .card {
                    div .card__header { h2 .card__title { "Leave a note" } }
                    div .card__body {
                        form .form method="post" action=(prefix.url("/notes")) novalidate {
                            (field(Field { name: "text", label: "Note", value: typed, required: true, problem, ..Field::default() }))
                            div .form__actions {
                                button .btn .btn--primary type="submit" { span .btn__label { "Leave note" } }
                            }
                        }
                    }
                }
                section .card {
                    div .card__header { h2 .card__title { "Notes" } }
                    div .card__body { (notes(template)) }
                }
            }
        },
    )
}

fn notes(template: &Template) -> maud::Markup {
    let notes = template.notes.lock().unwrap_or_else(PoisonError::into_inner);
    html! {
        @if notes.is_empty() {
            div .empty-state { p .empty-state__text { "No notes yet." } }
        } @else {
            ul { @for note in notes.iter() { li { (note.text) " — " (note.author) } } }
        }
    }
}

// ---- A form ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize)]
struct Typed {
    #[serde(default)]
    text: String,
}

/// `POST /notes`: answers 303, so that reloading the page does not send the form again. A form that cannot be accepted
/// is shown again, with what was typed and what was expected.
async fn leave_note(
    State(template): State<Template>,
    user: User,
    prefix: Prefix,
    Form(typed): Form<Typed>,
) -> Response {
    let text = typed.text.trim();
    let length = text.chars().count();
    let problem = match length {
        0 => Some("Please write something.".to_owned()),
        1..=LONGEST_NOTE => None,
        _ => Some(format!(
            "A note must not be longer than {LONGEST_NOTE} characters; this one has {length}."
        )),
    };
    if let Some(problem) = problem {
        let page = home_page(&template, &user, &prefix, &typed.text, Some(&problem));
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    {
        let mut notes = template.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push_front(Note {
            author: user.0.user.name,
            text: text.to_owned(),
        });
        notes.truncate(MOST_NOTES);
    }
    prefix.see_other("/")
}

// ---- An API endpoint ------------------------------------------------------------------------------------------------

/// `GET /api/notes`: `{"notes":[{"author","text"}]}`, newest first. Services may ask too, because it takes no [`User`].
/// A refusal would be a [`kit::Rejection`]: problem+json for programs, a page for people.
async fn list_notes(State(template): State<Template>) -> Json<Value> {
    let notes = template.notes.lock().unwrap_or_else(PoisonError::into_inner);
    Json(json!({ "notes": *notes }))
}

// ---- Server-sent events ---------------------------------------------------------------------------------------------

/// `GET /clock`. The script is a file of its own: pages carry no inline script, so a strict policy lets them work.
async fn clock(_: User, prefix: Prefix) -> Page {
    kit::page(
        "Clock · Template",
        html! {
            main .container {
                section .card {
                    div .card__header { h1 .card__title { "Clock" } }
                    div .card__body {
                        p { "The time of this service, once a second: " time #clock data-events=(prefix.url("/clock/events")) { (now()) } }
                    }
                }
                script src=(prefix.url("/clock.js")) defer {}
            }
        },
    )
}

/// `GET /clock/events`: an event `time` every second, until the client goes or its session ends (the gateway cuts it).
async fn clock_events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = tokio::time::interval(Duration::from_secs(1));
    let events = stream::unfold(ticks, |mut ticks| async move {
        ticks.tick().await;
        Some((Ok(Event::default().event("time").data(now())), ticks))
    });
    Sse::new(events)
}

async fn clock_script() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "private, max-age=3600"),
    ];
    (headers, include_str!("clock.js"))
}

/// The time, to the second.
fn now() -> String {
    OffsetDateTime::now_utc()
        .truncate_to_second()
        .format(&Rfc3339)
        .unwrap_or_default()
}

// ---- Health ---------------------------------------------------------------------------------------------------------

/// `GET /health`: what operators and Helm ask. Check here what the service cannot do without.
async fn health(State(template): State<Template>) -> Health {
    let count = template
        .notes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len();
    let kept = format!("{count} are kept");
    Health::new(template.auth.service().as_str()).finding("notes", Status::Healthy, kept)
}
