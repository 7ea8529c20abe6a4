//! Keycloak's Admin REST API: signing in, and reading and writing its objects.
//!
//! Responsible for: tokens, addresses, and one clear sentence for whatever goes wrong. Not responsible for: which
//! objects there should be.

use http::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::ANSWER_LIMIT;

/// A signed-in administrator of Keycloak.
pub struct Admin {
    http: reqwest::Client,
    base: Url,
    login: Login,
    token: Mutex<Option<SecretString>>,
}

/// As whom to sign in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The realm of the administrator: `master`, or the one that is administered.
    pub realm: String,
    /// Who it is.
    pub who: Who,
}

/// A person or a program.
#[derive(Clone, Debug)]
pub enum Who {
    /// A user, with a password and nothing else (a second factor cannot be typed here).
    Person {
        /// The user's name.
        name: String,
        /// The password.
        password: SecretString,
    },
    /// A confidential client with a service account.
    Client {
        /// The client's id.
        id: String,
        /// The client's secret.
        secret: SecretString,
    },
}

/// Why Keycloak did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No connection, or no answer in time.
    #[error("Keycloak at {base} does not answer: {why}")]
    Unreachable {
        /// Its address.
        base: Url,
        /// What happened.
        why: String,
    },
    /// The administrator is not one.
    #[error("Keycloak does not let {who} of realm {realm:?} in: {why}")]
    Login {
        /// As whom we tried.
        who: String,
        /// Where we tried.
        realm: String,
        /// What Keycloak says.
        why: String,
    },
    /// Keycloak refuses one call.
    #[error("Keycloak refuses {call} with status {}: {why}", .status.as_u16())]
    Refused {
        /// Method and path.
        call: String,
        /// Its status.
        status: StatusCode,
        /// What Keycloak says.
        why: String,
    },
    /// An answer that no Keycloak gives.
    #[error("the answer to {call} is not Keycloak's: {why}")]
    Malformed {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        why: String,
    },
    /// What is there stands in the way.
    #[error("{0}")]
    InTheWay(String),
}

impl AdminError {
    /// Whether the administrator lacks the right to do this.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::FORBIDDEN)
    }
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What Keycloak says, in any of the forms it has for that.
    pub(super) fn says(&self) -> String {
        let json = self.json();
        ["errorMessage", "error_description", "error"]
            .iter()
            .find_map(|name| json[name].as_str())
            .unwrap_or("it does not say why")
            .to_owned()
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: SecretString,
}

impl Admin {
    /// An administrator of the Keycloak at `base`, who signs in at the first call.
    #[must_use]
    pub fn new(http: reqwest::Client, base: Url, login: Login) -> Self {
        Self {
            http,
            base,
            login,
            token: Mutex::new(None),
        }
    }

