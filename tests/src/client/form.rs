//! Forms on pages, read as far as a login needs.

use super::Answer;

/// A form, filled in.
pub(super) struct Form {
    /// Where it is sent.
    pub(super) action: String,
    /// Hidden fields as they are, and those that were filled in.
    pub(super) fields: Vec<(String, String)>,
}

impl Form {
    /// The first form on a page, with `filled` in place of what is there.
    pub(super) fn on(page: &Answer, filled: &[(&str, &str)]) -> Self {
        let text = page.text();
        let Some(start) = text.find("<form") else {
            panic!("no form on the page: {page:?}")
        };
        let end = text[start..]
            .find("</form>")
            .map_or(text.len(), |length| start + length);
        let form = &text[start..end];
        let action = attribute(tag(form), "action").unwrap_or_default();
        let action = page
            .url
            .join(&action)
            .expect("an action that is a URL")
            .to_string();
        let mut fields: Vec<(String, String)> = filled
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for input in form.match_indices("<input").map(|(at, _)| tag(&form[at..])) {
            let Some(name) = attribute(input, "name") else {
                continue;
            };
            if attribute(input, "type").as_deref() == Some("hidden")
                && !fields.iter().any(|(known, _)| *known == name)
            {
                fields.push((name, attribute(input, "value").unwrap_or_default()));
            }
        }
        Self { action, fields }
    }
}

/// The tag that the text begins with.
fn tag(text: &str) -> &str {
    &text[..text.find('>').unwrap_or(text.len())]
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[at..].split('"').next()?;
    let plain = value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x2F;", "/");
    Some(
        plain
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
