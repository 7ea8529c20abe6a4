//! The real services of a stack, and what each is told: provider, Core, Codex, Helm, Template.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hivematrix_backends::codex::{self, CodexSettings, DirectoryCredential, DirectorySettings};
use hivematrix_backends::core::{self, CoreSettings, ProviderAt};
use hivematrix_backends::helm::{self, HelmSettings, Watched};
use hivematrix_backends::idp::{self, DevClient, DevServiceAccount, DevUser, IdpSettings, Lifetimes};
use hivematrix_backends::kit::{self, Auth};
use hivematrix_backends::template::{self, TemplateSettings};
use hivematrix_platform::{
    CoreClient, Minter, ServiceName, SigningKey, StaticKeys, Store, Verifier, http_client,
};
use secrecy::ExposeSecret as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::parts::PEOPLE;

/// Core's issuer.
const ISSUER: &str = "hivematrix-core";
/// The gateway's secret at the provider.
pub(super) const CLIENT_SECRET: &str = "client-secret-of-the-harness";
/// The name of the provider's key.
pub(super) const PROVIDER_KEY: &str = "idp-key";
/// The gateway's secret at Core.
pub(super) const CORE_SECRET: &str = "core-secret-of-the-harness";

/// Template's secret at Core.
const TEMPLATE_SECRET: &str = "template-secret-of-the-harness";
/// Codex's secret at the provider, for asking who there is. Its client is called `codex`.
pub const CODEX_SECRET: &str = "codex-secret-of-the-harness";

/// The services, served in tasks that end with this value.
pub(super) struct Platform {
    pub(super) provider: SocketAddr,
    pub(super) core: SocketAddr,
    pub(super) codex: SocketAddr,
    pub(super) helm: SocketAddr,
    pub(super) template: SocketAddr,
    _tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Platform {
    /// Starts them all. `origin` is where browsers will find the gateway; `keycloak` is the provider and its realm
    /// where it is not the development one.
    pub(super) async fn start(
        origin: &Url,
        lifetimes: Option<Lifetimes>,
        keycloak: Option<(SocketAddr, &str)>,
        store: Arc<dyn Store>,
        minter: &Arc<Minter>,
        other: Option<ProviderAt>,
    ) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let (provider, realm) = match keycloak {
            Some(keycloak) => keycloak,
            None => {
                let router = provider(origin, lifetimes);
                (serve(&mut tasks, &stop, router).await, "hivematrix")
            }
        };
        let at = other.unwrap_or_else(|| userinfo(provider, realm));
        let core = serve(&mut tasks, &stop, core(store, minter, at)).await;
        let codex = serve(&mut tasks, &stop, codex(minter, provider, realm).await).await;
        let helm = serve(&mut tasks, &stop, helm(minter, codex)).await;
        let template = serve(&mut tasks, &stop, template(minter, core, codex)).await;
        Self {
            provider,
            core,
            codex,
            helm,
            template,
            _tasks: tasks,
            stop,
        }
    }
}

/// A Core with a signing key of its own; ends with its value.
pub struct AnotherCore {
    address: SocketAddr,
    _tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl AnotherCore {
    pub(super) async fn start(store: Arc<dyn Store>, provider: SocketAddr, realm: &str) -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let key = SigningKey::generate("another-key").expect("an RSA key");
        let minter = Arc::new(Minter::new(key, ISSUER));
        let address = serve(&mut tasks, &stop, core(store, &minter, userinfo(provider, realm))).await;
        Self {
            address,
            _tasks: tasks,
            stop,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> Url {
        http(self.address)
    }
}

impl Drop for AnotherCore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(tasks: &mut JoinSet<()>, stop: &CancellationToken, router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let stop = stop.clone();
    tasks.spawn(async move {
        kit::serve(listener, router, stop)
            .await
            .expect("a service that serves");
    });
    address
}

/// Core's side of tokens.
pub(super) fn minter() -> Arc<Minter> {
    Arc::new(Minter::new(signing_key(), ISSUER))
}

/// One key for the whole process: making one takes longer than most cases.
fn signing_key() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("hivematrix-signing-key-1").expect("an RSA key"))
        .clone()
}

/// The same key in PEM form.
pub(super) fn signing_key_pem() -> String {
    signing_key().to_pem().expose_secret().to_owned()
}

