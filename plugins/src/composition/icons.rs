//! Lucide icons, as taken from their npm package (`assets/icons/update.sh`), and which service has which.
//!
//! Lucide is under the ISC licence; see `assets/icons/LICENSE`.

use std::sync::LazyLock;

use maud::{Markup, PreEscaped, html};

macro_rules! icons {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../assets/icons/", $name, ".svg")))),*];
    };
}

icons![
    "archive",
    "bell",
    "book-user",
    "box",
    "brain",
    "briefcase",
    "building-2",
    "calendar",
    "chart-column",
    "clipboard-list",
    "clock",
    "cloud",
    "credit-card",
    "database",
    "file-text",
    "folder",
    "globe",
    "house",
    "key-round",
    "layout-template",
    "library",
    "life-buoy",
    "lightbulb",
    "log-in",
    "log-out",
    "mail",
    "menu",
    "monitor",
    "moon",
    "network",
    "package",
    "panel-left",
    "phone",
    "receipt-text",
    "search",
    "server",
    "settings",
    "shield",
    "shield-check",
    "ship-wheel",
    "sun",
    "ticket",
    "user",
    "users",
    "wrench",
];

/// Name and drawing, without the `<svg>` around it and on one line.
static DRAWINGS: LazyLock<Vec<(&str, String)>> =
    LazyLock::new(|| FILES.iter().map(|(name, file)| (*name, drawing(file))).collect());

fn drawing(file: &str) -> String {
    let inner = file
        .split_once("<svg")
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or("", |(_, rest)| rest);
    let inner = inner.rsplit_once("</svg>").map_or(inner, |(inner, _)| inner);
    inner.lines().map(str::trim).collect()
}

/// An icon by its Lucide name.
pub(crate) fn icon(name: &str) -> Option<Markup> {
    let (_, drawing) = DRAWINGS.iter().find(|(known, _)| *known == name)?;
    Some(html! {
        svg width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false" {
            (PreEscaped(drawing))
        }
    })
}

/// The icon of a menu entry: the one it names, else the one of a service of that name, else a box.
pub(crate) fn of_service(named: &str, service: &str) -> Markup {
    icon(named)
        .or_else(|| icon(usual(service)))
        .or_else(|| icon("box"))
        .unwrap_or_default()
}

fn usual(service: &str) -> &'static str {
    match service {
        "helm" => "ship-wheel",
        "codex" => "book-user",
        "ledger" => "receipt-text",
        "knowledgetree" => "library",
        "beacon" => "life-buoy",
        "archive" => "archive",
        "brainhair" => "brain",
        "template" => "layout-template",
        _ => "box",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_is_a_drawing_in_ascii() {
        for (name, drawing) in DRAWINGS.iter() {
            assert!(
                drawing.starts_with('<') && drawing.ends_with("/>") && drawing.is_ascii(),
                "{name}: {drawing}"
            );
            assert!(
                !drawing.contains("<svg") && !drawing.contains("<script"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_service_without_an_icon_gets_its_own_or_a_box() {
        let named = |name: &str| icon(name).unwrap_or_default().0;
        assert_eq!(of_service("users", "codex").0, named("users"));
        assert_eq!(of_service("", "codex").0, named("book-user"));
        assert_eq!(of_service("no-such-icon", "unheard-of").0, named("box"));
    }
}
