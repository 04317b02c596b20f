//! Measures the functions' release binaries, each in a process of its own with a Runtime API as Lambda has it, and
//! prints two tables: what was measured, and what AWS would bill for it. The machine should have nothing else to do;
//! on a busy one `chrt -f 10`, for root, helps.
//!
//! ```sh
//! cargo run --release -p testing --example measure -- target/lambda     # or .aws-sam/build; Linux only
//! ```
//!
//! The Runtime API is in this process, on loopback: of each duration it takes less than `health ok` does, and of the
//! CPU time nothing. The database is the one that `DATABASE_URL` names, or
//! else a temporary one. The functions get the rest of the environment too, such as `BCRYPT_COST`.

#![expect(clippy::indexing_slicing, reason = "a tool for its makers, run by hand")]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use clap::Parser;
use serde_json::Value;
use testing::{Function, events};

/// Lambda, arm64, us-east-1, USD a GB-second. Prices are as known to the authors, and not looked up again: compare
/// <https://aws.amazon.com/lambda/pricing/>.
const USD_PER_GB_SECOND: f64 = 0.000_013_333_4;
/// Lambda, USD a million requests.
const USD_PER_MILLION_REQUESTS: f64 = 0.20;
/// API Gateway's HTTP API, USD a million requests: <https://aws.amazon.com/api-gateway/pricing/>.
const USD_PER_MILLION_API_CALLS: f64 = 1.00;
/// The memory that comes with one whole vCPU; with less there is proportionally less of it.
const MB_PER_VCPU: f64 = 1769.0;
/// Ticks a second in /proc/PID/stat, the same on every Linux.
const TICKS: f64 = 100.0;

/// How many processes are started, for the medians of what happens once in each.
const STARTS: usize = 20;
/// What is measured: the event's function and case, and how many requests. Those that hash passwords are few.
const REQUESTS: [(&str, &str, usize); 6] = [
    ("signup", "created", 20),
    ("login", "ok", 20),
    ("tasks", "list", 500), // of 10 tasks
    ("tasks", "create", 500),
    ("account", "me", 500),
    ("health", "ok", 500),
];

#[derive(Parser)]
struct Arguments {
    /// Holds `<function>/bootstrap`
    folder: PathBuf,
    /// Only these functions
    functions: Vec<String>,
    /// The round trip to the database in ms, which a request makes once and a sign-up twice, for the cost
    #[arg(long, default_value_t = 2.0)]
    rtt_ms: f64,
}

