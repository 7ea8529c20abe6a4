//! The pull: companies from another system, taken over on a schedule. An example of the pattern for any such system.
//!
//! `source` asks the other system, page by page. `run` takes each page over in one transaction together with the note
//! how far it has come (`store`), so that it goes on there after whatever happens: a page is either whole or not there
//! at all. `pages` and `api` show what came of it and start it by hand.
//!
//! - **Idempotent**: companies are known by the other system's number; a second run changes nothing.
//! - **Resumable**: a run that was broken off goes on with the page that it did not get.
//! - **Careful**: nothing is ever deleted; a value that is not acceptable leaves that company alone and is logged.
//! - **Logged**: each page and each refusal, with a stable `reason`.

pub(crate) mod api;
pub(crate) mod pages;
mod run;
mod source;
mod store;

use std::{sync::Arc, time::Duration};

use hivematrix_platform::ServiceName;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) use self::run::Puller;
use super::database::Pool;

/// Where companies come from.
#[derive(Debug, Clone)]
pub struct PullSettings {
    /// What the other system is called here; stored with every company that comes from it.
    pub source: ServiceName,
    /// Its list: asked with `page` (from 1) and `per_page`, it answers `{"companies":[…],"next_page":2}`, `next_page`
    /// being null or absent at the end. Each company has `id` (a whole number of 64 bits, or the same as text), `name`,
    /// and perhaps `account_number`, `website`, `phone`, `address`, `notes`.
    pub url: Url,
    /// Sent as `Authorization: Bearer`, if there is one.
    pub token: Option<SecretString>,
    /// How long after one run the next begins. Zero: only when somebody asks for it.
    pub every: Duration,
    /// Companies in one page: 100 is a good value ([`PullSettings::PER_PAGE`]).
    pub per_page: u32,
    /// How long to wait before a failed page is asked for again; doubled each time, three times
    /// ([`PullSettings::PAUSE`]).
    pub pause: Duration,
    /// For asking. Must not follow redirects.
    pub http: reqwest::Client,
}

impl PullSettings {
    /// Companies in one page, unless there is a reason for another number.
    pub const PER_PAGE: u32 = 100;
    /// How long to wait before the first repetition, unless there is a reason for another time.
    pub const PAUSE: Duration = Duration::from_secs(1);
}

/// Makes what pulls, and starts its schedule, which ends when `stop` is cancelled.
pub(crate) fn begin(settings: PullSettings, pool: Pool, stop: CancellationToken) -> Arc<Puller> {
    let every = settings.every;
    let puller = Arc::new(Puller::new(settings, pool));
    if !every.is_zero() {
        let scheduled = Arc::clone(&puller);
        tokio::spawn(async move {
            let schedule = async {
                loop {
                    scheduled.run().await;
                    tokio::time::sleep(every).await;
                }
            };
            // A page under way is given up with its transaction; the next run asks for it again.
            stop.run_until_cancelled(schedule).await;
        });
    }
    puller
}
