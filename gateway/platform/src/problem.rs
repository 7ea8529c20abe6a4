//! Error answers for programs: `application/problem+json` (RFC 9457; platform README §9). Pages for people are the gateway's.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// One problem. Absent members are not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type", default = "about_blank")]
    pub type_: String,
    /// A short sentence, the same for every problem of this kind.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What happened this time. Never carries anything that only operators should read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Identifies this occurrence: the request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Further members, for instance `login_url`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

impl Problem {
    /// A problem that says no more than its status: type `about:blank`, title the status' own phrase.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self {
            type_: about_blank(),
            title,
            status: status.as_u16(),
            detail: None,
            instance: None,
            extra: Map::new(),
        }
    }

    /// With a sentence about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With the identifier of this occurrence.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// With one more member. The five standard names are kept for their fields: such a member is ignored.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !["type", "title", "status", "detail", "instance"].contains(&name) {
            self.extra.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The body of the answer.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, a number and JSON values: nothing in here can fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_as_rfc_9457_says() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED)
            .detail("Please sign in.")
            .instance("req-1")
            .with("login_url", "/login?next=%2F")
            .with("status", 200);
        assert_eq!(
            problem.to_json(),
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Please sign in.","instance":"req-1","login_url":"/login?next=%2F"}"#
        );
        assert_eq!(
            serde_json::from_str::<Problem>(&problem.to_json()).unwrap(),
            problem
        );
    }

    #[test]
    fn what_is_absent_is_not_written() {
        assert_eq!(
            Problem::new(StatusCode::NOT_FOUND).to_json(),
            r#"{"type":"about:blank","title":"Not Found","status":404}"#
        );
    }
}
