//! gRPC through the gateway: a real client and a real server (tonic's health service).

use std::net::SocketAddr;
use std::time::Duration;

use hivematrix_gateway::config::{Config, Service, Upstream};
use hivematrix_platform::ServiceName;
use hivematrix_tests::{Client, Stack, takes_at_most};
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, server::TcpIncoming};
use tonic::{Code, Request};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;

/// A gRPC server that speaks HTTP/2 without TLS.
async fn server() -> (SocketAddr, HealthReporter) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("work", ServingStatus::Serving).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, reporter)
}

async fn stack(address: SocketAddr) -> Stack {
    let mount = move |config: &mut Config| {
        let mut upstream = Upstream::parse(&format!("http://{address}")).expect("an upstream");
        upstream.http2 = true;
        config.services.push(Service::new(
            ServiceName::parse("grpc").expect("a name"),
            upstream,
        ));
    };
    Stack::builder().tls().configure(mount).start().await
}

async fn health(stack: &Stack) -> HealthClient<Channel> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(stack.certificate().pem()))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(stack.origin().to_string())
        .expect("an endpoint")
        .tls_config(tls);
    let channel = endpoint.expect("TLS").connect().await.expect("a connection");
    HealthClient::with_origin(
        channel,
        stack
            .origin()
            .join("/grpc")
            .expect("a URL")
            .as_str()
            .parse()
            .expect("a URI"),
    )
}

fn asked(client: &Client, service: &str) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest {
        service: service.to_owned(),
    });
    request.metadata_mut().insert(
        "cookie",
        client.cookie_header("/grpc/").parse().expect("a cookie"),
    );
    request
}

#[tokio::test]
async fn a_unary_call_passes_with_its_trailers() {
    let (address, _reporter) = server().await;
    let stack = stack(address).await;
    let client = stack.signed_in("admin").await;
    let mut health = health(&stack).await;
    let answer = health.check(asked(&client, "work")).await.expect("an answer");
    assert_eq!(answer.get_ref().status, ServingStatus::Serving as i32);
    let error = health
        .check(asked(&client, "nothing"))
        .await
        .expect_err("no such service");
    assert_eq!(
        error.code(),
        Code::NotFound,
        "the status comes in the trailers: {error:?}"
    );
}

#[tokio::test]
async fn a_streaming_call_passes_each_message_when_it_is_sent() {
    let (address, reporter) = server().await;
    let stack = stack(address).await;
    let client = stack.signed_in("admin").await;
    let mut health = health(&stack).await;
    let mut watch = health
        .watch(asked(&client, "work"))
        .await
        .expect("an answer")
        .into_inner();
    let first = watch.message().await.expect("a message").expect("a message");
    assert_eq!(first.status, ServingStatus::Serving as i32);
    for status in [ServingStatus::NotServing, ServingStatus::Serving] {
        reporter.set_service_status("work", status).await;
        let next = takes_at_most(Duration::from_secs(2), "the next message", watch.message()).await;
        assert_eq!(next.expect("a message").expect("a message").status, status as i32);
    }
    stack.revoke(&stack.token_of(&client).await).await;
    let end = takes_at_most(
        Duration::from_secs(2),
        "the stream is cut with its session",
        watch.message(),
    )
    .await;
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
}

#[tokio::test]
async fn a_call_without_a_session_gets_a_grpc_status() {
    let (address, _reporter) = server().await;
    let stack = stack(address).await;
    let mut health = health(&stack).await;
    let error = health
        .check(asked(&stack.client(), "work"))
        .await
        .expect_err("no session");
    assert_eq!(error.code(), Code::Unauthenticated, "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable() {
    let (address, _reporter) = server().await;
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("a port");
    assert_ne!(gone, address);
    let stack = stack(gone).await;
    let client = stack.signed_in("admin").await;
    let error = health(&stack)
        .await
        .check(asked(&client, "work"))
        .await
        .expect_err("nobody is there");
    assert_eq!(error.code(), Code::Unavailable, "{error:?}");
}
