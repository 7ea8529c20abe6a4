//! The contract once more, object-safe, so that one chain can hold plugins of different types.
//!
//! Private on purpose: plugins implement [`Plugin`] and [`Visit`]. A hook that a plugin does not implement
//! is a future without size here, and boxing one of those allocates nothing.

use std::future::Future;
use std::pin::Pin;

use crate::contract::edits::{Edits, Page};
use crate::contract::plugin::{Plugin, PluginError, Verdict, Visit};
use crate::contract::request::{End, Request, RequestHead, ResponseHead};

type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, PluginError>> + Send + 'a>>;

pub(crate) trait AnyPlugin: Send + Sync {
    fn begin(&self, request: &Request<'_>) -> Option<Box<dyn AnyVisit>>;
}

pub(crate) trait AnyVisit: Send + Sync {
    fn on_request<'a>(&'a mut self, head: &'a mut RequestHead) -> Pending<'a, Verdict>;
    fn on_response<'a>(&'a mut self, head: &'a mut ResponseHead) -> Pending<'a, ()>;
    fn html_edits(&mut self, page: &Page<'_>) -> Edits;
    fn on_end(&mut self, end: &End);
}

impl<P: Plugin> AnyPlugin for P {
    fn begin(&self, request: &Request<'_>) -> Option<Box<dyn AnyVisit>> {
        Plugin::begin(self, request).map(|visit| Box::new(visit) as Box<dyn AnyVisit>)
    }
}

impl<V: Visit> AnyVisit for V {
    fn on_request<'a>(&'a mut self, head: &'a mut RequestHead) -> Pending<'a, Verdict> {
        Box::pin(Visit::on_request(self, head))
    }

    fn on_response<'a>(&'a mut self, head: &'a mut ResponseHead) -> Pending<'a, ()> {
        Box::pin(Visit::on_response(self, head))
    }

    fn html_edits(&mut self, page: &Page<'_>) -> Edits {
        Visit::html_edits(self, page)
    }

    fn on_end(&mut self, end: &End) {
        Visit::on_end(self, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Idle;
    impl Visit for Idle {}

    #[test]
    fn a_hook_that_nobody_wrote_has_no_size_and_so_is_not_allocated() {
        let mut head = ResponseHead::new(http::StatusCode::OK, http::HeaderMap::new());
        assert_eq!(size_of_val(&Visit::on_response(&mut Idle, &mut head)), 0);
        let mut head = RequestHead::new(
            http::Method::GET,
            http::uri::PathAndQuery::from_static("/"),
            http::HeaderMap::new(),
        );
        assert_eq!(size_of_val(&Visit::on_request(&mut Idle, &mut head)), 0);
    }
}
