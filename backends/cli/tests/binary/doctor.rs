//! `hivematrix doctor`, in front of real services of which each does one thing that no service should (`faulty.py`), and of a
//! platform whose parts are set up wrongly.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use hivematrix_tests::{Python, Served, Wsgi, free_port};
use serde_json::{Value, json};

use super::installation::{CORE_SECRET, Installation, core};
use super::process::Binary;

/// Which services have which findings; each must say all that a finding says.
fn found(report: &Value) -> BTreeSet<(String, String)> {
    let text = |finding: &Value, member: &str| {
        let text = finding[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member} is missing in {finding}");
        text.to_owned()
    };
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let _ = (text(finding, "seen"), text(finding, "why"), text(finding, "fix"));
            (text(finding, "service"), text(finding, "check"))
        })
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    expected
        .iter()
        .map(|(service, check)| ((*service).to_owned(), (*check).to_owned()))
        .collect()
}

/// A Flask service of `faulty.py`.
struct Patient {
    name: &'static str,
    application: &'static str,
    wsgi: Wsgi,
    /// Another address than 127.0.0.1.
    host: &'static str,
    findings: &'static [&'static str],
}

const fn patient(
    name: &'static str,
    application: &'static str,
    findings: &'static [&'static str],
) -> Patient {
    Patient {
        name,
        application,
        wsgi: Wsgi::TrustingWaitress,
        host: "127.0.0.1",
        findings,
    }
}

const PATIENTS: [Patient; 14] = [
    Patient {
        wsgi: Wsgi::Gunicorn,
        ..patient("good", "good", &[])
    },
    patient("good2", "good", &[]),
    patient("strict", "prefix_strict", &["prefix_middleware"]),
    patient("fixed", "prefix_fixed", &["prefix_middleware"]),
    patient("twice", "prefix_twice", &["prefix_middleware"]),
    patient("missing", "prefix_missing", &["prefix_missing"]),
    patient("absolute", "script_absolute", &["prefix_missing"]),
    patient("styles", "styles", &["own_styles"]),
    patient("bare", "script_bare", &["script_without_credentials"]),
    patient("redirected", "script_redirected", &["script_gets_page"]),
    patient("issuer", "wrong_issuer", &["token_refused"]),
    Patient {
        wsgi: Wsgi::Waitress,
        ..patient("dropped", "good", &["host_dropped"])
    },
    Patient {
        host: "0.0.0.0",
        ..patient("open4", "good", &["exposed"])
    },
    Patient {
        host: "[::]",
        wsgi: Wsgi::Gunicorn,
        ..patient("open6", "good", &["exposed"])
    },
];

