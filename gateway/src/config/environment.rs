//! Environment variables that override the file: the original platform's names (platform README §7) and three of
//! our own, in the process's environment or in a `.flaskenv`. Each is read as if it stood in the file; a problem names
//! the variable, never its value.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;

use hivematrix_platform::Dotenv;
use secrecy::SecretString;

use super::file::{File, Secret};
use super::problem::{Place, Problem, Source};
use super::read::{Leaf, Written};
use super::redis::RedisUrl;
use super::server::{DEFAULT_LISTEN, Origin};
use super::value::{HttpUrl, RulePath, StoreKind};

/// Every variable that overrides the file, with the key that it overrides.
pub const OVERRIDES: [(&str, &str); 13] = [
    ("CORE_SERVICE_URL", "core.url"),
    (
        "KEYCLOAK_SERVER_URL",
        "provider.public_path or provider.identity_origin",
    ),
    ("KEYCLOAK_BACKEND_URL", "provider.backend_url"),
    ("KEYCLOAK_REALM", "provider.realm"),
    ("KEYCLOAK_CLIENT_ID", "provider.client_id"),
    ("KEYCLOAK_CLIENT_SECRET", "provider.client_secret"),
    ("NEXUS_HOST", "the address in server.listen"),
    ("NEXUS_PORT", "the port in server.listen"),
    ("NEXUS_SERVICE_URL", "server.public_origins"),
    ("LOG_LEVEL", "log.level"),
    ("HIVEMATRIX_REDIS_URL", "sessions.store and sessions.redis_url"),
    ("HIVEMATRIX_SEALING_KEYS", "sessions.sealing_keys"),
    ("HIVEMATRIX_CORE_SECRET", "core.secret"),
];

/// Names of a `.flaskenv` that mean something to the original, and nothing here.
const ORIGINALS_OWN: [&str; 8] = [
    "DEBUG",
    "FLASK_APP",
    "FLASK_DEBUG",
    "FLASK_ENV",
    "HELM_SERVICE_URL",
    "HELM_URL",
    "SECRET_KEY",
    "SERVICE_NAME",
];

/// Words in the names of variables whose values are never shown.
const TELLING: [&str; 6] = ["SECRET", "PASSWORD", "TOKEN", "REDIS", "_KEY", "DATABASE"];

/// The variables that a configuration is read with. An empty variable counts as unset.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
    lacks_secrets: bool,
    port: Option<u16>,
}

#[derive(Clone)]
struct Variable {
    value: String,
    /// Where it stands, unless it is the process's.
    place: Option<Place>,
}

impl Environment {
    /// No variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_iter(std::env::vars_os().map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        }))
    }

    /// Takes a missing secret for a warning and puts a placeholder in its place: for checking a file on a
    /// machine that does not hold the secrets. Never serve with such a configuration.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.lacks_secrets = true;
        self
    }

    /// Listens on this port, whatever else is said, and lets browsers find the gateway there: beside another gateway
    /// that has the usual one.
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// A variable's value, unless it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variable(name).map(|variable| variable.value.as_str())
    }

    fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables
            .get(name)
            .filter(|variable| !variable.value.is_empty())
    }

    /// With what a `.flaskenv` says of variables that the process does not have, as Flask reads it.
    pub(super) fn with_flaskenv(&self, name: String, text: String, problems: &mut Vec<Problem>) -> Self {
        let read = Dotenv::parse(&text);
        let values = read.resolve(|name| self.get(name).map(str::to_owned));
        let secret = |name: &str| {
            TELLING
                .iter()
                .any(|word| name.to_ascii_uppercase().contains(word))
        };
        let hidden = values
            .iter()
            .filter(|(name, ..)| secret(name))
            .map(|(_, _, span)| span.clone());
        let source = Arc::new(Source {
            hidden: hidden
                .chain(read.broken.iter().map(|span| after_name(&text, span)))
                .collect(),
            name,
            text,
        });
        for span in read.broken {
            let message = "this line is no NAME=value; it is skipped";
            let problem = Problem::new(Place::Elsewhere(source.clone(), span), message).warning();
            problems.push(problem.help("is a quote missing? python-dotenv skips such lines as well"));
        }
        let mut extended = self.clone();
        for (name, value, span) in values {
            let place = Place::Elsewhere(source.clone(), span);
            if let Some(meant) = misspelt(&name) {
                let problem = Problem::new(
                    place.clone(),
                    format!("`{}` means nothing here", name.escape_debug()),
                );
                problems.push(problem.help(format!("did you mean `{meant}`?")).warning());
            }
            if self.get(&name).is_none() {
                let place = Some(place);
                extended.variables.insert(name, Variable { value, place });
            }
        }
        extended
    }

    pub(super) fn lacks_secrets(&self) -> bool {
        self.lacks_secrets
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variable = |value: V| Variable {
            value: value.into(),
            place: None,
        };
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), variable(value)))
            .collect();
        Self {
            variables,
            ..Self::default()
        }
    }
}

