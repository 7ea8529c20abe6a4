//! `hivematrix keys`: looks at Core's signing keys, and changes them while Cores run.

use std::io::Write as _;
use std::path::PathBuf;

use hivematrix_platform::token::{Duty, LEAD_SECONDS, OVERLAP_SECONDS};
use hivematrix_platform::{KeyRing, RingError, SigningKey, unix_now};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::failure::Failure;
use crate::key_ring::RingArgs;
use crate::redis::RedisArgs;
use crate::{private_file, runtime};

/// Look at Core's signing keys, and change them while Cores run; nobody is signed out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Show the keys: id, when it was made, what it is good for now. Never the keys themselves.
    List(Where),
    /// Make a new key. It is published at once, signs ten minutes later, and the old one verifies for a day and an hour more.
    Rotate(Where),
    /// Take in a key that exists already, the Python Core's for one; it takes its turn like a new one.
    Add {
        /// The private key: a PEM file that only its owner may read.
        #[arg(long, value_name = "FILE")]
        pem: PathBuf,
        /// Its id in tokens and in the published key set.
        #[arg(long, value_name = "ID", default_value = "hivematrix-signing-key-1")]
        id: String,
        #[command(flatten)]
        place: Where,
    },
    /// Replace all keys by a new one that signs at once: for keys that somebody else may have. Everybody is signed out
    /// within five minutes.
    Replace(Where),
}

#[derive(Debug, clap::Args)]
struct Where {
    #[command(flatten)]
    ring: RingArgs,
    #[command(flatten)]
    redis: RedisArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let now = unix_now();
        match self.act {
            Act::List(place) => place.show(now, |_| Ok(())),
            Act::Rotate(place) => place.show(now, move |ring| ring.rotate(now).map(drop)),
            Act::Replace(place) => place.show(now, move |ring| {
                let unmade = |error| RingError::Key {
                    kid: String::new(),
                    error,
                };
                ring.replace(now).map(drop).map_err(unmade)
            }),
            Act::Add { pem, id, place } => {
                let usage =
                    |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", pem.display()));
                let text = private_file::read(&pem).map_err(|error| usage(&error))?;
                let key = SigningKey::from_pem(&id, &text).map_err(|error| usage(&error))?;
                place.show(now, move |ring| ring.add(key.clone(), now).map(drop))
            }
        }
    }
}

impl Where {
    /// Changes the ring, and prints what it is then.
    fn show(
        self,
        now: u64,
        change: impl Fn(&mut KeyRing) -> Result<(), RingError> + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let place = self.ring.place().ok_or_else(|| {
            Failure::Usage(
                "which ring? --key-ring FILE, or --key-ring-in-redis --ring-sealing-keys FILE".to_owned(),
            )
        })?;
        let ring = runtime::block_on(Some(1), async move {
            let place = place.of(&self.redis.open().await?)?;
            let changed = place.change(change).await;
            changed.map_err(|error| Failure::outside("the key ring", error))
        })?;
        let text = table(&ring, now);
        let printed = std::io::stdout().lock().write_all(text.as_bytes());
        printed.map_err(|error| Failure::outside("the standard output", error))
    }
}

/// One line for each key, the oldest first.
fn table(ring: &KeyRing, now: u64) -> String {
    let mut text = String::new();
    for key in ring.entries(now) {
        let made = at(key.created_at);
        let duty = match key.duty {
            Duty::Next => format!("signs from {}", at(key.created_at.saturating_add(LEAD_SECONDS))),
            Duty::Signs => "signs".to_owned(),
            Duty::Verifies => format!(
                "verifies, for at most {} hours after it was followed",
                OVERLAP_SECONDS / 3600
            ),
            Duty::Over => "over".to_owned(),
        };
        text.push_str(&format!("{}  made {made}  {duty}\n", key.kid));
    }
    text
}

fn at(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}
