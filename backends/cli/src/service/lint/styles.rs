//! `no-css`: the gateway brings the styles, for all services the same.

use super::Finding;
use super::maud;
use super::source::{Language, Source, places};

const RULE: &str = "no-css";
const ADVICE: &str = "a service carries no CSS; use the classes of the design system";

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let mut add =
        |at: usize, what: &str| findings.push(source.finding(at, RULE, format!("{what}: {ADVICE}")));
    match source.language {
        Language::Css => add(0, "a style sheet"),
        Language::Html => {
            let lower = source.text.to_ascii_lowercase();
            for (needle, what) in [
                ("<style", "a <style> element"),
                (" style=", "a style attribute"),
                ("rel=\"stylesheet\"", "a link to a style sheet"),
                ("rel=stylesheet", "a link to a style sheet"),
            ] {
                places(&lower, needle).for_each(|at| add(at + usize::from(needle.starts_with(' ')), what));
            }
        }
        Language::Rust => {
            for body in maud::bodies(source) {
                for at in maud::words(source, &body, "style") {
                    add(at, "a style");
                }
            }
            markup_in_strings(source, &mut add);
        }
        Language::Python | Language::Script => markup_in_strings(source, &mut add),
        Language::Other => {}
    }
}

fn markup_in_strings(source: &Source, add: &mut impl FnMut(usize, &str)) {
    for needle in [
        "<style",
        "rel=\"stylesheet\"",
        "rel=\\\"stylesheet\\\"",
        " style=\"",
        " style=\\\"",
    ] {
        for at in places(&source.code, needle) {
            // In code and not in a string it is something else.
            let in_string = source
                .bare
                .get(at..at + needle.len())
                .is_some_and(|bare| bare.trim().is_empty());
            if in_string {
                add(at + usize::from(needle.starts_with(' ')), "markup with a style");
            }
        }
    }
}
