//! What the service answers: the same bytes in every run.

use std::fmt::Write as _;

/// What is put before `</head>` by those who edit by replacing text.
pub(crate) const HEAD: &str = r#"<link rel="stylesheet" href="/static/css/global.css?v=1"><link rel="stylesheet" href="/static/css/side-panel.css?v=1">"#;
/// What is put behind `<body>`.
pub(crate) const OPEN: &str = r#"<div class="hivematrix-layout"><div class="hivematrix-side-panel" id="side-panel"><nav><ul><li><a href="/codex/">Codex</a></li><li><a href="/ledger/">Ledger</a></li><li><a href="/helm/">Helm</a></li></ul></nav></div><div class="hivematrix-content">"#;
/// What is put before `</body>`.
pub(crate) const CLOSE: &str = "</div></div>";
/// In every edited page, and in no other.
pub(crate) const EDITED: &str = "hivematrix-side-panel";
/// What Codex says of a user's preferences.
pub(crate) const PREFERENCES: &str = r#"{"theme":"dark","color_theme":"blue","home_page":"codex"}"#;
/// Bytes of an upload.
pub(crate) const UPLOAD: usize = 256 * 1024;

const WORDS: [&str; 24] = [
    "ticket", "client", "asset", "invoice", "device", "backup", "server", "agent", "policy", "network",
    "printer", "update", "renewal", "contract", "hours", "billing", "plan", "status", "open", "closed",
    "pending", "office", "router", "visit",
];

/// Words in an order that looks like none.
struct Words(u32);

impl Words {
    fn some(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.one()).collect();
        words.join(" ")
    }

    fn one(&mut self) -> &'static str {
        // A linear congruential generator; its high bits are the better ones.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        WORDS[(self.0 >> 16) as usize % WORDS.len()]
    }
}

/// 1 KB of JSON.
pub(crate) fn json() -> String {
    let mut words = Words(1);
    let mut text = String::from("[");
    for id in 0.. {
        let entry = format!("{{\"id\":{id},\"name\":\"{}\"}}", words.some(3));
        if text.len() + entry.len() + 2 > 1024 {
            break;
        }
        if id > 0 {
            text.push(',');
        }
        text.push_str(&entry);
    }
    text.push(']');
    text
}

/// 23 KB of a page: a table in a card, and a form.
pub(crate) fn page() -> String {
    let mut words = Words(7);
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n<title>Companies</title>\n</head>\n\
         <body>\n<div class=\"card\"><div class=\"card__header\"><h1 class=\"card__title\">Companies &amp; más</h1></div>\n\
         <div class=\"card__body\"><table><thead><tr><th>ID</th><th>Name</th><th>Status</th><th>Note</th></tr></thead>\n<tbody>\n",
    );
    for row in 0..116 {
        let (name, state, note) = (words.some(3), words.one(), words.some(6));
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "<tr class=\"table__row\"><td>{row}</td><td><a href=\"/codex/companies/{row}\">{name}</a></td>\
             <td><span class=\"badge\">{state}</span></td><td>{note}</td></tr>"
        );
    }
    page.push_str(
        "</tbody></table></div></div>\n<form action=\"/codex/search\" method=\"post\"><input name=\"q\">\
         <button class=\"btn btn--primary\"><span class=\"btn__label\">Search</span></button></form>\n</body>\n</html>\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_have_the_sizes_that_the_report_tells() {
        let json = json();
        assert!((950..=1024).contains(&json.len()), "{}", json.len());
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        let page = page();
        assert!((22_500..=23_900).contains(&page.len()), "{}", page.len());
        for once in ["</head>", "<body>", "</body>"] {
            assert_eq!(page.matches(once).count(), 1, "{once}");
        }
        assert!(!page.contains(EDITED));
    }
}
