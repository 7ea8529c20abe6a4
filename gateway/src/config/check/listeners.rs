//! Checks `[server]` and `[admin]`: addresses, certificates, and that both fit the public origins.

use std::path::PathBuf;

use super::super::file;
use super::super::problem::Problem;
use super::super::read::Written;
use super::super::secret::warn_if_exposed;
use super::super::server::{Admin, DEFAULT_GRACE, DEFAULT_LISTEN, Origin, Server, Tls, default_threads};
use super::{Checker, or};

impl Checker<'_> {
    pub(super) fn server(&mut self, server: file::Server) -> Option<Server> {
        let has_tls = server.tls.is_some();
        let tls = server.tls.map(|tls| self.tls(tls));
        let trusted = server.trusted_proxies.unwrap_or_default();
        for network in trusted.iter().filter(|network| network.value.prefix_len() == 0) {
            self.report(
                network
                    .problem("this trusts everybody to say who they are")
                    .help("name the addresses of the proxies in front of the gateway"),
            );
        }
        let behind_proxy = !trusted.is_empty();
        if let Some(listen) = &server.listen {
            self.listen(listen, has_tls, behind_proxy);
        }
        let origins = server.public_origins.unwrap_or_default();
        let message = "`public_origins` is missing in [server]: where do browsers find the gateway?";
        if let (true, Some(problem)) = (
            origins.is_empty(),
            server.heading.lacks("public_origins", message),
        ) {
            self.report(problem.help(
                "for example public_origins = [\"https://hive.example.com\"], or NEXUS_SERVICE_URL in a .flaskenv",
            ));
        }
        for (index, origin) in origins.iter().enumerate() {
            self.origin(origin, has_tls, behind_proxy);
            if origins
                .iter()
                .take(index)
                .any(|earlier| earlier.value == origin.value)
            {
                self.report(origin.problem("this origin is listed twice"));
            }
        }
        Some(Server {
            listen: server.listen.map_or(DEFAULT_LISTEN, |listen| listen.value),
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            threads: or(server.threads, default_threads()),
            public_origins: origins.into_iter().map(|origin| origin.value).collect(),
            trusted_proxies: trusted.into_iter().map(|network| network.value).collect(),
            grace: or(server.grace, DEFAULT_GRACE),
        })
    }

    fn listen(&mut self, listen: &Written<std::net::SocketAddr>, has_tls: bool, behind_proxy: bool) {
        if listen.value.ip().is_loopback() || has_tls {
            return;
        }
        let problem = listen.problem("without TLS the gateway listens on loopback only");
        self.report(if behind_proxy {
            problem
                .help("see to it that only the trusted proxies reach this address")
                .warning()
        } else {
            problem.help("add [server.tls], or name the proxy that ends TLS in `trusted_proxies`")
        });
    }

    fn origin(&mut self, origin: &Written<Origin>, has_tls: bool, behind_proxy: bool) {
        if has_tls && !origin.value.is_secure() {
            self.report(origin.problem("this origin is http, but the gateway speaks TLS"));
        } else if !has_tls && origin.value.is_secure() && !behind_proxy {
            self.report(
                origin
                    .problem("this origin is https, but the gateway has no certificate")
                    .help("add [server.tls], or name the proxy that ends TLS in `trusted_proxies`"),
            );
        } else if let Some(problem) = insecure(origin) {
            self.report(problem);
        }
    }

    fn tls(&mut self, tls: file::Tls) -> Option<Tls> {
        for (key, value) in [("certificate", &tls.certificate), ("key", &tls.key)] {
            if let (None, Some(problem)) = (
                value,
                tls.heading
                    .lacks(key, format!("`{key}` is missing in [server.tls]")),
            ) {
                self.report(problem);
            }
        }
        let certificate = tls.certificate.and_then(|path| self.existing(&path));
        let key = tls.key.and_then(|written| {
            let path = self.existing(&written)?;
            warn_if_exposed(&path, &written.place, self.problems);
            Some(path)
        });
        Some(Tls {
            certificate: certificate?,
            key: key?,
        })
    }

    /// The path of a file that is there and may be read.
    pub(super) fn existing(&mut self, written: &Written<PathBuf>) -> Option<PathBuf> {
        let path = self.path(&written.value);
        self.vault.files.push(path.clone());
        match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_file() => Some(path),
            Ok(_) => {
                self.report(written.problem(format!("{} is not a file", path.display())));
                None
            }
            Err(error) => {
                self.report(written.problem(format!("{} cannot be read: {error}", path.display())));
                None
            }
        }
    }

    pub(super) fn admin(&mut self, admin: file::Admin) -> Option<Admin> {
        let Some(written) = admin.listen else {
            return Some(Admin::default());
        };
        match written.value.0 {
            Some(address) if !address.ip().is_loopback() => {
                self.report(
                    written
                        .problem("the admin listener is for this machine only")
                        .help("listen on 127.0.0.1 or [::1], or write \"off\""),
                );
                None
            }
            listen => Some(Admin { listen }),
        }
    }
}

/// The problem of an origin at which browsers would not keep our session cookie.
pub(super) fn insecure(origin: &Written<Origin>) -> Option<Problem> {
    let lost = !origin.value.is_secure() && !origin.value.is_loopback();
    lost.then(|| {
        origin
            .problem("browsers keep the session cookie over https or on localhost only")
            .help(format!("https://{}", origin.value.host))
    })
}
