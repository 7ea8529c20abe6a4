//! The settings page: a plain form for theme, colours and home page.

use axum::{
    Form,
    extract::{Query, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use hivematrix_platform::ServiceName;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{COLORS, Choices, DEFAULT_HOME_PAGE, THEMES};
use crate::{
    codex::{
        Codex, agents,
        agents::Agent,
        controls::{Area, Done, Refused, heading, layout, line, summary},
        fields::FieldErrors,
        refusal::database_failed,
        viewer::{Rights, Visitor},
    },
    kit::{Page, Prefix, Rejection, choice},
};

/// What somebody chose in the form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    theme_preference: String,
    color_theme: String,
    home_page: String,
}

impl From<&Choices> for Typed {
    fn from(choices: &Choices) -> Self {
        Self {
            theme_preference: choices.theme.as_str().to_owned(),
            color_theme: choices.color_theme.as_str().to_owned(),
            home_page: choices
                .home_page
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    }
}

impl Typed {
    /// The same as the JSON API would get it, so that both are checked by the same rules.
    fn as_json(&self) -> Map<String, Value> {
        [
            ("theme_preference", &self.theme_preference),
            ("color_theme", &self.color_theme),
            ("home_page", &self.home_page),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
        .collect()
    }
}

/// What happened before the page was shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: Done,
}

/// `GET /settings`
pub(crate) async fn show(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(after): Query<After>,
) -> Page {
    match &visitor.agent {
        Some(agent) => {
            let typed = Typed::from(&agent.choices);
            let errors = FieldErrors::default();
            let form = Settings {
                offered: &codex.home_pages,
                rights: visitor.rights(),
                agent,
                typed: &typed,
            };
            settings(&prefix, &form, &errors, after.done)
        }
        None => nobody(&prefix, visitor.rights()),
    }
}

/// `POST /settings`
pub(crate) async fn save(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Form(typed): Form<Typed>,
) -> Result<Response, Rejection> {
    let Some(agent) = &visitor.agent else {
        let page = nobody(&prefix, visitor.rights());
        return Ok((StatusCode::NOT_FOUND, page).into_response());
    };
    let refused = match agent.choices.changed(&typed.as_json(), &codex.home_pages) {
        Ok(choices) => match agents::choose(&codex.pool, agent.id, &choices).await {
            Ok(_) => return Ok(prefix.see_other(&format!("/settings?done={}", Done::SettingsSaved))),
            Err(error) => Refused::by(&database_failed(error)),
        },
        Err(errors) => Refused::values(errors),
    };
    let form = Settings {
        offered: &codex.home_pages,
        rights: visitor.rights(),
        agent,
        typed: &typed,
    };
    Ok(refused.with(|errors| settings(&prefix, &form, errors, Done::Nothing)))
}

/// `GET /settings.js`: a file of its own, because pages carry no inline script.
pub(crate) async fn script() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "private, max-age=3600"),
    ];
    (headers, include_str!("settings.js"))
}

/// What the settings page is made of.
struct Settings<'a> {
    offered: &'a [ServiceName],
    rights: Rights,
    agent: &'a Agent,
    typed: &'a Typed,
}

fn settings(prefix: &Prefix, form: &Settings<'_>, errors: &FieldErrors, done: Done) -> Page {
    let themes: Vec<_> = THEMES
        .iter()
        .map(|(theme, label)| (theme.as_str(), *label))
        .collect();
    let colors: Vec<_> = COLORS
        .iter()
        .map(|(color, label)| (color.as_str(), *label))
        .collect();
    let (agent, typed) = (form.agent, form.typed);
    layout(
        prefix,
        Area::Settings,
        form.rights,
        "Settings",
        html! {
            (heading("Settings", Some(&format!("{} · {}", agent.name, agent.email)), &html! {}))
            (done.notice())
            section .card {
                div .card__header { h2 .card__title { "Appearance and home page" } }
                div .card__body {
                    (summary(errors, label))
                    form .form #settings method="post" action=(prefix.url("/settings")) {
                        (choice("theme_preference", label("theme_preference"), &themes, &typed.theme_preference))
                        (choice("color_theme", label("color_theme"), &colors, &typed.color_theme))
                        (home_page(form.offered, agent.choices.home_page.as_ref(), typed, errors))
                        div .form__actions {
                            button .btn .btn--primary type="submit" { span .btn__label { "Save settings" } }
                        }
                    }
                }
            }
            script src=(prefix.url("/settings.js")) defer {}
        },
    )
}

/// A choice of services where it is known which there are, else a name to write.
fn home_page(
    offered: &[ServiceName],
    current: Option<&ServiceName>,
    typed: &Typed,
    errors: &FieldErrors,
) -> Markup {
    let name = "home_page";
    if offered.is_empty() {
        return line(name, label(name), &typed.home_page, "text", false, errors);
    }
    let default = format!("Default ({DEFAULT_HOME_PAGE})");
    let mut options = vec![("", default.as_str())];
    options.extend(offered.iter().map(|service| (service.as_str(), service.as_str())));
    if let Some(current) = current.filter(|current| !offered.contains(current)) {
        options.push((current.as_str(), current.as_str()));
    }
    choice(name, label(name), &options, &typed.home_page)
}

fn label(field: &'static str) -> &'static str {
    match field {
        "theme_preference" => "Theme",
        "color_theme" => "Colours",
        "home_page" => "Home page",
        other => other,
    }
}

/// For who has no e-mail address: there is nothing to keep their choice under.
fn nobody(prefix: &Prefix, rights: Rights) -> Page {
    layout(
        prefix,
        Area::Settings,
        rights,
        "Settings",
        html! {
            (heading("Settings", None, &html! {}))
            section .card {
                div .card__body {
                    div .alert .alert--warning role="status" {
                        p .alert__body {
                            "Your account has no e-mail address, so Codex cannot remember settings for you. "
                            "Please ask an administrator to add one, and to synchronize the agents."
                        }
                    }
                }
            }
        },
    )
}
