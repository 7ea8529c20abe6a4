//! Who has which sessions, for the people themselves and for administrators: read from lists that are kept anyway, and
//! ended one by one or all at once.
//!
//! Responsible for: finding people (`hm:person:<hash of sub>`) and their sessions, and ending them here, in the store,
//! and at the provider. Not responsible for who may do that, nor for pages and the audit log (see `phases/local`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hivematrix_platform::{Handle, PermissionLevel, SealingKeys, SessionError, Store, StoreError, UserData};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::device;
use super::handles::{Handles, KnownHandle};
use super::live::Ended;
use super::oidc::Oidc;
use super::presence::{self, Seen};
use super::record::{GatewaySession, RecordError, Records};
use super::user_sessions::{UserSession, UserSessions};
use super::view::SessionView;
use crate::config::{Origin, Provider};

/// What the key of a gateway's session begins with; a hash of the handle follows, which names the session to people.
const SESSION_PREFIX: &str = "hm:session:";
const PERSON_PREFIX: &str = "hm:person:";

/// People that a search looks through at most.
const MOST_PEOPLE: usize = 20_000;

/// Keys that are read at once.
const CHUNK: usize = 200;

/// Somebody who has, or had a while ago, a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's identifier.
    pub sub: String,
    /// Full name; may be empty.
    pub name: String,
    /// Login name; may be empty.
    pub username: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// What the person may do.
    pub level: PermissionLevel,
    /// The provider's groups.
    pub groups: Vec<String>,
}

impl Person {
    fn of(user: &UserData) -> Self {
        Self {
            sub: user.sub.clone(),
            name: user.name.clone(),
            username: user.preferred_username.clone(),
            email: user.email.clone(),
            level: user.permission_level,
            groups: user.groups.clone(),
        }
    }

    /// Stands for the person in addresses of pages.
    pub fn id(&self) -> String {
        hash(&self.sub)
    }
}

/// One session, as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Stands for it in addresses of pages; opens nothing.
    pub id: String,
    /// The device in words.
    pub device: String,
    /// From where it was used last, or begun.
    pub address: Option<IpAddr>,
    /// Unix seconds.
    pub since: u64,
    /// Unix seconds; up to a minute late.
    pub last_seen: u64,
}

/// Whom an administrator looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// A part of a name, login name or address; empty for everybody.
    Text(String),
    /// Members of a group, or of a permission level.
    Group(String),
}

/// The directory.
pub struct Directory {
    store: Arc<dyn Store>,
    records: Records,
    user_sessions: UserSessions,
    view: Arc<SessionView>,
    provider: Oidc,
    lifetime: Duration,
}

impl Directory {
    /// The directory of sessions that last at most `lifetime`.
    ///
    /// # Errors
    /// If the HTTP client for the provider cannot be set up.
    pub fn new(
        provider: Provider,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        view: Arc<SessionView>,
        lifetime: Duration,
    ) -> Result<Self, reqwest::Error> {
        let records = Records::new(store.clone(), sealing);
        Ok(Self {
            user_sessions: UserSessions::new(store.clone(), records.clone(), usize::MAX, lifetime),
            provider: Oidc::new(provider)?,
            store,
            records,
            view,
            lifetime,
        })
    }

