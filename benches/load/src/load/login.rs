//! Logins, as a browser goes through them: led from the page to the login form of the development identity provider, and
//! back. A cookie jar for each, and nothing is left out on the way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{ACCEPT, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use tokio::task::JoinSet;
use url::Url;

use super::Counted;
use super::paced::{Latencies, pace};
use crate::error::BenchError;

/// The development identity provider's people; the password is the name.
const PEOPLE: [&str; 4] = ["admin", "technician", "billing", "client"];
/// Beyond this somebody is led in circles.
const REDIRECTS: usize = 12;
/// Logins under way at the same time, where as many as can be are wanted.
const AT_ONCE: u64 = 4;

/// Where people sign in.
#[derive(Clone)]
pub(crate) struct Logins {
    http: reqwest::Client,
    page: Url,
}

impl Logins {
    /// On the way to this page.
    pub(crate) fn to(http: reqwest::Client, page: &str) -> Result<Self, BenchError> {
        let page = Url::parse(page).map_err(|error| BenchError::outside(page, error))?;
        Ok(Self { http, page })
    }

    /// One login of one of the people.
    pub(crate) async fn one(&self, number: u64) -> Result<(), BenchError> {
        #[expect(clippy::cast_possible_truncation, reason = "below four")]
        let name = PEOPLE[(number % PEOPLE.len() as u64) as usize];
        let mut browser = Browser {
            http: &self.http,
            cookies: BTreeMap::new(),
        };
        let (form, page) = browser.navigate(self.page.clone()).await?;
        let action = action(&page).and_then(|action| form.join(&action).ok());
        let Some(action) = action else {
            return Err(BenchError::Outside(format!("no login form at {form}")));
        };
        let (at, _) = browser.submit(action, &hidden(&page), name).await?;
        if at.path() == self.page.path() {
            return Ok(());
        }
        Err(BenchError::Outside(format!("the login of {name} ended at {at}")))
    }

    /// As many as can be, some at the same time.
    pub(crate) async fn as_many_as_can_be(&self, duration: Duration) -> Result<Counted, BenchError> {
        let (began, mut latencies, mut failed) = (Instant::now(), Latencies::new()?, 0);
        let mut under_way = JoinSet::new();
        for number in 0..AT_ONCE {
            under_way.spawn(self.clone().timed(number, Instant::now()));
        }
        let mut number = AT_ONCE;
        while let Some(ended) = under_way.join_next().await {
            take(ended, &mut latencies, &mut failed);
            if began.elapsed() < duration {
                under_way.spawn(self.clone().timed(number, Instant::now()));
                number += 1;
            }
        }
        Ok(latencies.counted(began.elapsed(), failed))
    }

    /// At a fixed rate, however many are then under way.
    pub(crate) async fn at_rate(&self, per_second: f64, duration: Duration) -> Result<Counted, BenchError> {
        let (began, mut latencies, mut failed) = (Instant::now(), Latencies::new()?, 0);
        let mut under_way = JoinSet::new();
        let mut pace = pace(per_second, duration);
        while let Some((number, due)) = pace.due.recv().await {
            under_way.spawn(self.clone().timed(number, due));
        }
        while let Some(ended) = under_way.join_next().await {
            take(ended, &mut latencies, &mut failed);
        }
        Ok(latencies.counted(began.elapsed(), failed))
    }

    async fn timed(self, number: u64, due: Instant) -> Option<Duration> {
        self.one(number).await.ok()?;
        Some(due.elapsed())
    }
}

fn take(
    ended: Result<Option<Duration>, tokio::task::JoinError>,
    latencies: &mut Latencies,
    failed: &mut u64,
) {
    match ended {
        Ok(Some(latency)) => latencies.add(latency),
        Ok(None) | Err(_) => *failed += 1,
    }
}

/// As much of a browser as a login takes.
struct Browser<'a> {
    http: &'a reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    /// Goes to a page, wherever it leads; the last address and what is there.
    async fn navigate(&mut self, to: Url) -> Result<(Url, String), BenchError> {
        self.follow(self.http.get(to.clone()), to).await
    }

    async fn submit(
        &mut self,
        to: Url,
        hidden: &[(String, String)],
        name: &str,
    ) -> Result<(Url, String), BenchError> {
        let named = [("username", name), ("password", name)];
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> = named.into_iter().chain(hidden).collect();
        let origin = to.origin().ascii_serialization();
        let request = self.http.post(to.clone()).header(ORIGIN, origin).form(&fields);
        self.follow(request, to).await
    }

    async fn follow(
        &mut self,
        mut request: reqwest::RequestBuilder,
        mut at: Url,
    ) -> Result<(Url, String), BenchError> {
        let failed = |error: &dyn std::fmt::Display| BenchError::outside("a login", error);
        for _ in 0..REDIRECTS {
            let answer = self
                .marked(request)
                .send()
                .await
                .map_err(|error| failed(&error))?;
            self.keep(&answer);
            let location = answer
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok());
            match location.filter(|_| answer.status().is_redirection()) {
                Some(location) => at = at.join(location).map_err(|error| failed(&error))?,
                None if answer.status() == StatusCode::OK => {
                    let text = answer.text().await.map_err(|error| failed(&error))?;
                    return Ok((at, text));
                }
                None => return Err(failed(&format!("{} at {at}", answer.status()))),
            }
            request = self.http.get(at.clone());
        }
        Err(failed(&format!("led in circles, at last to {at}")))
    }

    /// As browsers mark what they navigate to.
    fn marked(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("Sec-Fetch-Site", "same-origin")
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-Dest", "document");
        if self.cookies.is_empty() {
            return request;
        }
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        request.header(COOKIE, pairs.collect::<Vec<_>>().join("; "))
    }

    fn keep(&mut self, answer: &reqwest::Response) {
        for line in answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
        {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let gone = attributes.to_ascii_lowercase().contains("max-age=0");
            if gone || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Where the first form of a page is sent.
fn action(page: &str) -> Option<String> {
    let form = page.split_once("<form")?.1;
    attribute(form.split_once('>')?.0, "action")
}

/// The hidden fields of a page's first form.
fn hidden(page: &str) -> Vec<(String, String)> {
    let form = page.split_once("<form").map_or("", |(_, form)| form);
    let form = form.split_once("</form>").map_or(form, |(form, _)| form);
    let inputs = form
        .split("<input")
        .skip(1)
        .filter_map(|input| input.split_once('>'));
    let inputs = inputs.filter(|(tag, _)| attribute(tag, "type").as_deref() == Some("hidden"));
    inputs
        .filter_map(|(tag, _)| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_form_is_read_as_far_as_a_login_needs() {
        let page = "<p><form method=\"post\" action=\"/a?x=1&amp;y=2\"><input type=\"hidden\" name=\"k\" value=\"v&quot;\">\
                    <input name=\"username\"></form><input type=\"hidden\" name=\"other\" value=\"1\">";
        assert_eq!(action(page).as_deref(), Some("/a?x=1&y=2"));
        assert_eq!(hidden(page), [("k".to_owned(), "v\"".to_owned())]);
        assert_eq!(action("<p>no form"), None);
    }
}
