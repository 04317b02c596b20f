//! What grows with the requests: copies of functions, connections, the database's CPU, the bill. A request of each kind is
//! measured, and the rest is arithmetic.

use kit::Tls;

use crate::{
    Error,
    binaries::Binaries,
    cost::{
        self, HOURS_A_MONTH, MB_PER_VCPU, Request as Billed, SECONDS_A_MONTH, USD_PER_CU_HOUR,
        USD_PER_GB_LOGGED, USD_PER_MILLION_TRACES,
    },
    machine, report,
    report::figure,
    requests::{PASSWORD, ROUND_TRIP, newest_backend, seed},
    root,
    statistics::median,
    target::{Database, Request, Running, Target},
};

/// Requests a second.
const RATES: [f64; 4] = [10.0, 100.0, 1_000.0, 10_000.0];
/// What of a hundred requests is what, the memory it runs with, and how many are measured. An assumption: people look more
/// often than they write, and sign in once a week.
const MIX: [(Request, &str, f64, f64, usize); 3] = [
    (Request::List, "list of 10 tasks", 0.79, 256.0, 2000),
    (Request::Create, "create", 0.20, 256.0, 2000),
    (Request::Login, "login", 0.01, MB_PER_VCPU, 20),
];
/// As deployed.
const BCRYPT_COST: u32 = 12;
/// Of the database's CPU, on the average: the rest is for peaks and for PostgreSQL itself.
const UTILISATION: f64 = 0.5;
/// API Gateway's line of a request, as template.yaml has it written, in bytes: it is not measured here.
const ACCESS_LOG_BYTES: f64 = 330.0;
/// CloudWatch counts so many bytes more for each event
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>).
const LOG_EVENT_BYTES: f64 = 26.0;
/// X-Ray takes one request a second of each function and so many of the others, unless told otherwise.
const TRACED: f64 = 0.05;

struct Kind {
    name: &'static str,
    share: f64,
    memory_mb: f64,
    billed_ms: f64,
    database_cpu_ms: f64,
    log_bytes: f64,
    usd_per_million: f64,
}

pub async fn run(binaries: &Binaries) -> Result<(), Error> {
    let tls = kit::tls().await;
    seed(&tls, &bcrypt::hash(PASSWORD, BCRYPT_COST)?).await?;
    let mut kinds = Vec::new();
    for (request, name, share, memory_mb, count) in MIX {
        eprintln!("scaling: {name}");
        kinds.push(Kind {
            name,
            share,
            memory_mb,
            ..measure(binaries, &tls, request, memory_mb, count).await?
        });
    }
    let text = format!("{}\n{}\n{}", requests(&kinds), rates(&kinds), machine::described(&tls).await?);
    report::write(&root().join("docs/scaling.md"), "scaling", &text)
}

async fn measure(
    binaries: &Binaries,
    tls: &Tls,
    request: Request,
    memory_mb: f64,
    count: usize,
) -> Result<Kind, Error> {
    let (url, authority) = (tls.secure_url(), tls.authority());
    let mut running = Target::Ours.start(binaries, request, Database { url: &url, authority }).await?;
    for _ in 0..count / 10 {
        running.answer().await?;
    }
    running.backend = Some(newest_backend(tls).await?);
    let before = (running.cpu()?, running.database_cpu()?);
    let mut durations = Vec::new();
    for _ in 0..count {
        durations.push(running.answer().await?);
    }
    let each = |total: f64| total / count as f64;
    let cpu = each(running.cpu()? - before.0);
    let database_cpu_ms = each(running.database_cpu()? - before.1);
    let p50 = median(&durations).ok_or("nothing was measured")?;
    let billed = Billed { p50, cpu, round_trips: 1.0, round_trip: ROUND_TRIP, memory_mb };
    Ok(Kind {
        name: "",
        share: 0.0,
        memory_mb,
        billed_ms: billed.billed_ms(),
        database_cpu_ms,
        log_bytes: log_bytes(&running) + LOG_EVENT_BYTES,
        usd_per_million: billed.usd_per_million(),
    })
}

/// Of the last request's line.
fn log_bytes(running: &Running) -> f64 {
    running.output().lines().last().map_or(0, str::len) as f64
}

fn requests(kinds: &[Kind]) -> String {
    let rows = kinds.iter().map(|kind| {
        let figures = [
            kind.share * 100.0,
            kind.memory_mb,
            kind.billed_ms,
            kind.database_cpu_ms,
            kind.log_bytes,
            kind.usd_per_million,
        ];
        [kind.name.to_owned()].into_iter().chain(figures.map(figure)).collect()
    });
    let head = [
        "request",
        "of 100",
        "memory MB",
        "billed ms",
        "database CPU ms",
        "logged bytes",
        "Lambda, USD a million",
    ];
    report::table(&head, rows)
}

fn rates(kinds: &[Kind]) -> String {
    let rows = RATES.map(|rate| {
        let sum = |of: fn(&Kind) -> f64| kinds.iter().map(|kind| rate * kind.share * of(kind)).sum::<f64>();
        // Little's law: so many are at work at a time.
        let busy = sum(|kind| kind.billed_ms / 1000.0);
        let database = sum(|kind| kind.database_cpu_ms / 1000.0);
        let compute_units = (database / UTILISATION * 4.0).ceil().max(1.0) / 4.0;
        let millions = rate * SECONDS_A_MONTH / 1e6;
        let gateway = cost::api_calls_usd(millions);
        let lambda = sum(|kind| kind.usd_per_million) / rate * millions;
        let logged =
            (sum(|kind| kind.log_bytes) / rate + ACCESS_LOG_BYTES + LOG_EVENT_BYTES) * millions / 1000.0;
        let logs = logged * USD_PER_GB_LOGGED;
        let traces = TRACED * millions * USD_PER_MILLION_TRACES;
        let neon = compute_units * HOURS_A_MONTH * USD_PER_CU_HOUR;
        let total = gateway + lambda + logs + traces + neon;
        let figures =
            [busy, copies(busy), database, compute_units, gateway, lambda, logs, traces, neon, total];
        [figure(rate)]
            .into_iter()
            .chain(figures.map(|value| figure(rounded(value))))
            .chain([figure(total / millions)])
            .collect()
    });
    let head = [
        "requests a second",
        "at work at a time",
        "copies, connections",
        "database CPU, cores",
        "Neon CU",
        "API Gateway",
        "Lambda",
        "logs",
        "X-Ray",
        "Neon",
        "USD a month",
        "USD a million",
    ];
    report::table(&head, rows)
}

/// How many are enough for 999 of 1,000 moments, when requests come independently of each other (Poisson's distribution,
/// by its normal approximation).
fn copies(busy: f64) -> f64 {
    (busy + 3.1 * busy.sqrt()).ceil().max(1.0)
}

/// Tens of dollars in a thousand say nothing.
fn rounded(value: f64) -> f64 {
    match value {
        100.0.. => value.round(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_need_proportionally_more_copies_to_spare_than_many() {
        assert_eq!([0.0, 0.02, 1.0, 100.0].map(copies), [1.0, 1.0, 5.0, 131.0]);
    }

    #[test]
    fn the_mix_is_whole() {
        assert!((MIX.iter().map(|(_, _, share, ..)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
