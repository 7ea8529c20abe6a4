//! What shall be measured, how often and how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::Scenario;
use crate::subject::Subject;

/// What shall be measured. [`Plan::new`] is the usual one.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The executable whose `gateway`, `core`, `idp` and `bench` commands are run: that of this process.
    pub executable: PathBuf,
    /// Whether that was built without optimization: its figures then say nothing about what ships.
    pub unoptimized: bool,
    /// Its version, for the report.
    pub version: String,
    /// The work; in the order of [`Scenario::ALL`].
    pub scenarios: Vec<Scenario>,
    /// Who does it, if installed.
    pub subjects: Vec<Subject>,
    /// How often everything is repeated, at least once.
    pub rounds: u32,
    /// How long each measurement takes.
    pub seconds: Duration,
    /// Connections of the load, at least one.
    pub connections: u32,
    /// Worker threads of each subject, at least one.
    pub threads: u32,
    /// Requests per second of the open loop; none for 60 % of what the gateway manages in the closed one.
    pub rate: Option<u32>,
    /// Sessions of [`Scenario::Sessions`].
    pub sessions: u32,
    /// Connections of [`Scenario::Idle`]; fewer where not so many files may be open.
    pub idle: u32,
    /// Where programs are that are not on the PATH.
    pub programs: BTreeMap<String, PathBuf>,
    /// The command line, to be repeated.
    pub command: String,
}

impl Plan {
    /// Everything, in some minutes, with this executable.
    #[must_use]
    pub fn new(executable: PathBuf) -> Self {
        Self {
            executable,
            unoptimized: false,
            version: String::new(),
            scenarios: Scenario::ALL.to_vec(),
            subjects: Subject::ALL.to_vec(),
            rounds: 3,
            seconds: Duration::from_secs(2),
            connections: 64,
            threads: 1,
            rate: None,
            sessions: 100_000,
            idle: 4_000,
            programs: BTreeMap::new(),
            command: "hivematrix bench".to_owned(),
        }
    }

    /// The same in a minute or so: one short round of the work that tells most.
    #[must_use]
    pub fn quick(mut self) -> Self {
        self.scenarios.retain(|scenario| {
            !matches!(
                scenario,
                Scenario::Unedited
                    | Scenario::Compressed
                    | Scenario::Sessions
                    | Scenario::Upload
                    | Scenario::Tls
            )
        });
        self.rounds = 1;
        self.seconds = Duration::from_secs(1);
        self.sessions = 5_000;
        self.idle = 1_000;
        self
    }
}
