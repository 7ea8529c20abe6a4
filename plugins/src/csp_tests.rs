//! Policies in, policies out: a table whose rows are sentences.
#![allow(clippy::unwrap_used)]

use super::*;

const CSS: &str = "https://hm.example/static/a.css";
const JS: &str = "https://hm.example/static/a.js";
const API: &str = "https://hm.example/api";

fn policies(sandboxed: bool) -> Policies {
    let needs = Needs {
        styles: vec![CSS.into()],
        scripts: vec![Script {
            url: JS.into(),
            integrity: Some("sha256-AAAA"),
        }],
        connects: vec![API.into()],
    };
    Policies::new(needs, "https://hm.example", sandboxed)
}

fn after(policy: &str) -> String {
    policies(false)
        .extend(policy)
        .unwrap_or_else(|| "as it was".into())
}

#[test]
fn a_policy_is_extended_by_exactly_what_the_panel_needs() {
    #[rustfmt::skip]
    let table: &[(&str, &str, &str)] = &[
        ("a policy about something else", "frame-ancestors 'none'", "as it was"),
        ("nothing allowed", "default-src 'none'", "default-src 'none'; style-src {css}; script-src {js}; connect-src {api}"),
        ("a default is copied, never extended", "default-src https://cdn.example",
            "default-src https://cdn.example; style-src https://cdn.example {css}; script-src https://cdn.example {js}; connect-src https://cdn.example {api}"),
        ("own origin is allowed already", "default-src 'self'", "as it was"),
        ("everything is allowed already", "default-src *; script-src https:; style-src https://HM.example", "as it was"),
        ("a list of its own", "script-src https://cdn.example", "script-src https://cdn.example {js}"),
        ("the most specific list counts", "style-src 'self'; style-src-elem 'none'", "style-src 'self'; style-src-elem {css}"),
        ("the first of two counts", "script-src 'none'; script-src *", "script-src {js}; script-src *"),
        ("a URL is added once", "style-src {css}", "as it was"),
        ("names in any case", "Style-Src 'NONE'", "Style-Src {css}"),
        ("an empty list allows nothing", "connect-src", "connect-src {api}"),
        ("a semicolon at the end", "default-src 'none'; style-src *;", "default-src 'none'; style-src *; script-src {js}; connect-src {api}"),
        ("a nonce is carried, so nothing is added", "script-src 'nonce-abc'", "as it was"),
        ("hashes and URLs under strict-dynamic", "script-src 'strict-dynamic' 'sha256-x' https:", "script-src 'strict-dynamic' 'sha256-x' https: 'sha256-AAAA'"),
        ("unsafe-inline stays in force", "style-src 'unsafe-inline'", "style-src 'unsafe-inline' {css}"),
        ("another port is another origin", "script-src https://hm.example:444", "script-src https://hm.example:444 {js}"),
    ];
    let fill = |text: &str| {
        text.replace("{css}", CSS)
            .replace("{js}", JS)
            .replace("{api}", API)
    };
    for (name, before, expected) in table {
        assert_eq!(after(&fill(before)), fill(expected), "{name}");
    }
}

#[test]
fn what_was_extended_once_needs_nothing_more() {
    for policy in [
        "default-src 'none'",
        "script-src a.example; style-src 'none'",
        "script-src 'strict-dynamic'",
    ] {
        let once = policies(false).extend(policy).unwrap();
        assert_eq!(policies(false).extend(&once), None, "{once}");
    }
}

#[test]
fn a_bare_self_is_never_added() {
    for policy in [
        "default-src 'none'",
        "script-src x; style-src y; connect-src z",
        "default-src 'nonce-a'",
    ] {
        assert!(!after(policy).contains("'self'"), "{policy}");
    }
}

#[test]
fn the_first_nonce_is_carried_and_other_policies_get_the_url() {
    let mut page = policies(false);
    let mut headers = HeaderMap::new();
    headers.append(
        CONTENT_SECURITY_POLICY,
        "script-src 'nonce-One+/=' 'strict-dynamic', style-src 'none'"
            .parse()
            .unwrap(),
    );
    headers.append(
        CONTENT_SECURITY_POLICY,
        "script-src 'nonce-two'; style-src 'nonce-css'".parse().unwrap(),
    );
    page.extend_headers(&mut headers);
    let values: Vec<_> = headers
        .get_all(CONTENT_SECURITY_POLICY)
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    assert_eq!(
        values,
        [
            format!("script-src 'nonce-One+/=' 'strict-dynamic', style-src {CSS}"),
            format!("script-src 'nonce-two' {JS}; style-src 'nonce-css'"),
        ]
    );
    let marks = Marks {
        script_nonce: Some("One+/=".into()),
        style_nonce: Some("css".into()),
        integrity: false,
    };
    assert_eq!(page.marks(), &marks);
}

#[test]
fn report_only_policies_are_extended_too() {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_SECURITY_POLICY_REPORT_ONLY,
        "style-src 'none'".parse().unwrap(),
    );
    policies(false).extend_headers(&mut headers);
    assert_eq!(
        headers[CONTENT_SECURITY_POLICY_REPORT_ONLY],
        format!("style-src {CSS}")
    );
    assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn a_sandbox_is_seen_only_where_it_is_enforced_and_is_never_loosened() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_SECURITY_POLICY_REPORT_ONLY, "sandbox".parse().unwrap());
    assert!(!sandboxed(&headers));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        "img-src *, style-src 'self'; Sandbox allow-scripts"
            .parse()
            .unwrap(),
    );
    assert!(sandboxed(&headers));
    // `'self'` may not cover us there, so the URL is named; the sandbox stays as it is.
    policies(true).extend_headers(&mut headers);
    assert_eq!(
        headers[CONTENT_SECURITY_POLICY],
        format!("img-src *, style-src 'self' {CSS}; Sandbox allow-scripts")
    );
}
