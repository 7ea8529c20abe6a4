//! The request's way through Pingora's callbacks: a visible list of phases, and no policy of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

use crate::answer;
use crate::conclude::{Account, Conclusion, SHUTTING_DOWN};
use crate::context::{Context, Target};
use crate::cut;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::LoginFailed;
use crate::phases::arrive::Connection;
use crate::phases::credentials::Credentials;
use crate::phases::{
    arrive, authenticate, authorize, credentials, forward, keep, local, plugins, provider, resend, respond,
    rewrite, route, trailers,
};
use crate::reply::Reply;

/// Pingora's side of the gateway.
pub(crate) struct Proxy {
    gateway: Arc<Gateway>,
}

impl Proxy {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }

    /// Everything before the request is forwarded. A reply ends the way early, and so does a refusal.
    async fn enter(&self, session: &mut Session, context: &mut Context) -> Result<Option<Reply>, Refusal> {
        let connection = connection(session);
        arrive::arrive(session.req_header_mut(), connection, context)?;
        if let Some(reply) = local::answer(&self.gateway, session, context).await? {
            return Ok(Some(reply));
        }
        resend::look(session, context).await?;
        self.proceed(session.req_header_mut(), context).await
    }

    /// A request that knocks at none of our own doors.
    pub(crate) async fn proceed(
        &self,
        head: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<Option<Reply>, Refusal> {
        if context
            .path
            .as_ref()
            .is_some_and(|path| provider::knocks(path, &context.snapshot.config.provider))
        {
            self.gateway
                .limiter
                .address(context.client, &context.snapshot.config.limits)?;
            provider::admit(head, context)?;
            return Ok(None);
        }
        if let Some(reply) = self.admit(head, context).await? {
            return Ok(Some(reply));
        }
        if let Some(reply) = resend::resend(&self.gateway, head, context).await? {
            return Ok(Some(reply));
        }
        match plugins::on_request(head, context).await? {
            plugins::Step::Continue => Ok(None),
            plugins::Step::Answered(reply) => Ok(Some(reply)),
            plugins::Step::Changed => self.admit(head, context).await,
        }
    }

    /// Who gets a page about a wrong address sees the menu all the same, if the session is at hand.
    async fn recognise(&self, session: &Session, context: &mut Context, refusal: &Refusal) {
        if context.account.subject.is_none()
            && context.intent.is_navigation()
            && matches!(refusal, Refusal::NoRoute { .. } | Refusal::NotFound)
            && let Ok(Credentials::Cookie(handle)) = credentials::credentials(&session.req_header().headers)
            && let Ok(identity) = self.gateway.view.by_handle(&handle).await
        {
            context.account.subject = Some(identity.caller.claims.clone());
        }
    }

    /// A kept form that could not be sent at all is kept on: its person may try again.
    async fn put_back(&self, context: &mut Context, refusal: &Refusal) {
        if let (Some(form), Some(identity), Refusal::UpstreamUnreachable) =
            (context.resent.take(), &context.identity, refusal)
            && let Err(error) = self.gateway.kept_forms.keep(identity.caller.sub(), &form).await
        {
            tracing::warn!(request_id = %context.id(), %error, "a kept form is lost");
        }
    }

    async fn admit(&self, head: &RequestHeader, context: &mut Context) -> Result<Option<Reply>, Refusal> {
        if let Some(reply) = route::route(head, context)? {
            return Ok(Some(reply));
        }
        authenticate::authenticate(&self.gateway, head, context).await?;
        authorize::authorize(context)?;
        if let (Some(identity), Some(route)) = (&context.identity, context.route()) {
            let (view, access) = (&self.gateway.view, route.service.access);
            cut::tie(if context.life.is_long() {
                let watched = view.watch(identity, access).await;
                watched.map_err(credentials::refusal)?
            } else {
                view.watch_in_background(identity, access)
            });
        }
        Ok(None)
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(
            self.gateway.snapshot.load_full(),
            Account::open(self.gateway.metrics.clone()),
        )
    }

    fn init_downstream_modules(&self, _modules: &mut pingora::modules::http::HttpModules) {}

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        cut::arrived();
        match self.enter(session, context).await {
            Ok(None) => {
                // The limit between two pieces of a body is not meant for who listens in silence.
                if let (true, Some(route)) = (context.life.is_long(), context.route()) {
                    session.set_read_timeout(Some(route.service.timeouts.stream_idle));
                    cut::lasts();
                }
                // Interim answers mean nothing to HTTP/1.0 (RFC 9110 §15.2).
                let is_old = session.req_header().version == Version::HTTP_10;
                session.set_ignore_info_resp(is_old);
                if session.is_http2() && !context.life.is_long() {
                    cut::receiving(session.is_body_done());
                }
                return Ok(false);
            }
            Ok(Some(reply)) => answer::send(session, context, reply).await?,
            Err(refusal) => {
                if let Some(reply) = keep::keep(&self.gateway, session, context, &refusal).await {
                    answer::send(session, context, reply).await?;
                    return Ok(true);
                }
                self.recognise(session, context, &refusal).await;
                answer::refuse(session, context, &refusal).await?;
            }
        }
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = forward::peer(&self.gateway, context)
            .await
            .map_err(|refusal| Error::because(ErrorType::ConnectError, "no address", refusal).into_up())?;
        if context.is_open_ended()
            && let Some(http1) = session.as_http1()
        {
            forward::lend(&mut peer, http1.get_headers_raw_bytes().len(), context);
        }
        Ok(peer)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        forward::prepare(upstream, session.req_header(), context)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if session.is_http2() && !context.life.is_long() {
            cut::receiving(end);
        }
        if let Some(form) = &context.resent {
            // Again on a retry; the request's own body is complete and short.
            *body = end.then(|| form.body.clone()).filter(|body| !body.is_empty());
        }
        context.body_received += body.as_ref().map_or(0, Bytes::len);
        let limit = context.snapshot.config.limits.body_bytes;
        if limit != 0 && !context.is_open_ended() && context.body_received > limit {
            context.body_too_large = true;
            return Err(Error::explain(ErrorType::HTTPStatus(413), "request body too large").into_down());
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        upstream: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        respond::respond(session.req_header(), upstream, context).await
    }

    async fn response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        _context: &mut Context,
    ) -> pingora::Result<Option<Bytes>> {
        trailers::trailers(trailers);
        Ok(None)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<Duration>> {
        rewrite::chunk(body, end, context)?;
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        if cut::is_taken_over() {
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        }
        let refusal = refusal_of(error, context);
        self.put_back(context, &refusal).await;
        if session.response_written().is_some() && session.is_process_shutting_down() {
            // What is still open when the gateway ends is broken off by its end: nobody's fault.
            context.account.reason = Some(SHUTTING_DOWN);
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        }
        if session.response_written().is_some() || matches!(refusal, Refusal::ClientGone) {
            context.account.refused(&refusal);
            return FailToProxy {
                error_code: 0,
                can_reuse_downstream: false,
            };
        }
        let status = refusal.status().as_u16();
        if let Err(gone) = answer::refuse(session, context, &refusal).await {
            tracing::debug!(request_id = %context.id(), "the client did not take the answer: {gone}");
        }
        FailToProxy {
            error_code: status,
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        if let Some(head) = session.response_written() {
            context.account.status = head.status.as_u16();
        }
        context.account.sent = session.body_bytes_sent();
        if cut::is_taken_over() {
            let nothing = Account::open(self.gateway.metrics.clone());
            let account = std::mem::replace(&mut context.account, nothing);
            cut::leave(Conclusion::new(account, context.visits.take()));
            return;
        }
        if error.is_some_and(|error| {
            *error.etype() == ErrorType::WriteTimedout && *error.esource() == ErrorSource::Downstream
        }) {
            // It had its time.
            cut::give_up();
        }
        let sent = cut::all_sent(context.snapshot.config.timeouts.write).await;
        if !sent && context.account.reason.is_none() {
            context.account.refused(&Refusal::ClientGone);
        }
        context.account.end(context.visits.as_mut());
    }

    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        true
    }
}

