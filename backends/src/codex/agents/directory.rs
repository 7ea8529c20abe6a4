//! The identity provider's users and groups, by Keycloak's Admin REST API.
//!
//! Responsible for: signing in there as a service account or an administrator, reading all users page by page, and the
//! members of the groups that make permission levels (platform README §2). Not responsible for: what becomes of them
//! (`sync`). The development identity provider answers the same questions.

use std::collections::{HashMap, HashSet};

use hivematrix_platform::PermissionLevel;
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::codex::outside::{OutsideError, fetch};

/// Users in one answer; Keycloak's own default.
const PER_PAGE: usize = 100;

/// Most users that are read.
const MOST: usize = 100_000;

/// Groups that make a level. Membership in any other means nothing.
const GROUPS: [&str; 3] = ["admins", "technicians", "billing"];

/// Where users come from.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// The provider's address on this side of the gateway: `http://localhost:8080`.
    pub base: Url,
    /// The realm.
    pub realm: String,
    /// As whom to ask.
    pub credential: DirectoryCredential,
    /// For asking. Must not follow redirects and must ignore proxies of the environment
    /// (`hivematrix_platform::http_client::internal`).
    pub http: reqwest::Client,
}

/// As whom Codex asks for users.
#[derive(Debug, Clone)]
pub enum DirectoryCredential {
    /// A confidential client of the realm with a service account that has the roles `view-users` and `query-groups` of
    /// `realm-management`. Recommended: it can do nothing else.
    ServiceAccount {
        /// `client_id`.
        id: String,
        /// `client_secret`.
        secret: SecretString,
    },
    /// An administrator of the realm `master`, as the original is configured (`admin_username`, `admin_password`).
    Administrator {
        /// The user name.
        username: String,
        /// The password.
        password: SecretString,
    },
}

/// Why users could not be read; a sentence for an administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// The credential was refused.
    #[error(
        "The identity provider refuses Codex's credential. Check the client (or user) and its secret, and that it may \
         use {0}."
    )]
    Credential(&'static str),
    /// Signed in, but not allowed to read.
    #[error(
        "The identity provider does not let Codex read users. Give its service account the roles view-users and \
         query-groups of the client realm-management."
    )]
    Forbidden,
    /// There is no such realm, or no Admin API.
    #[error("The identity provider has no Admin API for the realm {0}. Check the address and the realm.")]
    NotThere(String),
    /// Anything else.
    #[error("The identity provider cannot be asked: {0}. Nothing was changed; try again later.")]
    Outside(#[from] OutsideError),
    /// More users than can be.
    #[error("The identity provider has more than {MOST} users, which is more than Codex reads.")]
    TooMany,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The provider's id: `sub` of tokens.
    pub(crate) subject: String,
    /// What they type to sign in.
    pub(crate) username: String,
    /// The full name; the user name where there is none.
    pub(crate) name: String,
    /// The e-mail address, as written there.
    pub(crate) email: Option<String>,
    /// Whether they may sign in.
    pub(crate) enabled: bool,
    /// By their groups.
    pub(crate) level: PermissionLevel,
}

#[derive(Debug, Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    #[serde(default)]
    username: String,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
struct Group {
    id: String,
    name: String,
}

/// Everybody whom the provider knows.
pub(crate) async fn people(settings: &DirectorySettings) -> Result<Vec<Person>, DirectoryError> {
    let mut session = Session::begin(settings).await?;
    let users: Vec<User> = session.all("users").await?;
    let groups: Vec<Group> = session.all("groups").await?;
    let mut members: HashMap<String, Vec<&str>> = HashMap::new();
    for group in GROUPS {
        for found in groups.iter().filter(|found| found.name == group) {
            let users: Vec<User> = session.all(&format!("groups/{}/members", found.id)).await?;
            for user in users {
                members.entry(user.id).or_default().push(group);
            }
        }
    }
    let mut seen = HashSet::new();
    Ok(users
        .into_iter()
        // Somebody may have been added while we were turning pages.
        .filter(|user| seen.insert(user.id.clone()))
        .map(|user| {
            let level = PermissionLevel::from_groups(members.get(&user.id).map_or(&[][..], Vec::as_slice));
            person(user, level)
        })
        .collect())
}

