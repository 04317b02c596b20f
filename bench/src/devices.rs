//! Measures what several devices of one user cost: lists that the client has, and changes that take a revision, beside the
//! functions of before.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Error,
    bench::Bench,
    binaries::Binaries,
    database::{self, BCRYPT_COST},
    lists::{FEW, ListEvents, MANY, fill},
    process::{CREATE, LIST, Process, event_json},
    report::{self, figure, verdict},
    samples::{Samples, median},
    target::Target,
};

const UPDATE: &str = "tasks-update-partly";
/// The most that a list that the client has may take, as a multiple of a list of 10 tasks.
const GOAL_NOT_MODIFIED: f64 = 0.8;
/// The most that a change may take, as a multiple of one of before.
const GOAL_CHANGE: f64 = 1.35;
const ROUNDS: usize = 20;
const IN_A_ROW: usize = 50;
const WRITERS: usize = 8;
const WRITING: Duration = Duration::from_secs(10);

/// `before` is a folder with the `tasks` to compare with.
pub async fn run(binaries: Binaries, before: Option<&Path>) -> Result<(), Error> {
    let bench = Bench::new(binaries).await;
    eprintln!("devices: a million tasks");
    fill(&bench.tls.client().await?).await?;
    let mut text = not_modified(&bench).await?;
    if let Some(before) = before {
        text += &changes(&bench, &Binaries::ready(Some(before))?.path("tasks")?).await?;
    }
    report::write_measured("benchmarks.md", "devices", &text, &bench.tls).await
}

async fn not_modified(bench: &Bench) -> Result<String, Error> {
    eprintln!("devices: lists that the client has");
    let events = ListEvents::new(&bench.tls)?;
    let has = |user: u128| {
        let mut event: Value = serde_json::from_str(&events.list(user, ""))?;
        event["headers"]["if-none-match"] = format!("\"{}-0\"", Uuid::from_u128(user)).into();
        Ok::<_, Error>(event.to_string())
    };
    let lists = [
        ("a list of 10 tasks", events.list(FEW, ""), 200),
        ("a list of 10 tasks that the client has", has(FEW)?, 304),
        ("a list of 10,000 tasks that the client has", has(MANY)?, 304),
    ];
    let mut process = bench.start(&bench.url, Target::Ours, LIST).await?;
    for (_, event, status) in lists.iter().cycle().take(IN_A_ROW) {
        process.answer_to(event.clone(), *status).await?;
    }
    let mut durations = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((_, event, status), durations) in lists.iter().zip(&mut durations) {
            for _ in 0..IN_A_ROW {
                durations.push(process.answer_to(event.clone(), *status).await?.0);
            }
        }
    }
    let p50s = durations.map(median);
    let rows = lists.iter().zip(p50s).map(|((name, ..), p50)| report::row(*name, [p50, p50 / p50s[0]]));
    let most = p50s[1].max(p50s[2]) / p50s[0];
    Ok(format!(
        "{}\nA list that the client has takes {} of the time of a list of 10 (goal: ≤ {GOAL_NOT_MODIFIED}): {}.\n\n",
        report::table("`GET /tasks` | p50 ms | of the first", rows),
        figure(most),
        verdict(most <= GOAL_NOT_MODIFIED),
    ))
}

async fn changes(bench: &Bench, before: &Path) -> Result<String, Error> {
    let now = bench.binary(Target::Ours, LIST)?;
    let (mut rows, mut most) = (Vec::new(), 0.0_f64);
    for event in [CREATE, UPDATE] {
        eprintln!("devices: {event}");
        database::seed(bench.tls.plain_url(), BCRYPT_COST).await?;
        let start = async |binary: &Path| bench.start_binary(binary, &bench.url, Target::Ours, event).await;
        let (mut of_before, mut of_now) = (start(before).await?, start(&now).await?);
        let (mut was, mut is) = (Samples::default(), Samples::default());
        for process in [&mut of_before, &mut of_now] {
            process.measure(IN_A_ROW, &mut Samples::default()).await?;
        }
        for _ in 0..ROUNDS {
            of_before.measure(IN_A_ROW, &mut was).await?;
            of_now.measure(IN_A_ROW, &mut is).await?;
        }
        most = most.max(is.p50() / was.p50());
        rows.push(report::row(format!("`{event}`, p50 ms"), [was.p50(), is.p50(), is.p50() / was.p50()]));
    }
    eprintln!("devices: eight writers");
    let mut rates = [const { Vec::new() }; 2];
    for _ in 0..3 {
        for (binary, rates) in [before, &now].into_iter().zip(&mut rates) {
            database::seed(bench.tls.plain_url(), BCRYPT_COST).await?;
            rates.push(creates_a_second(bench, binary).await?);
        }
    }
    let [was, is] = rates.map(median);
    rows.push(report::row(format!("creates a second, {WRITERS} writers of one user"), [was, is, is / was]));
    Ok(format!(
        "{}\nA change takes at most {} times as long as before (goal: ≤ {GOAL_CHANGE}): {}.\n",
        report::table("one user | before | now | now / before", rows),
        figure(most),
        verdict(most <= GOAL_CHANGE),
    ))
}

/// Creates tasks of one user with several functions at once. Revisions must be distinct.
async fn creates_a_second(bench: &Bench, binary: &Path) -> Result<f64, Error> {
    let start = || bench.start_binary(binary, &bench.url, Target::Ours, CREATE);
    let mut processes = try_join_all((0..WRITERS).map(|_| start())).await?;
    let started = Instant::now();
    let answers = try_join_all(processes.iter_mut().map(|process| write(process, started))).await?.concat();
    let seconds = started.elapsed().as_secs_f64();
    let revisions: BTreeSet<_> = answers.iter().flatten().collect();
    if !revisions.is_empty() && revisions.len() != answers.len() {
        return Err(format!("{} creates have {} revisions", answers.len(), revisions.len()).into());
    }
    Ok(answers.len() as f64 / seconds)
}

/// Returns the revision of each new task; functions of before have none.
async fn write(process: &mut Process, started: Instant) -> Result<Vec<Option<i64>>, Error> {
    let event = event_json(CREATE)?;
    let mut revisions = Vec::new();
    while started.elapsed() < WRITING {
        let (_, answer) = process.answer_to(event.clone(), 201).await?;
        let task: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
        revisions.push(task["revision"].as_i64());
    }
    Ok(revisions)
}
