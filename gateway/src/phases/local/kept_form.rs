//! `/sessions/form`: the forms that were kept over the caller's login. It says what would be sent where; a button
//! sends it (to the service itself, see the phase `resend`), another throws it away.

use hivematrix_plugins::design;
use http::StatusCode;
use maud::{Markup, html};
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::KeptForm;
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::caller;
use crate::reply::Reply;

/// Fields that are listed, and characters of each that are shown.
const FIELDS: usize = 20;
const CHARACTERS: usize = 120;

/// Shows them.
pub(super) async fn show(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let identity = caller(gateway, head, context).await??;
    let forms = gateway.kept_forms.of(identity.caller.sub()).await;
    let forms = forms.map_err(|error| Refusal::IdentityDown(error.into()))?;
    let origin = context.snapshot.origin(context.origin).map(ToString::to_string);
    let here = |form: &&KeptForm| origin.as_deref() == Some(&*form.origin);
    let forms: Vec<&KeptForm> = forms.iter().filter(here).collect();
    let page = design::standalone_page(
        if forms.is_empty() {
            "Nothing is kept"
        } else {
            "Send it now?"
        },
        html! {
            @if forms.is_empty() {
                p { "No form of yours is waiting to be sent." }
                a.btn.btn--primary href="/" { span.btn__label { "Go to your home page" } }
            } @else {
                p { "Your session had ended when you sent this. It has been kept, and nothing has been done with it yet." }
                @for form in forms { (offer(form)) }
            }
        },
    );
    // The service may lead the browser on to wherever it wants, as it may from its own form.
    Ok(Reply::page(StatusCode::OK, page).forms_may_lead_to("*"))
}

/// Throws one away (`?discard=<id>`).
pub(super) async fn discard(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    if let Some(origin) = context.snapshot.clone().origin(context.origin) {
        refuse_cross_site(&head.method, &head.headers, origin)?;
    }
    let identity = caller(gateway, head, context).await??;
    let query = head.uri.query().unwrap_or_default();
    let id = query.strip_prefix("discard=").unwrap_or_default();
    let taken = gateway.kept_forms.take(identity.caller.sub(), id).await;
    taken.map_err(|error| Refusal::IdentityDown(error.into()))?;
    Ok(Reply::redirect(StatusCode::SEE_OTHER, "/sessions/form"))
}

fn offer(form: &KeptForm) -> Markup {
    let fields = fields(form);
    html! {
        section.card {
            p { "To " code { (form.origin) (form.target) } ", " (form.body.len()) " bytes:" }
            dl {
                @for (name, value) in fields.iter().take(FIELDS) {
                    dt { (name) }
                    dd { (value) }
                }
            }
            @if fields.len() > FIELDS { p.u-text-muted { "and " (fields.len() - FIELDS) " more" } }
            div.form__actions {
                form method="post" action=(form.target) {
                    input type="hidden" name=(KeptForm::FIELD) value=(form.id());
                    button.btn.btn--primary type="submit" { span.btn__label { "Send it" } }
                }
                form method="post" action={ "/sessions/form?discard=" (form.id()) } {
                    button.btn type="submit" { span.btn__label { "Throw it away" } }
                }
            }
        }
    }
}

/// Names and values as a person knows them again. What sounds like a secret is not shown.
fn fields(form: &KeptForm) -> Vec<(String, String)> {
    let all: Vec<(String, String)> = match boundary(&form.content_type) {
        Some(boundary) => parts(&form.body, &boundary),
        None => form_urlencoded::parse(&form.body).into_owned().collect(),
    };
    let shown = |(name, value): (String, String)| {
        let lower = name.to_ascii_lowercase();
        let secret = ["pass", "secret", "token", "csrf", "pin"]
            .iter()
            .any(|word| lower.contains(word));
        let value = match value.chars().count() {
            _ if secret => "(not shown)".to_owned(),
            0 => "(empty)".to_owned(),
            count if count > CHARACTERS => value.chars().take(CHARACTERS).chain(['\u{2026}']).collect(),
            _ => value,
        };
        (name.chars().take(CHARACTERS).collect(), value)
    };
    all.into_iter().map(shown).collect()
}

fn boundary(content_type: &str) -> Option<String> {
    let kind: mime::Mime = content_type.parse().ok()?;
    (kind.essence_str() == "multipart/form-data")
        .then(|| {
            kind.get_param(mime::BOUNDARY)
                .map(|boundary| boundary.to_string())
        })
        .flatten()
}

/// The parts of a multipart body (RFC 7578), read for showing only: what is odd is left out.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let part = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let parameter = |name: &str| {
            let rest = head.split_once(&format!("; {name}=\""))?.1;
            rest.split('"').next().map(str::to_owned)
        };
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        let value = match parameter("filename") {
            Some(file) => format!("the file {file}, {} bytes", value.len()),
            None => value.to_owned(),
        };
        Some((parameter("name")?, value))
    };
    text.split(&format!("--{boundary}")).filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(content_type: &str, body: &str) -> KeptForm {
        KeptForm::new(
            "o".into(),
            "/x".into(),
            content_type.into(),
            body.to_owned().into(),
        )
    }

    #[test]
    fn a_person_sees_names_and_values_and_no_secrets() {
        let form = kept(
            "application/x-www-form-urlencoded",
            "name=Zo%C3%AB+%3Cb%3E&password=hunter2&empty=",
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            fields(&form),
            [
                pair("name", "Zo\u{eb} <b>"),
                pair("password", "(not shown)"),
                pair("empty", "(empty)")
            ]
        );
        let page = offer(&form).into_string();
        assert!(page.contains("&lt;b&gt;") && !page.contains("hunter2"));
    }

    #[test]
    fn a_multipart_form_is_shown_with_its_files() {
        let form = kept(
            "multipart/form-data; boundary=----x",
            "------x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n------x\r\nContent-Disposition: \
             form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nabc\r\n------x--\r\n",
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            fields(&form),
            [pair("note", "hello"), pair("file", "the file a.txt, 3 bytes")]
        );
    }
}
