//! Measures starts and requests of the functions, the floor, Node and FastAPI: the same events on the same rows.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use kit::{PASSWORD, Proxy};
use tokio::time::sleep;

use crate::{
    Error,
    bench::Bench,
    binaries::Binaries,
    cgroup::CpuLimit,
    chart,
    command::output,
    cost::{ROUND_TRIP_MS, WarmRequest},
    database::{self, BCRYPT_COST},
    fastapi,
    figures::{ByTarget, Figures, figures_of},
    goals, instructions, node,
    process::{BAD_TOKEN, CREATE, LIST, LOGIN, Process, SIGN_UP, ms},
    procfs::{PARTS, rss_mib, rss_parts_mib},
    report,
    samples::{Samples, median},
    target::Target,
};

const STARTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(200);
/// The number of turns of each target.
const ROUNDS: usize = 10;
const LOGINS: usize = 20;
/// The requests whose round trips are counted, and how many of each.
const COUNTED: [(&str, &str); 5] =
    [("list", LIST), ("create", CREATE), ("login", LOGIN), ("sign-up", SIGN_UP), ("bad token", BAD_TOKEN)];
const COUNT: usize = 10;
const MEMORIES_MB: [u32; 2] = [512, 128];

pub async fn run(binaries: Binaries) -> Result<(), Error> {
    node::install()?;
    let bench = Bench::new(binaries).await;
    let figures = measure(&bench).await?;
    let [near, away] = ["list p50, ms", "list p50, database 2 ms away, ms"].map(|name| figures.get(name));
    let added = away?[&Target::Floor] - near?[&Target::Floor];
    let text = format!(
        "{}\nThe {ROUND_TRIP_MS} ms to the database were {added:.2} ms, by the floor's two lists. Node is {}.\n",
        figures.table(),
        node::version()?
    );
    report::write_measured("benchmarks.md", "requests", &text, &bench.tls).await?;
    report::write("benchmarks.md", "goals", &goals::table(&figures)?)?;
    Ok(fs::write(kit::repository().join("docs/benchmarks.svg"), chart::svg(&figures)?)?)
}

async fn measure(bench: &Bench) -> Result<Figures, Error> {
    let hash = database::seed(bench.tls.plain_url(), BCRYPT_COST).await?;
    let starts = starts(bench).await?;
    eprintln!("requests: lists");
    let (list, peak_rss, parts) = {
        let mut processes = start_all(bench, &bench.url, LIST).await?;
        let list = in_turns(&mut processes, 200).await?;
        let peak_rss =
            processes.iter().map(|(target, process)| Ok((*target, rss_mib(process.function.pid())?.peak)));
        let peak_rss = peak_rss.collect::<Result<_, Error>>()?;
        let parts =
            processes.iter().map(|(target, process)| Ok((*target, rss_parts_mib(process.function.pid())?)));
        (list, peak_rss, parts.collect::<Result<_, Error>>()?)
    };
    let away = away(bench, list[&Target::Floor].p50()).await?;
    let mut limited = Vec::new();
    for memory_mb in MEMORIES_MB {
        limited.push((memory_mb, with_cpu_of(bench, memory_mb).await?));
    }
    let (login, beyond_hash) = logins(bench, &hash).await?;
    eprintln!("requests: instructions of a list");
    let list_instructions = instructions::of_request(bench, LIST).await?;
    // After the lists, which they make longer.
    eprintln!("requests: creates");
    let create = in_turns(&mut start_all(bench, &bench.url, CREATE).await?, 100).await?;
    eprintln!("requests: instructions of a create");
    let create_instructions = instructions::of_request(bench, CREATE).await?;

    let mut figures = Figures::default();
    let zips = Target::ALL.into_iter().map(|target| Ok((target, bench.zipped_mb(target)?)));
    figures.add("zip, MB", zips.collect::<Result<_, Error>>()?);
    for (part, name) in ["init, ms", "first list, ms", "init and first list, ms"].into_iter().enumerate() {
        figures.add(name, figures_of(&starts, |durations| median(durations[part].iter().copied())));
    }
    for (name, samples) in [("list", &list), ("create", &create), ("login", &login)] {
        figures.add(format!("{name} p50, ms"), figures_of(samples, Samples::p50));
        figures.add(format!("{name} p99, ms"), figures_of(samples, Samples::p99));
    }
    figures.add("login without its hash, ms", beyond_hash);
    figures.add(format!("list p50, database {ROUND_TRIP_MS} ms away, ms"), figures_of(&away, Samples::p50));
    for (memory_mb, lists) in &limited {
        figures.add(format!("list p50, CPU of {memory_mb} MB, ms"), figures_of(lists, Samples::p50));
    }
    for (name, samples) in [("list", &list), ("create", &create)] {
        figures.add(format!("CPU a {name}, ms"), figures_of(samples, Samples::cpu));
    }
    for (name, samples) in [("list", &list), ("create", &create)] {
        figures.add(format!("the database's CPU a {name}, ms"), figures_of(samples, Samples::database_cpu));
    }
    figures.add("instructions a list, thousands", list_instructions);
    figures.add("instructions a create, thousands", create_instructions);
    figures.add("peak RSS, MiB", peak_rss);
    for (number, name) in PARTS.into_iter().enumerate() {
        figures.add(format!("RSS: {name}, MiB"), figures_of(&parts, |parts| parts[number]));
    }
    add_round_trips(bench, &mut figures).await?;
    for (name, samples, memory_mb) in [("list", &list, 256.0), ("login", &login, 1769.0)] {
        let round_trips = figures.get(&format!("round trips, {name}"))?;
        let usd = |(target, samples): (&Target, &Samples)| {
            (*target, WarmRequest::new(samples, round_trips[target], memory_mb).usd_per_million())
        };
        let usd = samples.iter().map(usd).collect();
        figures.add(format!("a million {name}s, {memory_mb} MB, USD"), usd);
    }
    Ok(figures)
}

