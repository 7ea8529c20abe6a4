//! What a request passes on its way through the gateway, without the connections: for benchmarks and for counting
//! instructions, and for nothing else. Not an API: it changes with what it measures.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use hivematrix_plugins::{PreferenceSource, Registry};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora_proxy::ProxyHttp as _;

use crate::config::Config;
use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::{Builder, Gateway};
use crate::identity::SessionView;
use crate::phases::arrive::{self, Connection};
use crate::phases::path::CanonicalPath;
use crate::phases::{forward, respond, rewrite};
use crate::proxy::Proxy;
use crate::server::StartError;

/// A gateway without sockets.
pub struct Path {
    gateway: Arc<Gateway>,
    proxy: Proxy,
}

/// A request that is on its way. Its line goes to the log, and its figures to the metrics, when it is dropped.
pub struct Underway {
    head: RequestHeader,
    context: Context,
}

const CONNECTION: Connection = Connection {
    peer: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    doubly_framed: false,
    http2: false,
};

impl Path {
    /// A gateway that asks `view` who somebody is, and `preferences` for themes. Wants a Tokio runtime.
    ///
    /// # Errors
    /// As for a gateway that is started.
    pub async fn new(
        config: Config,
        plugins: Registry,
        view: Arc<SessionView>,
        preferences: Arc<dyn PreferenceSource>,
    ) -> Result<Self, StartError> {
        let mut gateway = Builder::new(config.clone()).plugins(plugins).assemble().await?;
        gateway.view = view;
        gateway.tools.preferences = preferences;
        gateway.reload(config).map_err(StartError::Plugins)?;
        let gateway = Arc::new(gateway);
        Ok(Self {
            proxy: Proxy::new(gateway.clone()),
            gateway,
        })
    }

    /// The service that a path leads to.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<usize> {
        let path = CanonicalPath::parse(path.as_bytes()).ok()?;
        let snapshot = self.gateway.snapshot.load();
        snapshot.route(&path).map(|route| route.prefix.len())
    }

    /// What is done to every head before anything is looked up.
    ///
    /// # Errors
    /// What it is refused for.
    pub fn arrive(&self, head: &mut RequestHeader) -> Result<(), Refusal> {
        let mut context = self.proxy.new_ctx();
        arrive::arrive(head, CONNECTION, &mut context)
    }

    /// From the head's arrival to what the service gets. `None` if the gateway answers by itself.
    ///
    /// # Errors
    /// What it is refused for.
    pub async fn inward(&self, mut head: RequestHeader) -> Result<Option<Underway>, Refusal> {
        let mut context = self.proxy.new_ctx();
        arrive::arrive(&mut head, CONNECTION, &mut context)?;
        if let Some(reply) = self.proxy.proceed(&mut head, &mut context).await? {
            black_box(reply);
            return Ok(None);
        }
        black_box(forward::peer(&self.gateway, &context).await?);
        let mut upstream = head.clone();
        forward::prepare(&mut upstream, &head, &context)
            .map_err(|error| Refusal::Internal(error.to_string()))?;
        black_box(upstream);
        Ok(Some(Underway { head, context }))
    }

    /// From the head that the service answers with to the last byte that the client gets. Returns their number.
    ///
    /// # Errors
    /// When the answer can't be sent on.
    pub async fn outward(
        &self,
        mut underway: Underway,
        mut head: ResponseHeader,
        body: &[Bytes],
    ) -> Result<usize, Refusal> {
        let internal = |error: Box<pingora::Error>| Refusal::Internal(error.to_string());
        let Underway {
            head: request,
            context,
        } = &mut underway;
        respond::respond(request, &mut head, context)
            .await
            .map_err(internal)?;
        black_box(&head);
        for (number, chunk) in body.iter().enumerate() {
            let mut chunk = Some(chunk.clone());
            rewrite::chunk(&mut chunk, number + 1 == body.len(), context).map_err(internal)?;
            context.account.sent += black_box(chunk).map_or(0, |chunk| chunk.len());
        }
        Ok(context.account.sent)
    }
}
