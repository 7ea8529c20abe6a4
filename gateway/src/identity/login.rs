//! Login: from "please sign in" to a session, by the authorization code flow (platform README §2).
//!
//! Responsible for: attempts (each bound to the browser that began it, good for one answer), and the way from
//! the provider's code to Core's token. Not responsible for what becomes of that (see `establish`), cookies'
//! syntax, the provider's protocol, or pages.

use std::net::IpAddr;
use std::sync::Arc;

use hivematrix_platform::{CoreClient, Handle, SealingKeys, Store, Verifier, unix_now};

use super::answer::Answer;
use super::attempts::{AddressRates, AttemptCookie, AttemptCookies};
use super::caller::Identity;
use super::cause::Cause;
use super::cookies;
use super::login_error::{LoginError, LoginFailed};
use super::login_refusal::{proved_lately, refusal_of_core};
use super::login_settings::LoginSettings;
use super::marks::Marks;
use super::oidc::Oidc;
use super::provider_logout::ProviderLogout;
use super::record::{AttemptRecord, OpenAttempt, Records};
use super::renewal::{Parts, Renewal, RenewalSettings};
use super::return_path::ReturnPath;
use super::user_sessions::UserSessions;
use super::view::SessionView;
use super::wish::Wish;
use crate::config::{Config, Origin, Provider};

/// Begins and completes logins.
pub struct Login {
    provider: Arc<Oidc>,
    pub(super) core: Arc<CoreClient>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) view: Arc<SessionView>,
    pub(super) records: Records,
    pub(super) user_sessions: UserSessions,
    pub(super) marks: Marks,
    rates: AddressRates,
    pub(super) settings: LoginSettings,
    store: Arc<dyn Store>,
    sealing: Arc<SealingKeys>,
}

/// A login that has begun: send the browser there, with these cookies.
#[derive(Debug)]
pub struct Begun {
    /// The provider's login page.
    pub location: String,
    /// `Set-Cookie` values.
    pub set_cookies: Vec<String>,
}

/// A login that has succeeded, or was not needed any more.
#[derive(Debug)]
pub struct Completed {
    /// Where the person wanted to go.
    pub next: ReturnPath,
    /// `Set-Cookie` values.
    pub set_cookies: Vec<String>,
    /// Who has signed in; `None` if the browser was signed in already and its session stays.
    pub identity: Option<Arc<Identity>>,
}

/// An attempt whose answer may be used, once.
struct Opened {
    attempt: OpenAttempt,
    answer: Answer,
}

impl Login {
    /// Logins as configured.
    ///
    /// # Errors
    /// If the HTTP client for the provider cannot be set up.
    pub fn new(
        config: &Config,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        core: Arc<CoreClient>,
        verifier: Arc<Verifier>,
        view: Arc<SessionView>,
    ) -> Result<Self, reqwest::Error> {
        let settings = LoginSettings::of(config);
        Self::with_settings(
            config.provider.clone(),
            settings,
            store,
            sealing,
            core,
            verifier,
            view,
        )
    }

    /// Logins with settings that do not come from a configuration.
    ///
    /// # Errors
    /// If the HTTP client for the provider cannot be set up.
    pub fn with_settings(
        provider: Provider,
        settings: LoginSettings,
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        core: Arc<CoreClient>,
        verifier: Arc<Verifier>,
        view: Arc<SessionView>,
    ) -> Result<Self, reqwest::Error> {
        let records = Records::new(store.clone(), sealing.clone());
        let user_sessions = UserSessions::new(
            store.clone(),
            records.clone(),
            settings.sessions_per_user,
            settings.lifetime,
        );
        let rates = AddressRates::new(settings.attempts.per_address);
        let provider = Arc::new(Oidc::new(provider)?);
        Ok(Self {
            provider,
            core,
            verifier,
            view,
            marks: Marks::new(records.clone()),
            records,
            user_sessions,
            rates,
            settings,
            store,
            sealing,
        })
    }

    /// What renews the sessions that these logins begin.
    pub fn renewal(&self, settings: RenewalSettings) -> Arc<Renewal> {
        let parts = Parts {
            provider: self.provider.clone(),
            core: self.core.clone(),
            verifier: self.verifier.clone(),
            view: self.view.clone(),
            records: self.records.clone(),
            lists: self.user_sessions.clone(),
        };
        Renewal::new(parts, settings)
    }

    /// What carries out the provider's own logouts of sessions that these logins begin on these origins.
    pub fn provider_logout(&self, origins: &[Origin]) -> ProviderLogout {
        ProviderLogout::new(
            self.provider.clone(),
            origins,
            self.store.clone(),
            self.sealing.clone(),
            self.view.clone(),
            self.user_sessions.clone(),
        )
    }

    /// Begins a login on one of our public origins.
    ///
    /// # Errors
    /// [`LoginError::TooManyAttempts`], [`LoginError::StoreDown`], or [`LoginError::ProviderDown`] if its
    /// configured address is none.
    pub async fn begin(
        &self,
        origin: &Origin,
        next: &ReturnPath,
        wish: Wish,
        browser: &AttemptCookies,
        client: Option<IpAddr>,
    ) -> Result<Begun, LoginError> {
        if !self.rates.admit(client) {
            return Err(LoginError::TooManyAttempts);
        }
        self.provider.ready().await?;
        let limits = &self.settings.attempts;
        let cookie = AttemptCookie::generate(unix_now());
        let request = self
            .provider
            .authorization_request(origin, cookie.id().encode(), wish)?;
        let open = OpenAttempt {
            secret_hash: cookie.secret_hash(),
            verifier: request.verifier,
            nonce: request.nonce,
            origin: origin.to_string(),
            max_age: wish.max_age,
        };
        let record = AttemptRecord {
            next: next.clone(),
            open: Some(open),
        };
        self.records
            .put_attempt(cookie.id(), &record, limits.lifetime)
            .await?;
        let excess = browser.in_excess(limits.per_browser).into_iter();
        let mut set_cookies: Vec<String> = excess.map(|old| cookies::clear_attempt(old.id())).collect();
        set_cookies.push(cookies::set_attempt(&cookie, limits.lifetime.as_secs()));
        Ok(Begun {
            location: request.url,
            set_cookies,
        })
    }

