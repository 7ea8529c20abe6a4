//! Health: live when the process answers, healthy when it can tell who is who, ready also in an outage for as
//! long as some route admits people by its grace. A service that is down makes
//! no gateway unready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hivematrix_platform::Store;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;

use crate::identity::SessionView;

/// How long an answer of the store is passed on to who asks again: strangers may ask, and must not be able to
/// make the store answer every time.
const FRESH: Duration = Duration::from_secs(1);

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What health is judged by.
pub(crate) struct Health {
    store: Arc<dyn Store>,
    view: Arc<SessionView>,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// One look.
pub(crate) struct Report {
    /// Requests can be checked.
    pub(crate) healthy: bool,
    /// They cannot, but some route may still admit people by its grace.
    in_grace: bool,
    store: Result<(), String>,
    feed: bool,
    live_streams: u64,
}

impl Health {
    pub(crate) fn new(store: Arc<dyn Store>, view: Arc<SessionView>) -> Self {
        Self {
            store,
            view,
            last: Mutex::new(None),
        }
    }

    /// Asks the session store; everything else is known.
    ///
    /// `grace` is the longest that any route gives.
    pub(crate) async fn report(&self, grace: Option<Duration>) -> Report {
        let store = self.store().await;
        let unsure = self.view.without_feed_for();
        let in_grace = grace.zip(unsure).is_some_and(|(grace, unsure)| unsure <= grace);
        Report {
            healthy: store.is_ok(),
            in_grace: store.is_err() && in_grace,
            store,
            feed: self.store.feed_epoch().is_some(),
            live_streams: self.view.live_streams(),
        }
    }

    /// What the store says; one asks, the others wait for its answer.
    async fn store(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, known)) = &*last
            && at.elapsed() < FRESH
        {
            return known.clone();
        }
        let found = match tokio::time::timeout(PATIENCE, self.store.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within 1 s".to_owned()),
        };
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

impl Report {
    /// Whether requests are worth sending here.
    pub(crate) fn ready(&self) -> bool {
        self.healthy || self.in_grace
    }

    /// Whether changes of sessions are announced.
    pub(crate) fn feed(&self) -> bool {
        self.feed
    }

    fn status(&self) -> &'static str {
        match (self.healthy, self.feed) {
            (true, true) => "healthy",
            (true, false) => "degraded",
            (false, _) => self.sessions(),
        }
    }

    fn sessions(&self) -> &'static str {
        match (self.healthy, self.in_grace) {
            (true, _) => "healthy",
            (false, true) => "degraded",
            (false, false) => "unhealthy",
        }
    }

    /// The contract's shape (platform README §9) without detail, for the public listener.
    pub(crate) fn public(&self) -> Value {
        json!({
            "service": "gateway",
            "status": self.sessions(),
            "timestamp": now(),
            "checks": { "sessions": self.sessions() },
        })
    }

    /// The same with detail, for the admin listener.
    pub(crate) fn detail(&self) -> Value {
        json!({
            "service": "gateway",
            "status": self.status(),
            "timestamp": now(),
            "checks": {
                "sessions": match &self.store {
                    Ok(()) => json!({ "status": "healthy" }),
                    Err(why) if self.in_grace => {
                        json!({ "status": "degraded", "message": why, "grace": "some services may still be read" })
                    }
                    Err(why) => json!({ "status": "unhealthy", "message": why }),
                },
                "revocation_feed": if self.feed {
                    json!({ "status": "healthy" })
                } else {
                    json!({ "status": "degraded", "message": "every request asks the session store" })
                },
                "live_streams": { "status": "healthy", "count": self.live_streams },
            },
        })
    }
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}