/// What of a broken line may be a secret: all behind its `=`.
fn after_name(text: &str, line: &Range<usize>) -> Range<usize> {
    let equals = text.get(line.clone()).and_then(|line| line.find('='));
    line.start + equals.map_or(0, |at| at + 1)..line.end
}

/// The variable that somebody who wrote `name` probably meant.
fn misspelt(name: &str) -> Option<&'static str> {
    let mut known = OVERRIDES.iter().map(|(variable, _)| *variable);
    if ORIGINALS_OWN.contains(&name) || known.clone().any(|variable| variable == name) {
        return None;
    }
    known.find(|variable| strsim::damerau_levenshtein(name, variable) <= 2)
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Puts the variables into what the file says.
pub(super) fn apply(environment: &Environment, file: &mut File, problems: &mut Vec<Problem>) {
    let mut reader = Reader {
        environment,
        problems,
    };
    let provider = file.provider.get_or_insert_default();
    reader.set("KEYCLOAK_BACKEND_URL", &mut provider.backend_url);
    reader.set("KEYCLOAK_REALM", &mut provider.realm);
    reader.set("KEYCLOAK_CLIENT_ID", &mut provider.client_id);
    reader.set_secret("KEYCLOAK_CLIENT_SECRET", &mut provider.client_secret);
    let core = &mut file.core.get_or_insert_default().0;
    reader.set("CORE_SERVICE_URL", &mut core.url);
    reader.set_secret("HIVEMATRIX_CORE_SECRET", &mut core.secret);
    let sessions = file.sessions.get_or_insert_default();
    reader.set_secret("HIVEMATRIX_SEALING_KEYS", &mut sessions.sealing_keys);
    let mut redis = None;
    reader.set_secret("HIVEMATRIX_REDIS_URL", &mut redis);
    if let Some(Written { value, place }) = redis {
        sessions.store = Some(Written {
            value: StoreKind::Redis,
            place: place.clone(),
        });
        sessions.redis_url = Some(Written {
            value: RedisUrl::Secret(value),
            place,
        });
    }
    reader.set("LOG_LEVEL", &mut file.log.get_or_insert_default().level);
    let server = file.server.get_or_insert_default();
    if let Some(origin) = reader.get::<Origin>("NEXUS_SERVICE_URL") {
        server.public_origins = Some(vec![origin]);
    }
    reader.listen(file);
    if let Some(port) = environment.port {
        move_to(port, file);
    }
    reader.provider_address(file);
}

