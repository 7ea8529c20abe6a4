//! Who is held against the gateway: how each is started, and what it cannot do. Their configurations are in
//! `benches/peers/`.

mod able;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::BenchError;
use crate::plan::Plan;
use crate::programs::{Found, Known, Missing};
use crate::stage::{Program, Stage, Started, ports};
use crate::subject::Subject;
use crate::world::template::Values;
use crate::world::{World, go_threads, listening};

pub(crate) use able::unable;

/// Where Apache's modules are, by distribution.
const APACHE_MODULES: [&str; 4] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/libexec/apache2",
];

/// Room for connections that nobody has counted.
const CONNECTIONS_BESIDES: u32 = 500;

/// One rival.
pub(crate) struct Rival {
    /// Who it is.
    pub(crate) subject: Subject,
    /// The program.
    pub(crate) program: Known,
    /// Its configuration files; the first is the one that it is started with.
    files: &'static [(&'static str, &'static str)],
    /// Its arguments.
    arguments: fn(&Setting<'_>) -> Vec<OsString>,
}

/// What arguments may depend on.
struct Setting<'a> {
    file: &'a Path,
    port: u16,
    service: u16,
    threads: u32,
}

/// A rival that runs.
pub(crate) struct Running {
    /// The process.
    pub(crate) started: Started,
    /// Where it listens.
    pub(crate) port: u16,
    /// Where it listens with TLS, if it knows how.
    pub(crate) tls: u16,
}

/// The rival that a subject is; none for the gateway.
pub(crate) fn of(subject: Subject) -> Option<&'static Rival> {
    table::RIVALS.iter().find(|rival| rival.subject == subject)
}

impl Rival {
    /// Looks for its program, and for what else it needs.
    pub(crate) async fn find(&self, plan: &Plan) -> Result<Found, Missing> {
        let beside = plan
            .executable
            .parent()
            .map(|folder| folder.join("examples/forwarder"));
        let mut places = plan.programs.clone();
        if let Some(built) = beside.filter(|_| self.subject == Subject::Forwarder) {
            places.entry(self.program.name.to_owned()).or_insert(built);
        }
        let mut found = self.program.find(&places).await?;
        match self.subject {
            Subject::Forwarder => found.version = "of this project".to_owned(),
            Subject::Apache if modules().is_none() => return Err(self.program.missing()),
            _ => {}
        }
        Ok(found)
    }

    /// Starts it in front of a service at these ports, and waits until it listens.
    pub(crate) async fn start(
        &self,
        stage: &Stage,
        world: &World,
        plan: &Plan,
        found: &Found,
        service: u16,
    ) -> Result<Running, BenchError> {
        let [port, tls] = ports::free()?;
        let folder = stage.path("");
        let values = Values::common()
            .with("PORT", port)
            .with("TLS", tls)
            .with("UP", service)
            .with("WS", world.sockets)
            .with("DIR", folder.display().to_string().trim_end_matches('/'))
            .with("WORKERS", plan.threads)
            .with("CONNECTIONS", connections(plan))
            .with("JWKS", &world.people.jwks)
            .with("SECRET", &world.people.shared_secret)
            .with("MODULES", modules().unwrap_or_default().display());
        for (name, template) in self.files {
            stage.write(name, values.fill(template))?;
        }
        let file = self
            .files
            .first()
            .map(|(name, _)| stage.path(name))
            .unwrap_or_default();
        let arguments = (self.arguments)(&Setting {
            file: &file,
            port,
            service,
            threads: plan.threads,
        });
        let name = format!("{}-{port}", self.subject);
        let mut program = Program::new(name, &found.path, arguments);
        program.environment.extend(go_threads(plan.threads));
        let started = stage.start(&program)?;
        listening(&started, port).await?;
        Ok(Running { started, port, tls })
    }
}

/// Connections that a rival must be ready for, those to the service included.
fn connections(plan: &Plan) -> u32 {
    plan.idle + plan.idle / 2 + 2 * plan.connections + CONNECTIONS_BESIDES
}

/// Where Apache's modules are, if the one that checks tokens is there.
fn modules() -> Option<PathBuf> {
    let folders = APACHE_MODULES.map(PathBuf::from).into_iter();
    folders
        .into_iter()
        .find(|folder| folder.join("mod_auth_openidc.so").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_but_the_gateway_is_a_rival_and_no_place_of_a_configuration_stays_empty() {
        for subject in Subject::ALL {
            assert_eq!(of(subject).is_none(), subject == Subject::Gateway, "{subject}");
        }
        let names = [
            "PORT",
            "TLS",
            "UP",
            "WS",
            "DIR",
            "WORKERS",
            "CONNECTIONS",
            "JWKS",
            "SECRET",
            "MODULES",
        ];
        let values = names
            .into_iter()
            .fold(Values::common(), |values, name| values.with(name, "x"));
        for (name, template) in table::RIVALS.iter().flat_map(|rival| rival.files) {
            let filled = values.fill(template);
            let left: Vec<&str> = filled
                .split('@')
                .skip(1)
                .step_by(2)
                .filter(|between| !between.is_empty() && between.chars().all(|c| c.is_ascii_uppercase()))
                .collect();
            assert!(left.is_empty(), "{name}: {left:?}");
        }
    }
}
