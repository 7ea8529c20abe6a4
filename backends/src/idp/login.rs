//! Signing in, and the sessions of browsers at the provider.
//!
//! Responsible for: checking what the login form sends, the cookie that lets a second tab in without asking, and
//! when a session ends. Not responsible for: what the sign-in was for ([`authorize`](super::authorize)).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hivematrix_platform::unix_now;
use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::address::Base;
use super::expiring::Expiring;
use super::forms::Params;
use super::random::{self, Digest};
use super::{Idp, pages, people, throttle};

/// The cookie of a browser that has signed in. The gateway may move its path up to the provider's prefix.
const COOKIE_NAME: &str = "HIVEMATRIX_DEV_SSO";

/// Browsers that are signed in at the same time.
const SESSIONS: usize = 10_000;

/// A longer login or password is not even compared.
const LONGEST: usize = 254;

/// A browser's session at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) sid: String,
    pub(super) sub: String,
    /// When the password was given, in seconds since 1970.
    pub(super) auth_time: u64,
}

impl Session {
    /// Whether the password was given recently enough for a client that insists on `max_age` seconds.
    pub(super) fn is_fresh(&self, max_age: Option<u64>, now: u64) -> bool {
        // A `max_age` of zero means "ask again", even within the same second.
        max_age.is_none_or(|age| now.saturating_sub(self.auth_time) < age)
    }
}

/// All sessions.
pub(super) struct Sessions {
    by_cookie: Expiring<Digest, String>,
    by_sid: Expiring<String, Session>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self {
            by_cookie: Expiring::new(SESSIONS),
            by_sid: Expiring::new(SESSIONS),
        }
    }

    pub(super) fn get(&self, sid: &str, now: u64) -> Option<Session> {
        self.by_sid.get(&sid.to_owned(), now)
    }

    /// The session of the browser that sends these headers.
    pub(super) fn of_browser(&self, headers: &HeaderMap, now: u64) -> Option<Session> {
        cookies(headers).find_map(|cookie| {
            let sid = self.by_cookie.get(&random::digest(cookie), now)?;
            self.get(&sid, now)
        })
    }

    /// Ends a session: its cookie, refresh tokens, codes and access tokens are worth nothing from here on.
    pub(super) fn end(&self, sid: &str, now: u64) -> Option<Session> {
        self.by_sid.take(&sid.to_owned(), now)
    }

    /// Ends all sessions of a person.
    pub(super) fn end_all_of(&self, sub: &str, now: u64) -> Vec<Session> {
        let sessions = self.by_sid.values(now);
        let theirs = sessions.into_iter().filter(|session| session.sub == sub);
        theirs.filter_map(|session| self.end(&session.sid, now)).collect()
    }

    /// Begins a session, or refreshes the one that this browser has for the same person; another person's ends.
    /// Returns it and the value of its cookie, always a new one, and the session that has ended.
    fn begin(
        &self,
        sub: &str,
        headers: &HeaderMap,
        lifetime: Duration,
        now: u64,
    ) -> (Session, String, Option<Session>) {
        let previous = self.of_browser(headers, now);
        let (sid, ended) = match previous {
            Some(session) if session.sub == sub => (session.sid, None),
            Some(other) => (random::secret(), self.end(&other.sid, now)),
            None => (random::secret(), None),
        };
        for cookie in cookies(headers) {
            self.by_cookie.take(&random::digest(cookie), now);
        }
        let session = Session {
            sid: sid.clone(),
            sub: sub.to_owned(),
            auth_time: now,
        };
        let cookie = random::secret();
        let expires = now + lifetime.as_secs();
        self.by_sid.insert(sid.clone(), session.clone(), expires, now);
        self.by_cookie.insert(random::digest(&cookie), sid, expires, now);
        (session, cookie, ended)
    }
}

