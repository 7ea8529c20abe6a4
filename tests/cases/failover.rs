//! Redis fails over to its replica under load, and no revocation is undone: master killed, master hanging and coming
//! back with the past, failover planned while the old master is alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use hivematrix_gateway::config::{Config, Outage};
use hivematrix_platform::{SessionId, SessionRecord};
use hivematrix_tests::{Client, Redis, Stack, eventually, eventually_within};
use tokio::task::JoinSet;

/// What happens to the master.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    /// It dies, and comes back empty.
    Killed,
    /// It stands still, and comes back with what it had, in the belief that it is the master.
    Frozen,
    /// Somebody asked for it: the old master lives on, and believes for a while that it is the master.
    Planned,
}

use Event::{Frozen, Killed, Planned};

/// One session as two gateways see it.
#[derive(Clone)]
struct Seen {
    name: &'static str,
    gateways: [Client; 2],
}

impl Seen {
    async fn statuses(&self) -> [u16; 2] {
        [
            self.gateways[0].fetch(CLOSED).await.status,
            self.gateways[1].fetch(CLOSED).await.status,
        ]
    }

    async fn eventually(&self, status: u16, what: &str) {
        let is = async || (self.statuses().await == [status; 2]).then_some(());
        eventually(&format!("{}: {what}", self.name), is).await;
    }
}

/// Somebody signs in at the first gateway and is known to the second.
async fn signed_in(stack: &Stack, second: &Client, name: &'static str) -> Seen {
    let first = stack.signed_in("client").await;
    let seen = Seen {
        name,
        gateways: [first.clone(), with_cookie_of(&first, second)],
    };
    assert_eq!(seen.statuses().await, [200; 2], "{name}");
    seen
}

fn with_cookie_of(client: &Client, elsewhere: &Client) -> Client {
    let cookie = client.cookie("__Host-hivematrix").expect("a session");
    let other = elsewhere.another();
    other.set_cookie("/", &format!("__Host-hivematrix={cookie}; Path=/; Secure"));
    other
}

/// Asks with each session at both gateways, over and over; how often each got which status.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<(&'static str, BTreeMap<u16, usize>)>,
}

/// A route that may be read by grace, and one that is closed while nobody can tell.
const GRACE: &str = "/second/x";
const CLOSED: &str = "/echo/x";

impl Load {
    fn of(sessions: &[(&'static str, &Seen, &'static str)]) -> Self {
        let (stop, mut tasks) = (Arc::<AtomicBool>::default(), JoinSet::new());
        for &(name, seen, path) in sessions {
            for client in &seen.gateways {
                let (stop, client) = (stop.clone(), client.clone());
                tasks.spawn(async move {
                    let mut counts = BTreeMap::new();
                    while !stop.load(SeqCst) {
                        *counts.entry(client.fetch(path).await.status).or_default() += 1;
                        tokio::time::sleep(Duration::from_millis(15)).await;
                    }
                    (name, counts)
                });
            }
        }
        Self { stop, tasks }
    }

    /// Nobody got anything but these statuses.
    async fn ends(self, allowed: &[(&str, [u16; 2])]) {
        self.stop.store(true, SeqCst);
        for (name, counts) in self.tasks.join_all().await {
            let (_, allowed) = allowed
                .iter()
                .find(|(other, _)| *other == name)
                .expect("a session of the load");
            assert!(
                !counts.is_empty() && counts.keys().all(|status| allowed.contains(status)),
                "{name} may get {allowed:?}, and got {counts:?}"
            );
        }
    }
}

/// One service may be read by grace. The load is all by one user, so it is not limited.
fn settings(config: &mut Config) {
    config.limits.requests_per_minute = 0;
    config.limits.requests_per_hour = 0;
    for service in &mut config.services {
        if service.name.as_str() == "second" {
            service.outage = Outage::Grace(Duration::from_secs(60));
        }
    }
}

/// Revokes as the Python Core does, at this server.
async fn revoke_at(redis: &Redis, key: &str) {
    let json = redis.get(key).await.expect("a session to revoke");
    let mut record = SessionRecord::from_json(json.as_bytes()).expect("a record");
    record.revoked = true;
    let json = String::from_utf8(record.to_json().expect("JSON")).expect("a text");
    redis.set_keeping_ttl(key, &json).await;
}

