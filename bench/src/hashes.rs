//! Measures logins by the cost of the hash and by the function's memory, by which AWS gives and bills CPU.

use shared::jwt::DEMO_SECRET;

use crate::{
    Error,
    bench::Bench,
    binaries::Binaries,
    cgroup::CpuLimit,
    cost::{ROUND_TRIP_MS, usd_per_million},
    database,
    process::{LOGIN, Process, RAISED_LIMITS},
    report,
    samples::Samples,
    target::Target,
};

const COSTS: [u32; 4] = [10, 11, 12, 13];
const MEMORIES_MB: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];
/// Few, as a login takes seconds with little memory.
const LOGINS: usize = 3;

pub async fn run(binaries: Binaries) -> Result<(), Error> {
    let bench = Bench::new(binaries).await;
    let mut rows = Vec::new();
    for cost in COSTS {
        eprintln!("hashes: cost {cost}");
        database::seed(bench.tls.plain_url(), cost).await?;
        let cost = cost.to_string();
        // A login takes as long as a hash of the function's own cost, if the stored one costs less.
        let own = [("DATABASE_URL", &*bench.url), ("JWT_SECRET", DEMO_SECRET), ("BCRYPT_COST", &cost)];
        let variables = [&own[..], &RAISED_LIMITS].concat();
        let mut row = vec![cost.clone()];
        for memory_mb in MEMORIES_MB {
            let mut process = Process::start(&bench.binary(Target::Ours, LOGIN)?, &variables, LOGIN).await?;
            // The first login connects.
            process.answer().await?;
            let Some(_limit) = CpuLimit::new(process.function.pid(), memory_mb) else { return Ok(()) };
            let mut logins = Samples::default();
            process.measure(LOGINS, &mut logins).await?;
            let usd = usd_per_million((logins.p50() + ROUND_TRIP_MS).ceil(), f64::from(memory_mb));
            row.push(format!("{:.0} ms, {usd:.2} USD", logins.p50()));
        }
        rows.push(row);
    }
    let memories = MEMORIES_MB.map(|memory_mb| format!(" | {memory_mb} MB"));
    let table = report::table(&format!("cost{}", memories.concat()), rows);
    report::write_measured("benchmarks.md", "hashes", &table, &bench.tls).await
}
