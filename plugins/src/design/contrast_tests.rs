//! Every text of the design system can be read in every theme: WCAG 2.2 §1.4.3 and §1.4.11, computed from
//! the tokens as they stand in the stylesheet.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;

const CSS: &str = include_str!("../../assets/css/global.css");
const THEMES: [&str; 9] = [
    "purple", "blue", "green", "orange", "gold", "red", "yellow", "matrix", "bee",
];

/// Text and what it stands on.
const READ: &[(&str, &str)] = &[
    ("text", "bg"),
    ("text", "surface"),
    ("text", "sunken"),
    ("muted", "bg"),
    ("muted", "surface"),
    ("muted", "sunken"),
    ("ink", "bg"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("ink", "accent-soft"),
    ("text", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-danger", "danger-fill"),
    ("on-danger", "danger-hover"),
    ("success", "surface"),
    ("success", "success-soft"),
    ("warning", "surface"),
    ("warning", "warning-soft"),
    ("danger", "surface"),
    ("danger", "danger-soft"),
    ("info", "surface"),
    ("info", "info-soft"),
    ("success", "bg"),
    ("danger", "bg"),
];

/// Lines and marks that have to be seen.
const SEEN: &[(&str, &str)] = &[("field-border", "surface"), ("ink", "bg"), ("ink", "surface")];

type Rgb = [f64; 3];

fn block(start: &str) -> HashMap<&'static str, &'static str> {
    let from = CSS.find(start).unwrap_or_else(|| panic!("no block {start}"));
    let body = CSS[from..].split_once('{').unwrap().1.split_once('}').unwrap().0;
    let declarations = body
        .split(';')
        .filter_map(|line| line.trim().strip_prefix("--hm-")?.split_once(':'));
    declarations
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

fn tokens(theme: &str) -> HashMap<&'static str, &'static str> {
    let mut all = block(":root {");
    if theme != "purple" {
        all.extend(block(&format!("[data-color-theme=\"{theme}\"] {{")));
    }
    all
}

/// The arguments of a function, split at commas that are not inside another.
fn arguments(text: &str) -> Vec<&str> {
    let inner = text.split_once('(').unwrap().1.strip_suffix(')').unwrap();
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(inner[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(inner[start..].trim());
    found
}

fn resolve(value: &str, tokens: &HashMap<&str, &str>, dark: bool) -> Rgb {
    if let Some(hex) = value.strip_prefix('#') {
        let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        return [part(0), part(2), part(4)];
    }
    let arguments = arguments(value);
    match value.split('(').next().unwrap() {
        "var" => resolve(tokens[arguments[0].strip_prefix("--hm-").unwrap()], tokens, dark),
        "light-dark" => resolve(arguments[usize::from(dark)], tokens, dark),
        "color-mix" => {
            assert_eq!(arguments[0], "in srgb");
            let (first, percent) = arguments[1].rsplit_once(' ').unwrap();
            let share = percent.strip_suffix('%').unwrap().parse::<f64>().unwrap() / 100.0;
            let (a, b) = (resolve(first, tokens, dark), resolve(arguments[2], tokens, dark));
            [0, 1, 2].map(|at| a[at] * share + b[at] * (1.0 - share))
        }
        other => panic!("{other} in {value}"),
    }
}

fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|c| {
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

#[test]
fn black_on_white_is_twenty_one_to_one() {
    let found = contrast([0.0; 3], [1.0; 3]);
    assert!((found - 21.0).abs() < 1e-9, "{found}");
}

#[test]
fn every_text_can_be_read_in_every_theme() {
    let mut poor = Vec::new();
    for theme in THEMES {
        let tokens = tokens(theme);
        for dark in [false, true] {
            let colour = |name: &str| resolve(tokens[name], &tokens, dark);
            for (pairs, least) in [(READ, 4.5), (SEEN, 3.0)] {
                for (front, back) in pairs {
                    let found = contrast(colour(front), colour(back));
                    if found < least {
                        poor.push(format!(
                            "{theme} dark={dark}: {front} on {back} {found:.2} < {least}"
                        ));
                    }
                }
            }
        }
    }
    assert!(poor.is_empty(), "{poor:#?}");
}

#[test]
fn every_theme_of_the_contract_is_there() {
    for theme in THEMES.into_iter().filter(|theme| *theme != "purple") {
        assert!(
            block(&format!("[data-color-theme=\"{theme}\"] {{")).contains_key("accent"),
            "{theme}"
        );
    }
    let known = THEMES
        .iter()
        .map(|theme| format!("data-color-theme=\"{theme}\""))
        .collect::<Vec<_>>();
    for written in CSS.split("data-color-theme=\"").skip(1) {
        let name = format!("data-color-theme=\"{}\"", written.split('"').next().unwrap());
        assert!(known.contains(&name), "{name}");
    }
}
