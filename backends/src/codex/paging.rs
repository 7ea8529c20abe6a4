//! Lists: what is searched for, which page of how many, and the controls that lead to the others.
//!
//! One place for companies, contacts, assets and agents. Programs are told which field was wrong; people get the list
//! whatever they mistyped into the address.

use axum::Json;
use form_urlencoded::Serializer;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    controls::{Done, button_link, heading},
    fields::FieldErrors,
};
use crate::kit::Prefix;

/// Rows in one answer to a program, where it does not say.
const PER_PAGE: i64 = 25;
/// Most rows in one answer.
const MOST_PER_PAGE: i64 = 100;
/// Rows on one page for people.
const PER_PAGE_FOR_PEOPLE: i64 = 20;
/// Highest page that can be asked for; nobody pages that far by hand, and a database would count its way there.
const LAST_PAGE: i64 = 100_000;
/// Longest search, in characters.
const LONGEST_SEARCH: usize = 100;

/// A search and one page of its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What was searched for; empty: everything.
    pub(crate) search: String,
    /// Which page, from 1.
    pub(crate) page: i64,
    /// How many rows it holds.
    pub(crate) per_page: i64,
}

impl Wanted {
    /// Rows before the page.
    pub(crate) fn offset(&self) -> i64 {
        (self.page - 1) * self.per_page
    }

    /// How many pages `total` rows fill.
    pub(crate) fn pages(&self, total: i64) -> i64 {
        (total + self.per_page - 1) / self.per_page
    }

    /// The words to look for, as patterns for LIKE: each somewhere, its wildcards meant literally. Absent ones are
    /// `%`, which matches everything, so that statements stay constant.
    pub(crate) fn patterns(&self) -> [String; WORDS] {
        patterns(&self.search)
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found<T> {
    /// How many match in all.
    pub(crate) total: i64,
    /// Those of the page.
    pub(crate) rows: Vec<T>,
}

/// How many words of a search count; more are taken as part of the last one.
pub(crate) const WORDS: usize = 4;

/// The condition that goes with [`Wanted::patterns`], bound as the first four parameters.
macro_rules! matching {
    () => {
        "search_text LIKE $1 ESCAPE '\\' AND search_text LIKE $2 ESCAPE '\\' AND search_text LIKE $3 ESCAPE '\\' \
         AND search_text LIKE $4 ESCAPE '\\'"
    };
}
pub(crate) use matching;

fn patterns(search: &str) -> [String; WORDS] {
    let mut patterns: [String; WORDS] = std::array::from_fn(|_| "%".to_owned());
    // No text of ours has control characters, and PostgreSQL refuses NUL altogether.
    let lower = search.replace(char::is_control, " ").to_lowercase();
    let words = lower
        .trim()
        .splitn(WORDS, char::is_whitespace)
        .map(str::trim)
        .filter(|word| !word.is_empty());
    for (pattern, word) in patterns.iter_mut().zip(words) {
        let literal = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        *pattern = format!("%{literal}%");
    }
    patterns
}

/// What a search looks into, lower-cased here because SQLite folds ASCII only.
pub(crate) fn search_text(parts: &[Option<&str>]) -> String {
    let parts: Vec<String> = parts.iter().flatten().map(|part| part.to_lowercase()).collect();
    parts.join("\n")
}

/// What a program asks of a list. Text at first, so that a bad value is refused by the name of its field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    search: String,
    page: Option<String>,
    per_page: Option<String>,
}

impl Asked {
    /// The page, or everything that is wrong.
    pub(crate) fn check(self) -> Result<Wanted, FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.search.chars().count() > LONGEST_SEARCH {
            errors.add(
                "search",
                format!("This must not be longer than {LONGEST_SEARCH} characters."),
            );
        }
        let page = number("page", self.page.as_deref(), 1, LAST_PAGE, &mut errors);
        let per_page = number(
            "per_page",
            self.per_page.as_deref(),
            PER_PAGE,
            MOST_PER_PAGE,
            &mut errors,
        );
        errors.unless_any(Wanted {
            search: self.search,
            page,
            per_page,
        })
    }
}

fn number(
    field: &'static str,
    typed: Option<&str>,
    default: i64,
    most: i64,
    errors: &mut FieldErrors,
) -> i64 {
    let Some(typed) = typed else { return default };
    match typed.parse() {
        Ok(number) if (1..=most).contains(&number) => number,
        _ => {
            errors.add(field, format!("This must be a number from 1 to {most}."));
            default
        }
    }
}

/// What a person asks of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Browsed {
    search: String,
    page: String,
    /// What was just done.
    pub(crate) done: Done,
}

impl Browsed {
    /// The page that was probably meant.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            search: self.search.trim().chars().take(LONGEST_SEARCH).collect(),
            page: self.page.parse().unwrap_or(1).clamp(1, LAST_PAGE),
            per_page: PER_PAGE_FOR_PEOPLE,
        }
    }
}

/// Where a list is, for its controls.
pub(crate) struct Place<'a> {
    /// The prefix of the service.
    pub(crate) prefix: &'a Prefix,
    /// What a row is called: `company`.
    pub(crate) singular: &'static str,
    /// What its rows are called, which is also its path: `companies`.
    pub(crate) plural: &'static str,
    /// What a search looks into.
    pub(crate) searches: &'static str,
}

impl Place<'_> {
    /// Its address.
    fn url(&self) -> String {
        self.prefix.url(&format!("/{}", self.plural))
    }

    /// What its page is called: `Companies`.
    pub(crate) fn title(&self) -> String {
        capital(self.plural)
    }
}