pub(super) fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).expect("a service name")
}

fn auth(minter: &Minter, service: &str) -> Auth {
    let keys = StaticKeys::new(&minter.jwks());
    Auth::new(
        Arc::new(Verifier::new(Arc::new(keys), minter.issuer())),
        name(service),
    )
}

pub(super) fn http(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a URL")
}

fn provider(origin: &Url, lifetimes: Option<Lifetimes>) -> axum::Router {
    let origin = origin.origin().ascii_serialization();
    let settings = IdpSettings {
        key: SigningKey::from_pem(PROVIDER_KEY, &signing_key_pem()).expect("a key"),
        public_base: vec![Url::parse(&format!("{origin}/keycloak")).expect("a URL")],
        users: PEOPLE
            .iter()
            .map(|person| DevUser {
                username: person.name.to_owned(),
                password: person.name.into(),
                name: person.full_name.to_owned(),
                email: person.email(),
                groups: vec![person.group.to_owned()],
            })
            .collect(),
        clients: vec![DevClient {
            id: "core-client".to_owned(),
            secret: CLIENT_SECRET.into(),
            redirect_uris: vec![format!("{origin}/keycloak-callback")],
            post_logout_redirect_uris: vec![format!("{origin}/"), origin.clone()],
            backchannel_logout_uri: Url::parse(&format!("{origin}/backchannel-logout")).ok(),
        }],
        service_accounts: vec![DevServiceAccount {
            id: "codex".to_owned(),
            secret: CODEX_SECRET.into(),
        }],
        lifetimes: lifetimes.unwrap_or_default(),
        notice: None,
        trusted: None,
    };
    idp::router(settings).expect("an identity provider")
}

/// Where Core asks who somebody is.
fn userinfo(provider: SocketAddr, realm: &str) -> ProviderAt {
    let userinfo = format!("http://{provider}/realms/{realm}/protocol/openid-connect/userinfo");
    Url::parse(&userinfo).expect("a URL").into()
}

fn core(store: Arc<dyn Store>, minter: &Arc<Minter>, provider: ProviderAt) -> axum::Router {
    core::router(CoreSettings {
        store,
        keys: core::Keys::new(Minter::clone(minter)),
        provider,
        client_id: "core-client".to_owned(),
        secrets: HashMap::from([
            (name("nexus"), CORE_SECRET.into()),
            (name("template"), TEMPLATE_SECRET.into()),
        ]),
        legacy_callers: Vec::new(),
        known_services: ["nexus", "codex", "helm", "template"].map(name).to_vec(),
        http: http_client::internal().expect("an HTTP client"),
    })
}

async fn codex(minter: &Minter, provider: SocketAddr, realm: &str) -> axum::Router {
    let settings = CodexSettings {
        demo_data: true,
        directory: Some(DirectorySettings {
            base: http(provider),
            realm: realm.to_owned(),
            credential: DirectoryCredential::ServiceAccount {
                id: "codex".to_owned(),
                secret: CODEX_SECRET.into(),
            },
            http: http_client::internal().expect("an HTTP client"),
        }),
        ..CodexSettings::new("sqlite::memory:", auth(minter, "codex"))
    };
    codex::router(settings).await.expect("Codex")
}

fn template(minter: &Minter, core: SocketAddr, codex: SocketAddr) -> axum::Router {
    let client = || http_client::internal().expect("an HTTP client");
    let secret = Some(TEMPLATE_SECRET.into());
    let core = CoreClient::new(client(), http(core), name("template"), secret);
    let addresses = HashMap::from([(name("codex"), http(codex))]);
    template::router(TemplateSettings {
        auth: auth(minter, "template"),
        services: Some(kit::Services::new(core, client(), addresses)),
    })
}

fn helm(minter: &Minter, codex: SocketAddr) -> axum::Router {
    helm::router(HelmSettings {
        auth: auth(minter, "helm"),
        services: vec![Watched {
            name: name("codex"),
            url: http(codex),
            visible: true,
        }],
        http: http_client::internal().expect("an HTTP client"),
        probe_timeout: HelmSettings::PROBE_TIMEOUT,
        log_lines: HelmSettings::LOG_LINES,
    })
}
