//! A gateway's identity with everything outside it, and a browser that goes through it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{CoreClient, ServiceName};
use http::HeaderValue;
use http::header::COOKIE;

use super::outside::{ORIGIN, Outside, SECRET};
use super::store::Disturbed;
use super::{sealing, verifier};
use crate::config::{Origin, Provider};
use crate::identity::{
    AttemptCookies, Begun, Completed, Login, LoginError, LoginFailed, LoginSettings, Logout, ProviderLogout,
    ReturnPath, SessionView, ViewSettings, cookies,
};

/// A gateway's identity, and what is outside.
pub(super) struct Site {
    pub(super) outside: Arc<Outside>,
    pub(super) store: Arc<Disturbed>,
    pub(super) view: Arc<SessionView>,
    pub(super) login: Login,
    pub(super) logout: Logout,
    pub(super) provider_logout: ProviderLogout,
    pub(super) origin: Origin,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Site {
    pub(super) async fn start() -> Self {
        Self::with(LoginSettings {
            grace: Duration::from_millis(1500),
            ..LoginSettings::default()
        })
        .await
    }

    pub(super) async fn with(settings: LoginSettings) -> Self {
        let store = Arc::new(Disturbed::default());
        let outside = Outside::new(&store);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let base: url::Url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let router = outside.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let view = SessionView::new(store.clone(), verifier(), sealing(), ViewSettings::default());
        let http = hivematrix_platform::http_client::internal().unwrap();
        let caller = ServiceName::parse("nexus").unwrap();
        let core = Arc::new(CoreClient::new(http, base.clone(), caller, None));
        let provider = Provider::new(base, SECRET.to_owned().into());
        let logout = Logout::with_provider(
            provider.clone(),
            store.clone(),
            sealing(),
            core.clone(),
            view.clone(),
        );
        let login = Login::with_settings(
            provider,
            settings,
            store.clone(),
            sealing(),
            core,
            verifier(),
            view.clone(),
        );
        let login = login.unwrap();
        let provider_logout = login.provider_logout(&[ORIGIN.parse().unwrap()]);
        Self {
            outside,
            store,
            view,
            login,
            logout,
            provider_logout,
            origin: ORIGIN.parse().unwrap(),
            server,
        }
    }

    /// What is outside goes away altogether.
    pub(super) fn cut_off(&self) {
        self.server.abort();
    }

    pub(super) async fn begin(&self, browser: &mut Browser, next: &str) -> Result<Begun, LoginError> {
        let next = ReturnPath::parse(next).unwrap();
        let begun = self
            .login
            .begin(
                &self.origin,
                &next,
                crate::identity::Wish::default(),
                &browser.attempts(),
                Some(browser.address),
            )
            .await?;
        browser.take(&begun.set_cookies);
        Ok(begun)
    }

    pub(super) async fn complete(
        &self,
        browser: &mut Browser,
        query: &str,
    ) -> Result<Completed, LoginFailed> {
        let (attempts, current) = (browser.attempts(), browser.handle());
        let done = self.login.complete(&self.origin, query, &attempts, current).await;
        browser.take(match &done {
            Ok(completed) => &completed.set_cookies,
            Err(failed) => &failed.set_cookies,
        });
        done
    }

    /// A whole login.
    pub(super) async fn sign_in(&self, browser: &mut Browser, sub: &str) -> Result<Completed, LoginFailed> {
        let begun = self.begin(browser, "/codex/").await.unwrap();
        let query = self.outside.sign_in(&begun.location, sub);
        self.complete(browser, &query).await
    }
}

/// A browser's cookies.
#[derive(Clone)]
pub(super) struct Browser {
    cookies: HashMap<String, String>,
    pub(super) address: IpAddr,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self {
            cookies: HashMap::new(),
            address: Ipv4Addr::LOCALHOST.into(),
        }
    }

    pub(super) fn take(&mut self, set_cookies: &[String]) {
        for cookie in set_cookies {
            assert!(
                cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"),
                "{cookie}"
            );
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn headers(&self) -> http::HeaderMap {
        let line: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        http::HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(line.join("; ")).unwrap())])
    }

    pub(super) fn attempts(&self) -> AttemptCookies {
        cookies::attempt_cookies(&self.headers())
    }

    pub(super) fn handle(&self) -> Option<crate::identity::Handle> {
        cookies::session_handle(&self.headers()).unwrap()
    }
}
