//! Core inside the gateway's process: with it, the gateway, a store and any OpenID Connect provider suffice.
//!
//! Responsible for: putting it together from the gateway's configuration, on the gateway's own store, and for its start
//! and end. It listens on loopback like any other Core, because services fetch the keys that verify tokens from it.

use std::collections::HashMap;
use std::sync::Arc;

use hivematrix_backends::core::{CoreSettings, ProviderAt, RingPlace, router};
use hivematrix_backends::kit;
use hivematrix_gateway::config::{Config, EmbeddedCore as Settings, KeyRingPlace};
use hivematrix_gateway::{Builder, open_store, sealing_keys};
use hivematrix_platform::{SealingKeys, ServiceName, Store};
use rand::distr::{Alphanumeric, SampleString as _};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::commands::core::{read_secrets, userinfo};
use crate::failure::Failure;
use crate::key_ring::follow;
use crate::parts;

/// Under this name the gateway asks for service tokens (platform README §3).
const GATEWAY: &str = "nexus";

/// Characters of the gateway's secret at its own Core, new at every start.
const SECRET_LENGTH: usize = 43;

/// A Core that runs in this process.
pub(crate) struct EmbeddedCore {
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl EmbeddedCore {
    /// Starts the Core that the configuration asks for, and returns with it a gateway that uses it. `None` if the
    /// configuration names a Core somewhere else.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn start(config: &Config) -> Result<Option<(Self, Builder)>, Failure> {
        let Some(settings) = &config.core.embedded else {
            return Ok(None);
        };
        let mut config = config.clone();
        let (listener, address) = parts::bind(settings.listen).await?;
        config.core.url =
            Url::parse(&format!("http://{address}")).map_err(|error| Failure::outside(address, error))?;
        let secret = config.core.secret.get_or_insert_with(|| {
            SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), SECRET_LENGTH))
        });
        let secret = secret.clone();
        let store = open_store(&config.sessions)
            .await
            .map_err(|error| Failure::outside("the session store", error))?;
        let sealing =
            sealing_keys(&config.sessions).map_err(|error| Failure::outside("the sealing keys", error))?;
        let sealing = Arc::new(sealing);
        let place = place(settings, &store, &sealing);
        let keys = follow(place, &config.core.issuer, settings.rotate_every).await?;
        let core = router(CoreSettings {
            store: Arc::clone(&store),
            keys,
            provider: match &config.provider.issuer {
                Some(issuer) => ProviderAt::Issuer {
                    issuer: issuer.clone(),
                    client_secret: config.provider.client_secret.clone(),
                },
                None => userinfo(&config.provider.backend_url, &config.provider.realm)?.into(),
            },
            client_id: config.provider.client_id.clone(),
            secrets: secrets(settings, secret)?,
            legacy_callers: settings.legacy_callers.clone(),
            known_services: known(&config)?,
            http: parts::client()?,
        });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(kit::serve(listener, core, stop.clone()));
        tracing::info!(%address, "Core runs in this process");
        let builder = Builder::new(config).store(store).sealing_keys(sealing);
        Ok(Some((Self { stop, serving }, builder)))
    }

    /// Waits until Core ends by itself, which it should not; for ever if there is none.
    pub(crate) async fn failure(core: Option<&mut Self>) -> Failure {
        let Some(core) = core else {
            return std::future::pending().await;
        };
        match (&mut core.serving).await {
            Ok(Ok(())) => Failure::Outside("Core has ended".to_owned()),
            Ok(Err(error)) => Failure::outside("Core", error),
            Err(panic) => Failure::outside("Core broke down", panic),
        }
    }

    /// Ends it; its requests under way have a second.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if !self.serving.is_finished() {
            // Ending is all that is left to do, whatever it says.
            let _ = self.serving.await;
        }
    }
}

fn place(settings: &Settings, store: &Arc<dyn Store>, sealing: &Arc<SealingKeys>) -> RingPlace {
    match &settings.key_ring {
        KeyRingPlace::File(path) => RingPlace::File(path.clone()),
        KeyRingPlace::Store => RingPlace::Store {
            store: Arc::clone(store),
            sealing: Arc::clone(sealing),
        },
    }
}

fn secrets(settings: &Settings, own: SecretString) -> Result<HashMap<ServiceName, SecretString>, Failure> {
    let mut secrets = match &settings.secrets {
        Some(file) => read_secrets(file)?,
        None => HashMap::new(),
    };
    secrets.insert(parts::name(GATEWAY)?, own);
    Ok(secrets)
}

/// Who may call and be called: what is mounted, Core itself, the gateway.
fn known(config: &Config) -> Result<Vec<ServiceName>, Failure> {
    let mut known = vec![parts::name(GATEWAY)?, parts::name("core")?];
    known.extend(config.services.iter().map(|service| service.name.clone()));
    Ok(known)
}
