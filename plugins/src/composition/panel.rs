//! The side panel's markup (platform README §8): the menu of one permission level, with one entry active.
//!
//! Rendered once for each variant and kept as bytes; only the user's name or the way to sign in is put in
//! for each page.

use std::hash::{DefaultHasher, Hash, Hasher};

use hivematrix_platform::PermissionLevel;
use maud::{Markup, html};

use super::icons;
use crate::contract::edits::Fragment;
use crate::contract::request::MenuEntry;

/// What a rendered panel depends on, besides the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// `None`: nobody is signed in.
    pub(crate) level: Option<PermissionLevel>,
    /// The service whose page this is.
    pub(crate) service: String,
    /// Whether scripts run on the page; without them, buttons would do nothing.
    pub(crate) scripts: bool,
    /// Whether the session was checked; if not, the panel says so.
    pub(crate) checked: bool,
}

/// A panel with a gap for what differs from page to page.
#[derive(Debug)]
pub(crate) struct Panel {
    before: Fragment,
    after: Fragment,
    version: u64,
}

/// Said while nobody can tell whether the session still holds.
const UNCHECKED: &str =
    "Sessions can't be checked at the moment. You can go on reading; changes have to wait.";

/// Stands where the gap is; no text can contain it, because `maud` escapes `<`.
const GAP: &str = "<!--gap-->";

impl Panel {
    pub(crate) fn render(menu: &[MenuEntry], variant: &Variant) -> Self {
        let markup = Fragment::from(layout(menu, variant));
        let bytes = markup.as_bytes();
        let (at, len) = match memchr::memmem::find(bytes, GAP.as_bytes()) {
            Some(at) => (at, GAP.len()),
            None => (bytes.len(), 0),
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self {
            before: Fragment::from(bytes.slice(..at)),
            after: Fragment::from(bytes.slice(at + len..)),
            version: hasher.finish(),
        }
    }

    /// Changes with every byte of the panel.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The panel with its gap filled, in pieces: what is the same for all is not copied.
    pub(crate) fn with(&self, piece: Fragment) -> [Fragment; 3] {
        [self.before.clone(), piece, self.after.clone()]
    }
}

/// The gap's content for somebody who is signed in; `tag` tells the page's scripts whom it was made for.
pub(crate) fn user(name: &str, tag: &str) -> Fragment {
    Fragment::from(html! {
        a class="side-panel__link side-panel__user" href="/sessions" title={ (name) ": where you are signed in" } data-session-user=(tag) {
            (label(icons::icon("user"), name))
        }
    })
}

/// The gap's content for somebody who is not.
pub(crate) fn sign_in(next: &str) -> Fragment {
    let encoded: String = next.bytes().map(encode).collect();
    Fragment::from(html! {
        a class="side-panel__link" href={ "/login?next=" (encoded) } title="Sign in" {
            (label(icons::icon("log-in"), "Sign in"))
        }
    })
}

/// Percent-encodes all that could end a query's value or mean something else in one.
fn encode(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Custom elements, because no stray end tag in a page can close them; both are left open, and the browser
/// closes them at the body's end.
fn layout(menu: &[MenuEntry], variant: &Variant) -> Markup {
    html! {
        (maud::PreEscaped("<hivematrix-layout class=\"hivematrix-layout\">"))
        div class={ "hivematrix-side-panel" @if !variant.scripts { " hivematrix-side-panel--static" } } id="side-panel" {
            a class="side-panel__skip" href="#hivematrix-content" { "Skip to content" }
            div class="side-panel__header" {
                @if variant.scripts {
                    button type="button" class="side-panel__toggle" id="sidebar-toggle" aria-expanded="true"
                        aria-controls="side-panel-nav" aria-label="Menu" title="Menu" {
                        @if let Some(icon) = icons::icon("panel-left") { (icon) }
                    }
                }
                a class="side-panel__title" href="/" { "HiveMatrix" }
            }
            nav class="side-panel__nav" id="side-panel-nav" aria-label="Services" {
                ul class="side-panel__list" {
                    @for entry in menu.iter().filter(|entry| shown(entry, variant.level)) {
                        (item(entry, entry.name == variant.service))
                    }
                }
            }
            (footer(menu, variant))
            // There from the start, because only then screen readers hear what is put into it.
            @if variant.scripts && variant.level.is_some() {
                div class="side-panel__notice" id="session-notice" role="status" {}
            }
        }
        (maud::PreEscaped("<hivematrix-content class=\"hivematrix-content\" id=\"hivematrix-content\">"))
    }
}

fn shown(entry: &MenuEntry, level: Option<PermissionLevel>) -> bool {
    entry.visible && level.is_some_and(|level| entry.access.allows(level))
}

fn item(entry: &MenuEntry, active: bool) -> Markup {
    html! {
        li class={ "side-panel__item" @if active { " side-panel__item--active" } } {
            a class="side-panel__link" href=(entry.href) title=(entry.label) aria-current=[active.then_some("true")] {
                (label(Some(icons::of_service(&entry.icon, &entry.name)), &entry.label))
            }
        }
    }
}

fn footer(menu: &[MenuEntry], variant: &Variant) -> Markup {
    // Theme and settings are Codex's; without it there is nobody to keep them.
    let codex = variant.level.and_then(|level| {
        menu.iter()
            .find(|entry| entry.name == "codex" && entry.access.allows(level))
    });
    html! {
        div class="side-panel__footer" {
            @if !variant.checked {
                p class="side-panel__unchecked" title=(UNCHECKED) { (label(icons::icon("clock"), UNCHECKED)) }
            }
            (maud::PreEscaped(GAP))
            @if let Some(codex) = codex {
                a class="side-panel__link" href={ (codex.href) "settings" } title="Settings" {
                    (label(icons::icon("settings"), "Settings"))
                }
                @if variant.scripts {
                    button type="button" class="side-panel__link theme-toggle" id="theme-toggle-btn" title="Light or dark" {
                        span class="theme-toggle__to-dark" { (label(icons::icon("moon"), "Dark theme")) }
                        span class="theme-toggle__to-light" { (label(icons::icon("sun"), "Light theme")) }
                    }
                }
            }
            @if variant.level.is_some() {
                a class="side-panel__link" href="/logout" title="Log out" {
                    (label(icons::icon("log-out"), "Log out"))
                }
            }
            @if variant.scripts {
                p class="side-panel__status" role="status" {}
            }
        }
    }
}

fn label(icon: Option<Markup>, text: &str) -> Markup {
    html! {
        span class="side-panel__icon" { @if let Some(icon) = icon { (icon) } }
        span class="side-panel__label" { (text) }
    }
}
