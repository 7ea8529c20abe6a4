//! A gateway's configuration and a realm of the shared Keycloak, before and after `hivematrix keycloak configure`.

use std::path::PathBuf;

use hivematrix_backends::keycloak::{self, Admin, Login, Who};
use hivematrix_tests::{Builder, Keycloak, Realm, Stack, free_port};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::process::{Binary, Ended};

/// Everybody's password; long enough for the policy of a new realm.
pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct Place {
    pub(super) keycloak: &'static Keycloak,
    pub(super) realm: String,
    pub(super) origin: Url,
    pub(super) folder: TempDir,
    identity_origin: Option<Url>,
}

impl Place {
    /// A realm that does not exist yet, for a gateway on a port of its own. `None` where there is no Keycloak.
    pub(super) async fn new(realm: &str) -> Option<Self> {
        let keycloak = Keycloak::shared().await?;
        let origin = Url::parse(&format!("https://localhost:{}", free_port())).unwrap();
        Some(Self::at(keycloak, realm, origin, None))
    }

    /// As [`Place::new`], with Keycloak on an origin of its own.
    pub(super) async fn with_identity_origin(realm: &str) -> Option<Self> {
        let keycloak = Keycloak::shared().await?;
        let origin = Url::parse(&format!("https://localhost:{}", free_port())).unwrap();
        let identity = keycloak.own_origin().clone();
        Some(Self::at(keycloak, realm, origin, Some(identity)))
    }

    /// The gateway that Keycloak's own `hostname` names, and the platform's realm: as in production. One case only.
    pub(super) async fn of_production() -> Option<Self> {
        let keycloak = Keycloak::shared().await?;
        Some(Self::at(
            keycloak,
            "hivematrix",
            keycloak.hostname_origin().clone(),
            None,
        ))
    }

    fn at(keycloak: &'static Keycloak, realm: &str, origin: Url, identity_origin: Option<Url>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own_origin = identity_origin.as_ref().map_or_else(String::new, |origin| {
            format!("identity_origin = \"{}\"\npublic_path = \"/\"\n", text(origin))
        });
        // The certificate is somebody else's business: this file is for the command only.
        let config = format!(
            r#"
                [server]
                public_origins = ["{}"]
                trusted_proxies = ["127.0.0.1"]
                [sessions]
                store = "memory"
                [provider]
                backend_url = "{}"
                realm = "{realm}"
                client_secret = {{ file = "keycloak-client.secret" }}
                {own_origin}
                [services.echo]
                url = "http://127.0.0.1:1"
            "#,
            text(&origin),
            keycloak.url(),
        );
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        Self {
            keycloak,
            realm: realm.to_owned(),
            origin,
            folder,
            identity_origin,
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `hivematrix keycloak configure` with these arguments too.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ended {
        let config = self.file("gateway.toml").display().to_string();
        let ca = self.keycloak.certificate().certificate().display().to_string();
        let usual = ["keycloak", "configure", "--config", &config, "--ca", &ca];
        Binary::new(&[&usual, arguments].concat())
            .env("KEYCLOAK_ADMIN_PASSWORD", Keycloak::PASSWORD)
            .patiently()
            .ended()
            .await
    }

    /// The realm, ready.
    pub(super) async fn configured(&self) -> Ended {
        let ended = self.run(&[]).await;
        assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
        ended
    }

    /// The platform with this realm, which is ready.
    pub(super) async fn stack(&self) -> Stack {
        self.builder().start().await
    }

    /// The same, to be changed before it starts.
    pub(super) fn builder(&self) -> Builder {
        let secret = std::fs::read_to_string(self.file("keycloak-client.secret")).unwrap();
        let realm = Realm {
            name: self.realm.clone(),
            origin: self.origin.clone(),
            client_secret: secret.into(),
            identity_origin: self.identity_origin.clone(),
        };
        Stack::builder().keycloak(self.keycloak, realm)
    }

    /// Keycloak's administrator.
    pub(super) fn admin(&self) -> Admin {
        let login = Login {
            realm: "master".to_owned(),
            who: Who::Person {
                name: Keycloak::ADMIN.to_owned(),
                password: Keycloak::PASSWORD.into(),
            },
        };
        Admin::new(keycloak::http_client(None).unwrap(), self.keycloak.url(), login)
    }

    /// Somebody in these groups whose password is [`PASSWORD`].
    pub(super) async fn person(&self, name: &str, groups: &[&str]) {
        self.person_with(name, groups, PASSWORD).await;
    }

    pub(super) async fn person_with(&self, name: &str, groups: &[&str], password: &str) {
        let groups: Vec<String> = groups.iter().map(|group| format!("/{group}")).collect();
        let body = json!({
            "username": name,
            "enabled": true,
            "email": format!("{name}@hivematrix.example"),
            "emailVerified": true,
            "firstName": name,
            "lastName": "Example",
            "groups": groups,
            "credentials": [{"type": "password", "value": password, "temporary": false}],
        });
        let users = ["realms", &self.realm, "users"];
        self.admin().post(&users, &body).await.unwrap();
    }

    /// The only object that a query finds in the realm.
    pub(super) async fn only(&self, path: &[&str], query: &[(&str, &str)]) -> Value {
        let path = [&["realms", &self.realm], path].concat();
        let mut found = self.admin().list(&path, query).await.unwrap();
        assert_eq!(found.len(), 1, "{path:?} {query:?}: {found:?}");
        found.remove(0)
    }

    /// A user's id.
    pub(super) async fn id_of(&self, name: &str) -> String {
        let user = self
            .only(&["users"], &[("username", name), ("exact", "true")])
            .await;
        user["id"].as_str().unwrap().to_owned()
    }

    /// The sessions that Keycloak has of a user.
    pub(super) async fn sessions_of(&self, name: &str) -> usize {
        let id = self.id_of(name).await;
        let path = ["realms", &self.realm, "users", &id, "sessions"];
        self.admin().list(&path, &[]).await.unwrap().len()
    }
}

/// An origin without a slash at the end.
fn text(origin: &Url) -> String {
    origin.origin().ascii_serialization()
}
