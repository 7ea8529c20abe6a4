//! Preferences: theme, colour theme and home page, which each user chooses and the gateway applies.
//!
//! Here is which choices there are and how they are checked; `pages` is the settings page, `api` what programs use.

pub(crate) mod api;
pub(crate) mod pages;

use hivematrix_platform::{ColorTheme, ServiceName, Theme};
use serde_json::{Map, Value};

use super::fields::FieldErrors;

/// The home page of who has not chosen one (platform README §8).
const DEFAULT_HOME_PAGE: &str = "helm";

/// What one user chose; the default is what who has not chosen gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    /// Light or dark.
    pub(crate) theme: Theme,
    /// The colours.
    pub(crate) color_theme: ColorTheme,
    /// The service that `/` leads to; `None`: the platform's default.
    pub(crate) home_page: Option<ServiceName>,
}

impl Choices {
    /// These choices with those that `wanted` names changed. `offered` are the services that may be a home page;
    /// empty: any. Names that are no preference are passed over, because older clients send more.
    pub(crate) fn changed(
        &self,
        wanted: &Map<String, Value>,
        offered: &[ServiceName],
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut choices = self.clone();
        if let Some(value) = wanted.get("theme_preference") {
            match value.as_str().and_then(theme_named) {
                Some(theme) => choices.theme = theme,
                None => errors.add(
                    "theme_preference",
                    expected(&THEMES.map(|(theme, _)| theme.as_str()), value),
                ),
            }
        }
        if let Some(value) = wanted.get("color_theme") {
            match value.as_str().and_then(color_theme_named) {
                Some(color) => choices.color_theme = color,
                None => errors.add(
                    "color_theme",
                    expected(&COLORS.map(|(color, _)| color.as_str()), value),
                ),
            }
        }
        if let Some(value) = wanted.get("home_page") {
            match home_page(value, self.home_page.as_ref(), offered) {
                Ok(home_page) => choices.home_page = home_page,
                Err(message) => errors.add("home_page", message),
            }
        }
        errors.unless_any(choices)
    }
}

/// Every theme, with what people call it.
const THEMES: [(Theme, &str); 2] = [(Theme::Light, "Light"), (Theme::Dark, "Dark")];

/// Every colour theme, with what people call it.
const COLORS: [(ColorTheme, &str); 9] = [
    (ColorTheme::Purple, "Purple"),
    (ColorTheme::Blue, "Blue"),
    (ColorTheme::Green, "Green"),
    (ColorTheme::Orange, "Orange"),
    (ColorTheme::Gold, "Gold"),
    (ColorTheme::Red, "Red"),
    (ColorTheme::Yellow, "Yellow"),
    (ColorTheme::Matrix, "Matrix"),
    (ColorTheme::Bee, "Bee"),
];

/// The theme that a word names.
pub(crate) fn theme_named(word: &str) -> Option<Theme> {
    THEMES
        .into_iter()
        .map(|(theme, _)| theme)
        .find(|theme| theme.as_str() == word)
}

/// The colour theme that a word names.
pub(crate) fn color_theme_named(word: &str) -> Option<ColorTheme> {
    ColorTheme::ALL.into_iter().find(|color| color.as_str() == word)
}

fn expected(names: &[&str], got: &Value) -> String {
    format!("This must be one of {}, not {}.", names.join(", "), shown(got))
}

/// A value of the client's, short enough to be repeated in a message.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 40 {
        text
    } else {
        format!("{}…", text.chars().take(40).collect::<String>())
    }
}

/// `null` and the empty text mean the default. What was chosen once may stay, even if it is no longer offered.
fn home_page(
    wanted: &Value,
    current: Option<&ServiceName>,
    offered: &[ServiceName],
) -> Result<Option<ServiceName>, String> {
    let text = match wanted {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim(),
        other => {
            return Err(format!(
                "This must be the name of a service, not {}.",
                shown(other)
            ));
        }
    };
    if text.is_empty() {
        return Ok(None);
    }
    let name: ServiceName = text.parse().map_err(|_| {
        format!(
            "This must be the name of a service (lower-case letters, digits, - and _), not {}.",
            shown(wanted)
        )
    })?;
    if offered.is_empty() || offered.contains(&name) || current == Some(&name) {
        Ok(Some(name))
    } else {
        let names: Vec<&str> = offered.iter().map(ServiceName::as_str).collect();
        Err(expected(&names, wanted))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    fn change(wanted: &Value, offered: &[&str]) -> Result<Choices, FieldErrors> {
        let offered: Vec<ServiceName> = offered.iter().map(|name| name.parse().unwrap()).collect();
        let before = Choices {
            home_page: Some("ledger".parse().unwrap()),
            ..Choices::default()
        };
        before.changed(wanted.as_object().unwrap(), &offered)
    }

    #[test]
    fn any_subset_may_be_changed_and_the_rest_stays() {
        let choices = change(&json!({"color_theme": "bee"}), &[]).unwrap();
        assert_eq!(
            (choices.theme, choices.color_theme),
            (Theme::Light, ColorTheme::Bee)
        );
        assert_eq!(choices.home_page.unwrap().as_str(), "ledger");
        assert_eq!(
            change(&json!({"something_else": 1}), &[]).unwrap().theme,
            Theme::Light
        );
        assert_eq!(
            change(&json!({"home_page": null}), &["codex"]).unwrap().home_page,
            None
        );
    }

    #[test]
    fn a_bad_value_is_refused_by_the_name_of_its_field() {
        let rows = [
            (json!({"theme_preference": "blue"}), "theme_preference"),
            (json!({"theme_preference": null}), "theme_preference"),
            (json!({"theme_preference": "Dark"}), "theme_preference"),
            (json!({"color_theme": 7}), "color_theme"),
            (json!({"home_page": "//evil.example"}), "home_page"),
            (json!({"home_page": "nowhere"}), "home_page"),
            (json!({"home_page": ["codex"]}), "home_page"),
        ];
        for (wanted, field) in rows {
            let errors = change(&wanted, &["codex", "helm"]).unwrap_err();
            assert!(
                errors.of(field).is_some(),
                "{wanted} was refused for another reason: {}",
                errors.sentences()
            );
            assert_eq!(errors.iter().count(), 1);
        }
    }

    #[test]
    fn a_home_page_must_be_offered_unless_it_was_chosen_before() {
        assert!(change(&json!({"home_page": "codex"}), &["codex"]).is_ok());
        assert!(change(&json!({"home_page": "ledger"}), &["codex"]).is_ok());
        assert!(change(&json!({"home_page": "anything"}), &[]).is_ok());
    }

    #[test]
    fn every_colour_of_the_platform_can_be_chosen() {
        assert_eq!(COLORS.map(|(color, _)| color), ColorTheme::ALL);
        assert_eq!(color_theme_named("Bee"), None);
        assert_eq!(theme_named("dark"), Some(Theme::Dark));
    }
}
