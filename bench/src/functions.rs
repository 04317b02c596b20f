//! Measures each function by itself, and what AWS would bill for it. The database is the one of `DATABASE_URL`, or else a
//! temporary one. The functions have the rest of the environment too, such as `BCRYPT_COST` or `SSM_PARAMETER_PATH`.

use std::fs;

use kit::events;

use crate::{
    Error,
    binaries::Binaries,
    cost::{USD_PER_MILLION_API_CALLS, WarmRequest},
    database::{self, BCRYPT_COST},
    process::{Process, RAISED_LIMITS, function_of},
    procfs::rss_mib,
    report,
    samples::{Samples, median},
    upload::function_mb,
};

/// Processes that are started for the medians of init and first request.
const STARTS: usize = 20;
/// The event, how many requests are measured, and the round trips of each.
const REQUESTS: [(&str, usize, f64); 9] = [
    // It counts the attempt before the hash, and inserts after it.
    ("signup-created", 20, 2.0),
    ("login-ok", 20, 2.0),
    // A right one would end the session of the next request.
    ("password-change-wrong-password", 20, 1.0),
    ("tasks-list", 500, 1.0),
    ("tasks-create", 500, 1.0),
    ("account-me", 500, 1.0),
    ("health-ok", 500, 1.0),
    ("docs-page", 500, 0.0),
    // Its answer is the largest.
    ("docs-file", 100, 0.0),
];

/// Writes the tables into docs/operations.md, or prints those of the named functions.
pub async fn run(binaries: &Binaries, names: &[String]) -> Result<(), Error> {
    let (url, mut variables) = events::environment().await?;
    for (name, value) in RAISED_LIMITS {
        variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let bcrypt_cost = variables.get("BCRYPT_COST").map_or(Ok(BCRYPT_COST), |cost| cost.parse())?;
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut figures, mut costs) = (Vec::new(), Vec::new());
    for (event, count, round_trips) in REQUESTS {
        let function = function_of(event);
        if !names.is_empty() && !names.iter().any(|name| name == function) {
            continue;
        }
        let name = event.replace('-', " ");
        eprintln!("functions: {name}");
        database::seed(&url, bcrypt_cost).await?;
        let binary = binaries.path(function)?;
        let (mut inits, mut firsts, mut samples) = (Vec::new(), Vec::new(), Samples::default());
        // The first start fills the page cache.
        let mut process = Process::start(&binary, &variables, event).await?;
        for _ in 0..STARTS {
            process = Process::start(&binary, &variables, event).await?;
            inits.push(process.init().await?);
            firsts.push(process.answer().await?);
        }
        process.measure(count, &mut samples).await?;
        let sizes = [fs::metadata(&binary)?.len() as f64 / 1e6, function_mb(binary)?];
        let starts = [median(inits), median(firsts)];
        let warm = [samples.p50(), samples.p99(), samples.cpu(), rss_mib(process.function.pid())?.peak];
        figures.push(report::row(&name, [&sizes[..], &starts, &warm].concat()));
        let memory_mb = memory_mb(function)?;
        let request = WarmRequest::new(&samples, round_trips, memory_mb);
        let usd = request.usd_per_million();
        let [usd, with_api] = [usd, usd + USD_PER_MILLION_API_CALLS].map(|usd| format!("{usd:.2}"));
        costs.push(vec![name, memory_mb.to_string(), request.billed_ms().to_string(), usd, with_api]);
    }
    database::seed(&url, bcrypt_cost).await?;
    events::seed(&url).await;
    let head = "request | binary MB | zip MB | init ms | first ms | p50 ms | p99 ms | CPU ms | peak RSS MiB";
    let cost_head = "a million warm requests | memory MB | billed ms | Lambda USD | with the HTTP API USD";
    let text = format!("{}\n{}", report::table(head, figures), report::table(cost_head, costs));
    if names.is_empty() {
        return report::write("operations.md", "functions", &text);
    }
    println!("{text}");
    Ok(())
}

/// Returns the memory that the function is deployed with.
fn memory_mb(function: &str) -> Result<f64, Error> {
    let manifest = fs::read_to_string(kit::repository().join("functions").join(function).join("Cargo.toml"))?;
    let memory = manifest.lines().find_map(|line| line.strip_prefix("memory = "));
    Ok(memory.ok_or_else(|| format!("{function}'s Cargo.toml has no memory"))?.parse()?)
}
