//! Who cannot do what, and why: it is left out there, and the report says so.

use crate::scenario::Scenario;
use crate::subject::Subject;

/// Why a subject takes no part in a scenario; none if it does.
pub(crate) const fn unable(subject: Subject, scenario: Scenario) -> Option<&'static str> {
    match scenario {
        Scenario::Json | Scenario::Unedited | Scenario::Upload | Scenario::Idle | Scenario::WebSocket => None,
        Scenario::Page | Scenario::Compressed => editing(subject, scenario),
        Scenario::Sessions => sessions(subject),
        Scenario::Login => login(subject),
        Scenario::Tls => tls(subject),
        Scenario::Revocation => match subject {
            Subject::Gateway => None,
            Subject::Forwarder
            | Subject::Nginx
            | Subject::Haproxy
            | Subject::Envoy
            | Subject::Apache
            | Subject::Caddy
            | Subject::Traefik
            | Subject::Pingap => Some("a token counts there until it expires: nothing can be revoked"),
        },
    }
}

const fn editing(subject: Subject, scenario: Scenario) -> Option<&'static str> {
    match (subject, scenario) {
        (Subject::Haproxy, _) => Some("it does not edit bodies"),
        (Subject::Caddy | Subject::Traefik, _) => Some("it edits pages with plugins of others only"),
        (Subject::Forwarder, _) => Some("it only forwards"),
        (Subject::Pingap, Scenario::Compressed) => {
            Some("its compression and its editing do not go together here")
        }
        _ => None,
    }
}

const fn sessions(subject: Subject) -> Option<&'static str> {
    match subject {
        Subject::Caddy | Subject::Traefik | Subject::Forwarder => {
            Some("it does not look who asks: this would be `json` again")
        }
        Subject::Pingap => Some("its tokens are of another kind"),
        Subject::Gateway | Subject::Nginx | Subject::Haproxy | Subject::Envoy | Subject::Apache => None,
    }
}

const fn tls(subject: Subject) -> Option<&'static str> {
    match subject {
        Subject::Forwarder => Some("it forwards without TLS"),
        Subject::Apache | Subject::Pingap => Some("it is not set up for TLS here"),
        Subject::Gateway
        | Subject::Nginx
        | Subject::Haproxy
        | Subject::Envoy
        | Subject::Caddy
        | Subject::Traefik => None,
    }
}

const fn login(subject: Subject) -> Option<&'static str> {
    match subject {
        Subject::Gateway => None,
        Subject::Apache => {
            Some("its module can sign people in, but keeps what it knows of them in a way of its own")
        }
        Subject::Forwarder
        | Subject::Nginx
        | Subject::Haproxy
        | Subject::Envoy
        | Subject::Caddy
        | Subject::Traefik
        | Subject::Pingap => Some("it does not sign people in"),
    }
}
