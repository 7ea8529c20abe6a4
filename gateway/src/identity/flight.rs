//! Reads under way: callers who ask the same question while it is being answered share one answer.
//!
//! Responsible for: sharing, also when the one who began the read goes away. Not responsible for whether an
//! answer is new enough for those who joined late (see `view`).

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;

/// Questions that are being answered.
pub(super) struct Flights<K, T> {
    cells: DashMap<K, Arc<OnceCell<T>>>,
}

impl<K: Copy + Eq + Hash, T: Clone> Flights<K, T> {
    pub(super) fn new() -> Self {
        Self {
            cells: DashMap::new(),
        }
    }

    /// The answer to `key`: that of a read under way, or of `read`. Also says whether `read` was the one.
    pub(super) async fn join(&self, key: K, read: impl Future<Output = T>) -> (T, bool) {
        let cell = self.cells.entry(key).or_default().clone();
        let _landing = Landing {
            flights: self,
            key,
            cell: cell.clone(),
        };
        let mut mine = false;
        let answer = cell
            .get_or_init(|| async {
                mine = true;
                read.await
            })
            .await
            .clone();
        (answer, mine)
    }
}

/// Ends a flight for those who come later, also if whoever waited for it is dropped.
struct Landing<'a, K: Eq + Hash, T> {
    flights: &'a Flights<K, T>,
    key: K,
    cell: Arc<OnceCell<T>>,
}

impl<K: Eq + Hash, T> Drop for Landing<'_, K, T> {
    fn drop(&mut self) {
        self.flights
            .cells
            .remove_if(&self.key, |_, cell| Arc::ptr_eq(cell, &self.cell));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_read() {
        let flights = Arc::new(Flights::<u8, usize>::new());
        let reads = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (flights, reads) = (flights.clone(), reads.clone());
            tokio::spawn(async move {
                let read = async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    reads.fetch_add(1, Ordering::SeqCst)
                };
                flights.join(1, read).await
            })
        };
        let asked: Vec<_> = (0..10).map(|_| ask()).collect();
        let mut leaders = 0;
        for answer in asked {
            let (value, mine) = answer.await.unwrap();
            assert_eq!(value, 0);
            leaders += usize::from(mine);
        }
        assert_eq!(leaders, 1);
        assert_eq!(ask().await.unwrap(), (1, true));
        assert!(flights.cells.is_empty());
    }

    #[tokio::test]
    async fn when_the_one_who_asked_first_goes_away_another_reads() {
        let flights = Arc::new(Flights::<u8, u8>::new());
        let first = flights.clone();
        let first = tokio::spawn(async move { first.join(1, std::future::pending()).await });
        tokio::task::yield_now().await;
        let second = flights.clone();
        let second = tokio::spawn(async move { second.join(1, async { 2 }).await });
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(second.await.unwrap(), (2, true));
        assert!(flights.cells.is_empty());
    }
}
