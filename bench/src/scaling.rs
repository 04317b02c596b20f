//! Measures one request of each kind, and computes what many of them need and cost: copies of functions, connections, the
//! database's CPU, the bill.

use crate::{
    Error,
    bench::Bench,
    binaries::Binaries,
    cost::{
        HOURS_PER_MONTH, MB_PER_VCPU, SECONDS_PER_MONTH, USD_PER_CU_HOUR, USD_PER_GB_LOGGED,
        USD_PER_MILLION_TRACES, WarmRequest, api_calls_usd,
    },
    database::{self, BCRYPT_COST},
    process::{CREATE, LIST, LOGIN},
    report,
    samples::Samples,
    target::Target,
};

const REQUESTS_PER_SECOND: [f64; 4] = [10.0, 100.0, 1_000.0, 10_000.0];
/// The event, its name, its share of all requests, the function's memory and how many are measured. The shares are an
/// assumption: users list more often than they write, and sign in once a week.
const MIX: [(&str, &str, f64, f64, usize); 3] = [
    (LIST, "list of 10 tasks", 0.79, 256.0, 2000),
    (CREATE, "create", 0.20, 256.0, 2000),
    (LOGIN, "login", 0.01, MB_PER_VCPU, 20),
];
/// The mean use of the database's CPU. The rest is for peaks and for PostgreSQL itself.
const UTILISATION: f64 = 0.5;
/// The length of API Gateway's log line for a request (template.yaml), which is not measured here.
const ACCESS_LOG_BYTES: f64 = 330.0;
/// CloudWatch's overhead for each log event
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>).
const LOG_EVENT_BYTES: f64 = 26.0;
/// The share of requests that X-Ray traces by default, beside one a second of each function.
const TRACED: f64 = 0.05;

/// A kind of request, and the figures of one such request.
struct Kind {
    share: f64,
    billed_ms: f64,
    database_cpu_ms: f64,
    log_bytes: f64,
    usd_per_million: f64,
}

pub async fn run(binaries: Binaries) -> Result<(), Error> {
    let bench = Bench::new(binaries).await;
    database::seed(bench.tls.plain_url(), BCRYPT_COST).await?;
    let (mut kinds, mut rows) = (Vec::new(), Vec::new());
    for (event, name, share, memory_mb, count) in MIX {
        eprintln!("scaling: {name}");
        let mut process = bench.start_warm(&bench.url, Target::Ours, event).await?;
        let mut samples = Samples::default();
        process.measure(count, &mut samples).await?;
        let request = WarmRequest::new(&samples, 1.0, memory_mb);
        let (billed_ms, usd_per_million) = (request.billed_ms(), request.usd_per_million());
        let database_cpu_ms = samples.database_cpu();
        let log_bytes = process.function.output().lines().last().map_or(0, str::len) as f64 + LOG_EVENT_BYTES;
        let figures = [share * 100.0, memory_mb, billed_ms, database_cpu_ms, log_bytes, usd_per_million];
        rows.push(report::row(name, figures));
        kinds.push(Kind { share, billed_ms, database_cpu_ms, log_bytes, usd_per_million });
    }
    let head =
        "request | of 100 | memory MB | billed ms | database CPU ms | logged bytes | Lambda, USD a million";
    let requests = report::table(head, rows);
    let head = "requests a second | at work at a time | copies, connections | database CPU, cores | Neon CU | \
                API Gateway | Lambda | logs | X-Ray | Neon | USD a month | USD a million";
    let rates = report::table(head, REQUESTS_PER_SECOND.map(|rate| rate_row(rate, &kinds)));
    report::write_measured("scaling.md", "scaling", &format!("{requests}\n{rates}"), &bench.tls).await
}

fn rate_row(rate: f64, kinds: &[Kind]) -> Vec<String> {
    // The sum of a figure over one second's requests.
    let sum =
        |figure: fn(&Kind) -> f64| kinds.iter().map(|kind| rate * kind.share * figure(kind)).sum::<f64>();
    // Little's law.
    let at_work = sum(|kind| kind.billed_ms / 1000.0);
    let database = sum(|kind| kind.database_cpu_ms / 1000.0);
    let compute_units = (database / UTILISATION * 4.0).ceil().max(1.0) / 4.0;
    let millions = rate * SECONDS_PER_MONTH / 1e6;
    let gateway = api_calls_usd(millions);
    let lambda = sum(|kind| kind.usd_per_million) / rate * millions;
    let log_bytes = sum(|kind| kind.log_bytes) / rate + ACCESS_LOG_BYTES + LOG_EVENT_BYTES;
    let logs = log_bytes * millions / 1000.0 * USD_PER_GB_LOGGED;
    let traces = TRACED * millions * USD_PER_MILLION_TRACES;
    let neon = compute_units * HOURS_PER_MONTH * USD_PER_CU_HOUR;
    let month = gateway + lambda + logs + traces + neon;
    let copies = copies(at_work);
    let figures = [at_work, copies, database, compute_units, gateway, lambda, logs, traces, neon, month];
    // Whole numbers are written with all digits.
    let figures = figures.map(|value| if value < 100.0 { value } else { value.round() });
    report::row(report::figure(rate), figures.into_iter().chain([month / millions]))
}

/// Returns the copies that are enough for 999 of 1,000 moments, when requests come independently of each other (normal
/// approximation of the Poisson distribution).
fn copies(at_work: f64) -> f64 {
    (at_work + 3.1 * at_work.sqrt()).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_requests_need_proportionally_more_spare_copies() {
        assert_eq!([0.0, 0.02, 1.0, 100.0].map(copies), [1.0, 1.0, 5.0, 131.0]);
    }
}
