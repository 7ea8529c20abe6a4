//! Examples of what a page tells: badges, status, alerts, progress.

use maud::{Markup, html};

use super::ICON;

/// Badges, and status as text or dot.
pub(super) fn badges() -> Markup {
    let badges = [
        ("badge", "plain"),
        ("badge badge--accent", "accent"),
        ("badge badge--success", "success"),
        ("badge badge--warning", "warning"),
        ("badge badge--danger", "danger"),
        ("badge badge--info", "info"),
    ];
    let statuses = [
        ("status-text status-text--success", "running"),
        ("status-text status-text--warning", "degraded"),
        ("status-text status-text--danger", "stopped"),
        ("status-text status-text--info", "starting"),
        ("status-text status-text--muted", "unknown"),
    ];
    html! {
        p .u-flex .u-flex-wrap .u-gap-2 { @for (class, text) in badges { span class=(class) { (text) } } }
        p .u-flex .u-flex-wrap .u-gap-4 {
            @for (class, text) in statuses { span class=(class) { span .status-dot aria-hidden="true" {} (text) } }
        }
    }
}

/// Alerts, with and without title and icon.
pub(super) fn alerts() -> Markup {
    let alerts = [
        ("alert", "For your information", "Something that is good to know."),
        ("alert alert--success", "Saved", "The company was saved."),
        (
            "alert alert--warning",
            "Careful",
            "The certificate expires in three days.",
        ),
        (
            "alert alert--danger",
            "That did not work",
            "Nothing was saved yet.",
        ),
    ];
    html! {
        @for (class, title, text) in alerts {
            div class=(class) role="status" {
                span .alert__icon aria-hidden="true" { (ICON) }
                div .alert__body { p .alert__title { (title) } p { (text) } }
            }
        }
        div .alert role="status" { p .alert__body { "A sentence is enough, too." } }
    }
}

/// How far something is, or that it goes on.
pub(super) fn progress() -> Markup {
    html! {
        p { label for="example-progress" { "Backup" } " " progress #example-progress max="100" value="60" { "60 %" } }
        p { span .spinner role="status" aria-label="Loading" {} " Loading …" }
    }
}
