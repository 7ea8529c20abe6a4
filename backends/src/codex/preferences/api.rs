//! Preferences for programs: a user's own, and the two questions that the gateway asks about a user.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        Codex, agents,
        refusal::{bad_fields, database_failed},
        viewer::Visitor,
    },
    Choices, DEFAULT_HOME_PAGE,
};
use crate::kit::{Caller, Rejection};

/// `GET /api/my/settings`: `{"theme_preference","color_theme","home_page"}`; `home_page` is null where none was chosen.
pub(crate) async fn mine(visitor: Visitor) -> Response {
    match visitor.agent {
        Some(agent) => Json(written(&agent.choices)).into_response(),
        None => agent_not_found(),
    }
}

/// `PUT /api/my/settings`: changes those of the three that the object names.
pub(crate) async fn change_mine(
    State(codex): State<Codex>,
    visitor: Visitor,
    body: Bytes,
) -> Result<Response, Rejection> {
    // Read before the agent is looked at, so that nonsense is called nonsense whoever sends it. Not by the `Json`
    // extractor: the theme toggle must work whatever content type a script forgot to set.
    let wanted: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| {
        Rejection::bad_request(
            "The body must be a JSON object with theme_preference, color_theme or home_page.",
        )
    })?;
    let Some(agent) = visitor.agent else {
        return Ok(agent_not_found());
    };
    let choices = agent
        .choices
        .changed(&wanted, &codex.home_pages)
        .map_err(|errors| bad_fields(&errors))?;
    if !agents::choose(&codex.pool, agent.id, &choices)
        .await
        .map_err(database_failed)?
    {
        return Ok(agent_not_found());
    }
    let mut answer = written(&choices);
    answer["success"] = json!(true);
    answer["message"] = json!("Settings updated successfully");
    Ok(Json(answer).into_response())
}

fn written(choices: &Choices) -> Value {
    json!({
        "theme_preference": choices.theme.as_str(),
        "color_theme": choices.color_theme.as_str(),
        "home_page": choices.home_page.as_ref().map(|name| name.as_str()),
    })
}

/// The answer that the theme toggle knows (platform README §8), which is why it is not a problem document.
fn agent_not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "Agent not found" }))).into_response()
}

/// About whom the gateway asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct About {
    email: String,
}

/// `GET /api/public/user/theme?email=`: `{"theme","color_theme","source"}`, for services only. `source` is `codex`, or
/// `default` for a person whom Codex does not know.
pub(crate) async fn theme_of(
    State(codex): State<Codex>,
    caller: Caller,
    Query(about): Query<About>,
) -> Result<Response, Rejection> {
    let (choices, source) = choices_of(&codex, &caller, &about).await?;
    let answer = json!({
        "theme": choices.theme.as_str(),
        "color_theme": choices.color_theme.as_str(),
        "source": source,
    });
    Ok(Json(answer).into_response())
}

/// `GET /api/public/user/home-page?email=`: `{"home_page","source"}`, for services only.
pub(crate) async fn home_page_of(
    State(codex): State<Codex>,
    caller: Caller,
    Query(about): Query<About>,
) -> Result<Response, Rejection> {
    let (choices, source) = choices_of(&codex, &caller, &about).await?;
    let home_page = choices
        .home_page
        .as_ref()
        .map_or(DEFAULT_HOME_PAGE, |name| name.as_str());
    Ok(Json(json!({ "home_page": home_page, "source": source })).into_response())
}

async fn choices_of(
    codex: &Codex,
    caller: &Caller,
    about: &About,
) -> Result<(Choices, &'static str), Rejection> {
    // Whoever may ask this can ask it about anybody, so no user may.
    match caller {
        Caller::Service(_) => {}
        Caller::User(_) => {
            return Err(Rejection::forbidden(
                "This is for services. Your own settings are at /api/my/settings.",
            ));
        }
    }
    let agent = match agents::email_key(&about.email) {
        Some(email) => agents::find(&codex.pool, &email).await.map_err(database_failed)?,
        None => None,
    };
    Ok(agent.map_or_else(
        || (Choices::default(), "default"),
        |agent| (agent.choices, "codex"),
    ))
}