/// `POST /login-actions/authenticate`: what the login form sends, with the request that led to it.
pub(super) async fn authenticate(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(base) = idp.bases.of(&headers) else {
        return pages::unknown_address();
    };
    if !base.is_own_form(&headers) {
        return pages::refused(StatusCode::FORBIDDEN, "This form was sent by another site.");
    }
    let Ok(form) = Params::of_body(&headers, &body) else {
        return pages::refused(StatusCode::BAD_REQUEST, "The form is malformed.");
    };
    let request = form.get("request").unwrap_or_default();
    let asked = match idp.asked(request) {
        Ok(asked) => asked,
        Err(refused) => return refused.answer(base),
    };
    let login = people::normal(form.get("username").unwrap_or_default());
    let password = form.get("password").unwrap_or_default();
    let again = |status, problem| {
        let mut page = pages::login(
            base,
            request,
            &asked,
            &login,
            idp.notice.as_deref(),
            Some(problem),
        );
        *page.status_mut() = status;
        page
    };
    const WRONG: &str = "Wrong username or password.";
    if login.len() > LONGEST || password.len() > LONGEST {
        return again(StatusCode::FORBIDDEN, WRONG);
    }
    let now = unix_now();
    if !idp.throttle.attempt(&login, now) {
        tracing::warn!(reason = "throttled", "too many attempts to sign in");
        let mut page = again(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts. Please wait a minute.",
        );
        page.headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(throttle::WINDOW));
        return page;
    }
    let Some(person) = idp.people.check(&login, password) else {
        tracing::info!(reason = "wrong_password", "refused to sign somebody in");
        return again(StatusCode::FORBIDDEN, WRONG);
    };
    idp.throttle.succeeded(&login, now);
    let (session, cookie, ended) = idp
        .sessions
        .begin(&person.sub, &headers, idp.lifetimes.session, now);
    if let Some(ended) = ended {
        let idp = Arc::clone(&idp);
        tokio::spawn(async move { idp.tell(&ended).await });
    }
    tracing::info!(user = person.username, "signed in");
    let mut answer = idp.send_code(base, &asked, &session, now);
    set_cookie(&mut answer, base, &cookie);
    answer
}

/// The values of the provider's cookie in a request; more than one if a browser has it under several paths.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    // Ours have 43 characters, and few paths lead here: whoever sends hundreds is not a browser.
    pairs
        .filter(|(name, value)| *name == COOKIE_NAME && value.len() == 43)
        .map(|(_, value)| value)
        .take(4)
}

fn set_cookie(answer: &mut Response, base: &Base, value: &str) {
    append_cookie(answer, base, value, "");
}

/// Tells the browser to forget its session.
pub(super) fn clear_cookie(answer: &mut Response, base: &Base) {
    append_cookie(answer, base, "", "; Max-Age=0");
}

fn append_cookie(answer: &mut Response, base: &Base, value: &str, more: &str) {
    let secure = if base.is_secure() { "; Secure" } else { "" };
    let path = base.cookie_path();
    let line = format!("{COOKIE_NAME}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{more}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        answer.headers_mut().append(SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let line = format!("a=b; {COOKIE_NAME}={value}; c=d");
        headers.insert(COOKIE, HeaderValue::from_str(&line).unwrap());
        headers
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn signing_in_again_keeps_the_session_but_changes_the_cookie() {
        let sessions = Sessions::new();
        let (first, cookie, _) = sessions.begin("alice", &HeaderMap::new(), HOUR, 100);
        let (second, fresh, _) = sessions.begin("alice", &with_cookie(&cookie), HOUR, 200);
        assert_eq!((&first.sid, second.auth_time), (&second.sid, 200));
        assert_eq!(sessions.of_browser(&with_cookie(&cookie), 200), None);
        assert_eq!(sessions.of_browser(&with_cookie(&fresh), 200), Some(second));
    }

    #[test]
    fn signing_in_as_somebody_else_ends_the_session_before() {
        let sessions = Sessions::new();
        let (alice, cookie, _) = sessions.begin("alice", &HeaderMap::new(), HOUR, 100);
        let (bob, _, ended) = sessions.begin("bob", &with_cookie(&cookie), HOUR, 100);
        assert_eq!(ended.as_ref(), Some(&alice));
        assert_ne!(alice.sid, bob.sid);
        assert_eq!(sessions.get(&alice.sid, 100), None);
    }

    #[test]
    fn a_session_ends_with_its_lifetime() {
        let sessions = Sessions::new();
        let (session, cookie, _) = sessions.begin("alice", &HeaderMap::new(), HOUR, 100);
        assert!(sessions.get(&session.sid, 3699).is_some());
        assert_eq!(sessions.of_browser(&with_cookie(&cookie), 3700), None);
    }

    #[test]
    fn a_maximum_age_of_zero_always_asks_again() {
        let session = Session {
            sid: String::new(),
            sub: String::new(),
            auth_time: 100,
        };
        for (max_age, now, fresh) in [
            (None, 9999, true),
            (Some(10), 109, true),
            (Some(10), 110, false),
            (Some(0), 100, false),
        ] {
            assert_eq!(session.is_fresh(max_age, now), fresh, "{max_age:?} at {now}");
        }
    }
}
