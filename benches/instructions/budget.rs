//! How many instructions each subject may take, by the way it was built.

use std::collections::BTreeMap;

use crate::subjects::Subject;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/budget.toml");

/// Room above what was counted, in percent: another allocator, C library or processor changes a little, and what is
/// worth seeing is more.
const ROOM: u64 = 5;

/// Below so many percent of the budget it guards nothing any more.
const LOOSE: u64 = 80;

/// What to do about a budget that is exceeded.
pub(crate) const ADVICE: &str = "The request path takes more instructions than its budget allows. If that is a mistake, \
    `valgrind --tool=callgrind` shows where. If it is worth it, or the compiler is another one, write a new budget:\n    \
    cargo test --workspace --bench instructions -- --write      (as .ci/run builds it)\n    \
    cargo bench --workspace --bench instructions -- --write     (optimized)";

const TITLE: &str = "\
# Instructions that one round of each subject may take, counted by callgrind, with some room. `debug` is how .ci/run\n\
# builds it, `optimized` the profile of benchmarks. Written by the guard itself: `-- --write`.\n";

/// The two ways to build.
pub(crate) fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "optimized"
    }
}

/// The budget, as written in its file.
pub(crate) struct Budget(BTreeMap<String, BTreeMap<String, u64>>);

/// What is to be said of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    TooMany,
    Loose,
    Unknown,
}

impl Verdict {
    pub(crate) fn sentence(self, budget: u64) -> String {
        match self {
            Self::Fine => format!("of {budget}"),
            Self::TooMany => format!("of {budget}: TOO MANY"),
            Self::Loose => format!("of {budget}: much less than allowed, write a new budget"),
            Self::Unknown => "without a budget: TOO MANY".to_owned(),
        }
    }
}

impl Budget {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(FILE).unwrap_or_default();
        Self(toml::from_str(&text).expect("the budget's file"))
    }

    pub(crate) fn of(&self, subject: Subject) -> u64 {
        let of_build = self.0.get(build());
        of_build
            .and_then(|subjects| subjects.get(subject.name()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn judge(&self, subject: Subject, instructions: u64) -> Verdict {
        match self.of(subject) {
            0 => Verdict::Unknown,
            budget if instructions > budget => Verdict::TooMany,
            budget if instructions * 100 < budget * LOOSE => Verdict::Loose,
            _ => Verdict::Fine,
        }
    }

    /// Writes a new budget for this way to build; the other stays.
    pub(crate) fn set(&mut self, counted: &[(Subject, u64)]) {
        let with_room =
            |(subject, count): &(Subject, u64)| (subject.name().to_owned(), count + count * ROOM / 100);
        self.0
            .insert(build().to_owned(), counted.iter().map(with_room).collect());
        let tables = toml::to_string(&self.0).expect("a table");
        std::fs::write(FILE, format!("{TITLE}\n{tables}")).expect("the budget's file");
    }
}
