//! The audit log: who has looked at or ended whose sessions. One line each, of a stable shape (platform README §9),
//! whatever level of lines is written otherwise.
//!
//! Not responsible for what is audited (see the doors) nor for where lines go.

use hivematrix_platform::UserData;

use crate::context::Context;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// An administrator has looked at other people's sessions.
    Viewed,
    /// Somebody has ended sessions of their own.
    EndedOwn,
    /// An administrator has ended somebody's sessions.
    Ended,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Viewed => "sessions_viewed",
            Self::EndedOwn => "own_sessions_ended",
            Self::Ended => "sessions_ended",
        }
    }
}

/// To whom, and how far.
pub(crate) struct Outcome<'a> {
    /// The person's identifier, or what was searched for.
    pub(crate) subject: &'a str,
    /// The sessions, by what they are called on pages.
    pub(crate) sessions: &'a [String],
    /// Whether everything that should be told has been told: the provider, too.
    pub(crate) complete: bool,
}

/// Writes one line.
pub(crate) fn record(context: &Context, act: Act, actor: &UserData, outcome: &Outcome<'_>) {
    tracing::info!(
        target: "hivematrix::audit",
        request_id = context.id(),
        action = act.word(),
        user = actor.sub,
        user_name = actor.preferred_username,
        client = context.client.map(tracing::field::display),
        subject = outcome.subject,
        sessions = outcome.sessions.join(" "),
        count = outcome.sessions.len(),
        complete = outcome.complete,
        "audit"
    );
}
