//! Conclude: whatever happened, a request ends in one log line and in the metrics.
//!
//! The account is settled when it is dropped, so that a request that was cut, or whose client went away,
//! leaves its line as well.

use std::sync::Arc;
use std::time::Instant;

use hivematrix_plugins::{End, Visits};
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use pingora::http::RequestHeader;

use crate::cut;
use crate::error::{Fault, Refusal};
use crate::headers::{CORRELATION_ID, TRACEPARENT, trace_id};
use crate::identity::Ended;
use crate::metrics::Metrics;
use crate::snapshot::Route;

/// Longest correlation id that is taken from outside.
const LONGEST_ID: usize = 64;

/// Why what is still open ends when the gateway does.
pub(crate) const SHUTTING_DOWN: &str = "shutting_down";

/// What is known of a request for its log line.
pub(crate) struct Account {
    /// The request id, on the answer, in the log and on the way to the service. Empty until there is one.
    pub(crate) id: HeaderValue,
    /// The client's address as text, for the line and for the service.
    pub(crate) client: Option<HeaderValue>,
    /// The service, once it is known.
    pub(crate) route: Option<Arc<Route>>,
    /// A door of ours or of the provider, when no service was asked for.
    pub(crate) door: &'static str,
    /// The status that was sent; 0 when none was.
    pub(crate) status: u16,
    /// Body bytes sent to the client.
    pub(crate) sent: usize,
    /// Why it was refused or cut short.
    pub(crate) reason: Option<&'static str>,
    /// Whether the caller was admitted without a look at the store.
    pub(crate) graced: bool,
    /// The user, by subject.
    pub(crate) subject: Option<Arc<hivematrix_platform::UserClaims>>,
    method: Method,
    target: Option<PathAndQuery>,
    trace: Option<HeaderValue>,
    /// When it began.
    pub(crate) began: Instant,
    metrics: Arc<Metrics>,
}

impl Account {
    /// Opens an account; it is settled on drop.
    pub(crate) fn open(metrics: Arc<Metrics>) -> Self {
        metrics.in_flight.inc();
        Self {
            id: HeaderValue::from_static(""),
            client: None,
            route: None,
            door: "",
            status: 0,
            sent: 0,
            reason: None,
            graced: false,
            subject: None,
            method: Method::GET,
            target: None,
            trace: None,
            began: Instant::now(),
            metrics,
        }
    }

    /// Takes the correlation id from outside if it is short and plain, else makes one (128 random bits).
    pub(crate) fn identify(&mut self, headers: &HeaderMap) {
        let plain = |id: &&HeaderValue| {
            !id.is_empty()
                && id.len() <= LONGEST_ID
                && id
                    .as_bytes()
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        self.id = match headers.get(CORRELATION_ID).filter(plain) {
            Some(id) => id.clone(),
            None => random_id(),
        };
    }

    /// The request id as text.
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Remembers what was asked for. The query stays out: it may hold codes and personal data.
    pub(crate) fn begin(&mut self, head: &RequestHeader) {
        self.method = head.method.clone();
        self.target = head.uri.path_and_query().cloned();
        self.trace = head.headers.get(TRACEPARENT).cloned();
    }

    /// Notes a refusal and logs its cause at the level of its fault.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.reason = Some(refusal.reason());
        match refusal.fault() {
            Fault::Caller => tracing::debug!(request_id = self.id(), reason = refusal.reason(), "{refusal}"),
            Fault::Upstream => {
                tracing::warn!(
                    request_id = self.id(),
                    reason = refusal.reason(),
                    service = self.service(),
                    "{refusal}"
                );
            }
            Fault::Gateway => {
                tracing::error!(
                    request_id = self.id(),
                    reason = refusal.reason(),
                    service = self.service(),
                    "{refusal}"
                );
            }
        }
    }

