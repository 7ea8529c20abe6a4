//! Login attempts as the browser knows them, and how many of them there may be.
//!
//! Responsible for: the cookie that ties an attempt to the browser that began it, and the limits per
//! browser and per address. Not responsible for the attempt's secrets (see `record`) nor for its course (see
//! `login`).

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hivematrix_platform::Handle;
use pingora_limits::rate::Rate;
use subtle::ConstantTimeEq as _;

/// More cookies of attempts than this in one request are not looked at.
const MOST_READ: usize = 100;

/// How many login attempts may be in flight, and how long each may take.
#[derive(Clone, Debug)]
pub struct AttemptLimits {
    /// Attempts of one browser, counted by their cookies; beyond, the oldest is given up. Default 20.
    pub per_browser: usize,
    /// Attempts begun from one address (IPv6: from one /64) within [`AttemptLimits::WINDOW`]. Default 200.
    pub per_address: usize,
    /// How long a person may take to sign in. Default 30 minutes, as long as Keycloak shows its page.
    pub lifetime: Duration,
}

impl AttemptLimits {
    /// The window in which attempts of one address are counted.
    pub const WINDOW: Duration = Duration::from_secs(600);
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            per_browser: 20,
            per_address: 200,
            lifetime: Duration::from_secs(30 * 60),
        }
    }
}

/// Counts attempts per address in constant memory (about 1 MB), however many addresses there are: a count-min
/// sketch, which may count too much when millions of attempts come in at once, and never too little.
pub(super) struct AddressRates {
    rate: Rate,
    limit: usize,
}

impl AddressRates {
    /// Wide enough that collisions matter only beyond some millions of attempts per window.
    const COLUMNS: usize = 16_384;
    const ROWS: usize = 4;

    pub(super) fn new(limit: usize) -> Self {
        let rate = Rate::new_with_estimator_config(AttemptLimits::WINDOW, Self::ROWS, Self::COLUMNS);
        Self { rate, limit }
    }

    /// Counts one attempt from `address` (all unknown ones are one); false if that is one too many.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> bool {
        usize::try_from(self.rate.observe(&address.map(network_of), 1)).unwrap_or(0) <= self.limit
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, since a single customer owns that much.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// One attempt's cookie: its id (which is the `state` of the authorization request), when it began, and a
/// secret that only this browser has. Id and secret are 256 random bits each.
#[derive(Clone)]
pub struct AttemptCookie {
    id: Handle,
    started: u64,
    secret: Handle,
}

impl AttemptCookie {
    /// A new attempt that begins at `now` (Unix seconds).
    pub(super) fn generate(now: u64) -> Self {
        Self {
            id: Handle::generate(),
            started: now,
            secret: Handle::generate(),
        }
    }

    /// Reads the id from a cookie's name and the rest from its value; anything unusual is no attempt.
    pub(super) fn parse(id: &str, value: &str) -> Option<Self> {
        let (started, secret) = value.split_once('.')?;
        let started = u64::from_str_radix(started, 16)
            .ok()
            .filter(|_| started.len() <= 16)?;
        Some(Self {
            id: Handle::parse(id)?,
            started,
            secret: Handle::parse(secret)?,
        })
    }

    /// The attempt's id.
    pub(super) fn id(&self) -> Handle {
        self.id
    }

    /// What the cookie's value must be.
    pub(super) fn value(&self) -> String {
        format!("{:x}.{}", self.started, self.secret.encode())
    }

    /// What the server keeps of the secret.
    pub(super) fn secret_hash(&self) -> String {
        self.secret.key_with("")
    }

