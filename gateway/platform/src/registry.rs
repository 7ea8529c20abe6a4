//! The registry of services, `services.json`, in its three forms (platform README §7). What the gateway adds to an entry (upstream
//! settings, public paths, plugins) is its own configuration.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::access::Access;
use crate::service_name::ServiceName;

/// Parts of the platform that stand in the registry and are no services for users: never mounted, never in the menu.
const INFRASTRUCTURE: [&str; 3] = ["core", "nexus", "keycloak"];

/// The services, in the order of the file: that of the menu.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Every entry, infrastructure included.
    pub services: Vec<RegistryEntry>,
}

/// One service of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryEntry {
    /// Its name, the first segment of its paths.
    pub name: ServiceName,
    /// Where it answers: `http` or `https`, a host, perhaps a port.
    pub url: Url,
    /// Whether it has an entry in the menu; says nothing about who may enter. Default true.
    pub visible: bool,
    /// Who may enter.
    pub access: Access,
    /// Its folder, relative to that of the file; only the older full form has it. For who looks after the program behind the
    /// address.
    pub path: Option<String>,
}

impl RegistryEntry {
    /// Core, the gateway itself or the identity provider: kept in the list, never mounted.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        INFRASTRUCTURE.contains(&self.name.as_str())
    }
}

/// One thing that is wrong with a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryProblem {
    /// The entry, `None` if the file as a whole is wrong.
    pub service: Option<String>,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// Line and column of their beginning, in characters from 1.
    pub at: (usize, usize),
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.at;
        write!(f, "line {line}, column {column}: ")?;
        match &self.service {
            Some(service) => write!(f, "service {service:?}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that is wrong with a registry; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// The problems, in the order of the file.
    pub problems: Vec<RegistryProblem>,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for RegistryError {}

impl Registry {
    /// Reads `services.json` (current or older full form) or `master_services.json`.
    ///
    /// # Errors
    /// With every problem of the file, if there is one.
    pub fn parse(json: &str) -> Result<Self, RegistryError> {
        let Members(members) = serde_json::from_str(json).map_err(|error| broken(json, &error))?;
        let mut services: Vec<RegistryEntry> = Vec::with_capacity(members.len());
        let mut problems = Vec::new();
        for (name, value) in members {
            let mut complain = |part: &RawValue, message: String| {
                let span = span(json, part);
                problems.push(RegistryProblem {
                    service: Some(name.clone()),
                    at: line_and_column(json, span.start),
                    span,
                    message,
                });
            };
            let entry = entry(&name, value, &mut complain);
            if services.iter().any(|known| known.name == *name) {
                complain(value, "stands in the registry twice".to_owned());
            }
            services.extend(entry);
        }
        if problems.is_empty() {
            Ok(Self { services })
        } else {
            problems.sort_by_key(|problem| problem.span.start);
            Err(RegistryError { problems })
        }
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RegistryEntry> {
        self.services.iter().find(|entry| entry.name == *name)
    }
}

/// The text is no JSON, or no object of services.
fn broken(json: &str, error: &serde_json::Error) -> RegistryError {
    let line_start = json
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    // serde counts bytes.
    let start = (line_start + error.column().saturating_sub(1)).min(json.len());
    let start = json.floor_char_boundary(start);
    let words = error.to_string();
    let cause = words.split(" at line ").next().unwrap_or_default();
    let message = format!(
        "not a registry ({cause}); expected {{\"<service>\": {{\"url\": \"http://localhost:5010\"}}, …}}"
    );
    let problem = RegistryProblem {
        service: None,
        at: line_and_column(json, start),
        span: start..json.ceil_char_boundary((start + 1).min(json.len())),
        message,
    };
    RegistryError {
        problems: vec![problem],
    }
}

/// Where a part of a text stands in it.
fn span(json: &str, part: &RawValue) -> Range<usize> {
    let part = part.get();
    let start = (part.as_ptr() as usize).saturating_sub(json.as_ptr() as usize);
    start..start + part.len()
}

/// From 1, in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Reads one entry; complains about everything that is wrong with it.
fn entry(name: &str, raw: &RawValue, complain: &mut impl FnMut(&RawValue, String)) -> Option<RegistryEntry> {
    let parsed_name = ServiceName::parse(name)
        .map_err(|error| complain(raw, error.to_string()))
        .ok();
    let fields = match serde_json::from_str::<Members<'_>>(raw.get()) {
        Ok(Members(fields)) => fields,
        Err(_) => {
            let found = kind(&value_of(raw));
            complain(
                raw,
                format!("is {found}, not an object like {{\"url\": \"http://localhost:5010\"}}"),
            );
            return None;
        }
    };
    // Of a name that is there twice JSON readers take the last.
    let field = |name: &str| {
        fields
            .iter()
            .rev()
            .find(|(field, _)| field == name)
            .map(|(_, raw)| *raw)
    };
    let mut flag = |name: &str, default: bool| {
        let Some(raw) = field(name) else { return default };
        match value_of(raw) {
            Value::Null => default,
            Value::Bool(flag) => flag,
            other => {
                complain(raw, format!("`{name}` is {}, not true or false", kind(&other)));
                default
            }
        }
    };
    let visible = flag("visible", true);
    let admin_only = flag("admin_only", false);
    let billing_or_admin_only = flag("billing_or_admin_only", false);
    let access = if admin_only {
        Access::admin_only()
    } else if billing_or_admin_only {
        Access::billing_or_admin_only()
    } else {
        Access::AnyUser
    };
    let url = address(field("url"), field("port"), raw)
        .map_err(|(part, message)| complain(part, message))
        .ok();
    Some(RegistryEntry {
        name: parsed_name?,
        url: url?,
        visible,
        access,
        path: field("path").and_then(|raw| value_of(raw).as_str().map(str::to_owned)),
    })
}

/// Where a service is: its `url`, or its `port` on this machine. An error names the part that is wrong.
fn address<'a>(
    written: Option<&'a RawValue>,
    port: Option<&'a RawValue>,
    entry: &'a RawValue,
) -> Result<Url, (&'a RawValue, String)> {
    let given = |raw: &&RawValue| value_of(raw) != Value::Null;
    match (written.filter(given), port) {
        (Some(raw), _) => match value_of(raw) {
            Value::String(text) => url(&text).map_err(|message| (raw, message)),
            other => Err((raw, format!("`url` is {}, not text", kind(&other)))),
        },
        (None, Some(raw)) => match value_of(raw).as_u64().filter(|port| (1..=65535).contains(port)) {
            Some(port) => url(&format!("http://localhost:{port}")).map_err(|message| (raw, message)),
            None => Err((raw, "`port` is not a number from 1 to 65535".to_owned())),
        },
        (None, None) => Err((entry, "has no `url`".to_owned())),
    }
}

/// What was read as JSON before.
fn value_of(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// A base address of a service.
fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`url` {text:?}: {error}"))?;
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "must begin with http:// or https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "must not carry a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "must not carry a query or fragment"
    } else {
        return Ok(url);
    };
    Err(format!("`url` {fault}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The members of an object in the order of the file, duplicates included, each as it is written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of services")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests;
