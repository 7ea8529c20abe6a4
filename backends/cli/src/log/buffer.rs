//! Log lines on their way out: collected in memory, and written by a thread of their own, so that no request waits for
//! a disk or a pipe, and many lines leave with one system call. Not responsible for what they say.
//!
//! A channel with one message per line, as the usual non-blocking writers have it, wakes that thread for every request;
//! that costs more than the line.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines are collected before they are written. Warnings and errors leave at once.
const PAUSE: Duration = Duration::from_millis(50);

/// So many bytes are written without waiting any longer.
const ENOUGH: usize = 64 * 1024;

/// Most bytes that wait when nobody takes them. Lines beyond are lost, and counted.
const MOST: usize = 4 * 1024 * 1024;

/// How long the last lines may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where lines are collected.
#[derive(Clone)]
pub(super) struct Buffer(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    wake: Condvar,
    /// Everything is written, and nothing will follow.
    done: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    urgent: bool,
    lost: u64,
    ending: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, never waiting for the sink.
    fn push(&self, line: &[u8], urgent: bool) {
        let mut waiting = self.lock();
        if waiting.ended {
            drop(waiting);
            // The writing thread is gone. Nothing can be done where even this cannot be written.
            let _ = std::io::stderr().write_all(line);
            return;
        }
        let before = waiting.text.len();
        if before + line.len() > MOST {
            waiting.lost += 1;
            return;
        }
        waiting.text.extend_from_slice(line);
        waiting.urgent |= urgent;
        let full = before < ENOUGH && waiting.text.len() >= ENOUGH;
        drop(waiting);
        if before == 0 || urgent || full {
            self.wake.notify_one();
        }
    }

    /// Swaps what waits for the empty `taken`. Returns how many lines were lost, and whether this was the last time.
    fn take(&self, taken: &mut Vec<u8>) -> (u64, bool) {
        let idle = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.ending;
        let early = |waiting: &mut Waiting| waiting.text.len() < ENOUGH && !waiting.urgent && !waiting.ending;
        let waiting = self.wake.wait_while(self.lock(), idle);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let waiting = self.wake.wait_timeout_while(waiting, PAUSE, early);
        let (mut waiting, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.text, taken);
        waiting.urgent = false;
        (std::mem::take(&mut waiting.lost), waiting.ending)
    }
}

impl Buffer {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn new(sink: impl Write + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        let writing = shared.clone();
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_out(&writing, sink))?;
        Ok(Self(shared))
    }

    /// Writes what waits, for a while at most. What is logged afterwards goes straight to stderr.
    pub(super) fn end(&self) {
        let mut waiting = self.0.lock();
        waiting.ending = true;
        self.0.wake.notify_one();
        let ended = self
            .0
            .done
            .wait_timeout_while(waiting, FAREWELL, |waiting| !waiting.ended);
        drop(ended);
    }
}

fn write_out(shared: &Shared, mut sink: impl Write) {
    let mut taken = Vec::new();
    loop {
        let (lost, last) = shared.take(&mut taken);
        // Nothing can be done where the log cannot be written.
        let _ = sink.write_all(&taken).and_then(|()| sink.flush());
        taken.clear();
        taken.shrink_to(2 * ENOUGH);
        if lost > 0 {
            tracing::warn!(lost, "log lines were lost, because nobody took them in time");
        }
        if last {
            let mut waiting = shared.lock();
            if waiting.text.is_empty() {
                waiting.ended = true;
                shared.done.notify_all();
                return;
            }
        }
    }
}

/// One line's way in.
pub(super) struct Line<'a> {
    shared: &'a Shared,
    urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.shared.push(bytes, self.urgent);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            shared: &self.0,
            urgent: false,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            shared: &self.0,
            urgent: *metadata.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use super::*;

    /// Hands on what is written, once somebody takes it.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn buffer() -> (Buffer, mpsc::Receiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::sync_channel(0);
        (Buffer::new(Slow(sender)).unwrap(), receiver)
    }

    #[test]
    fn lines_leave_together_and_in_order() {
        let (buffer, written) = buffer();
        (0..100).for_each(|n| buffer.0.push(format!("{n}\n").as_bytes(), false));
        let mut all = written.recv().unwrap();
        let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
        while all.len() < expected.len() {
            all.extend(written.recv().unwrap());
        }
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    }

    #[test]
    fn whoever_logs_never_waits_and_what_nobody_takes_is_lost_and_counted() {
        let (buffer, written) = buffer();
        let line = [b'x'; 1024];
        (0..2 * MOST / line.len()).for_each(|_| buffer.0.push(&line, false));
        let waiting = buffer.0.lock();
        assert!(waiting.lost > 0);
        assert!(waiting.text.len() <= MOST);
        drop(waiting);
        assert_eq!(written.recv().unwrap()[0], b'x');
    }

    #[test]
    fn at_the_end_nothing_is_left_behind() {
        let (buffer, written) = buffer();
        buffer.0.push(b"last\n", false);
        let reader = std::thread::spawn(move || written.recv().unwrap());
        buffer.end();
        assert!(buffer.0.lock().ended);
        assert_eq!(reader.join().unwrap(), b"last\n");
    }
}