#[tokio::test]
async fn each_service_that_does_what_none_should_is_named_and_the_good_ones_are_not() {
    let Some(python) = Python::find() else { return };
    let with_ipv6 = std::net::TcpListener::bind("[::]:0").is_ok();
    let patients = || {
        PATIENTS
            .iter()
            .filter(|patient| with_ipv6 || patient.name != "open6")
    };
    let services: Vec<(&str, u16)> = patients().map(|patient| (patient.name, free_port())).collect();
    let installation = Installation::start(&services).await;
    let mut running: Vec<Served> = Vec::new();
    for (patient, (name, port)) in patients().zip(&services) {
        let environment = [
            ("SERVICE_NAME", *name),
            ("CORE_SERVICE_URL", installation.core_url.as_str()),
        ];
        let (application, listen) = (
            format!("faulty:{}", patient.application),
            format!("{}:{port}", patient.host),
        );
        let folder = installation.folder.path();
        running.push(
            python
                .serve_from(folder, patient.wsgi, &application, &listen, &environment)
                .await,
        );
    }
    let (status, report) = installation.examined(&[], &[]).await;
    let expected = patients().flat_map(|patient| patient.findings.iter().map(|check| (patient.name, *check)));
    assert_eq!(found(&report), pairs(&expected.collect::<Vec<_>>()), "{report:#}");
    assert_eq!((status, &report["healthy"]), (1, &json!(false)));
    let exposed = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["service"] == "open4")
        .unwrap();
    let process = running[12].id().to_string();
    for told in ["0.0.0.0", &process, "waitress"] {
        assert!(
            exposed["seen"].as_str().unwrap().contains(told),
            "{told} is not in {exposed}"
        );
    }
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one installation with many faults, told one after the other"
)]
async fn a_service_that_does_not_start_or_is_elsewhere_is_named_with_what_runs_in_its_folder() {
    let Some(python) = Python::find() else { return };
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let services =
        ["absent", "ended", "elsewhere", "impostor", "listed", "otherwise"].map(|name| (name, free_port()));
    let mut all = services.to_vec();
    all.push(("hangs", hanging.local_addr().unwrap().port()));
    let installation = Installation::start(&all).await;
    let port = |wanted: &str| all.iter().find(|(name, _)| *name == wanted).unwrap().1;
    installation.write("hivematrix-ended/run.py", "");
    let elsewhere = installation
        .write("hivematrix-elsewhere/run.py", "")
        .parent()
        .unwrap()
        .to_owned();
    installation.write(
        "hivematrix-otherwise/.flaskenv",
        "CORE_SERVICE_URL=http://localhost:5999\n",
    );
    installation.write("hivematrix-otherwise/app/static/css/own.css", "body {}");
    installation.write("hivematrix-otherwise/pyenv/lib/other.css", "body {}");
    let apps = json!({"core_apps": {}, "default_apps": {"listed": {"name": "Listed", "port": 5999}}, "system_dependencies": []});
    installation.write("hivematrix-helm/apps_registry.json", &apps.to_string());
    let master = json!({"system": {"hostname": "localhost"}, "keycloak": {"realm": "hivematrix", "client_secret": "an older one"}});
    installation.write(
        "hivematrix-helm/instance/configs/master_config.json",
        &master.to_string(),
    );

    let serve = async |name: &str, folder: PathBuf, port: u16, calls_itself: &str| {
        let environment = [
            ("SERVICE_NAME", name),
            ("CALLS_ITSELF", calls_itself),
            ("CORE_SERVICE_URL", installation.core_url.as_str()),
        ];
        let listen = format!("127.0.0.1:{port}");
        python
            .serve_from(
                &folder,
                Wsgi::TrustingWaitress,
                "faulty:good",
                &listen,
                &environment,
            )
            .await
    };
    let here = installation.folder.path().to_owned();
    let lost = serve("elsewhere", elsewhere, free_port(), "elsewhere").await;
    let _running = [
        serve("impostor", here.clone(), port("impostor"), "ledger").await,
        serve("listed", here.clone(), port("listed"), "listed").await,
        serve("otherwise", here, port("otherwise"), "otherwise").await,
    ];
    let (status, report) = installation.examined(&[], &[]).await;
    let expected = [
        ("absent", "not_answering"),
        ("ended", "not_answering"),
        ("hangs", "not_answering"),
        ("elsewhere", "wrong_port"),
        ("impostor", "wrong_port"),
        ("listed", "files_disagree"),
        ("nexus", "files_disagree"),
        ("otherwise", "other_core"),
        ("otherwise", "own_styles"),
    ];
    assert_eq!((status, found(&report)), (1, pairs(&expected)), "{report:#}");
    let seen = |service: &str| {
        let findings = report["findings"].as_array().unwrap().iter();
        let of = findings.filter(|finding| finding["service"] == service);
        of.map(|finding| finding["seen"].as_str().unwrap())
            .collect::<String>()
    };
    assert!(
        seen("elsewhere").contains(&lost.address().to_string()),
        "{}",
        seen("elsewhere")
    );
    assert!(seen("ended").contains("no process runs in"), "{}", seen("ended"));
    assert!(
        seen("impostor").contains("`ledger` answers"),
        "{}",
        seen("impostor")
    );
    assert!(
        seen("otherwise").contains("own.css") && !seen("otherwise").contains("other.css"),
        "{}",
        seen("otherwise")
    );
    assert!(!report.to_string().contains("an older one"), "no secret is shown");
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one installation with many faults, told one after the other"
)]
async fn parts_of_the_platform_that_are_down_or_set_up_wrongly_are_named() {
    let codex_port = free_port();
    let installation = Installation::start(&[("codex", codex_port)]).await;
    let listen = format!("127.0.0.1:{codex_port}");
    let _codex = Binary::new(&["codex", "--listen", &listen, "--core", &installation.core_url])
        .ready()
        .await;
    let (status, report) = installation.examined(&[], &[]).await;
    assert_eq!((status, found(&report)), (0, pairs(&[])), "{report:#}");

    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let no_redis = format!("redis://:hunter2@127.0.0.1:{}/0", free_port());
    let other_url = format!("http://127.0.0.1:{}", free_port());
    let registry = installation.nexus().join("services.json");
    let _other = core(
        &other_url,
        &installation.redis,
        &installation.idp,
        registry.to_str().unwrap(),
        "hivematrix.core",
    )
    .await;
    let late = late_core().await;
    let port = free_port().to_string();
    for (arguments, variable, value, part, check) in [
        (
            &[][..],
            "HIVEMATRIX_REDIS_URL",
            no_redis.as_str(),
            "redis",
            "redis_down",
        ),
        (
            &[],
            "KEYCLOAK_CLIENT_SECRET",
            "another",
            "identity provider",
            "provider_client",
        ),
        (
            &["--port", &port],
            "LOG_LEVEL",
            "info",
            "identity provider",
            "provider_client",
        ),
        (
            &[],
            "KEYCLOAK_BACKEND_URL",
            &nowhere,
            "identity provider",
            "provider_down",
        ),
        (
            &[],
            "KEYCLOAK_REALM",
            "nothing",
            "identity provider",
            "provider_down",
        ),
        (
            &[],
            "KEYCLOAK_SERVER_URL",
            "https://id.example/auth",
            "identity provider",
            "provider_issuer",
        ),
        (&[], "HIVEMATRIX_CORE_SECRET", "another", "core", "core_refuses"),
        (&[], "CORE_SERVICE_URL", &nowhere, "core", "core_down"),
        (&[], "CORE_SERVICE_URL", &other_url, "core", "core_tokens"),
        (&[], "CORE_SERVICE_URL", &late, "core", "clock_skew"),
    ] {
        let (status, report) = installation.examined(arguments, &[(variable, value)]).await;
        let named = (part.to_owned(), check.to_owned());
        assert!(
            status == 1 && found(&report).contains(&named),
            "{variable}={value}: {report:#}"
        );
        assert!(!report.to_string().contains("hunter2"), "{report:#}");
    }
}

