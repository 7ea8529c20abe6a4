//! Raw text: `<title>`, `<style>`, `<script>` and their like, up to the end tag that ends them.
//!
//! HTML §13.2.5.2–31. `<script>` has states of its own, because `<!--<script>` hides an end tag.

use super::name::Name;

/// How far the reading of one raw element has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    /// The element, whose end tag is awaited.
    element: Name,
    at: At,
    /// Letters of a name that is being compared.
    word: Name,
}

/// What one step found.
pub(crate) enum RawStep {
    /// Still raw text.
    Stay(Raw),
    /// `</name`; the position is at the byte behind the name.
    EndTag(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Text(Escape),
    /// Behind `<`.
    Less(Escape),
    /// Behind `</`, comparing the name.
    Name(Escape),
    /// Behind `<!`, and behind `<!-`.
    Bang,
    BangDash,
    /// Behind one or two dashes of an escaped text.
    Dash(Escape),
    DashDash(Escape),
    /// Comparing the word that begins or ends the double escape.
    Word(Escape),
    /// `<plaintext>`: nothing ends it.
    Forever,
}

/// How deep inside `<!--` and `<!--<script>` a script's text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Once,
    Twice,
}

impl Raw {
    /// The text of `element` begins.
    pub(crate) fn new(element: Name) -> Self {
        let at = if element.as_bytes() == b"plaintext" {
            At::Forever
        } else {
            At::Text(Escape::None)
        };
        Self {
            element,
            at,
            word: Name::EMPTY,
        }
    }

    /// Takes at least one byte, or changes state. The byte at `position` exists.
    pub(crate) fn step(mut self, window: &[u8], position: &mut usize) -> RawStep {
        let rest = window.get(*position..).unwrap_or_default();
        let Some(&byte) = rest.first() else {
            return RawStep::Stay(self);
        };
        let script = self.element.as_bytes() == b"script";
        let mut taken = 1;
        self.at = match self.at {
            At::Forever => {
                taken = rest.len();
                At::Forever
            }
            At::Text(Escape::None) => {
                let found = memchr::memchr(b'<', rest);
                taken = found.map_or(rest.len(), |at| at + 1);
                if found.is_some() {
                    At::Less(Escape::None)
                } else {
                    At::Text(Escape::None)
                }
            }
            At::Text(escape) => {
                let found = memchr::memchr2(b'<', b'-', rest);
                taken = found.map_or(rest.len(), |at| at + 1);
                match found.and_then(|at| rest.get(at)) {
                    Some(b'<') => At::Less(escape),
                    Some(_) => At::Dash(escape),
                    None => At::Text(escape),
                }
            }
            At::Less(escape) => self.behind_less(escape, byte, script, &mut taken),
            At::Name(escape) => match self.name_goes_on(byte) {
                Compare::More => At::Name(escape),
                Compare::Ended if self.word == self.element => return RawStep::EndTag(self.word),
                _ => {
                    taken = 0;
                    At::Text(escape)
                }
            },
            At::Bang if byte == b'-' => At::BangDash,
            At::BangDash if byte == b'-' => At::DashDash(Escape::Once),
            At::Bang | At::BangDash => {
                taken = 0;
                At::Text(Escape::None)
            }
            At::Dash(escape) | At::DashDash(escape) => match byte {
                b'-' => At::DashDash(escape),
                b'<' => At::Less(escape),
                b'>' if matches!(self.at, At::DashDash(_)) => At::Text(Escape::None),
                _ => At::Text(escape),
            },
            At::Word(escape) => match self.name_goes_on(byte) {
                Compare::More => At::Word(escape),
                Compare::Ended if self.word.as_bytes() == b"script" => At::Text(if escape == Escape::Once {
                    Escape::Twice
                } else {
                    Escape::Once
                }),
                Compare::Ended => At::Text(escape),
                Compare::Broken => {
                    taken = 0;
                    At::Text(escape)
                }
            },
        };
        *position += taken;
        RawStep::Stay(self)
    }

    fn behind_less(&mut self, escape: Escape, byte: u8, script: bool, taken: &mut usize) -> At {
        self.word = Name::EMPTY;
        match (escape, byte) {
            (Escape::Twice, b'/') => At::Word(Escape::Twice),
            (Escape::None | Escape::Once, b'/') => At::Name(escape),
            (Escape::None, b'!') if script => At::Bang,
            (Escape::Once, b'a'..=b'z' | b'A'..=b'Z') => {
                *taken = 0;
                At::Word(Escape::Once)
            }
            _ => {
                *taken = 0;
                At::Text(escape)
            }
        }
    }

    fn name_goes_on(&mut self, byte: u8) -> Compare {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                self.word.push(byte);
                Compare::More
            }
            b'\t' | b'\n' | 0x0C | b'\r' | b' ' | b'/' | b'>' => Compare::Ended,
            _ => Compare::Broken,
        }
    }
}

enum Compare {
    More,
    Ended,
    Broken,
}
