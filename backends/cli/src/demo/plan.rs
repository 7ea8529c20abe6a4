//! What a demo will be: addresses, origins, passwords, folder, certificate. Refuses what would be unsafe, before
//! anything runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use hivematrix_gateway::config::{Origin, Scheme};
use rand::distr::{Alphanumeric, SampleString as _};
use secrecy::SecretString;
use tempfile::TempDir;

use super::own::{self, OwnService};
use crate::certificate::{self, Certificate};
use crate::commands::demo::Args;
use crate::failure::{Failure, taken};
use crate::parts::{PEOPLE, Person};

/// Characters of a random password: about 95 bits.
const PASSWORD_LENGTH: usize = 16;

/// Everything that is decided before anything runs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where the gateway listens, with the real port.
    pub(crate) listen: SocketAddr,
    /// Bound there from the start: a port that is let go is somebody else's at once.
    pub(crate) listener: TcpListener,
    /// Under which names browsers reach it; the first is the one to open.
    pub(crate) origins: Vec<Origin>,
    /// Who can sign in, and how.
    pub(crate) people: Vec<(Person, String)>,
    /// Sessions go there; else they stay in memory.
    pub(crate) redis: Option<SecretString>,
    /// Whether to invent companies.
    pub(crate) demo_data: bool,
    /// Services that run beside the demo.
    pub(crate) services: Vec<OwnService>,
    /// Where Core listens.
    pub(crate) core: SocketAddr,
    /// For `--tls`.
    pub(crate) tls: Option<Certificate>,
    data: Option<PathBuf>,
    /// Removed when the plan goes.
    temporary: TempDir,
}

impl Plan {
    /// Decides.
    ///
    /// # Errors
    /// A listener for others without TLS; a taken port; a folder that cannot be made.
    pub(crate) fn new(args: Args) -> Result<Self, Failure> {
        let public = !args.listen.ip().is_loopback();
        if public && !args.tls {
            return Err(Failure::Usage(format!(
                "{} can be reached from other machines, which needs --tls: passwords and sessions would cross the \
                 network in the clear",
                args.listen
            )));
        }
        let services = own::services(&args.services)?;
        let core = own::core(args.core, &services)?;
        let (listener, listen) = bind(args.listen)?;
        let temporary = tempfile::Builder::new()
            .prefix("hivematrix-demo-")
            .tempdir()
            .map_err(|error| Failure::outside("no temporary folder", error))?;
        if let Some(data) = &args.data {
            std::fs::create_dir_all(data).map_err(|error| Failure::outside(data.display(), error))?;
        }
        let hosts = hosts(listen.ip(), &args.hosts);
        let tls = if args.tls {
            Some(certificate_for(&hosts, temporary.path())?)
        } else {
            None
        };
        let scheme = if args.tls { Scheme::Https } else { Scheme::Http };
        let origins = hosts
            .iter()
            .map(|host| origin(scheme, host, listen.port()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            listen,
            listener,
            origins,
            people: PEOPLE
                .iter()
                .map(|person| (*person, password(person, public)))
                .collect(),
            redis: args.redis,
            demo_data: !args.no_demo_data,
            services,
            core,
            tls,
            data: args.data,
            temporary,
        })
    }

    /// The address to open.
    pub(crate) fn url(&self) -> String {
        self.origins.first().map(ToString::to_string).unwrap_or_default()
    }

    /// Where this process reaches its own gateway.
    pub(crate) fn loopback_address(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        SocketAddr::new(ip, self.listen.port())
    }

    /// The certificate in PEM form, for `--tls`.
    pub(crate) fn certificate(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.pem.as_str())
    }

    /// The folder of Codex's data, and whether it stays.
    pub(crate) fn data(&self) -> (&Path, bool) {
        match &self.data {
            Some(folder) => (folder, true),
            None => (self.temporary.path(), false),
        }
    }

    /// Whether passwords are no secret.
    pub(crate) fn passwords_are_names(&self) -> bool {
        self.people
            .iter()
            .all(|(person, password)| person.username == password)
    }
}

/// The socket, and the address with its real port; a taken one is found out now rather than after everything else has
/// started.
fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    TcpListener::bind(address)
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
        .map_err(|error| taken(address, &error))
}

