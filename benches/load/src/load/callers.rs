//! Many callers, drawn by a Zipf law: the k-th most frequent comes once for every k times of the first. What web traffic
//! looks like.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// How many draws are made; then they begin again.
const DRAWS: usize = 1_000_000;
/// The same draws in every run.
const SEED: u64 = 7;

/// Numbers below `count` in the order in which they come, as the little-endian numbers that wrk's script reads.
pub(crate) fn drawn(count: u32) -> Vec<u8> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=count)
        .map(|rank| {
            total += 1.0 / f64::from(rank);
            total
        })
        .collect();
    let mut random = StdRng::seed_from_u64(SEED);
    let draws = (0..DRAWS).map(|_| {
        let at = random.random::<f64>() * total;
        let rank = sums.partition_point(|sum| *sum <= at);
        u32::try_from(rank).unwrap_or(0).min(count.saturating_sub(1))
    });
    draws.flat_map(u32::to_le_bytes).collect()
}

/// Each number below `count` once, one after the other.
pub(crate) fn all(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_comes_twice_as_often_as_the_second_and_all_are_below_the_count() {
        let drawn = drawn(1000);
        let mut counts = vec![0_u32; 1000];
        for draw in drawn.chunks(4) {
            counts[u32::from_le_bytes(draw.try_into().unwrap()) as usize] += 1;
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(
            counts[999] > 0 && counts[0] > 100_000,
            "{} {}",
            counts[0],
            counts[999]
        );
        assert_eq!(all(3), [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
    }
}
