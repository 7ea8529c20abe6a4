//! `unknown-class`: a class that the design system does not have does nothing, or soon something else.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::Finding;
use super::maud;
use super::source::{Language, Source, places};

const RULE: &str = "unknown-class";

/// Names for scripts and tests to find a part by, and of icons; the design system gives them no rules.
const HOOKS: [&str; 6] = [
    "btn__label",
    "card__body",
    "form__input",
    "form__select",
    "form__textarea",
    "lucide",
];

/// Every class of the design system's style sheet.
static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let sheet = hivematrix_plugins::design::asset("/static/css/global.css")
        .map(|asset| String::from_utf8_lossy(&asset.body).into_owned())
        .unwrap_or_default();
    of_sheet(&sheet)
});

fn of_sheet(sheet: &str) -> BTreeSet<String> {
    let mut rest = sheet.to_owned();
    while let Some(start) = rest.find("/*") {
        let end = rest
            .get(start..)
            .and_then(|comment| comment.find("*/"))
            .map_or(rest.len(), |end| start + end + 2);
        rest.replace_range(start..end, " ");
    }
    // What stands before a brace, and not before a semicolon, is a selector.
    rest.split_inclusive(['{', '}', ';'])
        .filter_map(|part| part.strip_suffix('{'))
        .filter(|selector| !selector.trim_start().starts_with('@'))
        .flat_map(|selector| selector.split('.').skip(1))
        .filter_map(|rest| rest.split(|letter: char| !is_class(letter)).next())
        .map(str::to_owned)
        .collect()
}

fn is_class(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'
}

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let mut used: Vec<(usize, String)> = Vec::new();
    match source.language {
        Language::Html => used.extend(attributes(&source.text)),
        Language::Rust => {
            for body in maud::bodies(source) {
                used.extend(maud::classes(source, &body));
            }
            used.extend(attributes(&source.code));
        }
        Language::Python => used.extend(attributes(&source.code)),
        Language::Script | Language::Css | Language::Other => return,
    }
    for (at, class) in used {
        let known = KNOWN.contains(&class)
            || HOOKS
                .iter()
                .any(|hook| class == *hook || class.starts_with("lucide-"));
        if !known {
            let advice = nearest(&class).map_or_else(String::new, |name| format!("; did you mean {name}?"));
            findings.push(source.finding(
                at,
                RULE,
                format!("the design system has no class {class}{advice}"),
            ));
        }
    }
}

/// The class that was probably meant.
fn nearest(class: &str) -> Option<&'static str> {
    let distance = |known: &&String| strsim::damerau_levenshtein(class, known);
    KNOWN
        .iter()
        .min_by_key(distance)
        .filter(|known| distance(known) <= 3)
        .map(String::as_str)
}

/// The classes in `class="…"`, without what a template language puts in.
fn attributes(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in places(text, "class=") {
        let after_name = start + "class=".len();
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let rest = text.get(after_name..).unwrap_or_default();
        let Some(quote) = rest.chars().next().filter(|quote| ['"', '\''].contains(quote)) else {
            continue;
        };
        if before.is_some_and(|letter| !letter.is_whitespace()) {
            continue;
        }
        let value = rest
            .get(1..)
            .and_then(|rest| rest.split(quote).next())
            .unwrap_or_default();
        let plain = without_templates(value);
        let mut at = after_name + 1;
        for word in plain.split(|letter: char| letter.is_whitespace()) {
            if !word.is_empty() && word.chars().all(is_class) {
                found.push((at, word.to_owned()));
            }
            at += word.len() + 1;
        }
    }
    found
}

/// The value with blanks in the place of `{{ … }}` and `{% … %}`; a word that touches one is no class but a part of one.
fn without_templates(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find('{') {
        let (before, tag) = rest.split_at(start);
        plain.push_str(before);
        let end = tag.find('}').map_or(tag.len(), |end| {
            end + 1 + usize::from(tag.get(end + 1..).is_some_and(|after| after.starts_with('}')))
        });
        let is_statement = tag.starts_with("{%");
        // A value inside a word makes the word unknowable: keep a sign that no class has.
        plain.extend(std::iter::repeat_n(if is_statement { ' ' } else { '?' }, end));
        rest = tag.get(end..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}
