//! The gateway's own pages (errors, the logout question, a home without services) with the panel around them,
//! by the same composition as services' pages. No other plugin ever sees a page of ours.

use bytes::Bytes;
use hivematrix_plugins::{Caller, Request, RequestHead, ResponseHead};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use crate::context::Context;

/// The page with its panel; as it is where there is no composition, or it can't be had.
pub(crate) async fn composed(context: &Context, headers: &HeaderMap, page: Bytes) -> Bytes {
    let snapshot = &context.snapshot;
    let Some(chain) = &snapshot.own_pages else {
        return page;
    };
    let caller = context.account.subject.as_ref().map(|claims| Caller {
        claims: claims.clone(),
    });
    let mut visits = chain.begin(&Request {
        id: context.id(),
        origin: snapshot.origin_text(context.origin),
        method: &Method::GET,
        path: context.path.as_ref().map_or("/", |path| path.sent()),
        query: None,
        headers,
        service: "",
        prefix: "",
        caller: caller.as_ref(),
        checked: context.grace.is_none(),
        menu: &snapshot.menu,
        intent: context.intent,
    });
    if visits.is_empty() {
        return page;
    }
    let mut asked = RequestHead::new(Method::GET, PathAndQuery::from_static("/"), HeaderMap::new());
    if visits.on_request(&mut asked).await.is_err() {
        return page;
    }
    let mut head = HeaderMap::new();
    head.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    let mut head = ResponseHead::new(StatusCode::OK, head);
    visits.on_response(&mut head).await;
    let Some(mut rewriter) = visits.rewriter(&mut head) else {
        return page;
    };
    [rewriter.push(&page), rewriter.finish()].concat().into()
}
