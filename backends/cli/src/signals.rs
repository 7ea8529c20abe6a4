//! The ends that come from outside: Ctrl-C, SIGTERM, a closed terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// What was asked for from outside.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Cancelled by the first signal: end in good order.
    pub(crate) asked: CancellationToken,
    /// Cancelled by the second: the user has no patience left.
    pub(crate) insisted: CancellationToken,
}

/// Listens for signals from now on, on the current runtime.
pub(crate) fn listen() -> Result<Stop, Failure> {
    let stop = Stop {
        asked: CancellationToken::new(),
        insisted: CancellationToken::new(),
    };
    let mut signals =
        Signals::new().map_err(|error| Failure::outside("no signals can be received", error))?;
    let (asked, insisted) = (stop.asked.clone(), stop.insisted.clone());
    tokio::spawn(async move {
        signals.next().await;
        asked.cancel();
        signals.next().await;
        insisted.cancel();
    });
    Ok(stop)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
