//! The registry of services, `services.json`, in its three forms (platform README §7). What the gateway adds to an entry (upstream
//! settings, public paths, plugins) is its own configuration.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
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
    /// Where in the file (line and column, from 1), if the JSON itself is broken.
    pub at: Option<(usize, usize)>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.service, self.at) {
            (Some(service), _) => write!(f, "service {service:?}: {}", self.message),
            (None, Some((line, column))) => write!(f, "line {line}, column {column}: {}", self.message),
            (None, None) => f.write_str(&self.message),
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
        let Members(members) = serde_json::from_str(json).map_err(|error| {
            let at = (error.line() > 0).then(|| (error.line(), error.column()));
            let message = format!("not a registry ({error}); expected {{\"<service>\": {{\"url\": \"http://localhost:5010\"}}, …}}");
            RegistryError { problems: vec![RegistryProblem { service: None, at, message }] }
        })?;
        let mut services: Vec<RegistryEntry> = Vec::with_capacity(members.len());
        let mut problems = Vec::new();
        for (name, value) in members {
            let mut complain = |message: String| {
                problems.push(RegistryProblem {
                    service: Some(name.clone()),
                    at: None,
                    message,
                })
            };
            let entry = entry(&name, &value, &mut complain);
            if services.iter().any(|known| known.name == *name) {
                complain("stands in the registry twice".to_owned());
            }
            services.extend(entry);
        }
        if problems.is_empty() {
            Ok(Self { services })
        } else {
            Err(RegistryError { problems })
        }
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RegistryEntry> {
        self.services.iter().find(|entry| entry.name == *name)
    }
}

/// Reads one entry; complains about everything that is wrong with it.
fn entry(name: &str, value: &Value, complain: &mut impl FnMut(String)) -> Option<RegistryEntry> {
    let parsed_name = ServiceName::parse(name)
        .map_err(|error| complain(error.to_string()))
        .ok();
    let Some(fields) = value.as_object() else {
        complain(format!(
            "is {}, not an object like {{\"url\": \"http://localhost:5010\"}}",
            kind(value)
        ));
        return None;
    };
    let mut flag = |field: &str, default: bool| match fields.get(field) {
        None | Some(Value::Null) => default,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            complain(format!("`{field}` is {}, not true or false", kind(other)));
            default
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
    let url = match (fields.get("url"), fields.get("port")) {
        (Some(Value::String(text)), _) => url(text),
        (None | Some(Value::Null), Some(port)) => {
            match port.as_u64().filter(|port| (1..=65535).contains(port)) {
                Some(port) => url(&format!("http://localhost:{port}")),
                None => Err("`port` is not a number from 1 to 65535".to_owned()),
            }
        }
        (Some(other), _) if !other.is_null() => Err(format!("`url` is {}, not text", kind(other))),
        _ => Err("has no `url`".to_owned()),
    };
    let url = url.map_err(complain).ok();
    Some(RegistryEntry {
        name: parsed_name?,
        url: url?,
        visible,
        access,
    })
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

/// The members of an object in the order of the file, duplicates included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of services")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
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
