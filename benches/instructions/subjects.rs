//! What is counted: fixed requests of a signed-in browser, each part of their way by itself, and the whole of it.

use std::hint::black_box;

use futures_util::FutureExt as _;
use hivematrix_benches::browser::{self, Ask};
use hivematrix_benches::chains::{Plugins, way_in, way_out};
use hivematrix_benches::pages;
use hivematrix_benches::passage::{Errand, Passage, answer};
use tokio::runtime::Runtime;

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Finding one of a thousand services.
    Route,
    /// Who asks, and still? Known by the handle.
    SessionHit,
    /// Everything that is done to a browser's head before anything is looked up.
    HeadTidied,
    /// Five plugins, from `begin` to `on_end`, for a navigation.
    PluginChain,
    /// A page of 23 KB, edited while it streams by.
    PageComposed,
    /// A script's request, from its head to the line in the log.
    RequestJson,
    /// A navigation to a page that is composed, from its head to the line in the log.
    RequestPage,
}

impl Subject {
    pub(crate) const ALL: [Self; 7] = [
        Self::Route,
        Self::SessionHit,
        Self::HeadTidied,
        Self::PluginChain,
        Self::PageComposed,
        Self::RequestJson,
        Self::RequestPage,
    ];

    /// Its name in the budget.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Route => "route_among_1000",
            Self::SessionHit => "session_known_by_handle",
            Self::HeadTidied => "head_tidied",
            Self::PluginChain => "chain_of_5_plugins",
            Self::PageComposed => "page_composed",
            Self::RequestJson => "request_json",
            Self::RequestPage => "request_page_composed",
        }
    }

    /// One round of it, for at most so many rounds: what rounds need is made here, where nothing is counted.
    pub(crate) fn prepare(self, rounds: u64) -> Box<dyn FnMut()> {
        let runtime = runtime();
        match self {
            Self::Route => {
                let site = runtime.block_on(Passage::new(1000));
                keeping(runtime, move || {
                    black_box(site.path.route(black_box("/service-999/a/b"))).expect("a route");
                })
            }
            Self::SessionHit => {
                let site = runtime.block_on(Passage::new(10));
                keeping(runtime, move || {
                    now(site.view.by_handle(black_box(&site.handle))).expect("a session");
                })
            }
            Self::HeadTidied => {
                let site = runtime.block_on(Passage::new(10));
                let mut heads: Vec<_> = (0..rounds).map(|_| site.request(Errand::Page)).collect();
                keeping(runtime, move || {
                    let mut head = heads.pop().expect("enough heads");
                    site.path
                        .arrive(&mut head)
                        .expect("a request that is not refused");
                    black_box(head);
                })
            }
            Self::PluginChain => {
                let (chain, ask) = (Plugins::Five.chain(), Ask::document());
                let head = browser::page_head(23_000, &[]);
                keeping(runtime, move || {
                    let mut visits = now(way_in(&chain, &ask));
                    black_box(now(way_out(&mut visits, &mut head.clone())));
                })
            }
            Self::PageComposed => page_composed(runtime, rounds),
            Self::RequestJson => whole_way(runtime, Errand::Json, rounds),
            Self::RequestPage => whole_way(runtime, Errand::Page, rounds),
        }
    }
}

fn page_composed(runtime: Runtime, rounds: u64) -> Box<dyn FnMut()> {
    let (chain, ask) = (Plugins::Composition.chain(), Ask::document());
    let chunks = pages::dashboard().whole();
    let inside = runtime.enter();
    let mut rewriters: Vec<_> = (0..rounds)
        .map(|_| {
            let mut visits = now(way_in(&chain, &ask));
            now(way_out(&mut visits, &mut browser::page_head(23_000, &[]))).expect("an editable page")
        })
        .collect();
    drop(inside);
    keeping(runtime, move || {
        let mut rewriter = rewriters.pop().expect("enough rewriters");
        for chunk in &chunks {
            black_box(rewriter.push(chunk));
        }
        black_box(rewriter.finish());
    })
}

fn whole_way(runtime: Runtime, errand: Errand, rounds: u64) -> Box<dyn FnMut()> {
    let site = runtime.block_on(Passage::new(10));
    let (head, body) = answer(errand);
    let body = [body];
    let mut heads: Vec<_> = (0..rounds)
        .map(|_| (site.request(errand), head.clone()))
        .collect();
    keeping(runtime, move || {
        let (request, answer) = heads.pop().expect("enough heads");
        assert!(now(site.pass(request, answer, &body)) >= body[0].len());
    })
}

/// A round inside a runtime that does not run: nothing but the round is counted.
fn keeping(runtime: Runtime, mut round: impl FnMut() + 'static) -> Box<dyn FnMut()> {
    Box::new(move || {
        let _inside = runtime.enter();
        round();
    })
}

/// What need not be waited for.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
