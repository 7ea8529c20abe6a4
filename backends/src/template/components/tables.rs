//! Examples of lists: tables, pagination, and what to show when there is nothing.

use maud::{Markup, html};

use super::ICON;

/// A table in its wrapper, which scrolls sideways where the screen is narrow; and the two denser kinds.
pub(super) fn tables() -> Markup {
    html! {
        div .table-wrapper {
            table .table {
                caption { "Invoices of this month" }
                thead {
                    tr {
                        th scope="col" { "Customer" }
                        th scope="col" { "Status" }
                        th .table__cell--number scope="col" { "Amount" }
                        th .table__cell--actions scope="col" { span .u-visually-hidden { "Actions" } }
                    }
                }
                tbody {
                    @for (customer, amount) in [("Alder & Finch", "1,200.00"), ("Bluewater Dental", "860.50")] {
                        tr {
                            td { (customer) }
                            td { span .badge .badge--success { "paid" } }
                            td .table__cell--number { (amount) }
                            td .table__cell--actions { button .btn .btn--small type="button" { span .btn__label { "Open" } } }
                        }
                    }
                }
            }
        }
        (dense("table table--compact", "Compact"))
        (dense("table table--striped", "Striped"))
    }
}

fn dense(class: &str, caption: &str) -> Markup {
    html! {
        div .table-wrapper {
            table class=(class) {
                caption { (caption) }
                thead { tr { th scope="col" { "Key" } th scope="col" { "Value" } } }
                tbody { @for key in ["One", "Two", "Three"] { tr { th scope="row" { (key) } td { "…" } } } }
            }
        }
    }
}

/// Links to the pages of a list.
pub(super) fn pagination(here: &str) -> Markup {
    html! {
        nav aria-label="Example of pages" {
            ul .pagination {
                li .pagination__item { span .pagination__link .pagination__link--disabled aria-disabled="true" { "Previous" } }
                li .pagination__item { a .pagination__link .pagination__link--active href={ (here) "#pagination" } aria-current="page" { "1" } }
                li .pagination__item { a .pagination__link href={ (here) "#pagination" } { "2" } }
                li .pagination__item { a .pagination__link href={ (here) "#pagination" } { "Next" } }
            }
        }
    }
}

/// What a list shows when it is empty.
pub(super) fn empty_state() -> Markup {
    html! {
        div .empty-state {
            div .empty-state__icon aria-hidden="true" { (ICON) }
            h3 .empty-state__title { "Nothing found" }
            p .empty-state__text { "No company matches what you searched for." }
            div .empty-state__actions { a .btn href="#empty-state" { span .btn__label { "Show all" } } }
        }
    }
}
