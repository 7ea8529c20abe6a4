//! The gateway's Prometheus metrics. Children are looked up once per route, never per request.

use std::time::Duration;

use hivematrix_plugins::Counters;
use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

/// Upper bounds of the latency histogram in seconds: from below a millisecond to a minute.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// All metrics of one gateway, in a registry of their own: several gateways can live in one process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    sent: IntCounterVec,
    refusals: IntCounterVec,
    graced: IntCounterVec,
    store_up: IntGauge,
    feed_live: IntGauge,
    /// Requests that have arrived and not yet ended.
    pub(crate) in_flight: IntGauge,
    /// Connections that are open downstream.
    pub(crate) connections: IntGauge,
    /// Connections refused because their address had too many.
    pub(crate) connections_refused: IntCounter,
    /// Live requests that were cut because their session ended.
    pub(crate) cut: IntCounter,
    /// WebSockets that go on without the exchange that began them.
    pub(crate) tunnels: IntGauge,
    /// What has no service of its own: our doors, and requests that found none.
    pub(crate) doors: RouteMetrics,
}

/// The counters of one service.
pub(crate) struct RouteMetrics {
    classes: [IntCounter; 6],
    seconds: Histogram,
    sent: IntCounter,
    graced: IntCounter,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Never with these names; the library asks.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new(
                "hivematrix_requests_total",
                "Requests by service and status class",
            ),
            &["service", "status"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "hivematrix_request_seconds",
                "From the head's arrival to the end of the answer",
            )
            .buckets(BUCKETS.to_vec()),
            &["service"],
        )?;
        let sent = IntCounterVec::new(
            Opts::new("hivematrix_response_bytes_total", "Body bytes sent to clients"),
            &["service"],
        )?;
        let refusals = IntCounterVec::new(
            Opts::new("hivematrix_refusals_total", "Refused requests by reason"),
            &["reason"],
        )?;
        let graced = graced()?;
        let doors = route_metrics(&requests, &seconds, &sent, &graced, "gateway");
        let metrics = Self {
            store_up: IntGauge::new("hivematrix_session_store_up", "Whether the session store answers")?,
            feed_live: IntGauge::new(
                "hivematrix_session_feed_live",
                "Whether changes of sessions are announced; if not, every request asks the session store",
            )?,
            in_flight: IntGauge::new("hivematrix_requests_in_flight", "Requests that have not ended")?,
            connections: IntGauge::new("hivematrix_connections", "Open downstream connections")?,
            connections_refused: IntCounter::new(
                "hivematrix_connections_refused_total",
                "Connections refused because their address had too many",
            )?,
            cut: IntCounter::new(
                "hivematrix_cut_total",
                "Live requests cut because their session ended",
            )?,
            tunnels: tunnels()?,
            doors,
            requests,
            seconds,
            sent,
            refusals,
            graced,
            registry,
        };
        let all: [Box<dyn Collector>; 12] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.seconds.clone()),
            Box::new(metrics.sent.clone()),
            Box::new(metrics.refusals.clone()),
            Box::new(metrics.graced.clone()),
            Box::new(metrics.store_up.clone()),
            Box::new(metrics.feed_live.clone()),
            Box::new(metrics.in_flight.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.connections_refused.clone()),
            Box::new(metrics.cut.clone()),
            Box::new(metrics.tunnels.clone()),
        ];
        for collector in all {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// The counters of a service.
    pub(crate) fn route(&self, service: &str) -> RouteMetrics {
        route_metrics(&self.requests, &self.seconds, &self.sent, &self.graced, service)
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Notes how the session store is, as found just now.
    pub(crate) fn sessions(&self, store_up: bool, feed_live: bool) {
        self.store_up.set(store_up.into());
        self.feed_live.set(feed_live.into());
    }

    /// The text exposition format, with what the plugins count.
    pub(crate) fn text(&self, plugins: &Counters) -> String {
        let mut buffer = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut buffer) {
            Ok(()) => {}
            Err(error) => return format!("# {error}\n"),
        }
        let mut text = String::from_utf8(buffer).unwrap_or_default();
        for (name, meaning, value) in plugins.read() {
            let name = format!("hivematrix_{name}_total");
            text.push_str(&format!(
                "# HELP {name} {meaning}\n# TYPE {name} counter\n{name} {value}\n"
            ));
        }
        text
    }
}

impl RouteMetrics {
    /// Counts one ended request.
    pub(crate) fn observe(&self, status: u16, elapsed: Duration, sent: usize) {
        let class = usize::from(status / 100);
        self.classes[if class > 5 { 0 } else { class }].inc();
        self.seconds.observe(elapsed.as_secs_f64());
        self.sent.inc_by(sent as u64);
    }

    /// Counts a request that was admitted by grace.
    pub(crate) fn graced(&self) {
        self.graced.inc();
    }
}

fn tunnels() -> prometheus::Result<IntGauge> {
    IntGauge::new(
        "hivematrix_tunnels",
        "WebSockets that go on without the exchange that began them",
    )
}

fn graced() -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(
        Opts::new(
            "hivematrix_grace_requests_total",
            "Requests admitted by grace, while sessions could not be checked",
        ),
        &["service"],
    )
}

fn route_metrics(
    requests: &IntCounterVec,
    seconds: &HistogramVec,
    sent: &IntCounterVec,
    graced: &IntCounterVec,
    service: &str,
) -> RouteMetrics {
    let class = |name: &str| requests.with_label_values(&[service, name]);
    RouteMetrics {
        classes: [
            class("none"),
            class("1xx"),
            class("2xx"),
            class("3xx"),
            class("4xx"),
            class("5xx"),
        ],
        seconds: seconds.with_label_values(&[service]),
        sent: sent.with_label_values(&[service]),
        graced: graced.with_label_values(&[service]),
    }
}
