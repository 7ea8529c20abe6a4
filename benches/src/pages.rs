//! Pages as services of the platform send them: made up, but with the proportions of real ones, and the same
//! bytes in every run. Not responsible for what is done to them.

use std::fmt::Write as _;

use bytes::Bytes;

/// The size of a chunk where a page arrives in pieces: what small writes of a backend come down to.
pub const CHUNK: usize = 1024;

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is called in the results.
    pub name: &'static str,
    /// Its bytes.
    pub body: Bytes,
}

impl Page {
    /// The page as it arrives from a backend that writes it at once.
    #[must_use]
    pub fn whole(&self) -> Vec<Bytes> {
        vec![self.body.clone()]
    }

    /// The page in pieces of [`CHUNK`] bytes, each in a buffer of its own.
    #[must_use]
    pub fn pieces(&self) -> Vec<Bytes> {
        self.body.chunks(CHUNK).map(Bytes::copy_from_slice).collect()
    }
}

/// All kinds of pages, from small to large.
#[must_use]
pub fn all() -> Vec<Page> {
    vec![form(), dashboard(), application(), table()]
}

/// 2 KB: one small form.
#[must_use]
pub fn form() -> Page {
    let mut page = opening("New company", "");
    page.push_str("<main class=\"page\"><h1 class=\"page__title\">New company</h1>\n");
    page.push_str("<form class=\"form\" action=\"/codex/companies\" method=\"post\">\n");
    let mut words = Words::new(1);
    fill(&mut page, 1_900, |page, row| {
        let name = words.next();
        let _ = writeln!(
            page,
            "<div class=\"form__group\"><label class=\"form__label\" for=\"f{row}\">{name}</label>\
             <input class=\"input\" id=\"f{row}\" name=\"{name}\" required></div>"
        );
    });
    page.push_str("<button class=\"btn btn--primary\">Save</button></form></main></body></html>\n");
    Page {
        name: "form_2KB",
        body: page.into(),
    }
}

/// 23 KB: cards with drawings, a list and a table, the size of the page of the side-by-side load measurement.
#[must_use]
pub fn dashboard() -> Page {
    let mut page = opening("Dashboard", &scripts_of_a_dashboard());
    page.push_str(
        "<header class=\"toolbar\"><h1 class=\"page__title\">Today &amp; this week</h1></header>\n<main>\n",
    );
    let mut words = Words::new(2);
    for card in 0..8 {
        let (title, line) = (words.some(2), words.some(5));
        let _ = writeln!(
            page,
            "<section class=\"card\"><div class=\"card__header\"><h2 class=\"card__title\">{title}</h2>\
             <span class=\"badge badge--info\">{}</span></div><div class=\"card__body\">{}<p>{line}</p>\
             <a class=\"link\" href=\"/codex/reports/{card}\">Details</a></div></section>",
            card * 37 % 90,
            sparkline(card)
        );
    }
    page.push_str("<table class=\"table\"><thead><tr><th>No</th><th>Customer</th><th>State</th><th>Note</th></tr></thead><tbody>\n");
    fill(&mut page, 22_700, |page, row| table_row(page, row, &mut words));
    page.push_str("</tbody></table></main>\n<!-- rendered by template -->\n");
    page.push_str(
        "<script>document.querySelector('.table').dataset.ready = '1';</script>\n</body>\n</html>\n",
    );
    Page {
        name: "dashboard_23KB",
        body: page.into(),
    }
}

/// 48 KB, nearly all of it before the body: a single-page application that ships its styles and its state in
/// the head. The worst that a page can do to edits at the head's end.
#[must_use]
pub fn application() -> Page {
    let mut head = String::from("<style>\n");
    let mut words = Words::new(3);
    fill(&mut head, 8_000, |head, rule| {
        let name = words.next();
        let _ = writeln!(
            head,
            ".{name}-{rule} > a[href^=\"/\"] {{ margin: {rule}px auto; color: var(--{name}) }}"
        );
    });
    head.push_str("</style>\n<script id=\"state\" type=\"application/json\">{\"rows\":[");
    fill(&mut head, 46_500, |head, row| {
        let comma = if row == 0 { "" } else { "," };
        let (name, note) = (words.some(3), words.some(6));
        let _ = write!(
            head,
            "{comma}{{\"id\":{row},\"name\":\"{name}\",\"html\":\"\\u003cb>{note}\\u003c/b>\"}}"
        );
    });
    head.push_str("]}</script>\n");
    let mut page = opening("Application", &head);
    page.push_str("<div id=\"app\"><noscript>This page needs scripts.</noscript></div>\n");
    page.push_str(
        "<script type=\"module\" src=\"/codex/static/app.4f1c2a.js\"></script>\n</body>\n</html>\n",
    );
    Page {
        name: "application_48KB",
        body: page.into(),
    }
}

