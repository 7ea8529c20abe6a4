//! A user's preferences, asked of Codex (platform README §8): theme, colours and home page. A page never waits for them beyond its
//! own deadline and never fails for want of them; that deadline is the caller's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use reqwest::Client;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

use crate::core_client::{CoreClient, CoreError, causes, endpoint};
use crate::http_client::read_limited;
use crate::service_name::ServiceName;
use crate::single_flight::SingleFlight;

/// For one load: service token, theme and home page together.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long preferences are kept.
const FRESH: Duration = Duration::from_secs(300);
/// How many users' preferences are kept.
const USERS: usize = 100_000;
/// After an outage of Codex nobody asks it for this long.
const PAUSE: Duration = Duration::from_secs(2);
/// Bytes of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// `light`
    #[default]
    Light,
    /// `dark`
    Dark,
}

impl Theme {
    /// The word in `data-theme`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The accent colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorTheme {
    /// `purple`
    #[default]
    Purple,
    /// `blue`
    Blue,
    /// `green`
    Green,
    /// `orange`
    Orange,
    /// `gold`
    Gold,
    /// `red`
    Red,
    /// `yellow`
    Yellow,
    /// `matrix`
    Matrix,
    /// `bee`
    Bee,
}

impl ColorTheme {
    /// Every colour, in the order of the settings page.
    pub const ALL: [Self; 9] = [
        Self::Purple,
        Self::Blue,
        Self::Green,
        Self::Orange,
        Self::Gold,
        Self::Red,
        Self::Yellow,
        Self::Matrix,
        Self::Bee,
    ];

    /// The word in `data-color-theme`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purple => "purple",
            Self::Blue => "blue",
            Self::Green => "green",
            Self::Orange => "orange",
            Self::Gold => "gold",
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Matrix => "matrix",
            Self::Bee => "bee",
        }
    }
}

/// What a user has chosen. The default is what everybody gets while Codex knows or says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Preferences {
    /// Light or dark.
    pub theme: Theme,
    /// The accent colour.
    pub color_theme: ColorTheme,
    /// The service that `/` leads to; `None` for the platform's own choice.
    pub home_page: Option<ServiceName>,
}

/// Why preferences could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodexError {
    /// No connection, or it broke, or another caller met an outage just now.
    #[error("Codex is unreachable: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("Codex did not answer in time")]
    TimedOut,
    /// An answer other than success.
    #[error("Codex refused ({0})")]
    Refused(u16),
    /// An answer that is not Codex'.
    #[error("Codex' answer is malformed: {0}")]
    Malformed(String),
    /// No service token to ask with.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl From<reqwest::Error> for CodexError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Unreachable(causes(&error))
        }
    }
}

/// Asks Codex, and remembers. Clones share what is remembered.
#[derive(Clone)]
pub struct CodexClient(Arc<Inner>);

struct Inner {
    client: Client,
    base: Url,
    core: Arc<CoreClient>,
    target: ServiceName,
    known: Cache<Arc<str>, Known>,
    timeout: Duration,
    flights: SingleFlight<Arc<str>, Result<Arc<Preferences>, CodexError>>,
    outage: Mutex<Option<(Instant, CodexError)>>,
}

#[derive(Clone)]
struct Known {
    preferences: Arc<Preferences>,
    at: Instant,
}

/// Codex' two answers, as far as they matter. Words that we do not know count as not said.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ThemeAnswer {
    #[serde(deserialize_with = "known_or_default")]
    theme: Theme,
    #[serde(deserialize_with = "known_or_default")]
    color_theme: ColorTheme,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HomeAnswer {
    #[serde(deserialize_with = "known_or_default")]
    home_page: Option<ServiceName>,
}

fn known_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).unwrap_or_default())
}

impl CodexClient {
    /// Asks the Codex at `base`, with service tokens that `core` provides.
    #[must_use]
    pub fn new(client: Client, base: Url, core: Arc<CoreClient>) -> Self {
        Self::with_timeout(TIMEOUT, client, base, core)
    }

    /// The same with another limit than 2 seconds for loading one user's preferences.
    #[must_use]
    pub fn with_timeout(timeout: Duration, client: Client, base: Url, core: Arc<CoreClient>) -> Self {
        Self(Arc::new(Inner {
            timeout,
            client,
            base,
            core,
            target: ServiceName::codex(),
            known: Cache::new(USERS),
            flights: SingleFlight::new(),
            outage: Mutex::new(None),
        }))
    }

    /// The preferences of the user with this address, if they were loaded within the last five minutes. Never waits.
    #[must_use]
    pub fn cached(&self, email: &str) -> Option<Arc<Preferences>> {
        let known = self.0.known.get(email)?;
        (known.at.elapsed() < FRESH).then_some(known.preferences)
    }

