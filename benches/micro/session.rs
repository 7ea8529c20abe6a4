//! What it costs to know who asks: the session check on every request.
//!
//! The store is in this process' memory, so misses show the work around a read (opening, verifying, judging)
//! and not the network's share. That hits do not read, and misses do, is checked.

use std::hint::black_box;

use hivematrix_benches::sessions::World;
use hivematrix_gateway::identity::{Refused, ViewSettings};
use hivematrix_platform::{Access, Handle};
use tokio::runtime::Runtime;

use crate::Criterion;

/// So many browsers that what is known of them does not fit into a processor's nearer caches. A smoke run,
/// which measures nothing, does not wait until they have all signed in.
fn many() -> usize {
    if crate::only_a_smoke_run() { 10 } else { 10_000 }
}

pub(crate) fn measure(criterion: &mut Criterion) {
    let runtime = crate::runtime();
    let world = runtime.block_on(World::new());
    let handles = runtime.block_on(world.browsers(many()));
    hits(criterion, &runtime, &world, &handles);
    misses(criterion, &runtime, &world, &handles);
}

fn hits(criterion: &mut Criterion, runtime: &Runtime, world: &World, handles: &[Handle]) {
    let view = runtime.block_on(async {
        let view = world.view(ViewSettings::default());
        world.settle(&view, handles).await;
        view
    });
    let before = world.store.reads();
    let (one, view) = (&handles[0], &view);
    let mut group = criterion.benchmark_group("session/hit");
    group.bench_function("by_handle", |bencher| {
        bencher.to_async(runtime).iter(|| view.by_handle(black_box(one)));
    });
    group.bench_function("by_handle_among_10000", |bencher| {
        let mut next = handles.iter().cycle();
        bencher.to_async(runtime).iter(|| {
            let handle = next.next().expect("a cycle does not end");
            view.by_handle(black_box(handle))
        });
    });
    group.bench_function("by_bearer", |bencher| {
        bencher
            .to_async(runtime)
            .iter(|| view.by_bearer(black_box(&world.token)));
    });
    let identity = runtime.block_on(view.by_handle(one)).expect("a session");
    let _guard = runtime.enter();
    group.bench_function("watch_in_background", |bencher| {
        bencher.iter(|| view.watch_in_background(black_box(&identity), Access::AnyUser));
    });
    group.finish();
    assert_eq!(world.store.reads(), before, "a hit reads nothing");
}

fn misses(criterion: &mut Criterion, runtime: &Runtime, world: &World, handles: &[Handle]) {
    let one = &handles[0];
    let mut group = criterion.benchmark_group("session/miss");
    // Nothing known; and only the store's answer is not believed.
    let forgetful = ViewSettings {
        cache_entries: 0,
        strict: false,
    };
    let strict = ViewSettings {
        strict: true,
        ..ViewSettings::default()
    };
    for (name, settings, reads) in [("first_sight", forgetful, 2), ("strict", strict, 1)] {
        let view = runtime.block_on(async { world.view(settings) });
        runtime.block_on(view.by_handle(one)).expect("a session");
        let before = world.store.reads();
        runtime.block_on(view.by_handle(one)).expect("a session");
        assert_eq!(world.store.reads() - before, reads, "{name}: reads of a miss");
        group.bench_function(name, |bencher| {
            bencher.to_async(runtime).iter(|| view.by_handle(black_box(one)));
        });
    }
    let view = runtime.block_on(async { world.view(ViewSettings::default()) });
    let nobody = Handle::generate();
    assert!(matches!(
        runtime.block_on(view.by_handle(&nobody)),
        Err(Refused::Unknown)
    ));
    group.bench_function("unknown_handle", |bencher| {
        bencher
            .to_async(runtime)
            .iter(|| view.by_handle(black_box(&nobody)));
    });
    group.finish();
}
