//! The page that imports and exports.
//!
//! A file that is refused comes back as text, to be corrected in place: a browser cannot be given the file again.

use axum::{
    extract::{Multipart, State, multipart::MultipartError},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};

use super::{
    Kind, LARGEST, MOST_ROWS,
    import::{Done, ImportError, import},
    sheet::Problem,
};
use crate::{
    codex::{
        Codex,
        controls::{Area, button_link, heading, layout},
        paging::capital,
        refusal::database_failed,
        viewer::Rights,
    },
    kit::{Page, Prefix, User, choice},
};

/// Most problems that are listed.
const LISTED: usize = 100;

/// What was sent.
#[derive(Debug, Default)]
struct Sent {
    kind: Option<Kind>,
    /// The file, or the text in its place.
    csv: Vec<u8>,
    only_check: bool,
}

/// `GET /import`
pub(crate) async fn show(rights: Rights, prefix: Prefix) -> Page {
    view(&prefix, rights, &Sent::default(), &html! {})
}

/// `POST /import`: checks, imports, and tells on the same page what came of it.
pub(crate) async fn take(
    State(codex): State<Codex>,
    user: User,
    rights: Rights,
    prefix: Prefix,
    multipart: Multipart,
) -> Response {
    let sent = match read(multipart).await {
        Ok(sent) => sent,
        Err(error) => {
            let text = if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                format!("A file can have {} MiB. Please split it.", LARGEST / 1024 / 1024)
            } else {
                "The form did not arrive whole. Please send it again.".to_owned()
            };
            let page = view(&prefix, rights, &Sent::default(), &failed(&text));
            return (error.status(), page).into_response();
        }
    };
    let Some(kind) = sent.kind else {
        let page = view(
            &prefix,
            rights,
            &sent,
            &failed("Please say what the file is about."),
        );
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    };
    if sent.csv.is_empty() {
        let page = view(
            &prefix,
            rights,
            &sent,
            &failed("Please choose a file, or paste its text."),
        );
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    match import(&codex.pool, kind, &sent.csv, &user.0.user.email, sent.only_check).await {
        Ok(done) if sent.only_check => view(&prefix, rights, &sent, &checked(&done)).into_response(),
        Ok(done) => {
            let again = Sent {
                kind: Some(kind),
                ..Sent::default()
            };
            view(&prefix, rights, &again, &imported(&prefix, kind, &done)).into_response()
        }
        Err(ImportError::Problems(problems)) => {
            let page = view(&prefix, rights, &sent, &faults(&problems));
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
        Err(ImportError::Database(error)) => {
            let rejection = database_failed(error);
            let page = view(&prefix, rights, &sent, &failed(rejection.detail()));
            (rejection.status(), page).into_response()
        }
    }
}

async fn read(mut multipart: Multipart) -> Result<Sent, MultipartError> {
    let (mut sent, mut file, mut text) = (Sent::default(), Vec::new(), Vec::new());
    while let Some(field) = multipart.next_field().await? {
        match field.name().unwrap_or_default() {
            "kind" => sent.kind = Kind::named(&field.text().await?),
            "check" => sent.only_check = !field.bytes().await?.is_empty(),
            "file" => file = field.bytes().await?.to_vec(),
            "text" => text = field.bytes().await?.to_vec(),
            _ => {}
        }
    }
    sent.csv = if file.is_empty() { text } else { file };
    Ok(sent)
}

fn checked(done: &Done) -> Markup {
    html! {
        div .alert .alert--success role="status" {
            div .alert__body {
                p .alert__title { "The file is good. Nothing was imported yet." }
                p { "It would make " (done.created) " new, change " (done.changed) " and leave " (done.unchanged) " as they are." }
            }
        }
    }
}

fn imported(prefix: &Prefix, kind: Kind, done: &Done) -> Markup {
    html! {
        div .alert .alert--success role="status" {
            div .alert__body {
                p .alert__title { "The file was imported." }
                p {
                    (done.created) " new, " (done.changed) " changed, " (done.unchanged) " unchanged. "
                    a href=(prefix.url(&format!("/{}", kind.name()))) { "Show the " (kind.name()) }
                }
            }
        }
    }
}

fn failed(text: &str) -> Markup {
    html! {
        div .alert .alert--danger role="alert" {
            div .alert__body { p .alert__title { "Nothing was imported." } p { (text) } }
        }
    }
}

fn faults(problems: &[Problem]) -> Markup {
    html! {
        div .alert .alert--danger role="alert" {
            div .alert__body {
                p .alert__title { "Nothing was imported. Please correct:" }
                ul {
                    @for problem in problems.iter().take(LISTED) { li { (problem.place()) ": " (problem.message) } }
                    @if problems.len() > LISTED { li { "and " (problems.len() - LISTED) " more." } }
                }
            }
        }
    }
}

fn view(prefix: &Prefix, rights: Rights, sent: &Sent, notice: &Markup) -> Page {
    layout(
        prefix,
        Area::Import,
        rights,
        "Import and export",
        html! {
            (heading("Import and export", Some("Companies, contacts and assets as CSV files"), &html! {}))
            (notice)
            section .card {
                div .card__header { h2 .card__title { "Import" } }
                div .card__body { (form(prefix, sent)) }
            }
            section .card {
                div .card__header { h2 .card__title { "Export" } }
                div .card__body {
                    p .u-text-muted { "Everything there is, in the form in which it can be imported again." }
                    div .u-flex .u-flex-wrap .u-gap-2 {
                        @for kind in Kind::ALL {
                            (button_link(&prefix.url(&format!("/export/{}.csv", kind.name())), &format!("Export {}", kind.name())))
                        }
                    }
                }
            }
        },
    )
}

fn form(prefix: &Prefix, sent: &Sent) -> Markup {
    let kinds = [
        ("companies", "Companies"),
        ("contacts", "Contacts"),
        ("assets", "Assets"),
    ];
    let text = String::from_utf8_lossy(&sent.csv);
    html! {
        form .form .form--wide method="post" action=(prefix.url("/import")) enctype="multipart/form-data" {
            (choice("kind", "What the file is about", &kinds, sent.kind.unwrap_or(Kind::Companies).name()))
            div .form__group {
                label .form__label for="file" { "File" }
                input .form__input #file name="file" type="file" accept=".csv,text/csv" aria-describedby="file-help";
                p .form__help #file-help { "UTF-8, at most " (LARGEST / 1024 / 1024) " MiB and " (MOST_ROWS) " rows." }
            }
            div .form__group {
                label .form__label for="text" { "Or its text" }
                textarea .form__textarea .u-text-mono .u-w-full #text name="text" rows=(if text.is_empty() { 4 } else { 16 })
                    aria-describedby="text-help" { "\n" (text) }
                div .form__help #text-help {
                    p {
                        "The first row names the columns. What is known already is changed, in the columns that the file "
                        "has. Either every row is taken, or none."
                    }
                    ul {
                        @for kind in Kind::ALL {
                            li { strong { (capital(kind.name())) } ": " (kind.columns().join(", ")) }
                        }
                    }
                }
            }
            div .form__actions {
                button .btn .btn--primary type="submit" { span .btn__label { "Import" } }
                button .btn type="submit" name="check" value="1" { span .btn__label { "Check only" } }
            }
        }
    }
}
