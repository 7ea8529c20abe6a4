//! One service: whether it is where it should be, and behaves as a service behind the gateway must (platform README §1, §10).
//! It is asked as the gateway asks, by `GET` only, with a service token.

use std::path::PathBuf;
use std::sync::Arc;

use hivematrix_gateway::config::{Config, Service};

use super::address::{Addresses, Lead};
use super::finding::{Check, Finding, Report};
use super::page::{Call, Credentials, Page, calls};
use super::probe::{Probe, Seen, Silence};
use super::sockets::Sockets;

/// A prefix that no service has.
const FOREIGN_PREFIX: &str = "/hivematrix-doctor";
/// Redirects of a service's own that are followed to a page.
const REDIRECTS: usize = 3;
/// Script files of a page that are looked at.
const SCRIPTS: usize = 5;

/// A service, and what helps to look at it.
pub(crate) struct Subject<'a> {
    pub(crate) config: &'a Config,
    pub(crate) service: &'a Service,
    pub(crate) probe: &'a Probe,
    pub(crate) sockets: Option<&'a Sockets>,
    /// Where its program is, if that is known.
    pub(crate) folder: Option<PathBuf>,
    /// A token with which it may be asked.
    pub(crate) token: Option<Arc<str>>,
}

impl Subject<'_> {
    /// Looks at all of it.
    pub(crate) async fn examine(&self) -> Report {
        let mut report = Report {
            examined: vec![self.name().to_owned()],
            ..Report::default()
        };
        self.exposure(&mut report);
        let health = match self.ask("/health", self.prefix(), true).await {
            Ok(health) => health,
            Err(silence) => {
                report.find(self.silence(&silence));
                return report;
            }
        };
        if let Some(finding) = self.somebody_else(&health) {
            report.find(finding);
            return report;
        }
        let page = self.page(self.prefix()).await;
        if let Some(finding) = self.answers_below_its_prefix_only(&health, page.as_ref()).await {
            report.find(finding);
            return report;
        }
        self.token_refused(page.as_ref(), &mut report);
        self.script_without_session(&mut report).await;
        match page.filter(|page| page.status == 200 && page.is_page()) {
            Some(page) => self.look_at(&page, &mut report).await,
            None => report.skipped.push(format!(
                "{}: it has shown no page, so none was looked at",
                self.name()
            )),
        }
        report
    }

    pub(super) fn name(&self) -> &str {
        self.service.name.as_str()
    }

    fn prefix(&self) -> &str {
        &self.service.prefix
    }

    pub(super) fn port(&self) -> u16 {
        self.service
            .upstream
            .url
            .port_or_known_default()
            .unwrap_or_default()
    }

    pub(super) fn finding(&self, check: Check, seen: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding::new(check, self.name(), seen, fix)
    }

    /// Asks as the gateway does.
    async fn ask(&self, path: &str, prefix: &str, with_token: bool) -> Result<Seen, Silence> {
        let origin = self.config.server.public_origins.first();
        let host = origin.map(|origin| origin.authority()).unwrap_or_default();
        let bearer = self.token.as_deref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("x-forwarded-for", "127.0.0.1"),
            (
                "x-forwarded-proto",
                origin.map_or("http", |origin| origin.scheme.as_str()),
            ),
            ("x-forwarded-host", host.as_str()),
            ("x-forwarded-prefix", prefix),
        ];
        if let (Some(bearer), true) = (&bearer, with_token) {
            headers.push(("authorization", bearer));
        }
        self.probe.get(&self.service.upstream.url, path, &headers).await
    }

    /// What it shows at its root, or where that leads within it.
    async fn page(&self, prefix: &str) -> Option<Seen> {
        let mut path = "/".to_owned();
        for _ in 0..=REDIRECTS {
            let seen = self.ask(&path, prefix, true).await.ok()?;
            let Some(location) = seen.location() else {
                return Some(seen);
            };
            let next = Addresses::new(self.config, self.service).within(location, prefix)?;
            if next == path {
                return Some(seen);
            }
            path = next;
        }
        None
    }

    /// The middleware that refuses whatever does not begin with the prefix, which the gateway has cut off.
    async fn answers_below_its_prefix_only(&self, health: &Seen, page: Option<&Seen>) -> Option<Finding> {
        if health.status != 404 || page.is_some_and(|page| page.status != 404) {
            return None;
        }
        for path in ["/health", "/"] {
            let doubled = format!("{}{path}", self.prefix());
            if let Ok(seen) = self.ask(&doubled, self.prefix(), true).await
                && seen.status != 404
            {
                let seen = format!("GET {path} is 404, and GET {doubled} is {}", seen.status);
                return Some(self.finding(Check::PrefixMiddleware, seen, self.use_proxy_fix()));
            }
        }
        None
    }

    fn use_proxy_fix(&self) -> String {
        "remove the prefix middleware and APPLICATION_ROOT; \
         app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1) is all"
            .to_owned()
    }

    fn token_refused(&self, page: Option<&Seen>, report: &mut Report) {
        let Some(page) = page.filter(|page| page.status == 401 && self.token.is_some()) else {
            return;
        };
        let words: String = page.body.chars().take(200).collect();
        let seen = format!(
            "GET / with a service token that Core has just made is 401: {}",
            words.trim()
        );
        let fix = format!(
            "see that it takes keys from {}.well-known/jwks.json and expects the issuer `{}`, and that its clock is right",
            self.config.core.url, self.config.core.issuer
        );
        report.find(self.finding(Check::TokenRefused, seen, fix));
    }

    /// A script whose session has ended must get 401 with JSON, whoever says so.
    async fn script_without_session(&self, report: &mut Report) {
        let headers = [
            ("accept", "application/json"),
            ("x-requested-with", "XMLHttpRequest"),
            ("sec-fetch-mode", "cors"),
            ("x-forwarded-prefix", self.prefix()),
        ];
        let Ok(seen) = self.probe.get(&self.service.upstream.url, "/", &headers).await else {
            return;
        };
        let fix = "answer 401 with JSON where Accept asks for it; the gateway does the login, a service never redirects to one";
        let told = match seen.location() {
            Some(location) if location.contains("login") || location.contains("/keycloak") => {
                format!("a script's request without a token is redirected to {location}")
            }
            _ if matches!(seen.status, 401 | 403) && seen.is_page() => {
                format!(
                    "a script's request without a token gets {} with a page, not JSON",
                    seen.status
                )
            }
            _ => return,
        };
        report.find(self.finding(Check::ScriptGetsPage, told, fix));
    }

    /// A page of it: styles, addresses, scripts.
    async fn look_at(&self, seen: &Seen, report: &mut Report) {
        let page = Page::read(&seen.body);
        self.styles(&page, report);
        let addresses = Addresses::new(self.config, self.service);
        let mut scripts = page.scripts.clone();
        for file in page.script_files.iter().take(SCRIPTS) {
            if let Some(path) = addresses.within(file, self.prefix())
                && let Ok(seen) = self.ask(&path, self.prefix(), true).await
            {
                scripts.push('\n');
                scripts.push_str(&seen.body);
            }
        }
        let calls = calls(&scripts);
        self.credentials(&calls, report);
        let called = calls.iter().filter_map(|call| call.address.clone());
        let all: Vec<String> = page.addresses.iter().cloned().chain(called).collect();
        // Who has not the prefix right has no ProxyFix, and that cures both.
        if !self.leads(&addresses, &all, report).await {
            self.host(&addresses, &all, report).await;
        }
    }

    fn styles(&self, page: &Page, report: &mut Report) {
        let own: Vec<&String> = page
            .stylesheets
            .iter()
            .filter(|address| !is_ours(address))
            .collect();
        let mut seen = Vec::new();
        if !own.is_empty() {
            let names: Vec<&str> = own.iter().map(|name| name.as_str()).collect();
            seen.push(format!("the stylesheets {}", names.join(", ")));
        }
        for (count, what) in [
            (page.style_elements, "<style> elements"),
            (page.style_attributes, "style attributes"),
        ] {
            if count > 0 {
                seen.push(format!("{count} {what}"));
            }
        }
        if !seen.is_empty() {
            let fix = "remove them and use the classes of the design system (platform README §8); what is missing there is added there";
            report.find(self.finding(
                Check::OwnStyles,
                format!("its page has {}", seen.join(" and ")),
                fix,
            ));
        }
    }

    fn credentials(&self, calls: &[Call], report: &mut Report) {
        let bare = |call: &&Call| matches!(call.credentials, Credentials::Omitted | Credentials::Unsaid);
        let Some(call) = calls.iter().find(bare) else {
            return;
        };
        let said = if call.credentials == Credentials::Omitted {
            "with credentials: 'omit'"
        } else {
            "without credentials"
        };
        let address = call.address.as_deref().unwrap_or("…");
        let count = calls.iter().filter(bare).count();
        let seen = format!(
            "{count} of {} calls, the first fetch('{address}'), {said}",
            calls.len()
        );
        let fix =
            "fetch(address, { credentials: 'same-origin' }), and look at response.ok before response.json()";
        report.find(self.finding(Check::ScriptWithoutCredentials, seen, fix));
    }

    /// Addresses that lead past the prefix, or twice into it; and a prefix that does not follow its header. Whether there was one.
    async fn leads(&self, addresses: &Addresses<'_>, all: &[String], report: &mut Report) -> bool {
        let of = |lead: Lead| all.iter().filter(move |address| addresses.lead(address) == lead);
        if let Some(doubled) = of(Lead::Doubled).next() {
            let seen = format!("its page has the address {doubled}: the prefix is there twice");
            report.find(self.finding(Check::PrefixMiddleware, seen, self.use_proxy_fix()));
            return true;
        }
        let missing: Vec<&str> = of(Lead::Outside).map(String::as_str).take(5).collect();
        if !missing.is_empty() {
            let seen = format!("its page has {} without {}", missing.join(", "), self.prefix());
            let fix = "make addresses with url_for(), relative ones, or behind the script root; and \
                       ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1), so that url_for() knows the prefix";
            report.find(self.finding(Check::PrefixMissing, seen, fix));
            return true;
        }
        let Some(fixed) = of(Lead::Inside).next() else {
            return false;
        };
        let Some(other) = self.page(FOREIGN_PREFIX).await.filter(Seen::is_page) else {
            return false;
        };
        let follows = |address: &String| address.starts_with(FOREIGN_PREFIX);
        if Page::read(&other.body).addresses.iter().any(follows) {
            return false;
        }
        let seen = format!("told another prefix by X-Forwarded-Prefix, its page still has {fixed}");
        report.find(self.finding(Check::PrefixMiddleware, seen, self.use_proxy_fix()));
        true
    }

    /// Flask redirects an address that lacks its slash, with the host that it knows.
    async fn host(&self, addresses: &Addresses<'_>, all: &[String], report: &mut Report) {
        let Some(origin) = self.config.server.public_origins.first() else {
            return;
        };
        let with_slash = |address: &&String| {
            addresses.lead(address) == Lead::Inside && address.ends_with('/') && !address.contains('?')
        };
        for address in all.iter().filter(with_slash).take(3) {
            let Some(path) = addresses.within(address.trim_end_matches('/'), self.prefix()) else {
                continue;
            };
            let Ok(seen) = self.ask(&path, self.prefix(), true).await else {
                continue;
            };
            let Some(location) = seen.location().filter(|location| location.contains("://")) else {
                continue;
            };
            if location.starts_with(&origin.to_string()) {
                return;
            }
            let seen = format!("told {origin} by X-Forwarded-Host and -Proto, it redirects to {location}");
            let fix = "ProxyFix(…, x_proto=1, x_host=1); under waitress also trusted_proxy=\"127.0.0.1\" and \
                       trusted_proxy_headers=\"x-forwarded-for x-forwarded-proto x-forwarded-host\", which it drops otherwise";
            report.find(self.finding(Check::HostDropped, seen, fix));
            return;
        }
    }
}

/// The gateway's own stylesheets, which a page may name.
fn is_ours(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    path.ends_with("/static/css/global.css") || path.ends_with("/static/css/side-panel.css")
}