    /// An object, or `None` if there is none.
    ///
    /// # Errors
    /// [`AdminError`], except for 404.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Option<Value>, AdminError> {
        let answer = self.call(Method::GET, path, query, None).await?;
        match answer.status {
            StatusCode::OK => {
                serde_json::from_slice(&answer.body)
                    .map(Some)
                    .map_err(|error| AdminError::Malformed {
                        call: shown(&Method::GET, path),
                        why: error.to_string(),
                    })
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refused(&Method::GET, path, &answer)),
        }
    }

    /// A list; empty if there is none.
    ///
    /// # Errors
    /// [`AdminError`], except for 404.
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Value>, AdminError> {
        match self.get(path, query).await? {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(AdminError::Malformed {
                call: shown(&Method::GET, path),
                why: "it is not a list".to_owned(),
            }),
        }
    }

    /// Makes an object.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<(), AdminError> {
        self.write(Method::POST, path, Some(body)).await
    }

    /// Changes an object.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn put(&self, path: &[&str], body: &Value) -> Result<(), AdminError> {
        self.write(Method::PUT, path, Some(body)).await
    }

    /// Removes an object.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn delete(&self, path: &[&str]) -> Result<(), AdminError> {
        self.write(Method::DELETE, path, None).await
    }

    async fn write(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<(), AdminError> {
        let answer = self.call(method.clone(), path, &[], body).await?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(refused(&method, path, &answer))
        }
    }

    /// One call below `/admin`, with a fresh token if the one we have is not good any more.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, AdminError> {
        let url = self.url(&[&["admin"], path].concat());
        let send = async |token: SecretString| {
            let request = self
                .http
                .request(method.clone(), url.clone())
                .query(query)
                .bearer_auth(token.expose_secret());
            self.send(match body {
                Some(body) => request.json(body),
                None => request,
            })
            .await
        };
        let answer = send(self.token(false).await?).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return send(self.token(true).await?).await;
        }
        Ok(answer)
    }

    /// Signs in anew at the next call: a token may know only the realms that there were when it was issued.
    pub(super) async fn sign_in_again(&self) {
        *self.token.lock().await = None;
    }

    async fn token(&self, fresh: bool) -> Result<SecretString, AdminError> {
        let mut held = self.token.lock().await;
        match &*held {
            Some(token) if !fresh => Ok(token.clone()),
            Some(_) | None => {
                let token = self.sign_in().await?;
                *held = Some(token.clone());
                Ok(token)
            }
        }
    }

    async fn sign_in(&self) -> Result<SecretString, AdminError> {
        let Login { realm, who } = &self.login;
        let (shown, form) = match who {
            Who::Person { name, password } => (
                format!("the administrator {name:?}"),
                vec![
                    ("grant_type", "password"),
                    ("client_id", "admin-cli"),
                    ("username", name),
                    ("password", password.expose_secret()),
                ],
            ),
            Who::Client { id, secret } => (
                format!("the client {id:?}"),
                vec![
                    ("grant_type", "client_credentials"),
                    ("client_id", id),
                    ("client_secret", secret.expose_secret()),
                ],
            ),
        };
        let answer = self.form(realm, "token", &form).await?;
        let failed = |why| AdminError::Login {
            who: shown,
            realm: realm.clone(),
            why,
        };
        if answer.status == StatusCode::NOT_FOUND {
            return Err(failed(
                "there is no such realm, or that is not Keycloak's address".to_owned(),
            ));
        }
        let token: Result<Token, _> = serde_json::from_slice(&answer.body);
        match token {
            Ok(token) if answer.status == StatusCode::OK => Ok(token.access_token),
            Ok(_) | Err(_) => Err(failed(answer.says())),
        }
    }

    /// Posts a form to one of a realm's OpenID Connect endpoints, over the back channel.
    pub(super) async fn form(
        &self,
        realm: &str,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, AdminError> {
        let url = self.url(&["realms", realm, "protocol", "openid-connect", endpoint]);
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .http
            .post(url)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        self.send(request).await
    }

    /// A realm's discovery document as Keycloak would give it to a browser that found it at `public`.
    pub(super) async fn discovery(&self, realm: &str, public: &Url) -> Result<Option<Value>, AdminError> {
        let url = self.url(&["realms", realm, ".well-known", "openid-configuration"]);
        let host = public[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let port = public.port_or_known_default().unwrap_or_default().to_string();
        let request = self
            .http
            .get(url)
            .header("x-forwarded-proto", public.scheme())
            .header("x-forwarded-host", host)
            .header("x-forwarded-port", port)
            .header("x-forwarded-prefix", public.path().trim_end_matches('/'));
        let answer = self.send(request).await?;
        Ok((answer.status == StatusCode::OK).then(|| answer.json()))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, AdminError> {
        let unreachable = |error: &dyn std::error::Error| AdminError::Unreachable {
            base: self.base.clone(),
            why: root_cause(error),
        };
        let mut response = request
            .send()
            .await
            .map_err(|error| unreachable(&error.without_url()))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable(&error.without_url()))?
        {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(AdminError::Unreachable {
                    base: self.base.clone(),
                    why: format!("an answer is longer than {ANSWER_LIMIT} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }

    /// An address below Keycloak's own, which may have a path (`http-relative-path`).
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

/// The last cause is the one that helps: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn shown(method: &Method, path: &[&str]) -> String {
    format!("{method} /{}", path.join("/"))
}

fn refused(method: &Method, path: &[&str], answer: &Answer) -> AdminError {
    let why = match answer.status {
        StatusCode::FORBIDDEN => "the administrator lacks the role for it".to_owned(),
        _ => answer.says(),
    };
    AdminError::Refused {
        call: shown(method, path),
        status: answer.status,
        why,
    }
}