/// Starts every target that answers the event, and warms it up.
async fn start_all(bench: &Bench, url: &str, event: &str) -> Result<ByTarget<Process>, Error> {
    let mut processes = ByTarget::new();
    for target in Target::answering(event) {
        processes.insert(target, bench.start_warm(url, target, event).await?);
    }
    Ok(processes)
}

/// Measures the targets in turns, as the machine is not always equally fast.
async fn in_turns(processes: &mut ByTarget<Process>, in_a_row: usize) -> Result<ByTarget<Samples>, Error> {
    let mut samples: ByTarget<Samples> = ByTarget::new();
    for _ in 0..ROUNDS {
        for (target, process) in &mut *processes {
            process.measure(in_a_row, samples.entry(*target).or_default()).await?;
        }
    }
    Ok(samples)
}

/// Returns the durations of init, of the first list and of both, in ms.
async fn starts(bench: &Bench) -> Result<ByTarget<[Vec<f64>; 3]>, Error> {
    eprintln!("requests: starts");
    let mut starts: ByTarget<[Vec<f64>; 3]> = ByTarget::new();
    for number in 0..=STARTS {
        for target in Target::ALL {
            // The kernel still frees the memory of the process before, such as FastAPI's, which slows down the next start.
            sleep(PAUSE).await;
            let mut process = bench.start(&bench.url, target, LIST).await?;
            let (init, first_list) = (process.init().await?, process.answer().await?);
            // The first start fills the page cache.
            if number > 0 {
                let durations = starts.entry(target).or_default().iter_mut();
                durations.zip([init, first_list, init + first_list]).for_each(|(all, one)| all.push(one));
            }
        }
    }
    Ok(starts)
}

/// Measures lists with the database [`ROUND_TRIP_MS`] away. What the proxy itself takes is measured with the floor, whose
/// p50 without it is `near`, and is a part of the delay.
async fn away(bench: &Bench, near: f64) -> Result<ByTarget<Samples>, Error> {
    eprintln!("requests: lists, {ROUND_TRIP_MS} ms away");
    let proxy = Proxy::start(&bench.url).await;
    let mut processes = start_all(bench, proxy.url(), LIST).await?;
    let mut undelayed = Samples::default();
    if let Some(floor) = processes.get_mut(&Target::Floor) {
        floor.measure(1000, &mut undelayed).await?;
    }
    let delay = (ROUND_TRIP_MS - (undelayed.p50() - near)).max(0.0) / 2.0;
    proxy.delay(Duration::from_secs_f64(delay / 1000.0));
    in_turns(&mut processes, 50).await
}

