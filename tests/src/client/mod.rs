//! A browser without a screen: keeps cookies, marks its requests as browsers do, follows redirects when it
//! navigates, fills in the login form. Everything it sends can also be written by hand.

mod answer;
mod ask;
mod form;
mod jar;
mod reload;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use http::header::{COOKIE, HOST, LOCATION, USER_AGENT};
use url::Url;

pub use self::answer::{Answer, Streaming};
pub use self::ask::Ask;
use self::form::Form;
use self::jar::Jar;
pub use self::reload::Reloads;

/// What Chromium sends as `Accept` when it navigates.
const BROWSER_ACCEPT: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// Beyond this a navigation runs in circles.
const REDIRECTS: usize = 15;

/// The browser. Clones share one cookie jar, as tabs do.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    origin: Url,
    wire: Wire,
    /// The gateway's own port, which need not be that of the origin.
    port: u16,
    jar: Arc<Mutex<Jar>>,
    reloads: Option<Reloads>,
    /// What it calls itself.
    agent: Option<String>,
}

/// How a client speaks to the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    /// PEM of a certificate to trust.
    pub(crate) trust: Option<String>,
}

impl Client {
    pub(crate) fn new(origin: Url, address: std::net::SocketAddr, wire: &Wire) -> Self {
        let host = origin.host_str().unwrap_or_default().to_owned();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .resolve(&host, address);
        if let Some(pem) = &wire.trust {
            let certificate =
                reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate in PEM form");
            builder = builder.add_root_certificate(certificate);
        }
        if origin.port_or_known_default() != Some(address.port()) {
            // The host that is meant is another than the one that is connected to, which HTTP/2 has no two places for.
            builder = builder.http1_only();
        }
        Self {
            http: builder.build().expect("an HTTP client"),
            origin,
            wire: wire.clone(),
            port: address.port(),
            jar: Arc::default(),
            reloads: None,
            agent: None,
        }
    }

    /// A new browser for a gateway that the case has started as a process: at `origin`, whose name is taken for this
    /// machine. `trust` is the PEM of a certificate to trust.
    ///
    /// # Panics
    /// If `origin` is none.
    #[must_use]
    pub fn at(origin: &str, trust: Option<&str>) -> Self {
        let origin = Url::parse(origin).expect("an origin");
        let port = origin.port_or_known_default().expect("a port");
        let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
        Self::new(
            origin,
            address,
            &Wire {
                trust: trust.map(str::to_owned),
            },
        )
    }

