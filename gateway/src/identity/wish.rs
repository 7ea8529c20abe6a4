//! How a login is wished for, beyond where it leads.
//!
//! Responsible for: the wishes that our own pages may put into `/login`'s query. Not responsible for carrying them
//! out (see `oidc`) nor for judging what came back (see `login`).

/// What a login is asked for with. The default is what a person without a session gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// A new session even for who has one.
    pub again: bool,
    /// The provider asks who it is, whomever it knows already (`prompt=login`, OpenID Connect Core §3.1.2.1).
    pub ask: bool,
    /// The person has proved who they are within so many seconds (`max_age`, OpenID Connect Core §3.1.2.1).
    pub max_age: Option<u64>,
}

impl Wish {
    /// Longest `max_age` that can be wished for, in seconds.
    const LONGEST: u64 = 24 * 3600;

    /// Reads the wishes of a query; what makes no sense is no wish.
    pub fn of(query: &str) -> Self {
        let mut wish = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("again", "1") => wish.again = true,
                ("prompt", "login") => wish.ask = true,
                ("max_age", seconds) => {
                    wish.max_age = seconds.parse().ok().filter(|seconds| *seconds <= Self::LONGEST);
                }
                _ => {}
            }
        }
        wish
    }

    /// Whether a session that is there will not do.
    pub fn wants_a_new_session(&self) -> bool {
        self.again || self.ask || self.max_age.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_nonsense_is_none() {
        assert_eq!(Wish::of("next=%2F"), Wish::default());
        assert!(Wish::of("again=1&next=%2F").again);
        assert!(Wish::of("prompt=login").ask && !Wish::of("prompt=none").ask);
        assert_eq!(Wish::of("max_age=300").max_age, Some(300));
        for nonsense in ["max_age=-1", "max_age=", "max_age=99999999", "max_age=x"] {
            assert!(!Wish::of(nonsense).wants_a_new_session(), "{nonsense}");
        }
    }
}
