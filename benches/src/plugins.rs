//! Plugins that do what plugins typically do, to be measured in company. Not shipped, not configurable.

use hivematrix_plugins::{
    Edits, Fragment, Invalid, Page, Plugin, PluginError, Reach, Request, RequestHead, ResponseHead, Selector,
    Tools, Verdict, Visit,
};
use http::HeaderValue;

/// None of these plugins has settings.
#[derive(serde::Deserialize)]
pub(crate) struct NoSettings {}

/// Marks the request on its way in.
pub(crate) struct Stamp;

impl Plugin for Stamp {
    const KIND: &'static str = "stamp";
    type Settings = NoSettings;
    type Visit = Stamp;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self)
    }

    fn begin(&self, _: &Request<'_>) -> Option<Stamp> {
        Some(Stamp)
    }
}

impl Visit for Stamp {
    async fn on_request(&mut self, head: &mut RequestHead) -> Result<Verdict, PluginError> {
        head.headers.insert("x-tenant", HeaderValue::from_static("hive"));
        Ok(Verdict::Continue)
    }
}

/// Sets a header of the answer.
pub(crate) struct Framing;

impl Plugin for Framing {
    const KIND: &'static str = "framing";
    type Settings = NoSettings;
    type Visit = Framing;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self)
    }

    fn begin(&self, _: &Request<'_>) -> Option<Framing> {
        Some(Framing)
    }
}

impl Visit for Framing {
    async fn on_response(&mut self, head: &mut ResponseHead) -> Result<(), PluginError> {
        head.headers
            .insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        Ok(())
    }
}

/// Is never responsible.
pub(crate) struct Elsewhere;

impl Plugin for Elsewhere {
    const KIND: &'static str = "elsewhere";
    type Settings = NoSettings;
    type Visit = Stamp;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self)
    }

    fn begin(&self, request: &Request<'_>) -> Option<Stamp> {
        request.path.starts_with("/elsewhere/").then_some(Stamp)
    }
}

/// Puts a line of metadata into the head and a banner above the page.
#[derive(Clone)]
pub(crate) struct Banner {
    head: Fragment,
    body: Fragment,
}

impl Plugin for Banner {
    const KIND: &'static str = "banner";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = NoSettings;
    type Visit = Banner;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self {
            head: Fragment::trusted("<meta name=\"robots\" content=\"noindex\">"),
            body: Fragment::trusted(
                "<p class=\"alert alert--warning\" role=\"status\">Maintenance on Sunday.</p>",
            ),
        })
    }

    fn begin(&self, request: &Request<'_>) -> Option<Banner> {
        request.intent.is_navigation().then(|| self.clone())
    }
}

impl Visit for Banner {
    fn html_edits(&mut self, _: &Page<'_>) -> Edits {
        let mut edits = Edits::none();
        edits.head_end(self.head.clone());
        edits.body_start(self.body.clone());
        edits.version(1);
        edits
    }
}

/// Edits elements: the one `<title>`, which needs the parser in the head only.
#[derive(Clone)]
pub(crate) struct Title(Selector);

impl Plugin for Title {
    const KIND: &'static str = "title";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = NoSettings;
    type Visit = Title;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self("title".parse()?))
    }

    fn begin(&self, request: &Request<'_>) -> Option<Title> {
        request.intent.is_navigation().then(|| self.clone())
    }
}

impl Visit for Title {
    fn html_edits(&mut self, _: &Page<'_>) -> Edits {
        let mut edits = Edits::none();
        edits.on_element(&self.0, Reach::Head, |title| {
            Ok(title.set_attribute("data-site", "hive")?)
        });
        edits
    }
}

/// Edits elements: every link, which needs the parser down to the end.
#[derive(Clone)]
pub(crate) struct Links(Selector);

impl Plugin for Links {
    const KIND: &'static str = "links";
    const EDITS_DOCUMENTS: bool = true;
    type Settings = NoSettings;
    type Visit = Links;

    fn new(_: NoSettings, _: &Tools) -> Result<Self, Invalid> {
        Ok(Self("a[href]".parse()?))
    }

    fn begin(&self, request: &Request<'_>) -> Option<Links> {
        request.intent.is_navigation().then(|| self.clone())
    }
}

impl Visit for Links {
    fn html_edits(&mut self, _: &Page<'_>) -> Edits {
        let mut edits = Edits::none();
        edits.on_element(&self.0, Reach::Document, |link| {
            Ok(link.set_attribute("rel", "noopener")?)
        });
        edits
    }
}
