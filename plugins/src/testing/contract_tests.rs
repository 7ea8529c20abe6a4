//! The contract as plugins see it: order, verdicts, errors, deadlines, edits at every depth.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use super::*;
use crate::{Edits, Fragment, Page, PluginError, Reach, Selector, Verdict, Visit};

/// A plugin that writes down what happens to it.
struct Witness {
    name: String,
    does: String,
    selector: Selector,
}

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn log(line: String) {
    LOG.lock().unwrap().push(line);
}

#[derive(serde::Deserialize)]
struct Settings {
    name: String,
    #[serde(default)]
    does: String,
}

struct Witnessed {
    name: String,
    does: String,
    selector: Selector,
}

impl Plugin for Witness {
    const KIND: &'static str = "witness";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = Settings;
    type Visit = Witnessed;

    fn new(settings: Settings, _: &Tools) -> Result<Self, Invalid> {
        if settings.name.is_empty() {
            return Err(Invalid::new("`name` is empty"));
        }
        Ok(Self {
            name: settings.name,
            does: settings.does,
            selector: "a[href], title".parse()?,
        })
    }

    fn begin(&self, request: &Request<'_>) -> Option<Witnessed> {
        (request.path != "/elsewhere").then(|| Witnessed {
            name: self.name.clone(),
            does: self.does.clone(),
            selector: self.selector.clone(),
        })
    }
}

impl Visit for Witnessed {
    async fn on_request(&mut self, head: &mut RequestHead) -> Result<Verdict, PluginError> {
        log(format!("{} request", self.name));
        head.headers.insert("x-seen", "1".parse().unwrap());
        match self.does.as_str() {
            "answer" => Ok(Verdict::Answer(Answer::new(StatusCode::IM_A_TEAPOT, "tea"))),
            "refuse" => Err(PluginError::new("no")),
            _ => Ok(Verdict::Continue),
        }
    }

    async fn on_response(&mut self, head: &mut ResponseHead) -> Result<(), PluginError> {
        log(format!("{} response", self.name));
        if self.does == "sleep" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        head.headers.append("x-by", self.name.parse().unwrap());
        if self.does == "fail" {
            Err(PluginError::new("broken"))
        } else {
            Ok(())
        }
    }

    fn html_edits(&mut self, _: &Page<'_>) -> Edits {
        let mut edits = Edits::none();
        let reach = match self.does.as_str() {
            "head" => Reach::Head,
            "document" | "stumble" => Reach::Document,
            _ => return edits,
        };
        let stumble = self.does == "stumble";
        edits.on_element(&self.selector, reach, move |element| {
            element.set_attribute("data-seen", "é")?;
            if stumble && element.tag_name() == "a" {
                Err("stumbled".into())
            } else {
                Ok(())
            }
        });
        edits.body_start(Fragment::trusted("<i>in</i>"));
        edits
    }

    fn on_end(&mut self, end: &End) {
        log(format!(
            "{} end {:?}",
            self.name,
            end.status.map(|status| status.as_u16())
        ));
    }
}

fn does(what: &str) -> Case<Witness> {
    visit::<Witness>(&format!("name = 'w'\ndoes = '{what}'"))
}

#[test]
fn hooks_run_in_order_on_the_way_in_and_reversed_on_the_way_out() {
    let spec = |name: &str| PluginSpec {
        instance: name.to_owned(),
        kind: "witness".to_owned(),
        settings: DeTable::parse(format!("kind = 'witness'\nname = '{name}'").leak()).unwrap(),
    };
    let registry = Registry::empty().with::<Witness>();
    let chain = registry
        .build(&[spec("first"), spec("second")], &Tools::default())
        .unwrap();
    let case = does("");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let head = ResponseHead::new(StatusCode::OK, HeaderMap::new());
    runtime.block_on(case.run(&chain, head, &[b"x"]));
    let lines: Vec<_> = LOG
        .lock()
        .unwrap()
        .iter()
        .filter(|line| !line.starts_with("w "))
        .cloned()
        .collect();
    let expected = [
        "first request",
        "second request",
        "second response",
        "first response",
    ];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines[4..], ["second end Some(200)", "first end Some(200)"]);
}

#[test]
fn a_plugin_may_answer_in_place_of_the_upstream() {
    let seen = does("answer").answer_html("<p>never asked");
    assert_eq!(
        (seen.head.status, seen.text().as_str()),
        (StatusCode::IM_A_TEAPOT, "tea")
    );
    assert_eq!(
        seen.header("x-by"),
        Some("w"),
        "its own response hook has seen it"
    );
}

#[test]
fn an_error_on_the_way_in_names_the_plugin_and_ends_the_request() {
    let seen = does("refuse").answer_html("<p>x");
    assert_eq!(seen.error.as_deref(), Some("plugin `tested`: no"));
}