    /// Whether this is the browser whose secret was kept.
    pub(super) fn proves(&self, secret_hash: &str) -> bool {
        self.secret_hash().as_bytes().ct_eq(secret_hash.as_bytes()).into()
    }
}

/// The attempts a browser has cookies for.
#[derive(Clone, Default)]
pub struct AttemptCookies(Vec<AttemptCookie>);

impl FromIterator<AttemptCookie> for AttemptCookies {
    fn from_iter<I: IntoIterator<Item = AttemptCookie>>(cookies: I) -> Self {
        Self(cookies.into_iter().take(MOST_READ).collect())
    }
}

impl AttemptCookies {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cookie of the attempt `id`. Two of the same name prove nothing, so they count as none.
    pub(super) fn find(&self, id: Handle) -> Option<&AttemptCookie> {
        let mut matching = self.0.iter().filter(|cookie| cookie.id == id);
        matching.next().filter(|_| matching.next().is_none())
    }

    /// The oldest attempts that must go so that one more makes at most `limit`.
    pub(super) fn in_excess(&self, limit: usize) -> Vec<&AttemptCookie> {
        let mut oldest: Vec<_> = self.0.iter().collect();
        oldest.sort_by_key(|cookie| cookie.started);
        oldest.truncate((self.0.len() + 1).saturating_sub(limit.max(1)));
        oldest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_attempts_cookie_survives_the_browser() {
        let cookie = AttemptCookie::generate(1_700_000_000);
        let back = AttemptCookie::parse(&cookie.id().encode(), &cookie.value()).unwrap();
        assert_eq!(back.started, 1_700_000_000);
        assert!(back.proves(&cookie.secret_hash()));
        assert!(!back.proves(&AttemptCookie::generate(0).secret_hash()));
        assert!(!back.proves(""));
    }

    #[test]
    fn malformed_attempt_cookies_are_not_attempts() {
        let good = AttemptCookie::generate(1);
        let (id, secret) = (&*good.id.encode(), good.secret.encode());
        for (id, value) in [
            ("", good.value()),
            ("short", good.value()),
            (&*"\u{e9}".repeat(43), good.value()),
            (id, String::new()),
            (id, "1".to_owned()),
            (id, format!("zz.{secret}")),
            (id, format!("00000000000000001.{secret}")),
            (id, format!("11112222333344445.{secret}")),
            (id, format!("1.{secret}x")),
            (id, format!("1.{}", "=".repeat(43))),
        ] {
            assert!(AttemptCookie::parse(id, &value).is_none(), "{id} {value}");
        }
    }

    #[test]
    fn when_a_browser_has_too_many_attempts_the_oldest_go() {
        let cookies: AttemptCookies = [5, 1, 4, 2, 3].into_iter().map(AttemptCookie::generate).collect();
        let gone = |limit| {
            cookies
                .in_excess(limit)
                .iter()
                .map(|c| c.started)
                .collect::<Vec<_>>()
        };
        assert_eq!(gone(20), Vec::<u64>::new());
        assert_eq!(gone(6), Vec::<u64>::new());
        assert_eq!(gone(5), [1]);
        assert_eq!(gone(3), [1, 2, 3]);
        assert_eq!(gone(0), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_doubled_attempt_cookie_proves_nothing() {
        let one = AttemptCookie::generate(1);
        let twice: AttemptCookies = [one.clone(), one.clone()].into_iter().collect();
        assert!(twice.find(one.id()).is_none());
        let once: AttemptCookies = [one.clone(), AttemptCookie::generate(1)].into_iter().collect();
        assert!(once.find(one.id()).is_some());
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_that_begins_too_many_attempts_is_refused_and_others_are_not() {
        let rates = AddressRates::new(3);
        assert!((0..3).all(|_| rates.admit(address("192.0.2.1"))));
        assert!(!rates.admit(address("192.0.2.1")));
        assert!(!rates.admit(address("::ffff:192.0.2.1")));
        assert!(rates.admit(address("192.0.2.2")));
        assert!((0..3).all(|_| rates.admit(None)));
        assert!(!rates.admit(None));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let rates = AddressRates::new(2);
        assert!(rates.admit(address("2001:db8:0:1::1")));
        assert!(rates.admit(address("2001:db8:0:1:ffff::2")));
        assert!(!rates.admit(address("2001:db8:0:1:1:2:3:4")));
        assert!(rates.admit(address("2001:db8:0:2::1")));
    }
}
