//! Cuts the start of a page into tags, text and comments, byte by byte, as HTML §13.2.5 does.
//!
//! It reads bytes of any ASCII-compatible charset, keeps only positions, and may be interrupted anywhere.
//! Which tags mean what is decided in `preamble.rs`; text is reported only where it is not blank.
//!
//! Why not the rewriter's own tokenizer: lol_html does not report stray end tags (`</br>` begins a body),
//! and can place nothing inside a text without decoding and encoding it again.

use super::name::{Name, plain};
use super::raw::{Raw, RawStep};
use super::references::{Reference, blank_reference};
use super::token::{EndOfPage, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ByteOrderMark,
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    BeforeAttribute,
    AttributeName,
    AfterAttributeName,
    BeforeValue,
    Value(u8),
    UnquotedValue,
    AfterValue,
    SelfClosing,
    Declaration,
    Doctype,
    BogusComment,
    CommentStart,
    CommentStartDash,
    Comment,
    CommentDash,
    CommentEnd,
    CommentBang,
    /// A CDATA section; how many `]` stand before the position.
    Cdata(u8),
    Raw(Raw),
}

/// The tokenizer. The caller keeps the bytes: every call gets the same window, grown at its end.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    state: State,
    /// The next byte to look at.
    position: usize,
    /// Where the token that is being read began.
    start: usize,
    name: Name,
    closing: bool,
    /// The end tag that is being read ends raw text.
    ends_raw: bool,
    /// The rest of the text up to the next `<` is not of interest.
    text_reported: bool,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