/// The names under which the demo can be reached, the one to open first.
fn hosts(listen: IpAddr, further: &[String]) -> Vec<String> {
    let mut hosts = Vec::new();
    let mut add = |host: String| {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    };
    if listen.is_loopback() || listen.is_unspecified() {
        // By this name browsers keep our cookies without TLS, too.
        add("localhost".to_owned());
    }
    match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => add(Ipv4Addr::LOCALHOST.to_string()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            add(Ipv4Addr::LOCALHOST.to_string());
            add(bracketed(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        }
        ip => add(bracketed(ip)),
    }
    if listen.is_unspecified()
        && let Some(ip) = outward(listen)
    {
        add(bracketed(ip));
    }
    further.iter().for_each(|host| add(host.to_ascii_lowercase()));
    hosts
}

/// The address of this machine in the network to which its packets go by default. Nothing is sent: connecting a
/// datagram socket only chooses a route.
fn outward(unspecified: IpAddr) -> Option<IpAddr> {
    // An address for documentation (RFC 5737, RFC 3849), so that the choice is that of any far address.
    let far = match unspecified {
        IpAddr::V4(_) => "192.0.2.1:9",
        IpAddr::V6(_) => "[2001:db8::1]:9",
    };
    let socket = UdpSocket::bind((unspecified, 0)).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn origin(scheme: Scheme, host: &str, port: u16) -> Result<Origin, Failure> {
    Origin::parse(&format!("{scheme}://{host}:{port}"))
        .map_err(|error| Failure::Usage(format!("--host {host}: {error}")))
}

fn certificate_for(hosts: &[String], folder: &Path) -> Result<Certificate, Failure> {
    let mut names: Vec<String> = hosts
        .iter()
        .map(|host| host.trim_matches(['[', ']']).to_owned())
        .collect();
    for usual in ["localhost", "127.0.0.1", "::1"] {
        if !names.iter().any(|name| name == usual) {
            names.push(usual.to_owned());
        }
    }
    certificate::self_signed(&names, folder)
}

fn password(person: &Person, public: bool) -> String {
    if public {
        random(PASSWORD_LENGTH)
    } else {
        person.username.to_owned()
    }
}

/// Letters and digits that nobody can guess.
pub(super) fn random(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(listen: &str, tls: bool) -> Args {
        Args {
            listen: listen.parse().unwrap(),
            tls,
            hosts: Vec::new(),
            redis: None,
            data: None,
            no_demo_data: false,
            services: Vec::new(),
            core: None,
        }
    }

    #[test]
    fn beyond_loopback_tls_is_needed_and_passwords_cannot_be_guessed() {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8000"] {
            let refused = Plan::new(args(listen, false)).unwrap_err();
            assert_eq!(refused.status(), 64, "{refused}");
            assert!(refused.to_string().contains("--tls"), "{refused}");
        }
        let plan = Plan::new(args("0.0.0.0:0", true)).unwrap();
        assert!(!plan.passwords_are_names());
        let mut passwords: Vec<_> = plan
            .people
            .iter()
            .map(|(_, password)| password.as_str())
            .collect();
        assert!(passwords.iter().all(|password| password.len() == PASSWORD_LENGTH));
        passwords.sort_unstable();
        passwords.dedup();
        assert_eq!(passwords.len(), PEOPLE.len());
    }

    #[test]
    fn on_loopback_everybody_has_their_name_as_password() {
        let plan = Plan::new(args("127.0.0.1:0", false)).unwrap();
        assert!(plan.passwords_are_names());
        let (port, origins) = (plan.listen.port(), &plan.origins);
        assert_ne!(port, 0);
        let origins: Vec<_> = origins.iter().map(ToString::to_string).collect();
        assert_eq!(
            origins,
            [
                format!("http://localhost:{port}"),
                format!("http://127.0.0.1:{port}")
            ]
        );
    }

    #[test]
    fn a_demo_is_known_by_the_names_that_reach_it() {
        let hosts_of = |ip: &str| hosts(ip.parse().unwrap(), &["Hive.example".to_owned()]);
        assert_eq!(hosts_of("127.0.0.1"), ["localhost", "127.0.0.1", "hive.example"]);
        assert_eq!(hosts_of("::1"), ["localhost", "[::1]", "hive.example"]);
        assert_eq!(hosts_of("192.0.2.7"), ["192.0.2.7", "hive.example"]);
        assert_eq!(hosts_of("0.0.0.0")[..2], ["localhost", "127.0.0.1"]);
    }

    #[test]
    fn a_taken_port_is_found_out_before_anything_starts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let failure = Plan::new(args(&address.to_string(), false)).unwrap_err();
        assert_eq!(failure.status(), 1);
        assert!(
            failure
                .to_string()
                .contains(&format!("{address} is already in use")),
            "{failure}"
        );
    }

    #[test]
    fn the_temporary_folder_goes_with_the_plan_and_a_given_one_stays() {
        let plan = Plan::new(args("127.0.0.1:0", true)).unwrap();
        let (folder, stays) = plan.data();
        let folder = folder.to_owned();
        assert!(folder.join("tls.key").exists() && !stays);
        drop(plan);
        assert!(!folder.exists());

        let kept = tempfile::tempdir().unwrap();
        let data = kept.path().join("new").join("folder");
        let plan = Plan::new(Args {
            data: Some(data.clone()),
            ..args("127.0.0.1:0", false)
        })
        .unwrap();
        assert_eq!(plan.data(), (data.as_path(), true));
        drop(plan);
        assert!(data.exists());
    }
}
