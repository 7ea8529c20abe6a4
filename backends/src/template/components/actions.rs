//! Examples of what people press: buttons, toolbars, tabs, modals.

use maud::{Markup, html};

use super::ICON;

/// Every kind of button, each also as a link.
pub(super) fn buttons() -> Markup {
    let kinds = [
        ("btn", "Plain"),
        ("btn btn--primary", "Primary"),
        ("btn btn--danger", "Danger"),
        ("btn btn--ghost", "Ghost"),
        ("btn btn--small", "Small"),
    ];
    html! {
        p .u-flex .u-flex-wrap .u-gap-2 {
            @for (class, text) in kinds { button class=(class) type="button" { span .btn__label { (text) } } }
            button .btn .btn--primary type="button" disabled { span .btn__label { "Disabled" } }
        }
        p .u-flex .u-flex-wrap .u-gap-2 {
            button .btn type="button" { span .btn__icon aria-hidden="true" { (ICON) } span .btn__label { "With icon" } }
            button .btn type="button" aria-label="Search" { span .btn__icon aria-hidden="true" { (ICON) } }
            a .btn href="#buttons" { span .btn__label { "A link" } }
            a .btn href="#buttons" aria-disabled="true" { span .btn__label { "A link that is disabled" } }
        }
        div .btn-group role="group" aria-label="A group of buttons" {
            button .btn type="button" { span .btn__label { "Day" } }
            button .btn type="button" { span .btn__label { "Week" } }
            button .btn type="button" { span .btn__label { "Month" } }
        }
        p .u-mt-3 { button .btn .btn--primary .btn--block type="button" { span .btn__label { "As wide as there is room" } } }
    }
}

/// What can be done with a list, above it.
pub(super) fn toolbar() -> Markup {
    html! {
        div .toolbar {
            button .btn type="button" { span .btn__label { "Export" } }
            button .btn type="button" { span .btn__label { "Import" } }
            span .toolbar__spacer {}
            button .btn .btn--primary type="button" { span .btn__label { "New" } }
        }
    }
}

/// Tabs whose content comes from the server: links, of which one is the present page.
pub(super) fn tabs(here: &str, open: &str) -> Markup {
    let tabs = [
        (
            "overview",
            "Overview",
            "Each tab is a link, so the address says which one is open.",
        ),
        (
            "history",
            "History",
            "The back button works, and no script is needed.",
        ),
        (
            "files",
            "Files",
            "The open one has aria-current, or the class tabs__tab--active.",
        ),
    ];
    let open = tabs.iter().find(|(name, ..)| *name == open).unwrap_or(&tabs[0]);
    html! {
        div .tabs {
            ul .tabs__list {
                @for tab in &tabs {
                    li .tabs__item {
                        @if tab.0 == open.0 {
                            a .tabs__tab .tabs__tab--active href={ (here) "?tab=" (tab.0) "#tabs" } aria-current="page" { (tab.1) }
                        } @else {
                            a .tabs__tab href={ (here) "?tab=" (tab.0) "#tabs" } { (tab.1) }
                        }
                    }
                }
            }
            p { (open.2) }
        }
    }
}

/// A dialog that the browser opens and closes by itself. Older markup, a `div` with `modal--open`, looks the same.
pub(super) fn modal() -> Markup {
    html! {
        button .btn type="button" commandfor="example-modal" command="show-modal" { span .btn__label { "Open a modal" } }
        dialog .modal #example-modal aria-labelledby="example-modal-title" {
            div .modal__header {
                h3 .modal__title #example-modal-title { "Delete the report?" }
                button .modal__close type="button" commandfor="example-modal" command="close" aria-label="Close" { "×" }
            }
            div .modal__body { p { "It cannot be brought back." } }
            div .modal__footer {
                button .btn type="button" commandfor="example-modal" command="close" { span .btn__label { "Cancel" } }
                button .btn .btn--danger type="button" commandfor="example-modal" command="close" { span .btn__label { "Delete" } }
            }
        }
    }
}
