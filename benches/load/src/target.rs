//! A subject that runs, and how to ask it for each job: the same request to all, but for path and cookie.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_ENCODING;

use crate::error::BenchError;
use crate::scenario::Scenario;
use crate::stage::Started;
use crate::subject::Subject;
use crate::world::fixtures;
use crate::world::people::Person;

/// The gateway's cookie.
pub(crate) const COOKIE: &str = "__Host-hivematrix";
/// The rivals' cookie.
const TOKEN_COOKIE: &str = "access_token";
/// How long one request may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(20);

/// A subject that runs.
pub(crate) struct Target {
    /// Who it is.
    pub(crate) subject: Subject,
    /// Its process group.
    pub(crate) started: Started,
    /// Where it listens.
    pub(crate) port: u16,
    /// The process group that forwards WebSockets, and where it listens: another one only where one cannot do both.
    pub(crate) sockets: (Started, u16),
    /// The process group that speaks TLS, and where it listens.
    pub(crate) tls: (Started, u16),
    /// `Cookie`, of the one who asks.
    pub(crate) cookie: String,
}

/// A request that is asked over and over.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What is asked for.
    pub(crate) url: String,
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Its headers, `Cookie` included.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Bytes of its body.
    pub(crate) body: usize,
    /// Bytes that a right answer's body has at least.
    pub(crate) at_least: u64,
}

/// The `Cookie` line by which a subject knows somebody.
pub(crate) fn cookie_for(subject: Subject, person: &Person) -> String {
    match subject {
        Subject::Gateway => format!("{COOKIE}={}", person.handle),
        Subject::Forwarder
        | Subject::Nginx
        | Subject::Haproxy
        | Subject::Envoy
        | Subject::Apache
        | Subject::Caddy
        | Subject::Traefik
        | Subject::Pingap => format!("{TOKEN_COOKIE}={}", person.token),
    }
}

impl Target {
    /// The request for a scenario that is driven by a load program.
    pub(crate) fn job(&self, scenario: Scenario) -> Job {
        let origin = match scenario {
            Scenario::Tls => format!("https://127.0.0.1:{}", self.tls.1),
            _ => format!("http://127.0.0.1:{}", self.port),
        };
        let mut headers = vec![
            ("Cookie", self.cookie.clone()),
            ("Sec-Fetch-Site", "same-origin".to_owned()),
        ];
        let page = matches!(
            scenario,
            Scenario::Page | Scenario::Unedited | Scenario::Compressed
        );
        let (accept, mode, dest) = match page {
            true => (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                "navigate",
                "document",
            ),
            false => ("application/json", "cors", "empty"),
        };
        headers.push(("Accept", accept.to_owned()));
        headers.push(("Sec-Fetch-Mode", mode.to_owned()));
        headers.push(("Sec-Fetch-Dest", dest.to_owned()));
        let mut job = Job {
            url: format!("{origin}{}", self.path(scenario)),
            method: "GET",
            headers,
            body: 0,
            at_least: 900,
        };
        match scenario {
            Scenario::Page | Scenario::Unedited => job.at_least = 20_000,
            Scenario::Compressed => job.headers.push(("Accept-Encoding", "gzip".to_owned())),
            Scenario::Upload => {
                job.method = "POST";
                job.body = fixtures::UPLOAD;
                job.at_least = 1;
                job.headers.push(("Origin", origin));
                job.headers
                    .push(("Content-Type", "application/octet-stream".to_owned()));
            }
            Scenario::Json
            | Scenario::Sessions
            | Scenario::Tls
            | Scenario::Idle
            | Scenario::WebSocket
            | Scenario::Login
            | Scenario::Revocation => {}
        }
        job
    }

    fn path(&self, scenario: Scenario) -> &'static str {
        let forwarder = self.subject == Subject::Forwarder;
        match scenario {
            Scenario::Page => "/codex/page",
            // The gateway edits and packs where there is something to edit and who accepts it: one path for all.
            Scenario::Compressed if self.subject == Subject::Gateway => "/codex/page",
            Scenario::Compressed => "/zip/page",
            Scenario::Unedited if forwarder => "/page",
            Scenario::Unedited => "/raw/page",
            Scenario::Upload if forwarder => "/upload",
            Scenario::Upload => "/raw/upload",
            Scenario::Json
            | Scenario::Sessions
            | Scenario::Tls
            | Scenario::Idle
            | Scenario::WebSocket
            | Scenario::Login
            | Scenario::Revocation => match self.subject {
                Subject::Forwarder => "/json",
                Subject::Gateway => "/codex/json",
                Subject::Nginx
                | Subject::Haproxy
                | Subject::Envoy
                | Subject::Apache
                | Subject::Caddy
                | Subject::Traefik
                | Subject::Pingap => "/raw/json",
            },
        }
    }

    /// Asks once, and looks whether the job is done: only then is it measured.
    pub(crate) async fn prove(&self, http: &reqwest::Client, scenario: Scenario) -> Result<(), BenchError> {
        let job = self.job(scenario);
        let wrong = |what: String| {
            let said = self.started.last_words();
            BenchError::Outside(format!(
                "{} does not do `{scenario}`: {what}\n{said}",
                self.subject
            ))
        };
        let answer = job.ask(http).await.map_err(|error| wrong(error.to_string()))?;
        let (status, packed) = (answer.status(), answer.headers().contains_key(CONTENT_ENCODING));
        let body = answer.bytes().await.map_err(|error| wrong(error.to_string()))?;
        if status != StatusCode::OK {
            return Err(wrong(format!("status {status}")));
        }
        let text = String::from_utf8_lossy(&body);
        let right = match scenario {
            Scenario::Page => !packed && text.contains(fixtures::EDITED),
            Scenario::Unedited => !packed && text == fixtures::page(),
            Scenario::Compressed => packed && body.len() < fixtures::page().len() / 2,
            Scenario::Upload => true,
            Scenario::Json
            | Scenario::Sessions
            | Scenario::Tls
            | Scenario::Idle
            | Scenario::WebSocket
            | Scenario::Login
            | Scenario::Revocation => text == fixtures::json(),
        };
        if right && body.len() as u64 >= job.at_least {
            return Ok(());
        }
        Err(wrong(format!(
            "{} bytes (packed: {packed}) that are not what was asked for",
            body.len()
        )))
    }

    /// Whether it refuses those who bring no token.
    pub(crate) async fn refuses_strangers(&self, http: &reqwest::Client) -> bool {
        let mut job = self.job(Scenario::Json);
        job.headers.retain(|(name, _)| *name != "Cookie");
        job.ask(http)
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED)
    }
}

impl Job {
    async fn ask(&self, http: &reqwest::Client) -> Result<reqwest::Response, reqwest::Error> {
        let mut request = match self.method {
            "POST" => http.post(&self.url).body(vec![b'x'; self.body]),
            _ => http.get(&self.url),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.send().await
    }
}

/// A client for what is not measured.
pub(crate) fn http_client() -> Result<reqwest::Client, BenchError> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // The certificate of this run is nobody's business but its own.
        .danger_accept_invalid_certs(true)
        .timeout(PATIENCE);
    builder
        .build()
        .map_err(|error| BenchError::outside("no HTTP client", error))
}
