//! Loan: a WebSocket's connection to its service, lent to the exchange that asks for the WebSocket. Once it has begun, the
//! connection is taken back and served without the exchange, which keeps ten times as much for each (`tunnel`).
//!
//! Responsible for: making the connection, passing everything on unchanged, knowing how many bytes have passed after the
//! heads, and being at its end for the exchange once it was taken back. Not responsible for when that is.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Where the status stands in the first line of an answer.
const STATUS: std::ops::Range<usize> = 9..12;

/// A connection that can be taken back.
#[derive(Clone)]
pub(super) struct Loan {
    /// How long it may take to be made.
    limit: Duration,
    /// One task uses it: nobody ever waits for the lock.
    lent: Arc<Mutex<Lent>>,
}

struct Lent {
    stream: Option<TcpStream>,
    asked: AfterHead,
    answered: AfterHead,
}

/// How many bytes have passed in one direction after the head that begins a WebSocket.
struct AfterHead {
    /// Only a head with status 101 does.
    of_answer: bool,
    /// Bytes of the current head.
    seen: usize,
    status: [u8; 3],
    line: Line,
    /// `None` while the head is not over.
    bytes: Option<u64>,
}

/// Where in a line of a head. Lines may end without a carriage return.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Begun,
    /// Nothing but a carriage return.
    Returned,
    Written,
}

impl AfterHead {
    fn new(of_answer: bool) -> Self {
        Self {
            of_answer,
            seen: 0,
            status: [0; 3],
            line: Line::Begun,
            bytes: None,
        }
    }

    fn pass(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter();
        while self.bytes.is_none()
            && let Some(byte) = bytes.next()
        {
            if STATUS.contains(&self.seen)
                && let Some(place) = self.status.get_mut(self.seen - STATUS.start)
            {
                *place = *byte;
            }
            self.seen += 1;
            let ends = *byte == b'\n' && self.line != Line::Written;
            self.line = match byte {
                b'\n' => Line::Begun,
                b'\r' if self.line == Line::Begun => Line::Returned,
                _ => Line::Written,
            };
            if ends {
                if self.of_answer && self.status != *b"101" {
                    *self = Self::new(true);
                } else {
                    self.bytes = Some(0);
                }
            }
        }
        if let Some(passed) = &mut self.bytes {
            *passed += bytes.len() as u64;
        }
    }
}

impl Loan {
    /// A connection that is still to be made, within this time.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            lent: Arc::new(Mutex::new(Lent {
                stream: None,
                asked: AfterHead::new(false),
                answered: AfterHead::new(true),
            })),
        }
    }

    /// Takes the connection back, if this is how many bytes the client has sent, and was sent, since its WebSocket began:
    /// then nothing is on its way through the exchange.
    pub(super) fn take_back(&self, from_client: u64, to_client: u64) -> Option<TcpStream> {
        let mut lent = self.lock();
        let even = lent.asked.bytes == Some(from_client) && lent.answered.bytes == Some(to_client);
        if even { lent.stream.take() } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not what passes.
impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loan")
    }
}

#[async_trait]
impl Connect for Loan {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<L4Stream> {
        let Some(address) = address.as_inet() else {
            return Error::e_explain(ErrorType::ConnectError, "not an address of the internet");
        };
        let made = tokio::time::timeout(self.limit, TcpStream::connect(address)).await;
        let stream = made
            .map_err(|late| Error::because(ErrorType::ConnectTimedout, "connecting to a service", late))?
            .map_err(|error| Error::because(ErrorType::ConnectError, "connecting to a service", error))?;
        self.lock().stream = Some(stream);
        Ok(VirtualSocketStream::new(Box::new(self.clone())).into())
    }
}

impl VirtualSocket for Loan {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match (option, &self.lock().stream) {
            (VirtualSockOpt::NoDelay, Some(stream)) => stream.set_nodelay(true),
            // Nobody asks for anything else: a service that is gone is noticed by its silence.
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Loan {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let lent = &mut *self.lock();
        let Some(stream) = &mut lent.stream else {
            return Poll::Ready(Ok(()));
        };
        let before = buffer.filled().len();
        ready!(Pin::new(stream).poll_read(context, buffer))?;
        lent.answered
            .pass(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Loan {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let lent = &mut *self.lock();
        let Some(stream) = &mut lent.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let written = ready!(Pin::new(stream).poll_write(context, bytes))?;
        lent.asked.pass(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().stream {
            Some(stream) => Pin::new(stream).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().stream {
            Some(stream) => Pin::new(stream).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    fn after(of_answer: bool, pieces: &[&[u8]]) -> Option<u64> {
        let mut after = AfterHead::new(of_answer);
        for piece in pieces {
            after.pass(piece);
        }
        after.bytes
    }

    proptest! {
        #[test]
        fn bytes_after_the_head_are_counted_however_they_are_cut(cuts in prop::collection::vec(0_usize..120, 0..6)) {
            let early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
            let whole = [early, ANSWER, b"\x81\x02\r\n"].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &whole[ends[0]..ends[1]]).collect();
            prop_assert_eq!(after(true, &pieces), Some(4));
        }
    }

    #[test]
    fn only_a_switch_begins_a_websocket_and_lines_may_end_as_they_like() {
        assert_eq!(after(true, &[b"HTTP/1.1 101 x\nA: b\r\n\nxyz"]), Some(3));
        assert_eq!(after(true, &[b"HTTP/1.1 403 No\r\n\r\nHTTP/1.1 101 x"]), None);
        assert_eq!(after(true, &[&ANSWER[..ANSWER.len() - 1]]), None);
        assert_eq!(after(false, &[b"GET / HTTP/1.1\r\nHost: x\r\n\r\nabc"]), Some(3));
    }

    #[tokio::test]
    async fn it_is_taken_back_when_nothing_is_on_its_way_and_ends_for_who_had_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let loan = Loan::new(Duration::from_secs(5));
        let address = SocketAddr::Inet(listener.local_addr().unwrap());
        let mut lent = loan.connect(&address).await.unwrap();
        let (mut service, _) = listener.accept().await.unwrap();
        assert!(loan.take_back(0, 0).is_none(), "nothing has begun");
        lent.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        service.write_all(ANSWER).await.unwrap();
        service.write_all(b"123").await.unwrap();
        let mut answer = vec![0; ANSWER.len() + 3];
        lent.read_exact(&mut answer).await.unwrap();
        assert!(
            loan.take_back(0, 0).is_none(),
            "the client has not been sent three bytes"
        );
        assert!(
            loan.take_back(2, 3).is_none(),
            "the service has not been sent two bytes"
        );
        let mut back = loan.take_back(0, 3).unwrap();
        back.write_all(b"on").await.unwrap();
        let mut got = [0; 20];
        service.read_exact(&mut got).await.unwrap();
        assert_eq!(&got[18..], b"on");
        assert_eq!(lent.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(lent.write_all(b"x").await.is_err());
        lent.flush().await.unwrap();
        drop((lent, loan));
        service.write_all(b"still here").await.unwrap();
        let mut got = [0; 10];
        back.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"still here");
    }
}
