//! Our Core and one in Python (`../python/core.py`: Flask, PyJWT, redis-py) on one Redis and with one signing key: what
//! either has begun the other sees, checks and ends.

use std::time::Duration;

use hivematrix_gateway::config::Renewal;
use hivematrix_platform::{Dotenv, SessionId, SessionRecord, unix_now};
use hivematrix_tests::{
    Answer, Builder, Client, Python, Script, Served, Stack, Wsgi, claims, eventually, free_port,
    takes_at_most,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// Which Core the gateway asks.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Python,
    Ours,
}

/// A stack with both Cores.
struct Cores {
    stack: Stack,
    python: Served,
    _key: NamedTempFile,
}

impl Cores {
    async fn start(asked: Asked) -> Option<Self> {
        Self::on(Stack::builder(), asked).await
    }

    async fn on(builder: Builder, asked: Asked) -> Option<Self> {
        let python = Python::find()?;
        let port = free_port();
        let builder = builder.configure(move |config| {
            if asked == Asked::Python {
                config.core.url = format!("http://127.0.0.1:{port}").parse().unwrap();
            }
        });
        let stack = builder.start().await;
        let key = NamedTempFile::new().unwrap();
        std::fs::write(key.path(), stack.signing_key_pem()).unwrap();
        let userinfo = format!(
            "{}realms/hivematrix/protocol/openid-connect/userinfo",
            stack.provider()
        );
        let (redis, file) = (stack.redis.url(), key.path().display().to_string());
        let environment = [
            ("REDIS_URL", redis.as_str()),
            ("JWT_PRIVATE_KEY_FILE", &file),
            ("USERINFO_URL", &userinfo),
        ];
        let python = python.serve(Wsgi::Gunicorn, "core:app", port, &environment).await;
        let _key = key;
        Some(Self { stack, python, _key })
    }

    fn ours(&self) -> Client {
        Client::at(self.stack.core().as_str(), None)
    }

    fn theirs(&self) -> Client {
        Client::at(&self.python.url(), None)
    }
}

async fn ask(core: &Client, endpoint: &str, token: &str) -> Answer {
    core.post(&format!("/api/token/{endpoint}"))
        .json(&json!({ "token": token }))
        .send()
        .await
}

/// A session that the one Core began is known to both, ended by the other, and then refused by both and by the gateway.
async fn begun_by_one_and_ended_by_the_other(asked: Asked) {
    let Some(cores) = Cores::start(asked).await else {
        return;
    };
    let stack = &cores.stack;
    let client = stack.signed_in("technician").await;
    let (token, session) = (stack.token_of(&client).await, stack.session_of(&client).await);
    let (ours, theirs) = (cores.ours(), cores.theirs());
    let (by_us, by_them) = (
        ask(&ours, "validate", &token).await,
        ask(&theirs, "validate", &token).await,
    );
    assert_eq!(
        (by_us.status, by_them.status),
        (200, 200),
        "{by_us:?} {by_them:?} {}",
        cores.python.written()
    );
    assert_eq!(by_us.json(), by_them.json());
    assert_eq!(by_us.json()["user"]["permission_level"], "technician");

    let lived = stack.redis.ttl(&session.key()).await;
    let other = if asked == Asked::Python { &ours } else { &theirs };
    let ended = ask(other, "revoke", &token).await;
    assert_eq!(
        (ended.status, &ended.json()["message"]),
        (200, &json!("Session revoked successfully"))
    );
    eventually("the gateway refuses the session", async || {
        (client.fetch("/echo/x").await.status == 401).then_some(())
    })
    .await;
    for core in [&ours, &theirs] {
        let refused = ask(core, "validate", &token).await;
        assert_eq!(refused.status, 401);
        assert_eq!(
            refused.json(),
            json!({"error": "Session expired or revoked", "valid": false})
        );
        let again = ask(core, "revoke", &token).await;
        assert_eq!(
            (again.status, &again.json()["message"]),
            (404, &json!("Session not found or already revoked"))
        );
    }
    let record = stack.record_of(&session).await.expect("a revoked record stays");
    let lives = stack.redis.ttl(&session.key()).await;
    assert!(
        record.revoked && (1..=lived).contains(&lives),
        "{record:?} lives {lives} s of {lived} s"
    );
}

