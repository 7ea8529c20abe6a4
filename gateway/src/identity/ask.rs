//! Asking the store who a caller is: the view's slow way.
//!
//! Responsible for: reading the gateway's own record and Core's, verifying a token once, and judging what
//! was read. Every mark is taken before the read it belongs to. Not responsible for when to ask (see
//! `view`).

use std::sync::Arc;
use std::time::Instant;

use hivematrix_platform::{Access, Handle, SessionId, SessionRecord, UserClaims, unix_now};
use hivematrix_plugins::Caller;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::caller::{Identity, Proof, Recognised, Refused};
use super::live::{Ended, Line};
use super::record::GatewaySession;
use super::versions::{Mark, Stamp};
use super::view::SessionView;

/// What was read of a caller, before it is judged.
struct Reading {
    key: Recognised,
    stamp: Stamp,
    seen: Instant,
    digest: [u8; 32],
    claims: Arc<UserClaims>,
    authorization: HeaderValue,
    checked_at: Option<u64>,
    limit: u64,
    /// The line the caller had so far.
    line: Option<Arc<Line>>,
    /// Core's record, as the store has it.
    record: Option<Vec<u8>>,
}

/// The state of the feed before a read.
struct Before {
    at: Instant,
    epoch: Option<u64>,
    everything: u64,
}

impl Before {
    fn stamp(self, session: Mark, own: Option<Mark>) -> Stamp {
        Stamp {
            epoch: self.epoch,
            everything: self.everything,
            session,
            own,
        }
    }
}

impl SessionView {
    /// Asks the store, and remembers the answer. `known` saves opening and verifying what has not changed;
    /// a bearer needs either it or the token.
    pub(super) async fn ask(
        &self,
        key: Recognised,
        token: Option<&str>,
        known: Option<Arc<Identity>>,
    ) -> Result<Arc<Identity>, Refused> {
        let answer = self
            .read(key, token, known.as_deref())
            .await
            .and_then(|reading| self.judge(reading));
        match &answer {
            Ok(identity) => self.cache.insert(key, identity.clone()),
            Err(refused) if refused.is_outage() => {}
            Err(_) => drop(self.cache.remove(&key)),
        }
        answer
    }

    async fn read(
        &self,
        key: Recognised,
        token: Option<&str>,
        known: Option<&Identity>,
    ) -> Result<Reading, Refused> {
        if let Some(known) = known
            && let Some(reading) = self.read_known(known).await?
        {
            return Ok(reading);
        }
        match (key, token) {
            (Recognised::Handle(handle), _) => {
                let line = known.map(|known| known.proof.line.clone());
                self.read_handle(handle, line).await
            }
            (Recognised::Bearer(_), Some(token)) => self.read_bearer(key, token).await,
            (Recognised::Bearer(_), None) => Err(Refused::Unknown),
        }
    }

    /// Reads all that can have changed about a known caller, in one round trip. `None` if the gateway's own
    /// record is another one now.
    async fn read_known(&self, known: &Identity) -> Result<Option<Reading>, Refused> {
        let Proof {
            key,
            digest,
            checked_at,
            limit,
            ref line,
            ..
        } = known.proof;
        let before = self.before();
        let session_key = known.session.key();
        let session = self.versions.mark(&session_key);
        let own = line.own_key().map(|key| self.versions.mark(key));
        let keys: Vec<&str> = std::iter::once(&*session_key)
            .chain(line.own_key().map(|key| &**key))
            .collect();
        let mut values = self.store.get_many(&keys).await?.into_iter();
        let record = values.next().flatten();
        if own.is_some() {
            let sealed = values.next().flatten().ok_or(Refused::Unknown)?;
            if digest_of(&sealed) != digest {
                return Ok(None);
            }
        }
        Ok(Some(Reading {
            key,
            seen: before.at,
            stamp: before.stamp(session, own),
            digest,
            claims: known.caller.claims.clone(),
            authorization: known.authorization.clone(),
            checked_at,
            limit,
            line: Some(line.clone()),
            record,
        }))
    }

