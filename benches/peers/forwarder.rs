//! A bare Pingora proxy that only forwards: what the gateway's own work is measured against, built with the same profile
//! and allocator. No checks, no log, no metrics.
//!
//! `forwarder PORT UPSTREAM_PORT [THREADS]`, all on 127.0.0.1.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::prelude::{HttpPeer, Server, http_proxy_service};
use pingora::server::configuration::ServerConf;
use pingora_proxy::{ProxyHttp, Session};

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Idle upstream connections kept: as many as the gateway keeps.
const POOL: usize = 1024;

struct Forwarder {
    upstream: std::net::SocketAddr,
}

#[async_trait]
impl ProxyHttp for Forwarder {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    fn init_downstream_modules(&self, _modules: &mut pingora::modules::http::HttpModules) {}

    async fn upstream_peer(&self, _session: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<u16> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let &[port, upstream, ref threads @ ..] = arguments.as_slice() else {
        eprintln!("usage: forwarder PORT UPSTREAM_PORT [THREADS]");
        return ExitCode::from(64);
    };
    let conf = ServerConf {
        threads: threads.first().map_or(1, |threads| usize::from(*threads)),
        work_stealing: false,
        upstream_keepalive_pool_size: POOL,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let forwarder = Forwarder {
        upstream: ([127, 0, 0, 1], upstream).into(),
    };
    let conf: Arc<ServerConf> = server.configuration.clone();
    let mut service = http_proxy_service(&conf, forwarder);
    service.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(service);
    server.run_forever()
}