/// Durations in ms.
struct Measured {
    init: f64,
    first: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    peak_rss_mb: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { folder, functions, rtt_ms }: Arguments) -> Result<(), Box<dyn Error>> {
    let (url, mut variables) = events::environment().await?;
    for limit in
        ["LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "LOGIN_LIMIT_PER_ADDRESS", "SIGNUP_LIMIT_PER_ADDRESS"]
    {
        // Out of the way, though not off: counting attempts is part of what is measured.
        variables.entry(limit.to_owned()).or_insert_with(|| "1000000".to_owned());
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    println!(
        "| request | binary MB | gzipped MB | init ms | first ms | p50 ms | p99 ms | CPU ms | peak RSS MB |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut costs = Vec::new();
    for (function, case, count) in REQUESTS {
        if !functions.is_empty() && !functions.iter().any(|name| name == function) {
            continue;
        }
        let (size, gzipped) = sizes(&folder.join(function).join("bootstrap"))?;
        let Measured { init, first, p50, p99, cpu, peak_rss_mb } =
            measure(&folder, (&url, &variables), (function, case, count)).await?;
        println!(
            "| {function} {case} | {size:.1} | {gzipped:.1} | {init:.1} | {first:.1} | {p50:.2} | {p99:.2} \
             | {cpu:.2} | {peak_rss_mb:.1} |"
        );
        let memory = memory(function)?;
        // Sign-up takes its attempt before the hash, and inserts after it.
        let round_trips = if function == "signup" { 2.0 } else { 1.0 };
        let waiting = (p50 - cpu).max(0.0) + round_trips * rtt_ms;
        let billed = (cpu * (MB_PER_VCPU / memory).max(1.0) + waiting).ceil().max(1.0);
        let lambda = billed * 1000.0 * memory / 1024.0 * USD_PER_GB_SECOND + USD_PER_MILLION_REQUESTS;
        let both = lambda + USD_PER_MILLION_API_CALLS;
        costs.push(format!("| {function} {case} | {memory} | {billed} | {lambda:.2} | {both:.2} |"));
    }
    events::seed(&url).await;
    println!("\nWarm, with a database {rtt_ms} ms away, by one request a million times, in USD:\n");
    println!("| request | memory MB | billed ms | Lambda | with the HTTP API |\n|---|--:|--:|--:|--:|");
    println!("{}", costs.join("\n"));
    Ok(())
}

async fn measure(
    folder: &Path,
    (url, variables): (&str, &[(&str, &str)]),
    (function, case, count): (&str, &str, usize),
) -> Result<Measured, Box<dyn Error>> {
    let start = async |name: &str| Function::start(folder.join(name).join("bootstrap"), variables).await;
    let all = events::all();
    let event = |name: String| serde_json::from_str::<Value>(&all[&(name + ".json")]);
    let mut representative = event(format!("{function}-{case}"))?;
    events::seed(url).await;
    if function == "login" {
        // The demo user's hash is a cheap one.
        let signup = event("signup-created".to_owned())?;
        start("signup").await.invoke(&signup).await?;
        representative["body"] = signup["body"].clone();
    }
    if case == "list" {
        let mut tasks = start("tasks").await;
        for _ in 1..10 {
            tasks.invoke(&event("tasks-create".to_owned())?).await?;
        }
    }

    let (mut inits, mut firsts) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..STARTS {
        let mut function = start(function).await;
        inits.push(function.init().await?);
        firsts.push(timed(&mut function, &representative, url).await?);
        last = Some(function);
    }
    let mut function = last.ok_or("nothing was started")?;
    let before = cpu_ms(function.pid())?;
    let mut warm = Vec::new();
    for _ in 0..count {
        warm.push(timed(&mut function, &representative, url).await?);
    }
    Ok(Measured {
        init: percentile(&mut inits, 50),
        first: percentile(&mut firsts, 50),
        p50: percentile(&mut warm, 50),
        p99: percentile(&mut warm, 99),
        cpu: (cpu_ms(function.pid())? - before) / count as f64,
        peak_rss_mb: peak_rss_mb(function.pid())?,
    })
}

/// How long the answer took, which must be a good one.
async fn timed(function: &mut Function, event: &Value, url: &str) -> Result<Duration, Box<dyn Error>> {
    if event["rawPath"] == "/auth/signup" {
        // Its e-mail must be new each time.
        events::seed(url).await;
    }
    let start = Instant::now();
    let answer = function.invoke(event).await?;
    let took = start.elapsed();
    match answer["statusCode"].as_u64() {
        Some(200..300) => Ok(took),
        _ => Err(format!("{} was answered {answer}", event["rawPath"]).into()),
    }
}

/// In ms: the smallest duration that is not exceeded by this many in a hundred.
fn percentile(durations: &mut [Duration], percent: usize) -> f64 {
    durations.sort();
    durations[(durations.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1000.0
}

/// In MB, of the file and of what gzip makes of it.
fn sizes(binary: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    let plain =
        fs::metadata(binary).map_err(|_| format!("there is no {}: build it first", binary.display()))?.len();
    let gzipped = Command::new("gzip").arg("-9c").arg(binary).output()?.stdout.len();
    Ok((plain as f64 / 1e6, gzipped as f64 / 1e6))
}

/// In MB, as the function is deployed.
fn memory(function: &str) -> Result<f64, Box<dyn Error>> {
    let manifest = format!("{}/../../functions/{function}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(manifest)?;
    let memory = manifest.lines().find_map(|line| line.strip_prefix("memory = "));
    Ok(memory.ok_or_else(|| format!("{function}'s Cargo.toml has no memory"))?.parse()?)
}

/// What all threads have used so far, for themselves and in the kernel.
fn cpu_ms(pid: u32) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces. utime and stime are the 14th and 15th fields, state is the third.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields.skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS * 1000.0)
}

fn peak_rss_mb(pid: u32) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?.parse::<f64>()? * 1024.0
        / 1e6)
}