    async fn read_handle(&self, handle: Handle, line: Option<Arc<Line>>) -> Result<Reading, Refused> {
        let key = handle.key();
        let before = self.before();
        let own = self.versions.mark(&key);
        let sealed = self.store.get(&key).await?.ok_or(Refused::Unknown)?;
        let Some(session) = self.records.open::<GatewaySession>(&key, &sealed) else {
            tracing::warn!("a session record cannot be opened with the configured sealing keys");
            return Err(Refused::Unreadable);
        };
        let claims = self.verifier.user(&session.jwt, unix_now()).await?;
        if claims.jti != session.jti || claims.user.sub != session.sub {
            return Err(Refused::Mismatch);
        }
        let (mark, record) = self.read_record(claims.jti).await?;
        Ok(Reading {
            key: Recognised::Handle(handle),
            seen: before.at,
            stamp: before.stamp(mark, Some(own)),
            digest: digest_of(&sealed),
            authorization: bearer(&session.jwt)?,
            // Records of a version that did not renew do not say.
            checked_at: session
                .refresh_token
                .is_some()
                .then(|| session.checked_at.max(session.created_at)),
            limit: claims.exp.min(session.expires_at),
            claims: Arc::new(claims),
            line,
            record,
        })
    }

    async fn read_bearer(&self, key: Recognised, token: &str) -> Result<Reading, Refused> {
        let before = self.before();
        let claims = self.verifier.user(token, unix_now()).await?;
        let (mark, record) = self.read_record(claims.jti).await?;
        Ok(Reading {
            key,
            seen: before.at,
            stamp: before.stamp(mark, None),
            digest: [0; 32],
            authorization: bearer(token)?,
            checked_at: None,
            limit: claims.exp,
            claims: Arc::new(claims),
            line: None,
            record,
        })
    }

    async fn read_record(&self, session: SessionId) -> Result<(Mark, Option<Vec<u8>>), Refused> {
        let key = session.key();
        let mark = self.versions.mark(&key);
        Ok((mark, self.store.get(&key).await?))
    }

    fn before(&self) -> Before {
        Before {
            at: Instant::now(),
            epoch: self.store.feed_epoch(),
            everything: self.versions.everything(),
        }
    }

    fn judge(&self, reading: Reading) -> Result<Arc<Identity>, Refused> {
        let Reading {
            key,
            stamp,
            seen,
            digest,
            claims,
            authorization,
            checked_at,
            limit,
            line,
            record,
        } = reading;
        let now = unix_now();
        let record = self.judge_record(claims.jti, record.as_deref(), now)?;
        if record.user_data.sub != claims.user.sub {
            return Err(Refused::Mismatch);
        }
        let expires_at = limit.min(record.expires_at);
        if expires_at <= now {
            return Err(Refused::Expired);
        }
        let session = claims.jti;
        // A line that was cut is cut for good; whoever is recognised again gets a new one.
        let line = line.filter(|line| line.ended().is_none() && line.session() == session);
        let line = line.unwrap_or_else(|| Line::new(session, key, Access::AnyUser));
        line.confirmed(expires_at, checked_at);
        let caller = Caller { claims };
        let proof = Proof {
            key,
            stamp,
            digest,
            checked_at,
            seen,
            limit,
            line,
        };
        Ok(Arc::new(Identity {
            caller,
            authorization,
            session,
            expires_at,
            proof,
        }))
    }

    /// Core's record of a session, if it says that the session is good and we have not seen it revoked.
    pub(super) fn judge_record(
        &self,
        session: SessionId,
        record: Option<&[u8]>,
        now: u64,
    ) -> Result<SessionRecord, Refused> {
        let record = record.map(SessionRecord::from_json);
        if self.refusals.contains(session) {
            if matches!(&record, Some(Ok(record)) if !record.revoked) {
                // The store has lost the revocation, for instance at a failover. It will be told again.
                self.refusals.set_written(session, false);
            }
            return Err(Refused::Revoked);
        }
        match record {
            None => Err(Refused::Unknown),
            Some(Err(error)) => {
                tracing::warn!(%error, ?session, "Core's session record cannot be read");
                Err(Refused::Unknown)
            }
            Some(Ok(record)) if record.revoked => {
                self.end(session, Ended::Revoked, true);
                Err(Refused::Revoked)
            }
            Some(Ok(record)) if record.expires_at <= now => Err(Refused::Expired),
            Some(Ok(record)) => Ok(record),
        }
    }
}

fn digest_of(sealed: &[u8]) -> [u8; 32] {
    Sha256::digest(sealed).into()
}

fn bearer(token: &str) -> Result<HeaderValue, Refused> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Refused::Mismatch)?;
    value.set_sensitive(true);
    Ok(value)
}