    /// Remembers somebody who has just signed in.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn remember(&self, user: &UserData) -> Result<(), StoreError> {
        let key = format!("{PERSON_PREFIX}{}", hash(&user.sub));
        match self.records.seal(&key, &Person::of(user)) {
            Ok(sealed) => self.store.put(&key, &sealed, self.lifetime).await,
            Err(_) => Ok(()),
        }
    }

    /// What a handle's session is called on pages.
    pub fn id_of(handle: &Handle) -> String {
        let key = handle.key();
        key.strip_prefix(SESSION_PREFIX).unwrap_or_default().to_owned()
    }

    /// When the person behind a handle proved who they are, as far as the provider has said, in Unix seconds.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn proved_at(&self, handle: &Handle) -> Result<Option<u64>, StoreError> {
        match self.records.session(handle).await {
            Ok(session) => Ok(session.and_then(|session| session.auth_time)),
            Err(RecordError::Store(error)) => Err(error),
            Err(RecordError::Unreadable) => Ok(None),
        }
    }

    /// A person's sessions, the one that was used last first.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn of(&self, sub: &str) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::new();
        for session in self.sessions(sub).await? {
            let id = id_of(&session);
            let seen_key = format!("{}{id}", presence::PREFIX);
            let was_key = format!("{}{id}", Handles::PREFIX);
            let found = self
                .store
                .get_many(&[&session.own_key, &seen_key, &was_key])
                .await?;
            let [Some(own), seen, was] = found.as_slice() else {
                continue;
            };
            let Some(own) = self.records.open::<GatewaySession>(&session.own_key, own) else {
                continue;
            };
            let seen: Option<Seen> = seen.as_ref().and_then(|seen| self.records.open(&seen_key, seen));
            let was: Option<KnownHandle> = was.as_ref().and_then(|was| self.records.open(&was_key, was));
            let began = was.as_ref().map_or(own.created_at, |was| was.since);
            listed.push(Listed {
                id: id.to_owned(),
                device: device::in_words(was.as_ref().map_or("", |was| &was.agent)),
                address: seen
                    .and_then(|seen| seen.address)
                    .or(was.and_then(|was| was.address)),
                since: began,
                last_seen: seen.map_or(began, |seen| seen.at),
            });
        }
        listed.sort_by_key(|session| std::cmp::Reverse(session.last_seen));
        Ok(listed)
    }

    /// At most `most` people who have, or had lately, sessions and whom a search finds, by name; true if there are more.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn people(&self, search: &Search, most: usize) -> Result<(Vec<Person>, bool), StoreError> {
        let keys = self.store.keys(PERSON_PREFIX, MOST_PEOPLE).await?;
        let mut more = keys.len() >= MOST_PEOPLE;
        let mut people = Vec::new();
        for chunk in keys.chunks(CHUNK) {
            let names: Vec<&str> = chunk.iter().map(String::as_str).collect();
            let found = self.store.get_many(&names).await?;
            let opened = names.iter().zip(found);
            people.extend(
                opened
                    .filter_map(|(key, sealed)| self.records.open::<Person>(key, &sealed?))
                    .filter(|person| search.finds(person)),
            );
        }
        people.sort_by(|one, other| (&one.name, &one.sub).cmp(&(&other.name, &other.sub)));
        more |= people.len() > most;
        people.truncate(most);
        Ok((people, more))
    }

    /// Somebody by [`Person::id`].
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn person(&self, id: &str) -> Result<Option<Person>, StoreError> {
        let key = format!("{PERSON_PREFIX}{id}");
        let sealed = self.store.get(&key).await?;
        Ok(sealed.and_then(|sealed| self.records.open(&key, &sealed)))
    }

    /// Ends those sessions of a person whose id `chosen` accepts, at once for this gateway, in the store, and at the
    /// provider, so that the device is not let in again without being asked. What else was begun in the same session of
    /// the provider's is the same browser, and goes with it; unless it is the browser of `own`, the caller's session,
    /// that is not chosen itself: then the provider's session goes on. The ids of those that have ended, and whether
    /// the provider has ended its side of all of them.
    ///
    /// # Errors
    /// If the store does not answer; what had ended until then stays ended.
    pub async fn end(
        &self,
        origin: &Origin,
        sub: &str,
        own: Option<&str>,
        chosen: impl Fn(&str) -> bool,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let sessions = self.sessions(sub).await?;
        let staying_sid = sessions
            .iter()
            .find(|session| own == Some(id_of(session)) && !chosen(id_of(session)))
            .and_then(|session| session.sid.clone());
        let sids: HashSet<String> = sessions
            .iter()
            .filter(|session| chosen(id_of(session)))
            .filter_map(|session| session.sid.clone())
            .filter(|sid| Some(sid) != staying_sid.as_ref())
            .collect();
        let mut ended = Vec::new();
        for session in sessions {
            if !chosen(id_of(&session)) && !session.sid.as_ref().is_some_and(|sid| sids.contains(sid)) {
                continue;
            }
            let Some(own) = self.store.get(&session.own_key).await? else {
                continue;
            };
            let own: Option<GatewaySession> = self.records.open(&session.own_key, &own);
            self.view
                .end_by_key(session.jti, &session.own_key, Ended::Revoked)
                .await
                .map_err(store_error)?;
            ended.push((session, own));
        }
        // Afterwards: the provider tells us of each session that it ends, and would be faster than we.
        let (mut gone, mut left) = (HashSet::new(), Vec::new());
        for (session, own) in &ended {
            let goes_on = session.sid.is_some() && session.sid == staying_sid;
            let Some(own) = own.as_ref().filter(|_| !goes_on && !gone.contains(&session.sid)) else {
                continue;
            };
            if !self.end_at_provider(origin, session, own).await {
                left.push(&session.sid);
            } else if session.sid.is_some() {
                gone.insert(session.sid.clone());
            }
        }
        let complete = left.into_iter().all(|sid| gone.contains(sid));
        let ended = ended.iter().map(|(session, _)| id_of(session).to_owned());
        Ok((ended.collect(), complete))
    }

    async fn end_at_provider(&self, origin: &Origin, session: &UserSession, own: &GatewaySession) -> bool {
        let told = self
            .provider
            .end_session(origin, own.refresh_token.as_deref(), &own.id_token)
            .await;
        if let Err(error) = &told {
            tracing::warn!(%error, session = ?session.jti, "the provider could not be told of a session's end");
        }
        told.is_ok()
    }

    async fn sessions(&self, sub: &str) -> Result<Vec<UserSession>, StoreError> {
        match self.user_sessions.of_person(sub).await {
            Ok(sessions) => Ok(sessions),
            Err(RecordError::Store(error)) => Err(error),
            Err(RecordError::Unreadable) => Ok(Vec::new()),
        }
    }
}

impl Search {
    fn finds(&self, person: &Person) -> bool {
        match self {
            Self::Text(text) => {
                let text = text.to_lowercase();
                [&person.name, &person.username, &person.email]
                    .iter()
                    .any(|field| field.to_lowercase().contains(&text))
            }
            Self::Group(group) => {
                person.level.as_str() == group
                    || person
                        .groups
                        .iter()
                        .any(|own| own.strip_prefix('/').unwrap_or(own) == group)
            }
        }
    }
}

fn store_error(error: SessionError) -> StoreError {
    match error {
        SessionError::Store(error) => error,
        SessionError::Malformed(_) | SessionError::Exists => StoreError::Refused(error.to_string()),
    }
}

/// What a session is called on pages.
fn id_of(session: &UserSession) -> &str {
    session.own_key.strip_prefix(SESSION_PREFIX).unwrap_or_default()
}

fn hash(sub: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_any_of_their_names_and_by_group() {
        let person = Person {
            sub: "1".into(),
            name: "Ada Admin".into(),
            username: "ada".into(),
            email: "a@hive.example".into(),
            level: PermissionLevel::Admin,
            groups: vec!["/admins".into()],
        };
        let text = |text: &str| Search::Text(text.into()).finds(&person);
        assert!(text("") && text("ADMIN") && text("hive.ex") && !text("bob"));
        let group = |group: &str| Search::Group(group.into()).finds(&person);
        assert!(group("admins") && group("admin") && !group("technicians"));
    }
}
