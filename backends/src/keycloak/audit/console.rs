//! Whether Keycloak's administration can be reached from where people are.
//!
//! Responsible for: asking at the public addresses, as anybody could. Not responsible for: firewalls in front of
//! Keycloak's own port, which only somebody outside could try.

use http::StatusCode;
use http::header::LOCATION;

use super::Audit;
use crate::keycloak::Settings;
use crate::keycloak::admin::root_cause;

/// What must not be there below a public address, and where it would be.
const DOORS: [(&str, &[&str]); 3] = [
    ("the admin console", &["admin/", "admin/master/console/"]),
    ("the admin API", &["admin/realms"]),
    (
        "the master realm",
        &["realms/master/.well-known/openid-configuration"],
    ),
];

pub(super) async fn check(http: &reqwest::Client, settings: &Settings, audit: &mut Audit) {
    for base in &settings.public_bases {
        let base = base.as_str().trim_end_matches('/');
        for (what, paths) in DOORS {
            for path in paths {
                let url = format!("{base}/{path}");
                match tried(http, &url).await {
                    Door::Closed => {}
                    Door::Open(status) => {
                        let detail = format!("{url} is open to everybody ({})", status.as_u16());
                        audit.finds("public_console", what, detail);
                        break;
                    }
                    Door::Unknown(why) => audit.notes.push(format!(
                        "whether {url} is closed could not be tried from here: {why}"
                    )),
                }
            }
        }
    }
}

/// What is behind an address.
enum Door {
    Closed,
    Open(StatusCode),
    Unknown(String),
}

/// Open is an answer of Keycloak's own: the thing itself, a redirect to it, or its question who is asking. A proxy that
/// keeps it closed says 404 or 403.
async fn tried(http: &reqwest::Client, url: &str) -> Door {
    let answer = match http.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => return Door::Unknown(root_cause(&error.without_url())),
    };
    let leads_in = || {
        let location = answer.headers().get(LOCATION);
        location
            .and_then(|value| value.to_str().ok())
            .is_some_and(|location| location.contains("/admin/"))
    };
    match answer.status() {
        status if status == StatusCode::UNAUTHORIZED || status.is_success() => Door::Open(status),
        status if status.is_redirection() && leads_in() => Door::Open(status),
        status if status.is_server_error() => Door::Unknown(format!("it answers {}", status.as_u16())),
        _ => Door::Closed,
    }
}
