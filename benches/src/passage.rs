//! A gateway without sockets, a browser that is signed in to it, and the heads that both sides of it send.

use std::sync::Arc;

use bytes::Bytes;
use hivematrix_gateway::config::{Config, Core, Origin, Provider, Service, Upstream};
use hivematrix_gateway::identity::{SessionView, ViewSettings};
use hivematrix_gateway::measured::Path;
use hivematrix_platform::{Handle, Preferences, ServiceName};
use hivematrix_plugins::{Registry, testing};
use http::header::{ACCEPT_ENCODING, HeaderMap};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::browser::{self, Ask};
use crate::chains::Plugins;
use crate::pages;
use crate::sessions::World;

/// The host of the public origin.
const HOST: &str = "nexus.example";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A script of a page fetches 1 KB of JSON from a service without plugins.
    Json,
    /// The user follows a link to a page of 23 KB, which is composed and leaves unpacked.
    Page,
    /// The same page from a service with five plugins.
    PageOfFive,
}

impl Errand {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Json, Self::Page, Self::PageOfFive];

    fn target(self) -> &'static str {
        match self {
            Self::Json => "/raw/companies?page=2",
            Self::Page => "/codex/companies?page=2",
            Self::PageOfFive => "/five/companies?page=2",
        }
    }
}

/// The gateway and its browser.
pub struct Passage {
    /// The way through the gateway.
    pub path: Path,
    /// The browser's handle.
    pub handle: Handle,
    /// Who asks, and still?
    pub view: Arc<SessionView>,
    _world: World,
}

impl Passage {
    /// A gateway with so many services besides the three that errands lead to. Wants a Tokio runtime.
    ///
    /// # Panics
    /// If it cannot be put together.
    pub async fn new(services: usize) -> Self {
        let world = World::new().await;
        let handle = world.browsers(1).await[0];
        let view = world.view(ViewSettings::default());
        world.settle(&view, &[handle]).await;
        let preferences = Arc::new(testing::preferring(Preferences::default()));
        let path = Path::new(config(services), registry(), view.clone(), preferences).await;
        Self {
            path: path.unwrap_or_else(|error| panic!("{error}")),
            handle,
            view,
            _world: world,
        }
    }

    /// The head of a request, spelled as HTTP/1.1 brings it.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn request(&self, errand: Errand) -> RequestHeader {
        let ask = match errand {
            Errand::Json => Ask::fetch(),
            Errand::Page | Errand::PageOfFive => Ask::document(),
        };
        let mut headers = ask.headers().clone();
        headers.extend(browser::cookies(&self.handle));
        // What packing costs is measured by itself, and is far more than everything else.
        headers.remove(ACCEPT_ENCODING);
        let mut head =
            RequestHeader::build("GET", errand.target().as_bytes(), Some(headers.len())).expect("a head");
        for (name, value) in spelled(&headers) {
            head.append_header(name, value).expect("a header");
        }
        head.insert_header("Host", HOST).expect("a header");
        head
    }

    /// Sends an answer's head and body through. Returns the bytes of the body that arrive.
    ///
    /// # Panics
    /// If the request is refused, or the answer is.
    pub async fn pass(&self, request: RequestHeader, answer: ResponseHeader, body: &[Bytes]) -> usize {
        let underway = self.path.inward(request).await;
        let underway = underway.unwrap_or_else(|refusal| panic!("{refusal}"));
        let underway = underway.expect("a request that is forwarded");
        let sent = self.path.outward(underway, answer, body).await;
        sent.unwrap_or_else(|refusal| panic!("{refusal}"))
    }
}

/// The head of the service's answer, spelled as HTTP/1.1 brings it, and its body in one chunk.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn answer(errand: Errand) -> (ResponseHeader, Bytes) {
    let (head, body) = match errand {
        Errand::Json => (browser::json_head(), Bytes::from(vec![b'1'; 1024])),
        Errand::Page | Errand::PageOfFive => {
            let body = pages::dashboard().body;
            (browser::page_head(body.len(), &[]), body)
        }
    };
    let mut spelled_head = ResponseHeader::build(head.status, Some(head.headers.len())).expect("a head");
    for (name, value) in spelled(&head.headers) {
        spelled_head.append_header(name, value).expect("a header");
    }
    (spelled_head, body)
}

/// Names as most programs write them: `Accept-Language`.
fn spelled(headers: &HeaderMap) -> impl Iterator<Item = (String, http::HeaderValue)> {
    headers.iter().map(|(name, value)| {
        let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
        let name: Vec<_> = name.as_str().split('-').map(capital).collect();
        (name.join("-"), value.clone())
    })
}

fn registry() -> Registry {
    Plugins::registry()
}

fn config(services: usize) -> Config {
    let url = |text: &str| text.parse().expect("a URL");
    let secret = "the client's secret".to_owned().into();
    let mut config = Config::minimal(
        ([127, 0, 0, 1], 0).into(),
        Origin::parse(&format!("https://{HOST}")).expect("an origin"),
        Provider::new(url("http://127.0.0.1:8080"), secret),
        Core::new(url("http://127.0.0.1:5000")),
    );
    // Counted, and never reached.
    config.limits.requests_per_minute = usize::MAX / 4;
    config.limits.requests_per_hour = usize::MAX / 4;
    config.plugins = Plugins::instances();
    config.services = ["codex", "raw", "five"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..services).map(|number| format!("service-{number}")))
        .map(|name| {
            let upstream = Upstream::parse("http://127.0.0.1:5010").expect("an address");
            let mut service = Service::new(ServiceName::parse(&name).expect("a name"), upstream);
            match name.as_str() {
                "raw" => service.plugins.clear(),
                "five" => service.plugins = Plugins::Five.names(),
                _ => {}
            }
            service
        })
        .collect();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errands_arrive_where_they_should_and_pages_are_composed() {
        let site = Passage::new(10).await;
        for errand in Errand::ALL {
            let (head, body) = answer(errand);
            let length = body.len();
            let sent = site.pass(site.request(errand), head, &[body]).await;
            match errand {
                Errand::Json => assert_eq!(sent, length),
                Errand::Page | Errand::PageOfFive => assert!(sent > length + 1000, "{errand:?}: {sent}"),
            }
        }
    }
}
