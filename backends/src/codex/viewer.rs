//! Who looks, and what they may see.
//!
//! | who | sees | changes |
//! |---|---|---|
//! | `client` | the companies that have a contact with their e-mail address, with contacts and assets | own settings |
//! | `technician`, `billing`, `admin` | everything but agents | companies, contacts, assets, imports |
//! | `admin` | agents and pulls, too | starts both synchronizations |
//! | services | everything but agents | everything but settings, imports and synchronizations |
//!
//! What somebody may not see is 404, as if it were not there.

use axum::{extract::FromRequestParts, http::request::Parts};
use hivematrix_platform::{Access, PermissionLevel, UserData};

use super::{
    Codex,
    agents::{self, Agent, email_key},
    refusal::database_failed,
};
use crate::kit::{Caller, Rejection, User};

/// Whose companies can be seen: bound to statements as one text, `''` for everybody's, else an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope(String);

/// The address of nobody.
const NOBODY: &str = "-";

impl Scope {
    /// Everything.
    pub(crate) fn everything() -> Self {
        Self(String::new())
    }

    /// What this user may see.
    pub(crate) fn of(user: &UserData) -> Self {
        if user.permission_level == PermissionLevel::Client {
            Self(email_key(&user.email).unwrap_or_else(|| NOBODY.to_owned()))
        } else {
            Self::everything()
        }
    }

    /// What statements compare with.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<Codex> for Scope {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, codex: &Codex) -> Result<Self, Rejection> {
        Ok(match Caller::from_request_parts(parts, codex).await? {
            Caller::User(claims) => Self::of(&claims.user),
            Caller::Service(_) => Self::everything(),
        })
    }
}

/// Who may change companies, contacts and assets.
pub(crate) fn editors() -> Access {
    let levels = [
        PermissionLevel::Technician,
        PermissionLevel::Billing,
        PermissionLevel::Admin,
    ];
    Access::Levels(levels.into_iter().collect())
}

/// The person on the other side of a page: who they are, and the agent that Codex remembers of them.
pub(crate) struct Visitor {
    /// Their claims.
    pub(crate) user: User,
    /// Their agent; nobody whose token has no e-mail address has one, unless the provider knows one.
    pub(crate) agent: Option<Agent>,
}

impl Visitor {
    /// What the pages offer them. What is allowed is decided by the routes.
    pub(crate) fn rights(&self) -> Rights {
        Rights::of(&self.user)
    }

    /// What they may see.
    pub(crate) fn scope(&self) -> Scope {
        Scope::of(&self.user.0.user)
    }
}

impl FromRequestParts<Codex> for Visitor {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, codex: &Codex) -> Result<Self, Rejection> {
        let user = User::from_request_parts(parts, codex).await?;
        let agent = agents::visited(&codex.pool, &user.0.user)
            .await
            .map_err(database_failed)?;
        Ok(Self { user, agent })
    }
}

/// What a page offers to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    /// New, Edit, Delete, Import, Export.
    pub(crate) edit: bool,
    /// Agents and synchronization.
    pub(crate) administrate: bool,
}

impl Rights {
    /// Of this user. Forms that were sent are answered by this, without asking the database who it is.
    pub(crate) fn of(user: &User) -> Self {
        Self {
            edit: editors().allows(user.level()),
            administrate: Access::admin_only().allows(user.level()),
        }
    }
}

impl FromRequestParts<Codex> for Rights {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, codex: &Codex) -> Result<Self, Rejection> {
        let user = User::from_request_parts(parts, codex).await?;
        Ok(Self::of(&user))
    }
}