fn connection(session: &Session) -> Connection {
    let doubly_framed = session
        .req_header()
        .headers
        .contains_key(http::header::TRANSFER_ENCODING)
        && session
            .as_http1()
            .is_some_and(|http1| names_content_length(http1.get_headers_raw_bytes().as_ref()));
    Connection {
        peer: session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(std::net::SocketAddr::ip),
        doubly_framed,
        http2: session.is_http2(),
    }
}

/// Pingora drops the Content-Length beside a Transfer-Encoding; only the raw head still tells.
fn names_content_length(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').skip(1).any(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"content-length")
    })
}

fn refusal_of(error: &Error, context: &Context) -> Refusal {
    if context.body_too_large {
        return Refusal::BodyTooLarge;
    }
    if context.provider_refused {
        return Refusal::Login(Box::new(LoginFailed::at_the_provider()));
    }
    match (error.esource(), error.etype()) {
        (_, ErrorType::HTTPStatus(413)) => Refusal::BodyTooLarge,
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Refusal::ClientTooSlow,
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => Refusal::BadRequest("it is malformed"),
        (ErrorSource::Downstream, _) => Refusal::ClientGone,
        (
            ErrorSource::Upstream,
            ErrorType::ConnectTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout
            | ErrorType::TLSHandshakeTimedout,
        ) => match error.etype() {
            ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => Refusal::UpstreamUnreachable,
            _ => Refusal::UpstreamTimedOut,
        },
        (
            ErrorSource::Upstream,
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::TLSHandshakeFailure,
        ) => Refusal::UpstreamUnreachable,
        (ErrorSource::Upstream, _) => Refusal::UpstreamFailed,
        (ErrorSource::Internal | ErrorSource::Unset, _) => match context.target {
            Some(Target::Service(_) | Target::Provider { .. }) | None => Refusal::Internal(error.to_string()),
        },
    }
}
