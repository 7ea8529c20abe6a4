//! Who can sign in.
//!
//! Responsible for: finding people and checking passwords in constant time. Not responsible for: how often one
//! may try ([`throttle`](super::throttle)).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::settings::{DevUser, IdpError};
use crate::kit::secret;

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Stays the same over restarts, so that what services remember about a person stays theirs.
    pub(super) sub: String,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) groups: Vec<String>,
    /// Who is not can't sign in, and their tokens are refreshed no more.
    pub(super) enabled: bool,
    /// When the password was set, in Unix milliseconds.
    pub(super) password_set_at: u64,
    password: SecretString,
}

impl Person {
    /// Gives the person another password; what was begun with the old one goes on, as with Keycloak.
    pub(super) fn set_password(&mut self, password: SecretString) {
        self.password = password;
        self.password_set_at = now_in_milliseconds();
    }
}

/// Everybody who can sign in, by username and by e-mail address.
#[derive(Debug)]
pub(super) struct People {
    /// The subject behind each login.
    by_login: HashMap<String, String>,
    by_sub: RwLock<HashMap<String, Arc<Person>>>,
}

impl People {
    pub(super) fn new(users: Vec<DevUser>) -> Result<Self, IdpError> {
        let (mut by_login, mut by_sub) = (HashMap::new(), HashMap::new());
        for user in users {
            let username = normal(&user.username);
            if username.is_empty() || user.password.expose_secret().is_empty() {
                return Err(IdpError::EmptySecret(format!("user {username}")));
            }
            let person = Arc::new(Person {
                sub: sub(&username),
                username: username.clone(),
                name: user.name,
                groups: without_slash(&user.groups),
                enabled: true,
                password_set_at: now_in_milliseconds(),
                password: user.password,
                email: user.email,
            });
            let mut logins = vec![username, normal(&person.email)];
            logins.dedup();
            for login in logins.into_iter().filter(|login| !login.is_empty()) {
                if by_login.insert(login.clone(), person.sub.clone()).is_some() {
                    return Err(IdpError::DuplicateUser(login));
                }
            }
            by_sub.insert(person.sub.clone(), person);
        }
        Ok(Self {
            by_login,
            by_sub: RwLock::new(by_sub),
        })
    }

    /// Everybody, by username.
    pub(super) fn all(&self) -> Vec<Arc<Person>> {
        let people = self.by_sub.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = people.values().cloned().collect();
        all.sort_by(|one, other| one.username.cmp(&other.username));
        all
    }

    pub(super) fn by_sub(&self, sub: &str) -> Option<Arc<Person>> {
        let people = self.by_sub.read().unwrap_or_else(PoisonError::into_inner);
        people.get(sub).cloned()
    }

    /// Changes somebody; false if there is no such person.
    pub(super) fn change(&self, sub: &str, change: impl FnOnce(&mut Person)) -> bool {
        let mut people = self.by_sub.write().unwrap_or_else(PoisonError::into_inner);
        people
            .get_mut(sub)
            .map(|person| change(Arc::make_mut(person)))
            .is_some()
    }

    /// The person of this login and password. Takes as long for logins that do not exist.
    pub(super) fn check(&self, login: &str, password: &str) -> Option<Arc<Person>> {
        let person = self.by_login.get(login).and_then(|sub| self.by_sub(sub));
        let expected = person
            .as_ref()
            .map_or("", |person| person.password.expose_secret());
        let same = secret::same(password, expected) && !expected.is_empty();
        person.filter(|person| same && person.enabled)
    }
}

/// Groups as the provider spells them.
pub(super) fn without_slash(groups: &[String]) -> Vec<String> {
    let groups = groups.iter().map(|group| group.trim_start_matches('/'));
    groups.map(str::to_owned).collect()
}

/// A login as it is compared.
pub(super) fn normal(login: &str) -> String {
    login.trim().to_lowercase()
}

fn now_in_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An identifier in the form of Keycloak's.
fn sub(username: &str) -> String {
    let digest = Sha256::digest(format!("hivematrix development user {username}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn user(username: &str, password: &str, email: &str) -> DevUser {
        DevUser {
            username: username.to_owned(),
            password: password.to_owned().into(),
            name: String::new(),
            email: email.to_owned(),
            groups: vec!["/admins".to_owned()],
        }
    }

    #[test]
    fn people_sign_in_by_name_or_address_in_any_case_but_with_their_own_password_only() {
        let people = People::new(vec![
            user("Admin", "secret", "Ada@example.com"),
            user("bob", "b", ""),
        ])
        .unwrap();
        assert_eq!(
            people.check(&normal(" ADMIN "), "secret").unwrap().username,
            "admin"
        );
        assert_eq!(
            people.check(&normal("ada@EXAMPLE.com"), "secret").unwrap().groups,
            ["admins"]
        );
        for (login, password) in [
            ("admin", "Secret"),
            ("admin", ""),
            ("admin", "b"),
            ("eve", ""),
            ("", ""),
        ] {
            assert!(people.check(login, password).is_none(), "{login} {password}");
        }
    }

    #[test]
    fn a_person_keeps_the_same_identifier_over_restarts() {
        assert_eq!(sub("admin"), sub("admin"));
        assert_ne!(sub("admin"), sub("client"));
        assert_eq!(sub("admin").len(), 36);
    }

    #[test]
    fn nobody_is_without_password_and_no_login_leads_to_two_people() {
        assert!(matches!(
            People::new(vec![user("a", "", "")]),
            Err(IdpError::EmptySecret(_))
        ));
        let twice = vec![user("a", "x", "b@example.com"), user("b@example.com", "y", "")];
        assert!(matches!(People::new(twice), Err(IdpError::DuplicateUser(_))));
    }
}
