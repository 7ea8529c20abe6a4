//! WebSocket frames (RFC 6455 §5.2), as far as one has to know them to say something between two of them.
//!
//! Responsible for: where a stream of frames stands, byte by byte and without keeping any, and the frame that ends
//! it. Not responsible for what frames carry.

/// The end of an answer's head.
const BLANK_LINE: &[u8; 4] = b"\r\n\r\n";

/// The opcode of a close frame.
const CLOSE: u8 = 0x8;

/// Longest reason of a close frame: a control frame carries at most 125 bytes, two of which are the code.
const LONGEST_REASON: usize = 123;

/// Where what a server sends to a WebSocket's client stands, from its `101` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frames {
    at: At,
    closed: bool,
    /// Bytes that came after the head.
    after: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the head of the answer; how much of its blank line has been seen.
    Head(usize),
    /// In a frame's header, of which this much has been seen: nothing means between two frames.
    Header { seen: [u8; 10], len: usize },
    /// In a frame's payload, the mask included; so much of it is to come.
    Payload(u64),
}

impl At {
    const BETWEEN: Self = Self::Header {
        seen: [0; 10],
        len: 0,
    };
}

impl Frames {
    /// Before the first byte of the answer.
    pub(super) const fn new() -> Self {
        Self {
            at: At::Head(0),
            closed: false,
            after: 0,
        }
    }

    /// Between two frames, somewhere in the stream.
    pub(super) const fn between() -> Self {
        Self {
            at: At::BETWEEN,
            closed: false,
            after: 0,
        }
    }

    /// How many bytes have passed since the end of the head.
    pub(super) fn after_head(&self) -> u64 {
        self.after
    }

    /// Whether the last byte was the last of a frame, or of the head.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.at, At::Header { len: 0, .. })
    }

    /// Whether the server has sent its own close frame: nothing may follow it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes note of bytes that were sent.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let in_head = matches!(self.at, At::Head(_));
            let taken = self.step(bytes);
            if !in_head {
                self.after += taken as u64;
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// How many of these bytes belong to what has begun: none between two frames.
    pub(super) fn unfinished(&self, bytes: &[u8]) -> usize {
        let (mut probe, mut taken) = (*self, 0);
        while !probe.is_between() && taken < bytes.len() {
            taken += probe.step(bytes.get(taken..).unwrap_or_default());
        }
        taken
    }

    /// Takes at least one byte, and none of the next frame.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.at {
            At::Head(seen) => {
                for (index, byte) in bytes.iter().enumerate() {
                    *seen = match BLANK_LINE.get(*seen) {
                        Some(expected) if expected == byte => *seen + 1,
                        _ => usize::from(*byte == b'\r'),
                    };
                    if *seen == BLANK_LINE.len() {
                        self.at = At::BETWEEN;
                        return index + 1;
                    }
                }
                bytes.len()
            }
            At::Header { seen, len } => {
                if let (Some(place), Some(byte)) = (seen.get_mut(*len), bytes.first()) {
                    *place = *byte;
                    *len += 1;
                }
                if let Some(payload) = payload_of(seen.get(..*len).unwrap_or_default()) {
                    self.closed |= seen[0] & 0xf == CLOSE;
                    self.at = if payload == 0 {
                        At::BETWEEN
                    } else {
                        At::Payload(payload)
                    };
                }
                1
            }
            At::Payload(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if *left == 0 {
                    self.at = At::BETWEEN;
                }
                taken
            }
        }
    }
}

/// The length of what follows a header, the mask included, once the header is complete.
fn payload_of(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    // A server masks nothing (§5.1); should one do so all the same, the mask counts as payload.
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let length = match second & 0x7f {
        126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(length.saturating_add(mask))
}

/// A close frame with a code (§7.4) and a reason, of which at most 123 bytes are sent.
pub(super) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default().as_bytes();
    let mut frame = Vec::with_capacity(4 + reason.len());
    frame.push(0x80 | CLOSE);
    // At most 125.
    frame.push(u8::try_from(2 + reason.len()).unwrap_or(2));
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason);
    frame
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    fn frame(opcode: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload {
            0..126 => frame.push(u8::try_from(payload).unwrap()),
            126..65536 => {
                frame.push(126);
                frame.extend_from_slice(&u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend_from_slice(&(payload as u64).to_be_bytes());
            }
        }
        frame.resize(frame.len() + payload, 0x88);
        frame
    }

    proptest! {
        #[test]
        fn the_boundaries_of_any_frames_are_found_however_they_are_cut(
            lengths in prop::collection::vec(prop_oneof![0_usize..4, 120_usize..130, 65_530_usize..65_540], 0..6),
            cuts in prop::collection::vec(1_usize..70_000, 1..40),
        ) {
            let mut stream = HEAD.to_vec();
            let mut boundaries = vec![stream.len()];
            for length in &lengths {
                stream.extend_from_slice(&frame(2, *length));
                boundaries.push(stream.len());
            }
            let (mut frames, mut at, mut cuts) = (Frames::new(), 0, cuts.into_iter().cycle());
            while at < stream.len() {
                let end = (at + cuts.next().unwrap()).min(stream.len());
                let next = boundaries.iter().copied().find(|boundary| *boundary >= at).unwrap();
                prop_assert_eq!(frames.unfinished(&stream[at..end]), next.min(end) - at);
                frames.pass(&stream[at..end]);
                at = end;
                prop_assert_eq!(frames.is_between(), boundaries.contains(&at));
            }
            prop_assert!(!frames.is_closed());
        }
    }

    #[test]
    fn byte_by_byte_it_is_the_same() {
        let stream = [HEAD, &frame(1, 0), &frame(1, 5), &frame(9, 2), &frame(2, 300)].concat();
        let mut frames = Frames::new();
        let mut between = Vec::new();
        for (index, byte) in stream.iter().enumerate() {
            frames.pass(&[*byte]);
            if frames.is_between() {
                between.push(index + 1 - HEAD.len());
            }
        }
        assert_eq!(between, [0, 2, 9, 13, 317]);
    }

    #[test]
    fn a_masked_frame_ends_where_it_ends() {
        let mut frames = Frames::new();
        frames.pass(HEAD);
        frames.pass(&[0x81, 0x82, 1, 2, 3, 4, b'x']);
        assert!(!frames.is_between());
        frames.pass(b"y");
        assert!(frames.is_between());
    }

    #[test]
    fn what_is_said_at_the_end_is_a_close_frame_and_is_recognised_as_one() {
        let said = close_frame(1008, "session revoked");
        assert_eq!(&said[..4], [0x88, 17, 0x03, 0xf0]);
        assert_eq!(&said[4..], b"session revoked");
        let mut frames = Frames::new();
        frames.pass(HEAD);
        assert!(frames.is_between() && !frames.is_closed());
        frames.pass(&said);
        assert!(frames.is_between() && frames.is_closed());
        let long = close_frame(1008, &"ü".repeat(100));
        assert_eq!((long.len(), long[1]), (2 + 124, 124));
    }
}