    /// Tells the plugins that it is over.
    pub(crate) fn end(&self, visits: Option<&mut Visits>) {
        if let Some(visits) = visits {
            visits.on_end(&End {
                status: StatusCode::from_u16(self.status).ok(),
                elapsed: self.began.elapsed(),
                bytes_sent: self.sent as u64,
            });
        }
    }

    fn service(&self) -> &str {
        match &self.route {
            Some(route) => route.service.name.as_str(),
            None => self.door,
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if self.id.is_empty() {
            return;
        }
        let elapsed = self.began.elapsed();
        let metrics = match &self.route {
            Some(route) => &route.metrics,
            None => &self.metrics.doors,
        };
        metrics.observe(self.status, elapsed, self.sent);
        if let Some(reason) = self.reason {
            self.metrics.refused(reason);
        }
        // Who was cut did nothing wrong: the line says why it ended, the count of refusals does not.
        let reason = self.reason.or_else(|| cut::why().map(Ended::reason));
        if self.graced {
            metrics.graced();
        }
        tracing::info!(
            target: "hivematrix::access",
            request_id = self.id(),
            method = self.method.as_str(),
            path = self.target.as_ref().map_or("", PathAndQuery::path),
            service = self.service(),
            status = self.status,
            bytes = self.sent,
            ms = elapsed.as_micros() as f64 / 1000.0,
            client = self.client.as_ref().and_then(|client| client.to_str().ok()),
            user = self.subject.as_ref().map(|claims| claims.user.sub.as_str()),
            trace_id = self.trace.as_ref().and_then(|parent| trace_id(parent.as_bytes())),
            reason,
            grace = self.graced.then_some(true),
            "request"
        );
    }
}

/// What there is to do at a request's end.
pub(crate) struct Conclusion {
    account: Account,
    visits: Option<Visits>,
}

impl Conclusion {
    /// For a request that goes on without its exchange.
    pub(crate) fn new(account: Account, visits: Option<Visits>) -> Self {
        Self { account, visits }
    }

    /// It has ended, perhaps for a reason; `sent` is how much more its client was sent meanwhile.
    pub(crate) fn settle(mut self, sent: u64, refusal: Option<&Refusal>) {
        self.sent(sent);
        if let Some(refusal) = refusal {
            self.account.refused(refusal);
        }
        self.account.end(self.visits.as_mut());
    }

    /// It ended with the gateway.
    pub(crate) fn shut_down(mut self, sent: u64) {
        self.account.reason = Some(SHUTTING_DOWN);
        self.settle(sent, None);
    }

    /// It ended with its session.
    pub(crate) fn cut(mut self, sent: u64) {
        self.sent(sent);
    }

    fn sent(&mut self, sent: u64) {
        let sent = usize::try_from(sent).unwrap_or(usize::MAX);
        self.account.sent = self.account.sent.saturating_add(sent);
    }
}

/// 128 random bits, in hexadecimal.
fn random_id() -> HeaderValue {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |bits: u8| DIGITS[usize::from(bits & 0xf)];
    let mut id = [0; 32];
    for (pair, byte) in id.chunks_exact_mut(2).zip(rand::random::<[u8; 16]>()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
    }
    // Digits are valid in a header, so the other branch is never taken.
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(from_outside: Option<&[u8]>) -> String {
        let mut account = Account::open(Arc::new(Metrics::new().expect("metrics")));
        let value = from_outside.map(|id| HeaderValue::from_bytes(id).expect("valid"));
        account.identify(&value.map(|id| (CORRELATION_ID, id)).into_iter().collect());
        account.id().to_owned()
    }

    #[test]
    fn a_correlation_id_from_outside_is_accepted_only_if_short_and_plain() {
        assert_eq!(identified(Some(b"abc-1.2_3")), "abc-1.2_3");
        for bad in [&b""[..], b"a b", b"a\"b", b"<x>", &[b'a'; 65], b"a\xff"] {
            let id = identified(Some(bad));
            assert_eq!(id.len(), 32);
            assert_ne!(id.as_bytes(), bad);
        }
        assert_ne!(identified(None), identified(None));
    }
}