    /// The same settings with an empty jar: another browser.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            jar: Arc::default(),
            ..self.clone()
        }
    }

    /// This client's way to the gateway, with the cookies of another: one browser, whose requests a balancer hands to
    /// several gateways.
    #[must_use]
    pub fn with_cookies_of(&self, other: &Self) -> Self {
        Self {
            jar: other.jar.clone(),
            ..self.clone()
        }
    }

    /// The same, calling itself this in `User-Agent`.
    #[must_use]
    pub fn named(self, agent: &str) -> Self {
        Self {
            agent: Some(agent.to_owned()),
            ..self
        }
    }

    /// The same browser, cookies and all, as it finds the gateway at another address.
    #[must_use]
    pub fn with_gateway(&self, address: std::net::SocketAddr) -> Self {
        Self {
            jar: self.jar.clone(),
            ..Self::new(self.origin.clone(), address, &self.wire)
        }
    }

    /// A request without any mark of a browser, but with its cookies.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = self.origin.join(path).expect("a path");
        let mut at = url.clone();
        if url.origin() == self.origin.origin() {
            // A URL's port counts, whatever its host resolves to; which site is meant is said by the Host.
            let _ = at.set_port(Some(self.port));
        }
        let mut request = self.http.request(method, at.clone());
        if at != url {
            request = request.header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
        }
        if let Some(agent) = &self.agent {
            request = request.header(USER_AGENT, agent);
        }
        let cookies = self.jar().header(&url);
        if let Some(cookies) = cookies {
            request = request.header(COOKIE, cookies);
        }
        Ask {
            request,
            url,
            jar: self.jar.clone(),
            reloads: self.reloads.clone(),
        }
    }

    /// `GET` by hand.
    #[must_use]
    pub fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    /// `POST` by hand.
    #[must_use]
    pub fn post(&self, path: &str) -> Ask {
        self.ask("POST", path)
    }

    /// What `fetch(path)` on a page of the gateway sends. Redirects are not followed.
    pub async fn fetch(&self, path: &str) -> Answer {
        self.script("GET", path).send().await
    }

    /// As [`Client::fetch`], for a task of its own.
    pub fn fetch_owned(&self, path: &str) -> impl Future<Output = Answer> + Send + use<> {
        self.script("GET", path).send()
    }

    /// What a script on a page of the gateway sends.
    #[must_use]
    pub fn script(&self, method: &str, path: &str) -> Ask {
        let ask = self
            .ask(method, path)
            .header("Accept", "*/*")
            .header("Sec-Fetch-Site", "same-origin")
            .header("Sec-Fetch-Mode", "cors")
            .header("Sec-Fetch-Dest", "empty");
        if matches!(method, "GET" | "HEAD") {
            ask
        } else {
            ask.header("Origin", &self.origin_text())
        }
    }

    /// One step of a navigation; redirects are not followed.
    #[must_use]
    pub fn visit(&self, path: &str) -> Ask {
        self.navigation("GET", path, "none")
    }

    /// Goes to a page and follows redirects, as when its address is typed.
    ///
    /// # Panics
    /// If it runs in circles.
    pub async fn navigate(&self, path: &str) -> Answer {
        let first = self.visit(path).send().await;
        self.follow(first).await
    }

    /// Sends the form on a page with these fields filled in, and follows redirects.
    ///
    /// # Panics
    /// If the page has no form.
    pub async fn submit(&self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let answer = self.submit_once(page, fields).await;
        self.follow(answer).await
    }

    /// As [`Client::submit`], without following redirects.
    ///
    /// # Panics
    /// If the page has no form.
    pub async fn submit_once(&self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let form = Form::on(page, fields);
        let ask = self
            .navigation("POST", &form.action, "same-origin")
            .header("Origin", &self.origin_text());
        ask.form(&form.fields).send().await
    }

    /// Signs in by the provider's own form; the name is also the password. Ends at `/echo/signed-in`.
    ///
    /// # Panics
    /// If that is not where it ends.
    pub async fn login(&self, name: &str) -> Answer {
        let answer = self.login_to(name, "/echo/signed-in").await;
        assert_eq!(
            (answer.status, answer.url.path()),
            (200, "/echo/signed-in"),
            "login of {name}: {answer:?}"
        );
        answer
    }

    /// Signs in on the way to a page; the answer is that page.
    ///
    /// # Panics
    /// If there is no login form on the way.
    pub async fn login_to(&self, name: &str, path: &str) -> Answer {
        let page = self.navigate(path).await;
        self.submit(&page, &[("username", name), ("password", name)])
            .await
    }

    /// The value of a cookie in the jar.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().value(name)
    }

    /// The names of all cookies, sorted.
    #[must_use]
    pub fn cookie_names(&self) -> Vec<String> {
        self.jar().names()
    }

    /// Puts a `Set-Cookie` line into the jar as if `path` had answered with it.
    ///
    /// # Panics
    /// If a browser would not take it.
    pub fn set_cookie(&self, path: &str, line: &str) {
        let url = self.origin.join(path).expect("a path");
        assert!(
            self.jar().store(&url, line),
            "a browser refuses the cookie {line}"
        );
    }

    /// The `Cookie` header for a path.
    #[must_use]
    pub fn cookie_header(&self, path: &str) -> String {
        let url = self.origin.join(path).expect("a path");
        self.jar().header(&url).unwrap_or_default()
    }

    /// The public origin, `http://localhost:<port>`.
    #[must_use]
    pub fn origin_text(&self) -> String {
        self.origin.origin().ascii_serialization()
    }

    /// Follows redirects from an answer, as a navigation does.
    ///
    /// # Panics
    /// If it runs in circles.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..REDIRECTS {
            let Some(location) = answer
                .headers
                .get(LOCATION)
                .filter(|_| (301..=308).contains(&answer.status))
            else {
                return answer;
            };
            let location = location.to_str().expect("a printable Location");
            let next = answer.url.join(location).expect("a Location that is a URL");
            if next.origin() != self.origin.origin() {
                return answer;
            }
            answer = self.navigation("GET", next.as_str(), "same-origin").send().await;
        }
        panic!("more than {REDIRECTS} redirects, the last from {}", answer.url);
    }

    fn navigation(&self, method: &str, path: &str, site: &str) -> Ask {
        self.ask(method, path)
            .header("Accept", BROWSER_ACCEPT)
            .header("Sec-Fetch-Site", site)
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-User", "?1")
            .header("Sec-Fetch-Dest", "document")
            .header("Upgrade-Insecure-Requests", "1")
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