#[tokio::test]
async fn a_session_of_the_python_core_is_seen_checked_and_revoked_by_ours() {
    begun_by_one_and_ended_by_the_other(Asked::Python).await;
}

#[tokio::test]
async fn a_session_of_our_core_is_seen_checked_and_revoked_by_the_python_core() {
    begun_by_one_and_ended_by_the_other(Asked::Ours).await;
}

#[tokio::test]
async fn signing_out_at_the_gateway_ends_the_session_at_the_python_core() {
    let Some(cores) = Cores::start(Asked::Python).await else {
        return;
    };
    let client = cores.stack.signed_in("admin").await;
    let token = cores.stack.token_of(&client).await;
    let page = client.visit("/logout").send().await;
    client.submit_once(&page, &[]).await;
    let refused = ask(&cores.theirs(), "validate", &token).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (401, &json!("Session expired or revoked"))
    );
}

#[tokio::test]
async fn a_gateway_with_the_python_core_gets_preferences_with_its_service_tokens() {
    let Some(cores) = Cores::start(Asked::Python).await else {
        return;
    };
    let client = cores.stack.signed_in("admin").await;
    let settings = json!({"theme_preference": "dark"});
    let saved = client
        .script("PUT", "/codex/api/my/settings")
        .json(&settings)
        .send()
        .await;
    assert_eq!(saved.status, 200, "{saved:?}");
    client.script("POST", "/api/invalidate-cache").send().await;
    eventually("the theme comes from Codex", async || {
        let page = client.navigate("/codex/").await;
        page.text().contains("data-theme=\"dark\"").then_some(())
    })
    .await;
}

/// A gateway that asks about a session every few seconds, with the Python Core, which has no address for that.
async fn asking_often(renewal: Renewal) -> Option<Cores> {
    let builder = Stack::builder().configure(move |config| {
        config.sessions.renewal = renewal;
        config.sessions.recheck_within = Duration::from_secs(3);
        // Cases ask until something has happened, as often as the machine allows.
        config.limits.requests_per_minute = 0;
    });
    Cores::on(builder, Asked::Python).await
}

/// The session is good for its hour and no longer, however much it is used.
async fn ends_with_its_hour(renewal: Renewal, told: usize) {
    let Some(cores) = asking_often(renewal).await else {
        return;
    };
    let stack = &cores.stack;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("technician").await;
    let (session, token) = (stack.session_of(&client).await, stack.token_of(&client).await);
    let socket = stack.websocket(&client, "/echo/socket").await;
    let mut socket = socket.expect("a WebSocket");
    let issued = claims(&token)["iat"].as_u64().expect("an iat");
    eventually("it was due more than once", async || {
        assert_eq!(client.fetch("/plain/x").await.status, 200);
        (unix_now() > issued + 8).then_some(())
    })
    .await;
    assert_eq!(socket.says("still here").await, "still here");
    assert_eq!(stack.token_of(&client).await, token);
    let (hour, left) = (issued + 3600, stack.redis.ttl(&session.key()).await);
    let mut record = stack.record_of(&session).await.expect("a record");
    assert_eq!((record.expires_at, record.revoked), (hour, false));
    assert!((3500..3600).contains(&left), "{left}");
    // The operator is told once, not for every session and request.
    let said = stack.logs.text().matches("renews no sessions").count();
    assert_eq!(said, told);

    // The end of its hour, sooner.
    record.expires_at = unix_now() + 2;
    let json = serde_json::to_string(&record).expect("JSON");
    stack.redis.set_keeping_ttl(&session.key(), &json).await;
    let end = takes_at_most(Duration::from_secs(10), "its time is over", socket.ended()).await;
    assert_eq!(end, Some((1008, "session expired".to_owned())));
    assert_eq!(client.fetch("/plain/x").await.status, 401);
}