#[test]
fn an_error_on_the_way_out_never_fails_a_page() {
    let case = does("fail");
    assert_eq!(case.answer_html("<p>x").text(), "<p>x");
    assert_eq!(
        case.tools.counters.read().map(|(_, _, count)| count),
        [0, 0, 0, 1, 0]
    );
}

#[test]
fn a_plugin_that_is_not_ready_in_time_is_left_behind() {
    let tools = Tools {
        response_deadline: Duration::from_millis(5),
        ..Tools::default()
    };
    let case = does("sleep").tools(tools);
    let seen = case.answer_html("<p>x");
    assert!(seen.held < Duration::from_secs(5), "{:?}", seen.held);
    assert_eq!(seen.header("x-by"), None);
    assert_eq!(case.tools.counters.read()[4].2, 1);
}

#[test]
fn a_plugin_that_is_not_responsible_is_not_asked() {
    let seen = does("document").get("/elsewhere").answer_html("<a href=x>");
    assert_eq!((seen.text().as_str(), seen.outcome), ("<a href=x>", None));
    assert!(!seen.request.headers.contains_key("x-seen"));
    assert_eq!(
        seen.header("vary"),
        Some("Sec-Fetch-Dest"),
        "another request of the address may be edited"
    );
}

#[test]
fn elements_are_edited_as_deep_as_was_asked_for() {
    let page = "<title>t</title><p><a href=x>l</a>";
    let head = does("head").answer_html(page);
    assert_eq!(
        head.text(),
        "<title data-seen=\"é\">t</title><i>in</i><p><a href=x>l</a>"
    );
    assert_eq!(head.outcome, Some(Outcome::Edited));
    let all = does("document").answer_html(page);
    assert_eq!(
        all.text(),
        "<title data-seen=\"é\">t</title><i>in</i><p><a href=x data-seen=\"é\">l</a>"
    );
    assert_eq!(all.outcome, Some(Outcome::Edited));
}

#[test]
fn an_attribute_is_written_in_the_charset_of_the_page() {
    let latin = [("content-type", "text/html; charset=iso-8859-1")];
    let seen = does("document").answer(StatusCode::OK, &latin, b"<a href=\xE4>\xE4</a>");
    assert_eq!(
        &seen.body[..],
        b"<i>in</i><a href=\xE4 data-seen=\"\xE9\">\xE4</a>"
    );
}

#[test]
fn a_handler_that_fails_ends_the_edits_and_not_the_page() {
    let case = does("stumble");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let chain = build::<Witness>(&case.settings, &case.tools).unwrap();
    let head = ResponseHead::new(
        StatusCode::OK,
        [("content-type".parse().unwrap(), "text/html".parse().unwrap())]
            .into_iter()
            .collect(),
    );
    let seen = runtime.block_on(case.run(&chain, head, &[b"<p><a href=x>1</a><a ", b"href=y>2</a> tail"]));
    assert_eq!(seen.outcome, Some(Outcome::GivenUp));
    assert_eq!(seen.text(), "<i>in</i><p><a href=x>1</a><a href=y>2</a> tail");
    assert_eq!(case.tools.counters.read()[2].2, 1);
}

#[test]
fn a_page_beyond_the_ceiling_goes_on_as_it_came() {
    let tools = Tools {
        rewrite_bytes: 4096,
        ..Tools::default()
    };
    for (what, page) in [
        ("", String::new()),
        ("document", format!("<a href='{}'>x</a>", "y".repeat(50_000))),
    ] {
        let case = does(what).tools(tools.clone());
        let page = if page.is_empty() { continue } else { page };
        let chain = build::<Witness>(&case.settings, &case.tools).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let head = ResponseHead::new(
            StatusCode::OK,
            [("content-type".parse().unwrap(), "text/html".parse().unwrap())]
                .into_iter()
                .collect(),
        );
        let pieces: Vec<_> = page.as_bytes().chunks(700).collect();
        let seen = runtime.block_on(case.run(&chain, head, &pieces));
        assert_eq!(seen.outcome, Some(Outcome::GivenUp));
        assert!(seen.text().ends_with(&page), "nothing of the page is lost");
    }
}

#[test]
fn settings_are_checked_with_their_places() {
    assert_eq!(
        problems::<Witness>("name = 'w'\nnmae = 1"),
        [("there is no setting `nmae`".into(), "nmae".into())]
    );
    assert_eq!(
        problems::<Witness>("name = ''"),
        [("`name` is empty".into(), String::new())]
    );
    assert_eq!(problems::<Witness>("name = 'w'"), []);
}

#[test]
fn an_unknown_kind_is_refused_with_the_kinds_there_are() {
    let spec = PluginSpec {
        instance: "x".to_owned(),
        kind: "compositoin".to_owned(),
        settings: DeTable::parse("kind = 'compositoin'").unwrap(),
    };
    let found = Registry::standard()
        .build(&[spec], &Tools::default())
        .err()
        .unwrap();
    assert_eq!(
        found[0].message,
        "there is no kind of plugin `compositoin`; known: `composition`"
    );
    assert_eq!(found[0].span, Some(7..20));
}