    /// The preferences of the user with this address: remembered, or loaded within 2 seconds. Many that ask at once cause one load,
    /// which goes on (and is remembered) if they stop waiting. Somebody whom Codex does not know has the defaults. Where loading
    /// fails, what was known before is good enough.
    ///
    /// # Errors
    /// If they cannot be loaded and were never known. After an outage the next callers are told at once for 2 seconds.
    pub async fn preferences(&self, email: &str) -> Result<Arc<Preferences>, CodexError> {
        if email.is_empty() {
            return Ok(Arc::default());
        }
        if let Some(fresh) = self.cached(email) {
            return Ok(fresh);
        }
        let loaded = match self.0.recent_outage() {
            Some(error) => Err(error),
            None => self.load(email.into()).await,
        };
        match (loaded, self.0.known.get(email)) {
            (Err(_), Some(known)) => Ok(known.preferences),
            (loaded, _) => loaded,
        }
    }

    /// Forgets what is known of this user; a load under way is not remembered either. For when the user has changed something.
    pub fn forget(&self, email: &str) {
        self.0.flights.forget(&email.into());
        self.0.known.remove(email);
    }

    async fn load(&self, email: Arc<str>) -> Result<Arc<Preferences>, CodexError> {
        let (inner, asked) = (Arc::clone(&self.0), Arc::clone(&email));
        let load = || async move { inner.load(&asked).await };
        let (inner, asked) = (Arc::clone(&self.0), Arc::clone(&email));
        let keep = move |loaded: &Result<Arc<Preferences>, CodexError>| {
            if let Ok(preferences) = loaded {
                inner.known.insert(
                    asked,
                    Known {
                        preferences: Arc::clone(preferences),
                        at: Instant::now(),
                    },
                );
            }
        };
        let lost = || Err(CodexError::Unreachable("the call was abandoned".to_owned()));
        self.0.flights.run(&email, load, keep).await.unwrap_or_else(lost)
    }
}

impl Inner {
    async fn load(&self, email: &str) -> Result<Arc<Preferences>, CodexError> {
        let asked = async {
            let token = self.core.service_token(&self.target).await?;
            let theme = self.ask::<ThemeAnswer>("/api/public/user/theme", email, &token);
            let home = self.ask::<HomeAnswer>("/api/public/user/home-page", email, &token);
            let (theme, home) = tokio::try_join!(theme, home)?;
            Ok(Preferences {
                theme: theme.theme,
                color_theme: theme.color_theme,
                home_page: home.home_page,
            })
        };
        let loaded = tokio::time::timeout(self.timeout, asked)
            .await
            .unwrap_or(Err(CodexError::TimedOut));
        match &loaded {
            Ok(_) => *self.outage() = None,
            Err(error) => {
                tracing::warn!(%error, "cannot load a user's preferences; the page has the defaults");
                if error.is_outage() {
                    *self.outage() = Some((Instant::now(), error.clone()));
                }
            }
        }
        loaded.map(Arc::new)
    }

    /// One of Codex' answers; the default for a user whom it does not know.
    async fn ask<T: DeserializeOwned + Default>(
        &self,
        path: &str,
        email: &str,
        token: &str,
    ) -> Result<T, CodexError> {
        let request = self
            .client
            .get(endpoint(&self.base, path))
            .query(&[("email", email)])
            .bearer_auth(token);
        let response = request.send().await?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(T::default()),
            status => {
                if status == 401 {
                    self.core.forget_service_token(&self.target);
                }
                return Err(CodexError::Refused(status));
            }
        }
        let body = read_limited(response, MAX_BYTES)
            .await
            .map_err(|error| CodexError::Malformed(error.to_string()))?;
        serde_json::from_slice(&body).map_err(|error| CodexError::Malformed(error.to_string()))
    }

    fn recent_outage(&self) -> Option<CodexError> {
        self.outage()
            .as_ref()
            .filter(|(at, _)| at.elapsed() < PAUSE)
            .map(|(_, error)| error.clone())
    }

    fn outage(&self) -> MutexGuard<'_, Option<(Instant, CodexError)>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CodexError {
    /// Whether the others need not try for a moment either.
    fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::Refused(status) => *status >= 500,
            Self::Malformed(_) => false,
            Self::Core(error) => error.is_outage(),
        }
    }

    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "codex_unreachable",
            Self::TimedOut => "codex_timed_out",
            Self::Refused(_) => "codex_refused",
            Self::Malformed(_) => "codex_malformed",
            Self::Core(error) => error.reason(),
        }
    }
}

impl std::fmt::Debug for CodexClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodexClient")
            .field("base", &self.0.base.as_str())
            .finish_non_exhaustive()
    }
}
