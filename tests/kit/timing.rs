//! Compares the durations of requests.

use std::time::Duration;

/// Panics if calls of some kind take another time than those of the first kind. Compares the medians of the ratios
/// within each round, because the machine's load may change between rounds. Tries three times.
pub async fn assert_same_time<const N: usize>(
    name: &str,
    rounds: usize,
    kinds: [&str; N],
    call: impl AsyncFn(usize) -> Duration,
) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut ratios = [const { Vec::new() }; N];
        for round in 0..rounds {
            let mut times = [0.0; N];
            // The order changes with each round.
            for turn in 0..N {
                let kind = (round + turn) % N;
                times[kind] = call(kind).await.as_secs_f64();
            }
            for kind in 0..N {
                ratios[kind].push(times[kind] / times[0]);
            }
        }
        let medians = ratios.map(|mut ratios| {
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        });
        eprintln!("{name}: {kinds:?}: medians of the ratios to the first: {medians:.3?}");
        if medians.iter().all(|median| (0.83..1.2).contains(median)) {
            return;
        }
        seen.push(medians);
    }
    panic!("{name}: {kinds:?} do not take the same time: medians of the ratios to the first: {seen:?}");
}