/// 200 KB: one long table.
#[must_use]
pub fn table() -> Page {
    let mut page = opening("Companies", "");
    page.push_str("<main><h1>Companies &amp; más</h1><table class=\"table\"><tbody>\n");
    let mut words = Words::new(4);
    fill(&mut page, 199_900, |page, row| table_row(page, row, &mut words));
    page.push_str("</tbody></table></main>\n</body>\n</html>\n");
    Page {
        name: "table_200KB",
        body: page.into(),
    }
}

fn opening(title: &str, head: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} | Codex</title>\n\
         <link rel=\"icon\" href=\"/codex/static/icon.svg\" type=\"image/svg+xml\">\n{head}</head>\n<body class=\"codex\">\n"
    )
}

fn scripts_of_a_dashboard() -> String {
    let mut head = String::new();
    for name in ["charts", "tables", "dates"] {
        let _ = writeln!(head, "<script src=\"/codex/static/{name}.js\" defer></script>");
    }
    head.push_str("<script>window.refresh = 60; if (1 < 2) { window.zone = 'Europe/Vienna'; }</script>\n");
    head
}

fn sparkline(seed: usize) -> String {
    let points: Vec<_> = (0..16)
        .map(|x| format!("{},{}", x * 8, (x * 31 + seed * 17) % 40))
        .collect();
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 120 40\"><polyline fill=\"none\" stroke=\"currentColor\" points=\"{}\"/></svg>",
        points.join(" ")
    )
}

fn table_row(page: &mut String, row: usize, words: &mut Words) {
    let (name, state, note) = (words.some(3), words.next(), words.some(6));
    let _ = writeln!(
        page,
        "<tr class=\"table__row\"><td>{row}</td><td><a href=\"/codex/companies/{row}\">{name}</a></td>\
         <td><span class=\"badge badge--{state}\">{state}</span></td><td>{note}</td></tr>"
    );
}

/// Writes rows until the text has `size` bytes.
fn fill(text: &mut String, size: usize, mut row: impl FnMut(&mut String, usize)) {
    let mut number = 0;
    while text.len() < size {
        row(text, number);
        number += 1;
    }
}

/// Words in an order that looks like none and is always the same.
struct Words(usize);

impl Words {
    const ALL: [&'static str; 23] = [
        "ticket", "client", "asset", "invoice", "device", "backup", "server", "agent", "policy", "network",
        "printer", "update", "renewal", "contract", "hours", "billing", "plan", "status", "open", "closed",
        "pending", "größe", "café",
    ];

    const fn new(seed: usize) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> &'static str {
        // A full cycle modulo a power of two (Hull and Dobell); its upper bits are the better ones.
        self.0 = (self.0 * 1_103 + 12_345) % (1 << 20);
        Self::ALL[(self.0 >> 8) % Self::ALL.len()]
    }

    fn some(&mut self, count: usize) -> String {
        let words: Vec<_> = (0..count).map(|_| self.next()).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_the_sizes_that_their_names_say() {
        for (page, size) in all().iter().zip([2_000, 23_000, 48_000, 200_000]) {
            assert!(
                page.body.len().abs_diff(size) < size / 20,
                "{}: {}",
                page.name,
                page.body.len()
            );
            assert_eq!(page.pieces().concat(), page.body);
        }
    }

    #[test]
    fn pages_are_the_same_every_time() {
        for (one, other) in all().iter().zip(all()) {
            assert_eq!(one.body, other.body);
        }
    }
}
