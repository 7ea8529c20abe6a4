//! What came back.

use bytes::Bytes;
use http::{HeaderMap, Version};
use url::Url;

/// A whole answer.
#[derive(Clone)]
pub struct Answer {
    /// Where it came from.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The protocol it came by.
    pub version: Version,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("not JSON ({error}): {self:?}"),
        }
    }

    /// The one value of a header; empty if it is not there.
    ///
    /// # Panics
    /// If it is there more than once.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let first = values
            .next()
            .map_or("", |value| value.to_str().unwrap_or("<not printable>"));
        assert!(
            values.next().is_none(),
            "{name} is there more than once: {self:?}"
        );
        first
    }

    /// All values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or("<not printable>"))
            .collect()
    }

    /// Whether the body is an HTML page.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.header("content-type").starts_with("text/html")
    }

    /// Whether the body is `application/problem+json` about this answer's status.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.header("content-type")
            .starts_with("application/problem+json")
            && self.json()["status"] == self.status
    }

    /// Where a redirect leads, as path with query; the whole URL if it leads elsewhere.
    ///
    /// # Panics
    /// If it has no Location that is a URL.
    #[must_use]
    pub fn leads_to(&self) -> String {
        let location = self.header("location");
        assert!(!location.is_empty(), "no Location: {self:?}");
        let target = self.url.join(location).expect("a URL");
        if target.origin() == self.url.origin() {
            target[url::Position::BeforePath..].to_owned()
        } else {
            target.to_string()
        }
    }

    /// A query parameter of the URL that a redirect leads to.
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> String {
        let target = self.url.join(self.header("location")).expect("a URL");
        let found = target.query_pairs().find(|(key, _)| key == name);
        found
            .unwrap_or_else(|| panic!("no parameter {name} in {target}"))
            .1
            .into_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text().chars().take(1500).collect();
        write!(
            f,
            "{} from {}\n{:#?}\n{text}",
            self.status, self.url, self.headers
        )
    }
}

/// An answer whose body is still coming.
pub struct Streaming {
    url: Url,
    response: reqwest::Response,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
}

impl Streaming {
    pub(super) fn new(url: Url, response: reqwest::Response) -> Self {
        Self {
            url,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            response,
        }
    }

    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// If it broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        self.response.chunk().await
    }

    /// The next piece as text.
    ///
    /// # Panics
    /// If there is none.
    pub async fn text(&mut self) -> String {
        match self.chunk().await {
            Ok(Some(piece)) => String::from_utf8_lossy(&piece).into_owned(),
            other => panic!("{}: no further piece: {other:?}", self.url),
        }
    }

    /// Reads until the text has come, and returns all that has come.
    ///
    /// # Panics
    /// If the body ends before.
    pub async fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(text) {
            seen.push_str(&self.text().await);
        }
        seen
    }

    /// The rest.
    ///
    /// # Errors
    /// If it broke off.
    pub async fn whole(self) -> Result<Answer, reqwest::Error> {
        let Self {
            url,
            response,
            status,
            headers,
        } = self;
        let version = response.version();
        Ok(Answer {
            url,
            status,
            headers,
            version,
            body: response.bytes().await?,
        })
    }
}
