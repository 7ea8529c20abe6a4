//! A relay in front of a server that can be cut (connections break, new ones are closed at once), stalled (bytes stop, connections
//! stay) and healed.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Passing,
    Stalled,
    Cut,
}

pub(crate) struct Relay {
    pub(crate) port: u16,
    mode: Arc<watch::Sender<Mode>>,
}

impl Relay {
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(watch::Sender::new(Mode::Passing));
        let modes = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((inbound, _)) = listener.accept().await {
                tokio::spawn(serve(inbound, target, modes.subscribe()));
            }
        });
        Self { port, mode }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    pub(crate) fn stall(&self) {
        self.mode.send_replace(Mode::Stalled);
    }

    pub(crate) fn heal(&self) {
        self.mode.send_replace(Mode::Passing);
    }
}

async fn serve(inbound: TcpStream, target: u16, mode: watch::Receiver<Mode>) {
    let mut cut = mode.clone();
    let work = async {
        let Ok(outbound) = TcpStream::connect(("127.0.0.1", target)).await else {
            return;
        };
        let (from_client, to_client) = inbound.into_split();
        let (from_server, to_server) = outbound.into_split();
        tokio::join!(
            pump(from_client, to_server, mode.clone()),
            pump(from_server, to_client, mode)
        );
    };
    tokio::select! {
        () = work => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        if mode.wait_for(|mode| *mode != Mode::Stalled).await.is_err()
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