fn person(user: User, level: PermissionLevel) -> Person {
    let names = [user.first_name, user.last_name];
    let name = names
        .iter()
        .flatten()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Person {
        subject: user.id,
        name: if name.is_empty() {
            user.username.clone()
        } else {
            name
        },
        username: user.username,
        email: user.email,
        enabled: user.enabled,
        level,
    }
}

/// A visit to the Admin API.
struct Session<'a> {
    settings: &'a DirectorySettings,
    token: String,
}

impl<'a> Session<'a> {
    async fn begin(settings: &'a DirectorySettings) -> Result<Self, DirectoryError> {
        Ok(Self {
            settings,
            token: sign_in(settings).await?,
        })
    }

    /// All items of a list, page by page.
    async fn all<T: DeserializeOwned>(&mut self, list: &str) -> Result<Vec<T>, DirectoryError> {
        let mut items = Vec::new();
        loop {
            let page: Vec<T> = self.page(list, items.len()).await?;
            let last = page.len() < PER_PAGE;
            items.extend(page);
            if last {
                return Ok(items);
            }
            if items.len() > MOST {
                return Err(DirectoryError::TooMany);
            }
        }
    }

    /// One page. Tokens are short-lived, so an expired one is replaced, once.
    async fn page<T: DeserializeOwned>(
        &mut self,
        list: &str,
        first: usize,
    ) -> Result<Vec<T>, DirectoryError> {
        let realm = &self.settings.realm;
        let mut url = address(&self.settings.base, &["admin", "realms", realm]);
        url.set_path(&format!("{}/{list}", url.path()));
        url.query_pairs_mut()
            .append_pair("first", &first.to_string())
            .append_pair("max", &PER_PAGE.to_string())
            .append_pair("briefRepresentation", "true");
        let ask = |token: &str| fetch(self.settings.http.get(url.clone()).bearer_auth(token));
        let mut answer = ask(&self.token).await;
        if matches!(answer, Err(OutsideError::Status(StatusCode::UNAUTHORIZED))) {
            self.token = sign_in(self.settings).await?;
            answer = ask(&self.token).await;
        }
        answer.map_err(|error| match error {
            OutsideError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                DirectoryError::Forbidden
            }
            OutsideError::Status(StatusCode::NOT_FOUND) => DirectoryError::NotThere(realm.clone()),
            error => error.into(),
        })
    }
}

async fn sign_in(settings: &DirectorySettings) -> Result<String, DirectoryError> {
    let (realm, form, grant) = match &settings.credential {
        DirectoryCredential::ServiceAccount { id, secret } => (
            settings.realm.as_str(),
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret.expose_secret()),
            ],
            "service accounts (client credentials)",
        ),
        DirectoryCredential::Administrator { username, password } => (
            "master",
            vec![
                ("grant_type", "password"),
                ("client_id", "admin-cli"),
                ("username", username),
                ("password", password.expose_secret()),
            ],
            "the client admin-cli of the realm master",
        ),
    };
    let url = address(
        &settings.base,
        &["realms", realm, "protocol", "openid-connect", "token"],
    );
    let answer: Result<Token, _> = fetch(settings.http.post(url).form(&form)).await;
    match answer {
        Ok(token) => Ok(token.access_token),
        Err(OutsideError::Status(
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN,
        )) => Err(DirectoryError::Credential(grant)),
        Err(OutsideError::Status(StatusCode::NOT_FOUND)) => Err(DirectoryError::NotThere(realm.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// The base with these segments below it, each encoded.
fn address(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}
