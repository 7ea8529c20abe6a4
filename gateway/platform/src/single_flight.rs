//! Many callers, one piece of work: whoever asks for a key that is being loaded waits for that load and shares its outcome. The load
//! runs in a task of its own, so that a caller who gives up does not waste it. Keeping results is the callers' matter.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;

/// The loads under way.
pub(crate) struct SingleFlight<K, V> {
    flights: Arc<Mutex<Flights<K, V>>>,
}

struct Flights<K, V> {
    by_key: HashMap<K, (u64, Flight<V>)>,
    next: u64,
}

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self {
            flights: Arc::new(Mutex::new(Flights {
                by_key: HashMap::new(),
                next: 0,
            })),
        }
    }

    /// Joins the load of `key`, or begins it. `keep` sees the result before anybody else does, unless the key was forgotten since
    /// the load began. `None` if the load panicked or its runtime ended.
    pub(crate) async fn run<F>(
        &self,
        key: &K,
        load: impl FnOnce() -> F,
        keep: impl FnOnce(&V) + Send + 'static,
    ) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let flight = {
            let mut flights = lock(&self.flights);
            match flights.by_key.get(key) {
                Some((_, flight)) => flight.clone(),
                None => {
                    let number = flights.next;
                    flights.next += 1;
                    let flight = self.begin(number, key.clone(), load(), keep);
                    flights.by_key.insert(key.clone(), (number, flight.clone()));
                    flight
                }
            }
        };
        flight.await
    }

    /// A load of this key that is under way will not be kept; the next caller begins a new one.
    pub(crate) fn forget(&self, key: &K) {
        lock(&self.flights).by_key.remove(key);
    }

    fn begin<F>(&self, number: u64, key: K, load: F, keep: impl FnOnce(&V) + Send + 'static) -> Flight<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let flights = Arc::clone(&self.flights);
        let task = tokio::spawn(async move {
            let landing = Landing { flights, key, number };
            let value = load.await;
            // Under the lock: after `forget` has returned, nothing older is kept any more.
            let flights = lock(&landing.flights);
            if flights
                .by_key
                .get(&landing.key)
                .is_some_and(|(current, _)| *current == number)
            {
                keep(&value);
            }
            drop(flights);
            value
        });
        task.map(Result::ok).boxed().shared()
    }
}

/// Takes a load off the list however it ends.
struct Landing<K: Hash + Eq, V> {
    flights: Arc<Mutex<Flights<K, V>>>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        if flights
            .by_key
            .get(&self.key)
            .is_some_and(|(current, _)| *current == self.number)
        {
            flights.by_key.remove(&self.key);
        }
    }
}

fn lock<K, V>(flights: &Mutex<Flights<K, V>>) -> MutexGuard<'_, Flights<K, V>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}
