//! The chain of a route and one request's way through it.
//!
//! Order, deadlines and what happens to errors are decided here and nowhere else. Not responsible for the
//! edits themselves ([`crate::html`]).

use std::sync::Arc;

use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::erased::{AnyPlugin, AnyVisit};
use crate::contract::plugin::{PluginError, Verdict};
use crate::contract::request::{Answer, End, Request, RequestHead, ResponseHead};
use crate::contract::tools::Tools;
use crate::html::document::{self, Asked, Document, NotEditable};
use crate::html::rewriter::Rewriter;
use crate::html::validators;

/// A plugin as the registry built it.
pub(crate) struct Built {
    pub(crate) instance: Arc<str>,
    pub(crate) plugin: Arc<dyn AnyPlugin>,
    pub(crate) edits_documents: bool,
}

/// The plugins of one route, in order. Built once, shared by all requests of the route.
#[derive(Clone)]
pub struct Chain {
    plugins: Arc<[Built]>,
    tools: Arc<Tools>,
}

/// One request's state: one visit for each plugin that is responsible.
pub struct Visits {
    running: Vec<Running>,
    asked: Asked,
    /// Some plugin of the route edits documents, though not what this request asks for.
    edited_elsewhere: bool,
    /// Only where somebody is responsible.
    tools: Option<Arc<Tools>>,
}

struct Running {
    instance: Arc<str>,
    visit: Box<dyn AnyVisit>,
    edits_documents: bool,
}

impl Chain {
    pub(crate) fn new(plugins: Vec<Built>, tools: Tools) -> Self {
        Self {
            plugins: plugins.into(),
            tools: Arc::new(tools),
        }
    }

    /// Whether there is no plugin at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }

    /// A request begins. Allocates nothing if no plugin is responsible.
    #[must_use]
    pub fn begin(&self, request: &Request<'_>) -> Visits {
        let mut running = Vec::new();
        for built in self.plugins.iter() {
            if let Some(visit) = built.plugin.begin(request) {
                let edits_documents = built.edits_documents;
                running.push(Running {
                    instance: built.instance.clone(),
                    visit,
                    edits_documents,
                });
            }
        }
        let edits = running.iter().any(|one: &Running| one.edits_documents);
        let edited_elsewhere = !edits && self.plugins.iter().any(|built| built.edits_documents);
        let asked = if edits {
            Asked::document(request)
        } else {
            Asked::nothing()
        };
        let tools = (!running.is_empty()).then(|| self.tools.clone());
        Visits {
            running,
            asked,
            edited_elsewhere,
            tools,
        }
    }
}

impl Visits {
    /// Whether no plugin is responsible for the request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether some plugin may edit the answer's HTML: the upstream should then be asked only for content
    /// encodings that the gateway can undo.
    #[must_use]
    pub fn wants_document(&self) -> bool {
        self.asked.document
    }

    /// Before the request is forwarded. An answer replaces asking the upstream; plugins behind the one
    /// that answered are not asked, and [`Visits::on_response`] is for the gateway to run on it.
    ///
    /// # Errors
    /// The first error of a plugin, with its instance.
    pub async fn on_request(&mut self, head: &mut RequestHead) -> Result<Option<Answer>, PluginError> {
        for one in &mut self.running {
            match one.visit.on_request(head).await {
                Ok(Verdict::Continue) => {}
                Ok(Verdict::Answer(answer)) => return Ok(Some(answer)),
                Err(mut error) => {
                    error.instance = Some(one.instance.clone());
                    if let Some(tools) = &self.tools {
                        tools.counters.hook_error();
                    }
                    return Err(error);
                }
            }
        }
        if self.asked.document {
            let editors = self.running.iter().filter(|one| one.edits_documents).count();
            self.asked.version = validators::request(head, editors);
        }
        Ok(None)
    }

    /// The upstream's head has arrived. Returns within [`Tools::response_deadline`]; errors are logged and
    /// counted, never passed on.
    pub async fn on_response(&mut self, head: &mut ResponseHead) {
        let Some(tools) = &self.tools else { return };
        let deadline = Instant::now() + tools.response_deadline;
        for one in self.running.iter_mut().rev() {
            match timeout_at(deadline, one.visit.on_response(head)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tools.counters.hook_error();
                    tracing::warn!(plugin = %one.instance, %error, "a plugin failed on an answer");
                }
                Err(_) => {
                    tools.counters.deadline_missed();
                    tracing::debug!(plugin = %one.instance, "an answer goes on before a plugin was ready");
                }
            }
        }
    }

    /// Asks for edits if the answer is a document, and corrects its head for them: length, validators,
    /// caching, policies. `None`: the body goes on as it is. The gateway calls it for every answer, after
    /// [`Visits::on_response`] and after it has undone a content encoding (and removed that header).
    pub fn rewriter(&mut self, head: &mut ResponseHead) -> Option<Rewriter> {
        if self.edited_elsewhere && document::is_html(&head.headers) {
            // The same address is composed when it is navigated to: caches must keep the two apart.
            document::vary(&mut head.headers, "Sec-Fetch-Dest");
        }
        let tools = self.tools.clone()?;
        if let Some(version) = self.asked.version
            && head.status == StatusCode::NOT_MODIFIED
        {
            document::not_modified(head, version);
            return None;
        }
        let document = match Document::of(head, &self.asked) {
            Ok(document) => document,
            Err(NotEditable::NoDocument) => return None,
            Err(NotEditable::Unreadable) => {
                tools.counters.page_left_alone();
                return None;
            }
        };
        let page = document.page(head);
        let edits: Vec<_> = self
            .running
            .iter_mut()
            .filter(|one| one.edits_documents)
            .map(|one| one.visit.html_edits(&page))
            .filter(|edits| !edits.is_empty())
            .collect();
        if edits.is_empty() {
            return None;
        }
        document.rewriter(head, edits, &self.asked, tools)
    }

    /// The request is over.
    pub fn on_end(&mut self, end: &End) {
        for one in self.running.iter_mut().rev() {
            one.visit.on_end(end);
        }
    }
}
