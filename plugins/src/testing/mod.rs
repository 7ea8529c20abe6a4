//! The test kit: runs a plugin as the gateway would, without a socket.
//!
//! A page that is answered in a test is replayed cut at every byte, and every cut must give the same
//! output. Failures panic with a sentence, as assertions do.
#![allow(clippy::panic)]

mod people;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use toml::de::DeTable;

pub use people::{Slow, caller, menu, named, preferring};

use crate::contract::intent::Intent;
use crate::contract::plugin::{Invalid, Plugin};
use crate::contract::request::{Answer, Caller, End, MenuEntry, Request, RequestHead, ResponseHead};
use crate::contract::tools::{PreferenceSource, Tools};
use crate::html::rewriter::Outcome;
use crate::run::chain::{Chain, Visits};
use crate::run::registry::{PluginSpec, Registry};

/// A visit of plugin `P`, with settings as they stand in the configuration (without `kind`): a navigation
/// to `/template/` by nobody, until told otherwise.
#[must_use]
pub fn visit<P: Plugin>(settings: &str) -> Case<P> {
    let case = Case {
        settings: settings.to_owned(),
        tools: Tools::default(),
        method: Method::GET,
        target: "/template/".to_owned(),
        headers: HeaderMap::new(),
        caller: None,
        checked: true,
        menu: menu(),
        plugin: PhantomData,
    };
    case.header("sec-fetch-dest", "document")
}

/// What is wrong with these settings of plugin `P`: each problem, and the text it points at.
#[must_use]
pub fn problems<P: Plugin>(settings: &str) -> Vec<(String, String)> {
    let found = build::<P>(settings, &Tools::default()).err().unwrap_or_default();
    let shown = found.into_iter().map(|problem| {
        let place = problem
            .span
            .and_then(|span| settings.get(span))
            .unwrap_or_default();
        (problem.message.into_owned(), place.to_owned())
    });
    shown.collect()
}

fn build<P: Plugin>(settings: &str, tools: &Tools) -> Result<Chain, Vec<Invalid>> {
    // A test's few settings may stay in memory until it ends; that keeps their places.
    let text: &'static str = settings.to_owned().leak();
    let settings = DeTable::parse(text).map_err(|error| vec![Invalid::new(error.to_string())])?;
    let spec = PluginSpec {
        instance: "tested".to_owned(),
        kind: P::KIND.to_owned(),
        settings,
    };
    Registry::empty().with::<P>().build(&[spec], tools)
}

/// A request to be made.
pub struct Case<P> {
    settings: String,
    tools: Tools,
    method: Method,
    target: String,
    headers: HeaderMap,
    caller: Option<Caller>,
    checked: bool,
    menu: Arc<[MenuEntry]>,
    plugin: PhantomData<P>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Seen {
    /// The request as it would be forwarded.
    pub request: RequestHead,
    /// The plugin's own answer, if it gave one; then the rest is the plugin's answer too.
    pub answer: Option<Answer>,
    /// The error of [`crate::Visit::on_request`], if there was one.
    pub error: Option<String>,
    /// The answer's head as the browser gets it.
    pub head: ResponseHead,
    /// The answer's body as the browser gets it.
    pub body: Bytes,
    /// How the edits went; `None` if there were none to make.
    pub outcome: Option<Outcome>,
    /// How long the plugin held the answer's head back.
    pub held: Duration,
}

impl Seen {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

impl<P: Plugin> Case<P> {
    /// Somebody is signed in.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = Some(caller);
        self
    }

    /// The session could not be checked: the caller is admitted by the route's grace.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    /// Another menu than [`menu`].
    #[must_use]
    pub fn menu(mut self, menu: Arc<[MenuEntry]>) -> Self {
        self.menu = menu;
        self
    }

    /// Where preferences come from.
    #[must_use]
    pub fn preferences(mut self, source: impl PreferenceSource) -> Self {
        self.tools.preferences = Arc::new(source);
        self
    }

    /// Other tools altogether.
    #[must_use]
    pub fn tools(mut self, tools: Tools) -> Self {
        self.tools = tools;
        self
    }