#[tokio::test]
async fn a_session_of_the_python_core_ends_with_its_hour_where_the_gateway_would_have_core_renew_it() {
    ends_with_its_hour(Renewal::Core, 1).await;
}

#[tokio::test]
async fn a_session_of_the_python_core_ends_with_its_hour_where_renewal_is_off() {
    ends_with_its_hour(Renewal::Off, 0).await;
}

#[tokio::test]
async fn a_session_of_the_python_core_is_exchanged_for_another_and_no_stream_notices() {
    let Some(cores) = asking_often(Renewal::Exchange).await else {
        return;
    };
    let stack = &cores.stack;
    stack.echo.on("/socket", Script::websocket());
    stack.echo.on(
        "/events",
        Script::chunked("text/event-stream").chunk("data: one\n\n").park(),
    );
    let client = stack.signed_in("technician").await;
    let (mut session, mut token) = (stack.session_of(&client).await, stack.token_of(&client).await);
    let (handle, sub) = (client.cookie("__Host-hivematrix"), claims(&token)["sub"].clone());
    let socket = stack.websocket(&client, "/echo/socket").await;
    let mut socket = socket.expect("a WebSocket");
    let asked = client.get("/echo/events").header("Accept", "text/event-stream");
    let mut events = asked.stream().await;
    assert_eq!(events.text().await, "data: one\n\n");
    for _ in 0..2 {
        let other = async || Some(stack.session_of(&client).await).filter(|other| *other != session);
        let next = eventually("the session is exchanged", other).await;
        let known = ask(&cores.theirs(), "validate", &stack.token_of(&client).await).await;
        assert_eq!((known.status, &known.json()["valid"]), (200, &json!(true)));
        eventually("the Python Core knows the one before no longer", async || {
            let gone = ask(&cores.theirs(), "validate", &token).await;
            (gone.status == 401).then_some(())
        })
        .await;
        assert_eq!(socket.says("still here").await, "still here");
        (session, token) = (next, stack.token_of(&client).await);
        assert_eq!(claims(&token)["sub"], sub, "the same person");
    }
    assert_eq!(
        client.cookie("__Host-hivematrix"),
        handle,
        "a browser notices nothing"
    );
    let silence = tokio::time::timeout(Duration::from_millis(100), events.chunk()).await;
    assert!(silence.is_err(), "the event stream is open: {silence:?}");
    assert!(!stack.logs.text().contains("renews no sessions"));

    // What counts in the end is the session of this moment; should it be exchanged right now, the one that follows.
    ask(&cores.theirs(), "revoke", &stack.token_of(&client).await).await;
    let end = takes_at_most(Duration::from_secs(15), "the WebSocket ends", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
}

#[tokio::test]
async fn both_cores_publish_one_key_and_make_tokens_and_records_of_one_form() {
    let mut forms = Vec::new();
    for asked in [Asked::Python, Asked::Ours] {
        let Some(cores) = Cores::start(asked).await else {
            return;
        };
        let jwks = async |core: &Client| core.get("/.well-known/jwks.json").send().await.json();
        assert_eq!(jwks(&cores.ours()).await, jwks(&cores.theirs()).await);
        let client = cores.stack.signed_in("billing").await;
        let token = cores.stack.token_of(&client).await;
        let session = cores.stack.session_of(&client).await;
        let record = cores.stack.redis.get(&session.key()).await.expect("a record");
        let mut form =
            json!({"token": claims(&token), "record": serde_json::from_str::<Value>(&record).unwrap()});
        let ttl = cores.stack.redis.ttl(&session.key()).await;
        assert!((3500..=3600).contains(&ttl), "{ttl}");
        // What is another one in each world.
        for (part, member) in [
            ("/token", "jti"),
            ("/token", "iat"),
            ("/token", "exp"),
            ("/token", "sub"),
            ("/record", "created_at"),
            ("/record", "expires_at"),
            ("/record/user_data", "sub"),
        ] {
            let value = form
                .pointer_mut(part)
                .and_then(|part| part.get_mut(member))
                .expect("a member");
            *value = json!(if value.is_string() { "a text" } else { "a number" });
        }
        forms.push((jsonwebtoken::decode_header(&token).unwrap(), form));
    }
    assert_eq!(forms[0], forms[1]);
}

#[tokio::test]
async fn what_redis_py_wrote_of_somebody_of_whom_the_provider_knows_next_to_nothing_is_read() {
    let Some(python) = Python::find() else { return };
    let redis = hivematrix_tests::Redis::start().await;
    let script = r"
import json, redis, secrets, sys, time
id, now = secrets.token_urlsafe(32), int(time.time())
user = {'sub': 'caf\u00e9-1', 'name': None, 'email': None, 'preferred_username': None,
        'permission_level': 'client', 'groups': None}
record = {'user_data': user, 'created_at': now, 'expires_at': now + 3600, 'revoked': False}
redis.Redis.from_url(sys.argv[1]).setex('session:' + id, 3600, json.dumps(record))
print(id, end='')
";
    let id = python.run(script, &[&redis.url()]);
    let session = SessionId::parse(&id).expect("secrets.token_urlsafe(32) is a session's id");
    let json = redis.get(&session.key()).await.expect("a record");
    let record = SessionRecord::from_json(json.as_bytes()).unwrap();
    assert_eq!(
        (record.user_data.sub.as_str(), record.user_data.name.as_str()),
        ("caf\u{e9}-1", "")
    );
    assert!(record.expires_at > unix_now() && !record.revoked && record.user_data.groups.is_empty());
}

#[test]
fn a_flaskenv_is_read_as_python_dotenv_reads_it() {
    let Some(python) = Python::find() else { return };
    let script = r"
import io, json, os, sys, dotenv
os.environ.clear()
os.environ['OUT'] = 'side'
print(json.dumps([dotenv.dotenv_values(stream=io.StringIO(text)) for text in json.loads(sys.argv[1])]))
";
    let texts = [
        "A=1\nB = 2\n  C=3  \nexport D=4\nexport\tE=5\nexportF=6\n",
        "A='it''s'\nB='a\\'b'\nC=\"a\\\"b\"\nD=\"x\ny\"\nE='x\r\ny'\nF=\"\\t\\x\\\\\"\n",
        "A=x #y\nB=x#y\nC=#y\nD= #y\nE='x' # y\nF=\"x\"y\nG=x\t# y\n# H=1\n   # I=1\n",
        "A=1\nB=${A}2\nC=${OUT}${NONE}${NONE:-d}\nD='${A}'\nE=${A\nF=$A\nA=3\nG=${A}\nOUT=in\nH=${OUT}\nI=${A:b}${A}",
        "A\nB=\n=3\n'C d'=4\n''=5\nE F=6\nG=\"open\nH=7\nI='open\nJ==\n",
        "A=1\r\nB=2\rC=3\r\n\r\nD=\r\nE=\" \"\u{a0}\nF=\u{a0}x\u{a0}#y",
        "\u{feff}A=1\nB=caf\u{e9} \u{1f41d}\nexport 'C'=1\nexport=2\nD=\\n\nE='\\\\'\n",
        "A=${:-x}\nB=${}\nC=$${A}\nD=${A:-${B}}\nE=${A:-}\n",
        "",
        "   ",
        "A=1",
        "\n\n A=\"1\"\n\n",
    ];
    let read = python.run(script, &[&json!(texts).to_string()]);
    let theirs: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&read).unwrap();
    for (text, theirs) in texts.iter().zip(theirs) {
        let outside = |name: &str| (name == "OUT").then(|| "side".to_owned());
        let ours = Dotenv::parse(text).resolve(outside);
        let ours: serde_json::Map<String, Value> = ours
            .into_iter()
            .map(|(name, value, _)| (name, json!(value)))
            .collect();
        // Names without a value are none to Flask either.
        let theirs: serde_json::Map<String, Value> =
            theirs.into_iter().filter(|(_, value)| !value.is_null()).collect();
        assert_eq!(ours, theirs, "{text:?}");
    }
}
