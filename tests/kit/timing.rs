//! Times of requests, compared.

use std::time::Duration;

/// Takes the time of calls of several kinds in turn, and finds that in the median none takes longer than the first. Times
/// of one round are compared with each other, as a machine is sometimes busy with something else for many rounds; if it
/// is so for too many, there are three tries.
pub async fn alike_in_time<const N: usize>(
    what: &str,
    rounds: usize,
    kinds: [&str; N],
    call: impl AsyncFn(usize) -> Duration,
) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut ratios = [const { Vec::new() }; N];
        for round in 0..rounds {
            let mut times = [0.0; N];
            // None is always the first.
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
        if medians.iter().all(|median| (0.83..1.2).contains(median)) {
            return;
        }
        seen.push(medians);
    }
    panic!("{what}: {kinds:?} take another time than the first, by medians: {seen:?}");
}