/// A word with a capital letter.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a list's page has beside its rows.
pub(crate) struct Around {
    /// What can be done there.
    pub(crate) actions: Markup,
    /// What was just done.
    pub(crate) notice: Markup,
    /// What is said where there are no rows at all.
    pub(crate) none: Markup,
    /// What is said below them.
    pub(crate) below: Markup,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            actions: html! {},
            notice: html! {},
            none: html! {},
            below: html! {},
        }
    }
}

/// The body of a list's page: how many there are, the search, the rows or why there are none, the other pages.
pub(crate) fn listing<T>(
    place: &Place<'_>,
    wanted: &Wanted,
    found: &Found<T>,
    around: &Around,
    table: impl FnOnce(&[T]) -> Markup,
) -> Markup {
    let mut number = count(found.total, place.singular, place.plural);
    if !wanted.search.is_empty() {
        number.push_str(" found");
    }
    html! {
        (heading(&place.title(), Some(&number), &around.actions))
        (around.notice)
        section .card {
            div .card__header { (search_form(place, &wanted.search)) }
            div .card__body {
                @if !found.rows.is_empty() {
                    (table(&found.rows))
                } @else if wanted.search.is_empty() {
                    div .empty-state { (around.none) }
                } @else {
                    (nothing_found(place, &wanted.search))
                }
                (pagination(place, wanted, found.total))
                (around.below)
            }
        }
    }
}

/// One page of a list for a program: its rows under the list's name, and where it stands among the others.
pub(crate) fn answer(plural: &str, rows: impl Serialize, wanted: &Wanted, total: i64) -> Json<Value> {
    Json(json!({
        (plural): rows,
        "total": total,
        "page": wanted.page,
        "per_page": wanted.per_page,
        "pages": wanted.pages(total),
    }))
}

/// The form that searches a list.
fn search_form(place: &Place<'_>, search: &str) -> Markup {
    let address = place.url();
    html! {
        form .form .form--inline .u-grow method="get" action=(address) role="search" {
            div .form__group .u-grow {
                label .u-visually-hidden for="search" { "Search " (place.plural) }
                input .form__input .u-w-full #search name="search" type="search" value=(search) maxlength=(LONGEST_SEARCH)
                    placeholder=(place.searches);
            }
            button .btn type="submit" { span .btn__label { "Search" } }
            @if !search.is_empty() { (button_link(&address, "Show all")) }
        }
    }
}

/// What is shown in place of an empty result of a search.
fn nothing_found(place: &Place<'_>, search: &str) -> Markup {
    html! {
        div .empty-state {
            h2 .empty-state__title { "Nothing found" }
            p .empty-state__text { "None of the " (place.plural) " matches “" (search) "”." }
        }
    }
}

/// Links to the other pages of a list.
fn pagination(place: &Place<'_>, wanted: &Wanted, total: i64) -> Markup {
    let pages = wanted.pages(total);
    let link = |page: i64| {
        let mut query = Serializer::new(String::new());
        if !wanted.search.is_empty() {
            query.append_pair("search", &wanted.search);
        }
        query.append_pair("page", &page.to_string());
        format!("{}?{}", place.url(), query.finish())
    };
    html! {
        @if pages > 1 {
            nav aria-label="Pages" {
                ul .pagination {
                    @if wanted.page > 1 {
                        li .pagination__item { a .pagination__link href=(link(wanted.page - 1)) rel="prev" { "Previous" } }
                    }
                    @for page in nearby(wanted.page, pages) {
                        li .pagination__item {
                            @if page == wanted.page {
                                span .pagination__link aria-current="page" { (page) }
                            } @else {
                                a .pagination__link href=(link(page)) { (page) }
                            }
                        }
                    }
                    @if wanted.page < pages {
                        li .pagination__item { a .pagination__link href=(link(wanted.page + 1)) rel="next" { "Next" } }
                    }
                }
            }
        }
    }
}

/// The pages that are worth a link: the first, the last, and those around the present one.
fn nearby(page: i64, pages: i64) -> Vec<i64> {
    let mut nearby = vec![1, page - 2, page - 1, page, page + 1, page + 2, pages];
    nearby.retain(|number| (1..=pages).contains(number));
    nearby.sort_unstable();
    nearby.dedup();
    nearby
}

/// How many rows there are, in words.
fn count(total: i64, singular: &str, plural: &str) -> String {
    if total == 1 {
        format!("1 {singular}")
    } else {
        format!("{total} {plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_patterns_that_mean_themselves() {
        assert_eq!(patterns(""), ["%"; 4]);
        assert_eq!(patterns(" 50% a_b\\ "), ["%50\\%%", "%a\\_b\\\\%", "%", "%"]);
        assert_eq!(patterns("a\0b"), ["%a%", "%b%", "%", "%"]);
        assert_eq!(patterns("a b c d e"), ["%a%", "%b%", "%c%", "%d e%"]);
    }

    #[test]
    fn pages_are_counted_and_the_nearby_ones_linked() {
        let wanted = Wanted {
            search: String::new(),
            page: 5,
            per_page: 20,
        };
        assert_eq!((wanted.offset(), wanted.pages(0), wanted.pages(41)), (80, 0, 3));
        assert_eq!(nearby(5, 9), [1, 3, 4, 5, 6, 7, 9]);
        assert_eq!(nearby(1, 1), [1]);
    }
}
