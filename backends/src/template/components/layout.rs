//! Examples of how a page is laid out: text, cards, grids, details, utilities.

use maud::{Markup, html};

/// Every utility, with a word on what it does.
const UTILITIES: [(&str, &str); 34] = [
    ("u-m-0", "no margin"),
    ("u-mt-1", "margin above, 1"),
    ("u-mt-2", "margin above, 2"),
    ("u-mt-3", "margin above, 3"),
    ("u-mt-4", "margin above, 4"),
    ("u-mb-0", "no margin below"),
    ("u-mb-1", "margin below, 1"),
    ("u-mb-2", "margin below, 2"),
    ("u-mb-3", "margin below, 3"),
    ("u-mb-4", "margin below, 4"),
    ("u-p-0", "no padding"),
    ("u-flex", "in a row"),
    ("u-flex-wrap", "the row may break"),
    ("u-flex-column", "the row is a column"),
    ("u-items-center", "centred across the row"),
    ("u-justify-between", "spread along the row"),
    ("u-justify-end", "at the end of the row"),
    ("u-grow", "takes what room is left"),
    ("u-gap-1", "gap, 1"),
    ("u-gap-2", "gap, 2"),
    ("u-gap-3", "gap, 3"),
    ("u-gap-4", "gap, 4"),
    ("u-text-start", "text at the start"),
    ("u-text-center", "text in the middle"),
    ("u-text-end", "text at the end"),
    ("u-text-right", "the same, by its older name"),
    ("u-text-muted", "quiet text"),
    ("u-text-small", "small text"),
    ("u-text-mono", "text of fixed width"),
    ("u-text-bold", "bold text"),
    ("u-nowrap", "never breaks"),
    (
        "u-truncate",
        "is cut with an ellipsis where there is no room for it",
    ),
    ("u-w-full", "as wide as there is room"),
    ("u-hidden", "not shown"),
];

/// Headings and the elements of text. They need no classes.
pub(super) fn text() -> Markup {
    html! {
        h3 { "A heading" }
        p {
            "Text with a " a href="#text" { "link" } ", " strong { "weight" } ", " em { "emphasis" } ", " code { "code" } ", "
            kbd { "Ctrl" } " + " kbd { "C" } ", a " mark { "mark" } " and " small { "small print" } "."
        }
        blockquote { p { "What somebody else has said." } }
        pre { code { "a block\n    of code" } }
        ul { li { "one" } li { "two" } }
        dl { dt { "Term" } dd { "What it means" } }
    }
}

/// Cards, alone and in grids.
pub(super) fn cards(here: &str) -> Markup {
    html! {
        div .grid {
            article .card .stat {
                span .stat__label { "Open tickets" }
                span .stat__value { "1,284" }
                span .stat__note { "12 more than yesterday" }
            }
            article .card .card--accent {
                div .card__header { h3 .card__title { "With an accent" } span .badge { "new" } }
                div .card__body { p { "What the card is about." } }
            }
            a .card href={ (here) "#cards" } { h3 .card__title { "A card that is a link" } p { "All of it can be pressed." } }
        }
        div .grid .grid--wide {
            article .card {
                div .card__header {
                    div { h3 .card__title { "With everything" } p .card__subtitle { "A subtitle" } }
                }
                div .card__body { p { "What the card is about." } }
                div .card__footer { button .btn type="button" { span .btn__label { "Do it" } } }
            }
        }
    }
}

/// What is shown on demand.
pub(super) fn details() -> Markup {
    html! {
        details { summary { "More about this" } p { "What only some want to read." } }
    }
}

/// Every utility on itself. They are for the last touch; what is needed twice becomes a component.
pub(super) fn utilities() -> Markup {
    html! {
        dl {
            @for (class, what) in UTILITIES {
                dt { code { (class) } }
                dd { div class=(class) { (what) } }
            }
            dt { code { "u-visually-hidden" } }
            dd { "for screen readers only:" span .u-visually-hidden { " this sentence" } }
        }
    }
}