/// And then whoever comes anew knows it too.
async fn what_was_lost_is_written_again(stack: &Stack, lost: &Seen, session: &SessionId) {
    let master = stack.sentinels().replica();
    let written = async || {
        let json = master.get(&session.key()).await?;
        json.contains("\"revoked\":true").then_some(())
    };
    eventually("the lost revocation is written again", written).await;
    let (_third, newcomer) = stack.another_gateway().await;
    let thief = with_cookie_of(&lost.gateways[0], &newcomer);
    let refused = async || match thief.fetch("/second/x").await.status {
        401 => Some(()),
        // It asked before the Sentinels agreed, and asks again.
        503 => None,
        other => panic!("a revoked session got {other}"),
    };
    eventually("the newcomer refuses it", refused).await;
}

/// The old master comes back, and with it the past.
async fn the_past_is_not_listened_to(stack: &mut Stack, event: Event, (late_key, late): &(String, Seen)) {
    match event {
        Killed => stack.redis.restart().await,
        Frozen => stack.redis.thaw(),
        Planned => {}
    }
    revoke_at(stack.sentinels().replica(), late_key).await;
    late.eventually(401, "revoked on the new master").await;
    let load_late = Load::of(&[("late", late, GRACE)]);
    let demoted = async || {
        stack
            .redis
            .follows(stack.sentinels().replica())
            .await
            .then_some(())
    };
    // The Sentinels take their time to tell an old master.
    eventually_within(Duration::from_secs(45), "the old master is told", demoted).await;
    load_late.ends(&[("late", [401, 503])]).await;
}

async fn a_failover(event: Event) {
    let mut stack = Stack::builder()
        .impatient()
        .sentinels()
        .configure(settings)
        .start()
        .await;
    let (_second, elsewhere) = stack.another_gateway().await;
    let living = signed_in(&stack, &elsewhere, "living").await;
    let confirmed = signed_in(&stack, &elsewhere, "confirmed").await;
    let lost = signed_in(&stack, &elsewhere, "lost").await;
    let late = signed_in(&stack, &elsewhere, "late").await;
    let late = (stack.session_of(&late.gateways[0]).await.key(), late);
    stack.sentinels().caught_up(&stack.redis).await;

    // Core confirms a revocation when the replica has it.
    stack.revoke(&stack.token_of(&confirmed.gateways[0]).await).await;
    confirmed.eventually(401, "revoked at Core").await;
    let session = stack.session_of(&lost.gateways[0]).await;
    if event != Planned {
        stack.sentinels().fall_behind(&stack.redis).await;
    }
    // The master alone knows of this one, and every gateway that lives.
    stack.revoke_as_python(&session).await;
    lost.eventually(401, "revoked on the master").await;

    let load = Load::of(&[
        ("reading", &living, GRACE),
        ("living", &living, CLOSED),
        ("confirmed", &confirmed, GRACE),
        ("lost", &lost, GRACE),
    ]);
    match event {
        Killed => stack.redis.kill(),
        Frozen => stack.redis.freeze(),
        Planned => stack.sentinels().plan().await,
    }
    if event != Planned {
        stack.sentinels().replica().thaw();
    }
    stack.sentinels().failed_over().await;
    living.eventually(200, "nobody was signed out").await;

    what_was_lost_is_written_again(&stack, &lost, &session).await;

    the_past_is_not_listened_to(&mut stack, event, &late).await;
    living.eventually(200, "still signed in").await;
    let refused = [401, 503];
    load.ends(&[
        // Whoever may read by grace does not notice anything.
        ("reading", [200, 200]),
        ("living", [200, 503]),
        ("confirmed", refused),
        ("lost", refused),
    ])
    .await;
}

#[tokio::test]
async fn a_master_that_is_killed_under_load_takes_no_revocation_and_no_session_with_it() {
    a_failover(Killed).await;
}

#[tokio::test]
async fn a_master_that_hangs_and_comes_back_with_the_past_is_not_listened_to() {
    a_failover(Frozen).await;
}

#[tokio::test]
async fn a_planned_failover_leaves_the_old_master_alone_although_it_answers() {
    a_failover(Planned).await;
}
