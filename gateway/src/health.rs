//! Health: live when the process answers, ready when it can tell who is who. A service that is down makes
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
    pub(crate) ready: bool,
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
    pub(crate) async fn report(&self) -> Report {
        let store = self.store().await;
        Report {
            ready: store.is_ok(),
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
    fn status(&self) -> &'static str {
        match (self.ready, self.feed) {
            (true, true) => "healthy",
            (true, false) => "degraded",
            (false, _) => "unhealthy",
        }
    }

    /// The contract's shape (platform README §9) without detail, for the public listener.
    pub(crate) fn public(&self) -> Value {
        json!({
            "service": "gateway",
            "status": if self.ready { "healthy" } else { "unhealthy" },
            "timestamp": now(),
            "checks": { "sessions": if self.ready { "healthy" } else { "unhealthy" } },
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
