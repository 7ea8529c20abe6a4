//! Taking notice: an announced change of a session is looked at, also when nobody asks for that session.
//!
//! Responsible for: reading Core's records whose change was announced, so that this gateway has *seen* each revocation,
//! refuses it for good, and writes it again should a failover of the store lose it. Not responsible for freshness (see
//! `versions`) nor for live streams (see `feed`), which do not wait for this.

use std::sync::{Arc, Weak};

use hivematrix_platform::{SessionId, SessionRecord};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::live::Ended;
use super::view::SessionView;

/// Announcements that wait to be looked at. What is beyond is found out when somebody asks for the session.
const WAITING: usize = 8192;

/// Records that are read in one round trip.
const AT_ONCE: usize = 128;

/// Where announcements are left.
pub(super) struct Notices {
    queue: Sender<SessionId>,
}

impl Notices {
    pub(super) fn new() -> (Self, Receiver<SessionId>) {
        let (queue, waiting) = mpsc::channel(WAITING);
        (Self { queue }, waiting)
    }

    /// A key of the store has changed. Never waits.
    pub(super) fn heard(&self, key: &str) {
        if let Some(Ok(session)) = key.strip_prefix("session:").map(SessionId::parse) {
            let _ = self.queue.try_send(session);
        }
    }
}

/// Looks at what was announced, until the view is dropped.
pub(super) async fn look(view: Weak<SessionView>, mut waiting: Receiver<SessionId>) {
    let mut sessions = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut sessions, AT_ONCE).await > 0 {
        let Some(view) = view.upgrade() else { return };
        view.look_at(&sessions).await;
        sessions.clear();
    }
}

impl SessionView {
    async fn look_at(self: &Arc<Self>, sessions: &[SessionId]) {
        let keys: Vec<String> = sessions.iter().map(SessionId::key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        // While the store is out of reach nobody is told anything; who asks later finds out.
        let Ok(records) = self.store.get_many(&keys).await else {
            return;
        };
        for (session, record) in sessions.iter().zip(records) {
            let record = record.as_deref().map(SessionRecord::from_json);
            if matches!(&record, Some(Ok(record)) if record.revoked) && !self.refusals.contains(*session) {
                self.end(*session, Ended::Revoked, true);
            }
        }
    }
}
