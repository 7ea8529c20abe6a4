//! Who listens on this machine: sockets of /proc/net/tcp and tcp6, and the processes that hold them. Linux only; elsewhere, and
//! where /proc is closed, there is nothing to see. What is right or wrong about it is decided elsewhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The state of a listening socket in the kernel's tables.
const LISTENING: &str = "0A";

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    inode: u64,
}

/// A process that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    /// The command line, cut to a line of a report.
    pub(crate) command: String,
    /// Its working folder.
    pub(crate) folder: PathBuf,
    /// Where it listens.
    pub(crate) listens: Vec<SocketAddr>,
}

/// What there is to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    listeners: Vec<Listener>,
    processes: Vec<Process>,
}

impl Sockets {
    /// What /proc says now; `None` where it says nothing.
    pub(crate) fn look() -> Option<Self> {
        let mut listeners = Vec::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // A machine without IPv6 has no second table.
            let text = std::fs::read_to_string(table).unwrap_or_default();
            listeners.extend(text.lines().skip(1).filter_map(listener));
        }
        if listeners.is_empty() {
            return None;
        }
        let processes = processes(&listeners);
        Some(Self { listeners, processes })
    }

    /// Where somebody listens on this port beyond loopback.
    pub(crate) fn exposed(&self, port: u16) -> Vec<SocketAddr> {
        let open =
            |listener: &&Listener| listener.address.port() == port && !is_loopback(listener.address.ip());
        self.listeners
            .iter()
            .filter(open)
            .map(|listener| listener.address)
            .collect()
    }

    /// The processes that listen on this port.
    pub(crate) fn at(&self, port: u16) -> Vec<&Process> {
        let there = |process: &&Process| process.listens.iter().any(|address| address.port() == port);
        self.processes.iter().filter(there).collect()
    }

    /// The processes whose working folder is this one or below it.
    pub(crate) fn within(&self, folder: &Path) -> Vec<&Process> {
        let there = |process: &&Process| process.folder.starts_with(folder);
        self.processes.iter().filter(there).collect()
    }
}

/// As packets see it: an IPv4 address in IPv6 clothes is that address.
fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    }
}

/// A line of a table, if it is a listening socket's.
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, ..] = fields.as_slice() else {
        return None;
    };
    if *state != LISTENING {
        return None;
    }
    Some(Listener {
        address: address(local)?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// `0100007F:1388`: words of the address as the machine's memory has them, the port in plain hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Every process that may be looked at.
fn processes(listeners: &[Listener]) -> Vec<Process> {
    let addresses: HashMap<u64, SocketAddr> = listeners
        .iter()
        .map(|listener| (listener.inode, listener.address))
        .collect();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let folder = std::fs::read_link(entry.path().join("cwd")).ok()?;
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let words: Vec<String> = command
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            let listens = sockets_of(&entry.path()).filter_map(|inode| addresses.get(&inode).copied());
            Some(Process {
                id,
                command: words.join(" ").trim().chars().take(120).collect(),
                folder,
                listens: listens.collect(),
            })
        })
        .collect()
}

/// The sockets among a process's open files.
fn sockets_of(process: &Path) -> impl Iterator<Item = u64> + use<> {
    let files = std::fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    files.filter_map(|file| {
        let target = std::fs::read_link(file.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_kernels_table_is_an_address() {
        let line = |local: &str, state: &str| {
            format!(
                "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0"
            )
        };
        for (local, expected) in [
            ("0100007F:1388", "127.0.0.1:5000"),
            ("00000000:01BB", "0.0.0.0:443"),
            ("00000000000000000000000000000000:1392", "[::]:5010"),
            ("00000000000000000000000001000000:1392", "[::1]:5010"),
            ("0000000000000000FFFF00000100007F:1392", "[::ffff:127.0.0.1]:5010"),
        ] {
            let found = listener(&line(local, "0A")).unwrap();
            assert_eq!(
                (found.address.to_string().as_str(), found.inode),
                (expected, 4242)
            );
        }
        assert_eq!(
            listener(&line("0100007F:1388", "01")),
            None,
            "a connection is no listener"
        );
        for nonsense in [
            "",
            "a",
            "  0: x y 0A",
            "0: 01:1 2 0A a a a a a 1",
            "0: 0100007F:FFFFF 0 0A 0 0 0 0 0 1",
        ] {
            assert_eq!(listener(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_listener_of_this_process_is_seen_with_its_process() {
        let local = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
        let Some(sockets) = Sockets::look() else { return };
        assert!(sockets.exposed(port(&local)).is_empty());
        assert_eq!(sockets.exposed(port(&open)), [open.local_addr().unwrap()]);
        let holders: Vec<u32> = sockets.at(port(&open)).iter().map(|process| process.id).collect();
        assert_eq!(holders, [std::process::id()]);
    }
}