impl Tokenizer {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::ByteOrderMark,
            position: 0,
            start: 0,
            name: Name::EMPTY,
            closing: false,
            ends_raw: false,
            text_reported: false,
        }
    }

    /// The start tag just reported turns what follows into raw text.
    pub(crate) fn enter_raw(&mut self, raw: Raw) {
        self.state = State::Raw(raw);
    }

    /// The first byte that something might still have to be put in front of.
    pub(crate) fn undecided(&self) -> usize {
        if self.in_tag() { self.start } else { self.position }
    }

    /// Whether a tag is being read, or what may yet turn out to be one.
    fn in_tag(&self) -> bool {
        matches!(
            self.state,
            State::TagOpen
                | State::EndTagOpen
                | State::TagName
                | State::BeforeAttribute
                | State::AttributeName
                | State::AfterAttributeName
                | State::BeforeValue
                | State::Value(_)
                | State::UnquotedValue
                | State::AfterValue
                | State::SelfClosing
                | State::Declaration
        )
    }

    /// The first `count` bytes of the window are gone.
    pub(crate) fn forget(&mut self, count: usize) {
        self.position = self.position.saturating_sub(count);
        self.start = self.start.saturating_sub(count);
    }

    /// Where the page stands if it ends here.
    pub(crate) fn end(&self, window: &[u8]) -> EndOfPage {
        match self.state {
            State::ByteOrderMark | State::Data => {
                let mut rest = window.get(self.position..).unwrap_or_default().to_vec();
                // The page's end ends a reference as well as any other character does.
                rest.push(0);
                match blank_reference(&rest) {
                    Reference::Blank(len) => EndOfPage::Clear(self.position + len),
                    Reference::Other | Reference::Unfinished => EndOfPage::Clear(self.position),
                }
            }
            State::Declaration => EndOfPage::Inside,
            _ if self.in_tag() && !self.ends_raw => EndOfPage::Clear(self.start),
            _ => EndOfPage::Inside,
        }
    }

    /// The next token, or `None` when the window is used up. `cdata`: whether the current element is foreign.
    pub(crate) fn next(&mut self, window: &[u8], cdata: bool) -> Option<Token> {
        while let Some(&byte) = window.get(self.position) {
            let found = match self.state {
                State::ByteOrderMark => self.byte_order_mark(window)?,
                State::Data => self.data(window, byte)?,
                State::Declaration => {
                    self.declaration(window, cdata)?;
                    None
                }
                State::Raw(raw) => self.raw(raw, window),
                State::TagOpen | State::EndTagOpen => self.open(byte),
                State::Doctype | State::BogusComment => self.up_to_angle(window),
                State::Cdata(brackets) => {
                    self.cdata(brackets, byte);
                    None
                }
                State::CommentStart
                | State::CommentStartDash
                | State::Comment
                | State::CommentDash
                | State::CommentEnd
                | State::CommentBang => {
                    self.comment(window, byte);
                    None
                }
                _ => self.tag(window, byte),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn go(&mut self, state: State) {
        self.state = state;
        self.position += 1;
    }

    /// The outer `None` asks for more bytes.
    fn byte_order_mark(&mut self, window: &[u8]) -> Option<Option<Token>> {
        let all = window.get(self.position..).unwrap_or_default();
        for (mark, utf16) in [
            (&b"\xEF\xBB\xBF"[..], false),
            (b"\xFE\xFF", true),
            (b"\xFF\xFE", true),
        ] {
            if all.starts_with(mark) {
                self.state = State::Data;
                self.position += mark.len();
                return Some(utf16.then_some(Token::Utf16));
            }
            if mark.starts_with(all) {
                return None;
            }
        }
        self.state = State::Data;
        Some(None)
    }

    /// The outer `None` asks for more bytes.
    fn data(&mut self, window: &[u8], byte: u8) -> Option<Option<Token>> {
        if self.text_reported {
            match memchr::memchr(b'<', window.get(self.position..)?) {
                Some(at) => self.position += at,
                None => {
                    self.position = window.len();
                    return None;
                }
            }
            self.text_reported = false;
            return Some(None);
        }
        if is_blank(byte) {
            self.position += 1;
        } else if byte == b'<' {
            self.start = self.position;
            self.go(State::TagOpen);
        } else if byte == 0 {
            self.position += 1;
            return Some(Some(Token::Nul {
                at: self.position - 1,
            }));
        } else if byte == b'&' {
            match blank_reference(window.get(self.position..)?) {
                Reference::Blank(len) => self.position += len,
                Reference::Unfinished => return None,
                Reference::Other => return Some(self.text(self.position)),
            }
        } else {
            return Some(self.text(self.position));
        }
        Some(None)
    }

    fn text(&mut self, at: usize) -> Option<Token> {
        self.state = State::Data;
        self.text_reported = true;
        self.position = at + 1;
        Some(Token::Text { at })
    }

    fn open(&mut self, byte: u8) -> Option<Token> {
        let closing = self.state == State::EndTagOpen;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                self.name = Name::EMPTY;
                self.closing = closing;
                self.ends_raw = false;
                self.state = State::TagName;
            }
            b'/' if !closing => self.go(State::EndTagOpen),
            b'!' if !closing => self.go(State::Declaration),
            b'?' if !closing => self.state = State::BogusComment,
            b'>' if closing => self.go(State::Data),
            _ if closing => self.state = State::BogusComment,
            _ => return self.text(self.start),
        }
        None
    }

    fn tag(&mut self, window: &[u8], byte: u8) -> Option<Token> {
        match (self.state, byte) {
            // Quotes count only where a value may begin.
            (State::Value(quote), _) => {
                let rest = window.get(self.position..).unwrap_or_default();
                match memchr::memchr(quote, rest) {
                    Some(at) => {
                        self.position += at;
                        self.go(State::AfterValue);
                    }
                    None => self.position = window.len(),
                }
            }
            (_, b'>') => return Some(self.tag_ended()),
            (State::TagName | State::AfterValue | State::AfterAttributeName, b'/')
            | (State::BeforeAttribute | State::AttributeName, b'/') => self.go(State::SelfClosing),
            (State::TagName | State::UnquotedValue | State::AfterValue, _) if is_blank(byte) => {
                self.go(State::BeforeAttribute);
            }
            (State::TagName, _) => {
                let name = plain(window, self.position);
                self.name.push(byte);
                name.get(1..)
                    .unwrap_or_default()
                    .iter()
                    .for_each(|byte| self.name.push(*byte));
                self.position += name.len().max(1);
            }
            (State::AttributeName | State::AfterAttributeName, b'=') => self.go(State::BeforeValue),
            (State::AttributeName | State::AfterAttributeName, _) if is_blank(byte) => {
                self.go(State::AfterAttributeName);
            }
            (State::BeforeValue, b'"' | b'\'') => self.go(State::Value(byte)),
            (State::BeforeValue | State::BeforeAttribute, _) if is_blank(byte) => self.position += 1,
            (State::BeforeValue | State::UnquotedValue, _) => self.go(State::UnquotedValue),
            (State::AfterValue | State::SelfClosing, _) => self.state = State::BeforeAttribute,
            _ => {
                self.state = State::AttributeName;
                self.position += plain(window, self.position).len().max(1);
            }
        }
        None
    }

    fn tag_ended(&mut self) -> Token {
        let self_closing = self.state == State::SelfClosing;
        self.go(State::Data);
        if self.closing {
            return Token::End {
                start: self.start,
                name: self.name,
            };
        }
        Token::Start {
            start: self.start,
            end: self.position,
            name: self.name,
            self_closing,
        }
    }

    /// `None` asks for more bytes.
    fn declaration(&mut self, window: &[u8], cdata: bool) -> Option<()> {
        let rest = window.get(self.position..).unwrap_or_default();
        let words = [
            (&b"--"[..], State::CommentStart),
            (b"doctype", State::Doctype),
            (b"[CDATA[", State::Cdata(0)),
        ];
        for (word, state) in words {
            let seen = rest.get(..word.len()).unwrap_or(rest);
            let start = word.get(..seen.len()).unwrap_or(word);
            // The brackets' word is the one whose case counts, and it is one only in foreign elements.
            let same = match state {
                State::Cdata(_) => cdata && seen == start,
                _ => seen.eq_ignore_ascii_case(start),
            };
            if same && seen.len() == word.len() {
                self.state = state;
                self.position += word.len();
                return Some(());
            }
            if same {
                return None;
            }
        }
        self.state = State::BogusComment;
        Some(())
    }

    fn up_to_angle(&mut self, window: &[u8]) -> Option<Token> {
        let rest = window.get(self.position..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'>', rest) else {
            self.position = window.len();
            return None;
        };
        let token = (self.state == State::Doctype).then_some(Token::Doctype);
        self.position += at;
        self.go(State::Data);
        token
    }

    fn cdata(&mut self, brackets: u8, byte: u8) {
        match byte {
            b']' => self.go(State::Cdata((brackets + 1).min(2))),
            b'>' if brackets == 2 => self.go(State::Data),
            _ => self.go(State::Cdata(0)),
        }
    }

    fn comment(&mut self, window: &[u8], byte: u8) {
        let next = match (self.state, byte) {
            (
                State::CommentStart | State::CommentStartDash | State::CommentEnd | State::CommentBang,
                b'>',
            ) => State::Data,
            (State::CommentStart, b'-') => State::CommentStartDash,
            (State::CommentStartDash | State::CommentDash | State::CommentEnd, b'-') => State::CommentEnd,
            (State::CommentBang | State::Comment, b'-') => State::CommentDash,
            (State::CommentEnd, b'!') => State::CommentBang,
            _ => {
                let rest = window.get(self.position..).unwrap_or_default();
                self.state = State::Comment;
                // A dash that follows must be seen as one, so stop in front of it.
                let skipped = memchr::memchr(b'-', rest).unwrap_or(rest.len());
                self.position += skipped;
                return;
            }
        };
        self.go(next);
    }

    fn raw(&mut self, raw: Raw, window: &[u8]) -> Option<Token> {
        match raw.step(window, &mut self.position) {
            RawStep::Stay(raw) => {
                self.state = State::Raw(raw);
                None
            }
            RawStep::EndTag(name) => {
                self.name = name;
                self.closing = true;
                self.ends_raw = true;
                self.start = self.position;
                // The byte behind the name decides how the tag goes on.
                self.state = State::TagName;
                None
            }
        }
    }
}
