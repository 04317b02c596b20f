//! Every function by itself, and what AWS would bill for it. The database is the one that `DATABASE_URL` names, or else
//! a temporary one; the functions get the rest of the environment too, such as `BCRYPT_COST` or `SSM_PARAMETER_PATH`.

use std::{fs, time::Duration};

use kit::{Function, events};
use serde_json::Value;

use crate::{
    Error,
    binaries::{Binaries, size_mb, zipped_mb},
    cost::{Request, USD_PER_MILLION_API_CALLS},
    process::{cpu_ms, peak_rss_mib},
    report,
    report::figure,
    requests::ROUND_TRIP,
    root,
    statistics::{median, percentile},
    target::ms,
};

/// How many processes are started, for the medians of what happens once in each.
const STARTS: usize = 20;
/// What is measured: the event's function and case, and how many requests. Those that hash passwords are few.
const REQUESTS: [(&str, &str, usize); 8] = [
    ("signup", "created", 20),
    ("login", "ok", 20),
    ("tasks", "list", 500), // of 10 tasks
    ("tasks", "create", 500),
    ("account", "me", 500),
    ("health", "ok", 500),
    ("docs", "page", 500),
    ("docs", "file", 100), // a megabyte and a half
];

/// Durations in ms.
struct Measured {
    init: f64,
    first: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    peak_rss: f64,
}

/// Writes the tables into docs/operations.md, or prints those of the functions that are named.
pub async fn run(binaries: &Binaries, named: &[String]) -> Result<(), Error> {
    let (url, mut variables) = events::environment().await?;
    for limit in
        ["LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "LOGIN_LIMIT_PER_ADDRESS", "SIGNUP_LIMIT_PER_ADDRESS"]
    {
        // Out of the way, though not off: counting attempts is part of what is measured.
        variables.entry(limit.to_owned()).or_insert_with(|| "1000000".to_owned());
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let world = World { binaries, url: &url, variables: &variables };
    let (mut figures, mut costs) = (Vec::new(), Vec::new());
    for (function, case, count) in REQUESTS {
        if !named.is_empty() && !named.iter().any(|name| name == function) {
            continue;
        }
        eprintln!("functions: {function} {case}");
        let binary = binaries.path(function)?;
        let Measured { init, first, p50, p99, cpu, peak_rss } = world.measure(function, case, count).await?;
        let values = [size_mb(&binary)?, zipped_mb(&binary)?, init, first, p50, p99, cpu, peak_rss];
        figures.push([format!("{function} {case}")].into_iter().chain(values.map(figure)).collect());
        let memory_mb = memory_mb(function)?;
        let round_trips = match function {
            // It takes its attempt before the hash, and inserts after it.
            "signup" => 2.0,
            "docs" => 0.0,
            _ => 1.0,
        };
        let request = Request { p50, cpu, round_trips, round_trip: ROUND_TRIP, memory_mb };
        let lambda = request.usd_per_million();
        costs.push(vec![
            format!("{function} {case}"),
            memory_mb.to_string(),
            request.billed_ms().to_string(),
            format!("{lambda:.2}"),
            format!("{:.2}", lambda + USD_PER_MILLION_API_CALLS),
        ]);
    }
    events::seed(&url).await;
    let head = [
        "request",
        "binary MB",
        "zip MB",
        "init ms",
        "first ms",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "peak RSS MiB",
    ];
    let cost_head =
        ["a million warm requests", "memory MB", "billed ms", "Lambda USD", "with the HTTP API USD"];
    let text = format!("{}\n{}", report::table(&head, figures), report::table(&cost_head, costs));
    if named.is_empty() {
        return report::write(&root().join("docs/operations.md"), "functions", &text);
    }
    println!("{text}");
    Ok(())
}

struct World<'a> {
    binaries: &'a Binaries,
    url: &'a str,
    variables: &'a [(&'a str, &'a str)],
}

impl World<'_> {
    async fn start(&self, function: &str) -> Result<Function, Error> {
        Ok(Function::start(self.binaries.path(function)?, self.variables).await)
    }

    async fn measure(&self, function: &str, case: &str, count: usize) -> Result<Measured, Error> {
        let all = events::all();
        let event = |name: String| serde_json::from_str::<Value>(&all[&(name + ".json")]);
        let mut representative = event(format!("{function}-{case}"))?;
        events::seed(self.url).await;
        if function == "login" {
            // The demo user's hash is a cheap one.
            let signup = event("signup-created".to_owned())?;
            self.start("signup").await?.invoke(&signup).await?;
            representative["body"] = signup["body"].clone();
        }
        if case == "list" {
            let mut tasks = self.start("tasks").await?;
            for _ in 1..10 {
                tasks.invoke(&event("tasks-create".to_owned())?).await?;
            }
        }

        let (mut inits, mut firsts, mut warm) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = None;
        for _ in 0..STARTS {
            let mut function = self.start(function).await?;
            inits.push(ms(function.init().await?));
            firsts.push(ms(self.timed(&mut function, &representative).await?));
            last = Some(function);
        }
        let mut function = last.ok_or("nothing was started")?;
        let before = cpu_ms(function.pid())?;
        for _ in 0..count {
            warm.push(ms(self.timed(&mut function, &representative).await?));
        }
        let nothing = "nothing was measured";
        Ok(Measured {
            init: median(&inits).ok_or(nothing)?,
            first: median(&firsts).ok_or(nothing)?,
            p50: median(&warm).ok_or(nothing)?,
            p99: percentile(&warm, 99).ok_or(nothing)?,
            cpu: (cpu_ms(function.pid())? - before) / count as f64,
            peak_rss: peak_rss_mib(function.pid())?,
        })
    }

    /// How long the answer took, which must be a good one.
    async fn timed(&self, function: &mut Function, event: &Value) -> Result<Duration, Error> {
        if event["rawPath"] == "/auth/signup" {
            // Its e-mail must be new each time.
            events::seed(self.url).await;
        }
        let (answer, took) = function.invoke_timed(event.to_string()).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer["statusCode"].as_u64() {
            Some(200..300) => Ok(took),
            _ => Err(format!("{} was answered {answer}", event["rawPath"]).into()),
        }
    }
}

/// As the function is deployed.
fn memory_mb(function: &str) -> Result<f64, Error> {
    let manifest = fs::read_to_string(root().join("functions").join(function).join("Cargo.toml"))?;
    let memory = manifest.lines().find_map(|line| line.strip_prefix("memory = "));
    Ok(memory.ok_or_else(|| format!("{function}'s Cargo.toml has no memory"))?.parse()?)
}
