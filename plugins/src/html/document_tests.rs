//! Which answers are documents, and what becomes of their heads.
#![allow(clippy::unwrap_used)]

use super::*;

fn asked() -> Asked {
    Asked {
        origin: "https://hm.example".into(),
        document: true,
        bodiless: false,
        version: None,
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> ResponseHead {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    ResponseHead::new(StatusCode::from_u16(status).unwrap(), headers)
}

type Row<'a> = (&'a str, u16, &'a [(&'a str, &'a str)], Result<(), NotEditable>);

#[test]
fn only_pages_are_documents() {
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("a page", 200, &[HTML], Ok(())),
        ("a page in upper case", 200, &[("content-type", "Text/HTML")], Ok(())),
        ("an error page", 404, &[HTML], Ok(())),
        ("the backend's own failure", 500, &[HTML], Ok(())),
        ("a redirect's little text", 302, &[HTML, ("location", "/x")], Err(NotEditable::NoDocument)),
        ("a page of choices", 300, &[HTML], Ok(())),
        ("no content", 204, &[HTML], Err(NotEditable::NoDocument)),
        ("reset content", 205, &[HTML], Err(NotEditable::NoDocument)),
        ("a part", 206, &[HTML], Err(NotEditable::NoDocument)),
        ("not modified", 304, &[HTML], Err(NotEditable::NoDocument)),
        ("early hints", 103, &[HTML], Err(NotEditable::NoDocument)),
        ("JSON", 200, &[("content-type", "application/json")], Err(NotEditable::NoDocument)),
        ("XHTML proper", 200, &[("content-type", "application/xhtml+xml")], Err(NotEditable::NoDocument)),
        ("an event stream", 200, &[("content-type", "text/event-stream")], Err(NotEditable::NoDocument)),
        ("something like HTML", 200, &[("content-type", "text/html-sandboxed")], Err(NotEditable::NoDocument)),
        ("no type", 200, &[], Err(NotEditable::NoDocument)),
        ("two types", 200, &[HTML, ("content-type", "text/plain")], Err(NotEditable::NoDocument)),
        ("a download", 200, &[HTML, ("content-disposition", "Attachment; filename=x.html")], Err(NotEditable::NoDocument)),
        ("shown in place", 200, &[HTML, ("content-disposition", "inline; filename=x.html")], Ok(())),
        ("compressed still", 200, &[HTML, ("content-encoding", "gzip")], Err(NotEditable::Unreadable)),
        ("not encoded, and says so", 200, &[HTML, ("content-encoding", "identity")], Ok(())),
        ("UTF-16", 200, &[("content-type", "text/html; charset=utf-16le")], Err(NotEditable::Unreadable)),
        ("ISO-2022-JP", 200, &[("content-type", "text/html; charset=ISO-2022-JP")], Err(NotEditable::Unreadable)),
        ("Shift_JIS", 200, &[("content-type", "text/html; charset=Shift_JIS")], Ok(())),
    ];
    for (name, status, headers, expected) in table {
        let found = Document::of(&head(*status, headers), &asked()).map(|_| ());
        assert_eq!(found, *expected, "{name}");
    }
    let unasked = Document::of(&head(200, &[HTML]), &Asked::nothing());
    assert_eq!(
        unasked.map(|_| ()),
        Err(NotEditable::NoDocument),
        "what a script fetches"
    );
}

#[test]
fn a_composed_page_is_private() {
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&[], "private, no-cache"),
        (&["public, max-age=60"], "private, max-age=60"),
        (&["s-maxage=10", "no-store"], "private, no-store"),
        (&["private=\"x\", must-revalidate"], "private, no-cache, must-revalidate"),
    ];
    for (before, after) in table {
        let values: Vec<_> = before.iter().map(|value| ("cache-control", *value)).collect();
        let mut head = head(200, &values);
        private(&mut head.headers);
        let found: Vec<_> = head.headers.get_all("cache-control").iter().collect();
        assert_eq!(found, [after], "{before:?}");
    }
}

#[test]
fn what_described_the_original_bytes_is_gone() {
    let mut head = head(
        200,
        &[
            ("content-type", "text/html"),
            ("content-length", "5"),
            ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:x:"),
            ("content-md5", "x"),
            ("vary", "Accept-Encoding, cookie"),
            ("x-kept", "yes"),
        ],
    );
    let mut edits = Edits::none();
    edits.body_start(maud::html! { p { "hello" } });
    let document = Document::of(&head, &asked()).unwrap();
    assert!(
        document
            .rewriter(&mut head, vec![edits], &asked(), Arc::default())
            .is_some()
    );
    let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-type", "vary", "x-kept"]);
    let vary: Vec<_> = head.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding, cookie", "Sec-Fetch-Dest"]);
}

#[test]
fn a_head_request_gets_the_head_of_the_composed_page() {
    let asked = Asked {
        bodiless: true,
        ..asked()
    };
    let mut head = head(200, &[("content-type", "text/html"), ("content-length", "5")]);
    let mut edits = Edits::none();
    edits.body_start(maud::html! { p { "hello" } });
    let document = Document::of(&head, &asked).unwrap();
    assert!(
        document
            .rewriter(&mut head, vec![edits], &asked, Arc::default())
            .is_none()
    );
    assert!(!head.headers.contains_key("content-length"));
}