/// A Core whose clock is an hour late, and which does nothing else.
async fn late_core() -> String {
    let keys = async || ([("date", "Thu, 01 Jan 2026 00:00:00 GMT")], "{\"keys\":[]}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/.well-known/jwks.json", get(keys));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn whoever_is_signed_in_and_unknown_to_codex_is_named() {
    let codex_port = free_port();
    let installation = Installation::start(&[("codex", codex_port)]).await;
    let listen = format!("127.0.0.1:{codex_port}");
    let _codex = Binary::new(&["codex", "--listen", &listen, "--core", &installation.core_url])
        .ready()
        .await;
    let user = json!({"sub": "1", "name": "N", "email": "new@hive.example", "preferred_username": "n",
        "permission_level": "client", "groups": []});
    let record =
        json!({"user_data": user, "created_at": 1, "expires_at": 4_000_000_000_u64, "revoked": false});
    let mut client = installation.redis.client();
    let key = format!("session:{}", "A".repeat(43));
    redis::cmd("SETEX")
        .arg(key)
        .arg(3600)
        .arg(record.to_string())
        .query_async::<()>(&mut client)
        .await
        .unwrap();
    let (status, report) = installation.examined(&[], &[]).await;
    assert_eq!(
        (status, found(&report)),
        (1, pairs(&[("codex", "agent_not_found")])),
        "{report:#}"
    );
    assert!(report.to_string().contains("new@hive.example"));
    drop(installation.core);
}

#[tokio::test]
async fn for_people_each_finding_is_four_lines_and_a_bad_configuration_is_explained() {
    let installation = Installation::start(&[("absent", free_port())]).await;
    let nexus = installation.nexus();
    let ended = Binary::new(&["doctor", "--original", nexus.to_str().unwrap()])
        .env("HIVEMATRIX_REDIS_URL", &installation.redis.url())
        .env("HIVEMATRIX_CORE_SECRET", CORE_SECRET)
        .ended()
        .await;
    assert_eq!(
        (ended.status, ended.stderr.trim()),
        (1, "hivematrix: 1 finding"),
        "{ended:?}"
    );
    for line in [
        "absent: not_answering\n  seen  127.0.0.1:",
        "\n  why   the gateway answers 502",
        "\n  do    start it",
        "\nexamined: core, ",
    ] {
        assert!(
            ended.stdout.contains(line),
            "{line:?} is not in\n{}",
            ended.stdout
        );
    }
    std::fs::write(nexus.join("services.json"), "{").unwrap();
    let ended = Binary::new(&["doctor", "--original", nexus.to_str().unwrap()])
        .ended()
        .await;
    assert_eq!(ended.status, 64, "{ended:?}");
    assert!(ended.stderr.contains("services.json:1:"), "{ended:?}");
}