/// Listens on `port`, and is found there under the same names.
fn move_to(port: u16, file: &mut File) {
    let server = file.server.get_or_insert_default();
    let listen = server.listen.get_or_insert(Written {
        value: DEFAULT_LISTEN,
        place: Place::Document,
    });
    listen.value.set_port(port);
    for origin in server.public_origins.iter_mut().flatten() {
        origin.value.port = port;
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn get<T: Leaf>(&mut self, name: &'static str) -> Option<Written<T>> {
        let Variable { value, place } = self.environment.variable(name)?;
        let place = place.clone().unwrap_or(Place::Variable(name));
        match T::from_text(value) {
            Ok(value) => Some(Written { value, place }),
            Err(message) => {
                let message = if message.is_empty() {
                    format!("expected {}", T::EXPECTED)
                } else {
                    message
                };
                self.problems.push(Problem::new(place, message));
                None
            }
        }
    }

    fn set<T: Leaf>(&mut self, name: &'static str, slot: &mut Option<Written<T>>) {
        if let Some(written) = self.get(name) {
            *slot = Some(written);
        }
    }

    fn set_secret(&mut self, name: &'static str, slot: &mut Option<Written<Secret>>) {
        if let Some(Variable { value, place }) = self.environment.variable(name) {
            *slot = Some(Written {
                value: Secret::Given(SecretString::from(value.as_str())),
                place: place.clone().unwrap_or(Place::Variable(name)),
            });
        }
    }

    /// `NEXUS_HOST` and `NEXUS_PORT` each replace their part of the address.
    fn listen(&mut self, file: &mut File) {
        let server = file.server.get_or_insert_default();
        let mut address = server
            .listen
            .as_ref()
            .map_or(DEFAULT_LISTEN, |listen| listen.value);
        let host = self.get::<HostAddress>("NEXUS_HOST");
        let port = self.get::<Port>("NEXUS_PORT");
        if let Some(host) = &host {
            address.set_ip(host.value.0);
        }
        if let Some(port) = &port {
            address.set_port(port.value.0);
        }
        if let Some(place) = host.map(|host| host.place).or(port.map(|port| port.place)) {
            server.listen = Some(Written {
                value: address,
                place,
            });
        }
    }

    /// `KEYCLOAK_SERVER_URL` is where browsers find the provider: a path of ours, or an origin of its own.
    fn provider_address(&mut self, file: &mut File) {
        let Some(url) = self.get::<HttpUrl>("KEYCLOAK_SERVER_URL") else {
            return;
        };
        let provider = file.provider.get_or_insert_default();
        let place = url.place;
        let url = url.value.0;
        let backend = provider
            .backend_url
            .as_ref()
            .map_or("http://localhost:8080/", |url| url.value.0.as_str());
        if url.as_str().trim_end_matches('/') == backend.trim_end_matches('/') {
            let message =
                "ignored: this is the back channel's address, and browsers reach the provider through us";
            self.problems.push(Problem::new(place, message).warning());
            return;
        }
        let path = match RulePath::from_text(url.path()) {
            Ok(path) => path,
            Err(message) => return self.problems.push(Problem::new(place, message)),
        };
        let mut bare = url;
        bare.set_path("");
        let Ok(origin) = Origin::parse(bare.as_str()) else {
            return self
                .problems
                .push(Problem::new(place, format!("expected {}", HttpUrl::EXPECTED)));
        };
        let origins = file
            .server
            .as_ref()
            .and_then(|server| server.public_origins.as_ref());
        let ours = origins.is_some_and(|origins| origins.iter().any(|ours| ours.value == origin));
        provider.public_path = Some(Written {
            value: path,
            place: place.clone(),
        });
        provider.identity_origin = (!ours).then_some(Written { value: origin, place });
    }
}

/// An address, or `localhost`.
struct HostAddress(IpAddr);

impl Leaf for HostAddress {
    const EXPECTED: &'static str = "an IP address, or localhost";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim() {
            "localhost" => Ok(Self(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            text => text.parse().map(Self).map_err(|_| String::new()),
        }
    }
}

/// A port above 0.
struct Port(u16);

impl Leaf for Port {
    const EXPECTED: &'static str = "a port between 1 and 65535";

    fn from_text(text: &str) -> Result<Self, String> {
        text.trim()
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .map(Self)
            .ok_or_else(String::new)
    }
}