/// Measures lists with the CPU of a function with this memory; nothing unless run as root.
async fn with_cpu_of(bench: &Bench, memory_mb: u32) -> Result<ByTarget<Samples>, Error> {
    eprintln!("requests: lists, with the CPU of {memory_mb} MB");
    let mut processes = start_all(bench, &bench.url, LIST).await?;
    let limits = processes.values().map(|process| CpuLimit::new(process.function.pid(), memory_mb));
    match limits.collect::<Option<Vec<_>>>() {
        Some(_limits) => in_turns(&mut processes, if memory_mb < 512 { 10 } else { 30 }).await,
        None => Ok(ByTarget::new()),
    }
}

/// Returns logins, and by how much they take longer than the same hash alone in the same library, in ms.
async fn logins(bench: &Bench, hash: &str) -> Result<(ByTarget<Samples>, ByTarget<f64>), Error> {
    eprintln!("requests: logins");
    let mut processes = start_all(bench, &bench.url, LOGIN).await?;
    let mut logins: ByTarget<Samples> = ByTarget::new();
    let mut beyond_hash: ByTarget<Vec<f64>> = ByTarget::new();
    for _ in 0..LOGINS {
        for (target, process) in &mut processes {
            let hash = if *target == Target::FastApi { hash_in_python(hash)? } else { hash_in_rust(hash)? };
            let samples = logins.entry(*target).or_default();
            process.measure(1, samples).await?;
            let beyond = samples.durations.last().map(|login| login - hash);
            beyond_hash.entry(*target).or_default().extend(beyond);
        }
    }
    Ok((logins, figures_of(&beyond_hash, |durations| median(durations.iter().copied()))))
}

fn hash_in_rust(hash: &str) -> Result<f64, Error> {
    let start = Instant::now();
    bcrypt::verify(PASSWORD, hash)?;
    Ok(ms(start.elapsed()))
}

fn hash_in_python(hash: &str) -> Result<f64, Error> {
    let mut command = Command::new(fastapi::python());
    Ok(output(command.arg(fastapi::folder().join("hash.py")).args([PASSWORD, hash]))?.parse()?)
}

async fn add_round_trips(bench: &Bench, figures: &mut Figures) -> Result<(), Error> {
    eprintln!("requests: round trips");
    let mut counts = Vec::new();
    for (name, event) in COUNTED {
        let (mut round_trips, mut statements) = (ByTarget::new(), ByTarget::new());
        for target in Target::answering(event) {
            let counted = count(bench, target, event).await?;
            round_trips.insert(target, counted[0]);
            statements.insert(target, counted[1]);
        }
        counts.push((name, round_trips, statements));
    }
    let mut connections = ByTarget::new();
    for target in Target::ALL {
        let proxy = Proxy::start(&bench.url).await;
        bench.start(proxy.url(), target, LIST).await?.answer().await?;
        // TLS, SCRAM and the first list, whose own round trips are taken off.
        connections.insert(target, settled(&proxy).await[0] - counts[0].1[&target]);
    }
    figures.add("round trips of a first connection", connections);
    for (name, round_trips, statements) in counts {
        figures.add(format!("round trips, {name}"), round_trips);
        figures.add(format!("statements, {name}"), statements);
    }
    Ok(())
}

/// Returns the round trips and the statements of a request that is not the process's first. The connection has no TLS,
/// which would hide the statements.
async fn count(bench: &Bench, target: Target, event: &str) -> Result<[f64; 2], Error> {
    let proxy = Proxy::start(&format!("{}?sslmode=disable", bench.tls.plain_url())).await;
    let mut process = bench.start(proxy.url(), target, event).await?;
    process.answer().await?;
    let before = settled(&proxy).await;
    process.measure(COUNT, &mut Samples::default()).await?;
    let after = settled(&proxy).await;
    Ok([0, 1].map(|which| (after[which] - before[which]) / COUNT as f64))
}

/// Returns the round trips and statements so far, with those that follow an answer.
async fn settled(proxy: &Proxy) -> [f64; 2] {
    sleep(Duration::from_millis(50)).await;
    [proxy.round_trips() as f64, proxy.statements() as f64]
}
