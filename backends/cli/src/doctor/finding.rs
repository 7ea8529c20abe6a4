//! What the doctor can find: each thing with a name that stays, why it matters, and how it reads.

use std::fmt;

use serde_json::{Value, json};

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which of the things that can be found.
    pub(crate) check: Check,
    /// The service, or the part of the platform.
    pub(crate) service: String,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do.
    pub(crate) fix: String,
}

impl Finding {
    pub(crate) fn new(
        check: Check,
        service: impl Into<String>,
        seen: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            check,
            service: service.into(),
            seen: printable(&seen.into()),
            fix: fix.into(),
        }
    }
}

/// Other programs' words, as far as they may be shown.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(600)
        .collect()
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $why:literal;)+) => {
        /// What can be found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Check {
            $($(#[$doc])* $name,)+
        }

        impl Check {
            /// Its name, which stays.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Why it matters.
            pub(crate) const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)+ }
            }
        }
    };
}

checks! {
    /// Nothing listens where the service should.
    NotAnswering, "not_answering", "the gateway answers 502 \"Service temporarily unavailable\" for all of it";
    /// The service, or another one, is at another port than the registry says.
    WrongPort, "wrong_port", "the gateway asks where the registry says, and reaches nobody or somebody else";
    /// It listens beyond this machine.
    Exposed, "exposed", "whoever reaches it there passes every check of the gateway by: it believes whoever calls";
    /// It removes or sets its prefix by itself.
    PrefixMiddleware, "prefix_middleware", "the gateway cuts the prefix off and says so in X-Forwarded-Prefix: a second hand in it makes 404s and doubled paths";
    /// Its addresses do not carry the prefix.
    PrefixMissing, "prefix_missing", "such an address leads to the gateway's root instead of the service: 404 under its prefix";
    /// It does not learn the public host and scheme.
    HostDropped, "host_dropped", "absolute addresses that it makes name an internal host; the gateway mends redirects, and nothing mends links and e-mails";
    /// It brings styles of its own.
    OwnStyles, "own_styles", "pages of one product look alike: the gateway brings the one stylesheet, in light and dark, and others break it";
    /// A script's request is answered with a redirect or a page.
    ScriptGetsPage, "script_gets_page", "a script that expects JSON reads HTML: \"JSON.parse: unexpected character at line 1 column 1\"";
    /// A script's request does not carry the session for certain.
    ScriptWithoutCredentials, "script_without_credentials", "without the cookie the request has no session: 401 or a login page in place of JSON, and \"JSON.parse: unexpected character\" for whoever does not look at the status";
    /// It refuses a token that Core has just made.
    TokenRefused, "token_refused", "whoever comes through the gateway with such a token is refused as well";
    /// It asks another Core than the gateway does.
    OtherCore, "other_core", "tokens that one Core signed are unknown to the other: everybody is refused";
    /// Somebody is signed in whom Codex does not know.
    AgentNotFound, "agent_not_found", "their theme and home page cannot be kept: \"Agent not found\", 404";
    /// Core does not answer.
    CoreDown, "core_down", "nobody can sign in, and no service gets service tokens";
    /// Core's keys or tokens are not what receivers expect.
    CoreTokens, "core_tokens", "a token whose key or issuer is not the expected one is refused everywhere";
    /// Core does not give the gateway service tokens.
    CoreRefuses, "core_refuses", "the gateway cannot ask Codex for themes and home pages: everybody gets the defaults";
    /// Redis does not answer, or is not fit.
    RedisDown, "redis_down", "without the session store nobody is let in: 503";
    /// The identity provider does not answer.
    ProviderDown, "provider_down", "nobody can sign in";
    /// It is not the provider that browsers are sent to.
    ProviderIssuer, "provider_issuer", "the ID token names another issuer than the login expects: every login fails";
    /// It does not know the gateway.
    ProviderClient, "provider_client", "the provider refuses the login";
    /// Two clocks differ.
    ClockSkew, "clock_skew", "tokens are \"not yet valid\" or expired on arrival; beyond a minute logins fail";
    /// Two files of the installation contradict each other.
    FilesDisagree, "files_disagree", "one of them was generated from an older version: what starts and what is asked are not the same";
}

/// Everything that was found, and what was looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    /// Services and parts.
    pub(crate) examined: Vec<String>,
    /// What could not be looked at, and why.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    /// With what another part of the examination found.
    pub(crate) fn take(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.examined.extend(other.examined);
        self.skipped.extend(other.skipped);
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "check": finding.check.name(),
                "service": finding.service,
                "seen": finding.seen,
                "why": finding.check.why(),
                "fix": finding.fix,
            })
        };
        json!({
            "healthy": self.findings.is_empty(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "examined": self.examined,
            "skipped": self.skipped,
        })
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}: {}", finding.service, finding.check.name())?;
            writeln!(f, "  seen  {}", finding.seen)?;
            writeln!(f, "  why   {}", finding.check.why())?;
            writeln!(f, "  do    {}\n", finding.fix)?;
        }
        writeln!(f, "examined: {}", self.examined.join(", "))?;
        for skipped in &self.skipped {
            writeln!(f, "not looked at: {skipped}")?;
        }
        match self.findings.len() {
            0 => writeln!(f, "nothing is wrong that could be seen"),
            1 => writeln!(f, "1 finding"),
            many => writeln!(f, "{many} findings"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_a_sentence_and_as_json_and_shows_no_control_characters() {
        let mut report = Report::default();
        report.find(Finding::new(
            Check::Exposed,
            "notes",
            "0.0.0.0:5010\u{1b}[31m",
            "bind 127.0.0.1",
        ));
        let text = report.to_string();
        assert!(
            text.starts_with("notes: exposed\n  seen  0.0.0.0:5010 [31m\n"),
            "{text}"
        );
        let json = report.to_json();
        assert_eq!(json["healthy"], false);
        assert_eq!(json["findings"][0]["check"], "exposed");
    }
}