    /// Completes a login: `query` is what the provider sent the browser back with, `current` the handle the
    /// browser has, if any. If it turns out that there is nothing to complete, but the browser is signed in
    /// (another tab was faster), that is a success.
    ///
    /// # Errors
    /// [`LoginFailed`], with the cookies to set all the same.
    pub async fn complete(
        &self,
        origin: &Origin,
        query: &str,
        browser: &AttemptCookies,
        current: Option<Handle>,
    ) -> Result<Completed, LoginFailed> {
        let mut failed = LoginFailed {
            error: LoginError::AttemptUnknown,
            next: ReturnPath::home(),
            set_cookies: Vec::new(),
        };
        let done = self.open_attempt(origin, query, browser, &mut failed).await;
        let done = match done {
            Ok(Some(opened)) => self.sign_in(origin, opened).await,
            // Led on, the person is signed in, or signs in again without being asked anything by the provider.
            Ok(None) => {
                let LoginFailed {
                    next, set_cookies, ..
                } = failed;
                return Ok(Completed {
                    next,
                    set_cookies,
                    identity: None,
                });
            }
            Err(error) => Err(error),
        };
        match done {
            Ok((handle, identity)) => {
                if let Some(old) = current.filter(|old| *old != handle) {
                    self.retire(old);
                }
                failed.set_cookies.push(cookies::set_session(&handle));
                let LoginFailed {
                    next, set_cookies, ..
                } = failed;
                Ok(Completed {
                    next,
                    set_cookies,
                    identity: Some(identity),
                })
            }
            Err(error) if error.is_race() && self.is_signed_in(current).await => {
                let LoginFailed {
                    next, set_cookies, ..
                } = failed;
                Ok(Completed {
                    next,
                    set_cookies,
                    identity: None,
                })
            }
            Err(error) => Err(LoginFailed { error, ..failed }),
        }
    }

    /// Finds the attempt that an answer belongs to, if this browser began it here, and closes it, so that no
    /// other answer fits it. `None` if it is closed, and this browser has not been told: then its request was sent
    /// twice, perhaps because the gateway that had it in hand is gone. Notes what is known by then in `failed`.
    async fn open_attempt(
        &self,
        origin: &Origin,
        query: &str,
        browser: &AttemptCookies,
        failed: &mut LoginFailed,
    ) -> Result<Option<Opened>, LoginError> {
        let answer = Answer::parse(query).ok_or(LoginError::AttemptUnknown)?;
        let id = answer.state;
        let cookie = browser.find(id);
        if cookie.is_some() {
            failed.set_cookies.push(cookies::clear_attempt(id));
        }
        let (record, sealed) = self
            .records
            .attempt(id)
            .await?
            .ok_or(LoginError::AttemptUnknown)?;
        failed.next = record.next.clone();
        let Some(attempt) = record.open else {
            // Whoever was told has no such cookie any more.
            return cookie.map(|_| None).ok_or(LoginError::AttemptUnknown);
        };
        let ours = cookie.is_some_and(|cookie| cookie.proves(&attempt.secret_hash));
        if !ours && browser.is_empty() {
            return Err(LoginError::explained(
                Cause::CookiesRefused,
                "an attempt came back without any cookie",
            ));
        }
        if !ours || attempt.origin != origin.to_string() {
            return Err(LoginError::AttemptForeign);
        }
        // Whoever closes it has the answer; another request of this browser may have been faster.
        let first = self.records.close_attempt(id, record.next, &sealed).await?;
        Ok(first.then_some(Opened { attempt, answer }))
    }

    /// From the provider's answer to a session of our own.
    async fn sign_in(&self, origin: &Origin, opened: Opened) -> Result<(Handle, Arc<Identity>), LoginError> {
        let Opened { attempt, answer } = opened;
        if answer
            .issuer
            .is_some_and(|issuer| issuer != self.provider.issuer(origin))
        {
            return Err(LoginError::explained(
                Cause::IssuerMismatch,
                "the provider's answer names another issuer",
            ));
        }
        let code = answer.result.map_err(|code| LoginError::of_provider(&code))?;
        let signed_in = self
            .provider
            .sign_in(origin, code, attempt.verifier, attempt.nonce)
            .await?;
        if let Some(max_age) = attempt.max_age {
            proved_lately(signed_in.auth_time, max_age)?;
        }
        let jwt = self
            .core
            .exchange(&signed_in.access_token)
            .await
            .map_err(refusal_of_core)?;
        match self.establish(origin, signed_in, &jwt).await {
            Ok(established) => Ok(established),
            Err(error) => {
                // A session that nobody will use must not stay behind.
                let (core, error_of_core) = (self.core.clone(), error.to_string());
                tokio::spawn(async move {
                    let revoked = core.revoke(&jwt).await.is_ok();
                    tracing::warn!(error = error_of_core, revoked, "a session was made in vain");
                });
                Err(error)
            }
        }
    }

    async fn is_signed_in(&self, current: Option<Handle>) -> bool {
        match current {
            Some(handle) => self.view.by_handle(&handle).await.is_ok(),
            None => false,
        }
    }
}