    /// A header of the request; replaces one of that name, and removes it if the value is empty.
    ///
    /// # Panics
    /// If it is no header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(name) = name.parse::<HeaderName>() else {
            panic!("`{name}` is no header")
        };
        let Ok(parsed) = value.parse::<HeaderValue>() else {
            panic!("`{value}` is no header's value")
        };
        if value.is_empty() {
            self.headers.remove(name);
        } else {
            self.headers.insert(name, parsed);
        }
        self
    }

    /// The method and the target, as the browser sees it; its first segment is the service.
    #[must_use]
    pub fn request(mut self, method: Method, target: &str) -> Self {
        self.method = method;
        target.clone_into(&mut self.target);
        self
    }

    /// `GET` of a target.
    #[must_use]
    pub fn get(self, target: &str) -> Self {
        self.request(Method::GET, target)
    }

    /// The upstream answers 200 with this page.
    #[must_use]
    pub fn answer_html(&self, page: &str) -> Seen {
        self.answer(
            StatusCode::OK,
            &[("content-type", "text/html; charset=utf-8")],
            page.as_bytes(),
        )
    }

    /// The upstream answers this. The body is replayed cut at every byte; all cuts must give the same.
    ///
    /// # Panics
    /// If the settings are invalid, or if cuts differ.
    #[must_use]
    pub fn answer(&self, status: StatusCode, headers: &[(&str, &str)], body: &[u8]) -> Seen {
        let head = ResponseHead::new(
            status,
            headers
                .iter()
                .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
                .collect(),
        );
        // A thread of its own, so that tests that are async themselves can use the kit too.
        let outcome = std::thread::scope(|scope| scope.spawn(|| self.run_all_cuts(&head, body)).join());
        match outcome {
            Ok(seen) => seen,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn run_all_cuts(&self, head: &ResponseHead, body: &[u8]) -> Seen {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no runtime: {error}"),
        };
        let chain = match build::<P>(&self.settings, &self.tools) {
            Ok(chain) => chain,
            Err(problems) => panic!("{problems:?}"),
        };
        let run = |pieces: &[&[u8]]| runtime.block_on(self.run(&chain, head.clone(), pieces));
        let whole = run(&[body]);
        if whole.outcome.is_none() {
            return whole;
        }
        let bytes: Vec<_> = body.chunks(1).collect();
        assert!(
            run(&bytes).body == whole.body,
            "byte by byte, the page comes out differently"
        );
        // Every cut of a short page, and as many of a long one.
        let step = (body.len() / 1024).max(1);
        for cut in (0..=body.len()).step_by(step) {
            let (start, rest) = body.split_at(cut);
            assert!(
                run(&[start, rest]).body == whole.body,
                "cut at byte {cut}, the page comes out differently"
            );
        }
        whole
    }

    async fn run(&self, chain: &Chain, head: ResponseHead, pieces: &[&[u8]]) -> Seen {
        let target = match PathAndQuery::try_from(self.target.as_str()) {
            Ok(target) => target,
            Err(error) => panic!("`{}`: {error}", self.target),
        };
        let mut visits = chain.begin(&self.as_request(&target));
        let mut request = RequestHead::new(self.method.clone(), target, self.headers.clone());
        let (mut answer, mut error) = (None, None);
        match visits.on_request(&mut request).await {
            Ok(own) => answer = own,
            Err(failed) => error = Some(failed.to_string()),
        }
        let mut seen = Seen {
            request,
            answer,
            error,
            head,
            body: Bytes::new(),
            outcome: None,
            held: Duration::ZERO,
        };
        if seen.error.is_none() {
            let own = seen.answer.clone();
            let pieces: Vec<&[u8]> = own
                .as_ref()
                .map_or_else(|| pieces.to_vec(), |answer| vec![&answer.body]);
            if let Some(own) = &own {
                seen.head = ResponseHead::new(own.status, own.headers.clone());
            }
            self.respond(&mut visits, &mut seen, &pieces).await;
        }
        let end = End {
            status: seen.error.is_none().then_some(seen.head.status),
            bytes_sent: seen.body.len() as u64,
            elapsed: seen.held,
        };
        visits.on_end(&end);
        seen
    }

    fn as_request<'a>(&'a self, target: &'a PathAndQuery) -> Request<'a> {
        let path = target.path();
        let service = path.split('/').nth(1).unwrap_or_default();
        Request {
            id: "test",
            origin: "https://hm.example",
            method: &self.method,
            path,
            query: target.query(),
            headers: &self.headers,
            service,
            prefix: path.get(..=service.len()).unwrap_or_default(),
            caller: self.caller.as_ref(),
            checked: self.checked,
            menu: &self.menu,
            intent: Intent::of(&self.method, &self.headers),
        }
    }

    async fn respond(&self, visits: &mut Visits, seen: &mut Seen, pieces: &[&[u8]]) {
        let began = std::time::Instant::now();
        visits.on_response(&mut seen.head).await;
        seen.held = began.elapsed();
        let mut body = BytesMut::new();
        let Some(mut rewriter) = visits.rewriter(&mut seen.head) else {
            seen.body = pieces.concat().into();
            return;
        };
        for piece in pieces {
            body.extend_from_slice(&rewriter.push(&Bytes::copy_from_slice(piece)));
        }
        body.extend_from_slice(&rewriter.finish());
        seen.body = body.freeze();
        seen.outcome = Some(rewriter.outcome());
    }
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
