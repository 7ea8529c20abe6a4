//! Where a service is: beyond this machine, elsewhere than the registry says, or nowhere. Not how it behaves; that is
//! `service`.

use super::finding::{Check, Finding, Report};
use super::probe::{Seen, Silence};
use super::service::Subject;

impl Subject<'_> {
    pub(super) fn exposure(&self, report: &mut Report) {
        let Some(sockets) = self.sockets.filter(|_| self.service.upstream.is_loopback()) else {
            return;
        };
        let exposed = sockets.exposed(self.port());
        if exposed.is_empty() {
            return;
        }
        let addresses: Vec<String> = exposed.iter().map(ToString::to_string).collect();
        let holders: Vec<String> = sockets
            .at(self.port())
            .iter()
            .map(|process| format!("process {} ({})", process.id, process.command))
            .collect();
        let seen = format!("it listens on {} {}", addresses.join(" and "), holders.join(", "));
        let port = self.port();
        let fix = format!(
            "bind 127.0.0.1:{port}: app.run(host=\"127.0.0.1\"), gunicorn --bind 127.0.0.1:{port}, \
             waitress --listen=127.0.0.1:{port}"
        );
        report.find(self.finding(Check::Exposed, seen.trim(), fix));
    }

    /// Nothing came back: is its program anywhere at all?
    pub(super) fn silence(&self, silence: &Silence) -> Finding {
        let address = &self.service.upstream.address;
        if *silence == Silence::Hangs {
            let fix = "look at its log; a worker may be stuck, or there are too few";
            return self.finding(Check::NotAnswering, format!("{address}: {silence}"), fix);
        }
        let Some((sockets, folder)) = self.sockets.zip(self.folder.as_deref()) else {
            let fix = "start it, and look at its log if it ends at once; see that its port is the registry's";
            return self.finding(Check::NotAnswering, format!("{address}: {silence}"), fix);
        };
        let running = sockets.within(folder);
        if let Some((process, elsewhere)) = running
            .iter()
            .find_map(|process| Some((process, process.listens.first()?)))
        {
            let seen = format!(
                "nobody listens at {address}, but process {} ({}) in {} listens on {elsewhere}",
                process.id,
                process.command,
                folder.display()
            );
            let fix = format!(
                "let it listen on port {}, or put {} into the registry",
                self.port(),
                elsewhere.port()
            );
            return self.finding(Check::WrongPort, seen, fix);
        }
        let (state, fix) = match running.first() {
            Some(process) => (
                format!(
                    "process {} ({}) runs in {} and listens nowhere",
                    process.id,
                    process.command,
                    folder.display()
                ),
                "wait until it has started, or look at its log for what it waits for",
            ),
            None => (
                format!(
                    "no process runs in {}: it was not started, or has ended",
                    folder.display()
                ),
                "start it, and look at its log for why it ended",
            ),
        };
        self.finding(Check::NotAnswering, format!("{address}: {silence}; {state}"), fix)
    }

    /// Its health report says whose it is.
    pub(super) fn somebody_else(&self, health: &Seen) -> Option<Finding> {
        let report = health.json();
        let named = report["service"].as_str()?.to_ascii_lowercase();
        let named = named.strip_prefix("hivematrix-").unwrap_or(&named);
        if named == self.name() || named.is_empty() {
            return None;
        }
        let address = &self.service.upstream.address;
        let seen = format!("at {address}, its address in the registry, `{named}` answers");
        let fix = format!(
            "give each service a port of its own, and the registry the one on which `{}` listens",
            self.name()
        );
        Some(self.finding(Check::WrongPort, seen, fix))
    }
}
