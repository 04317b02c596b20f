//! Starts and requests of each target, side by side: the same events on the same rows of the same PostgreSQL, over TLS
//! and SCRAM as a hosted one has them.

use std::{
    collections::BTreeMap,
    fs, iter,
    process::Command,
    time::{Duration, Instant},
};

use kit::{Proxy, Tls, events};
use tokio::time::sleep;

use crate::{
    Error,
    binaries::{Binaries, output, python},
    cgroup::Share,
    chart::{self, Group},
    cost, machine, report, root,
    statistics::{median, percentile},
    target::{Database, Request, Running, Target, ms},
};

/// The demo user's, in events/.
pub const PASSWORD: &str = "correct horse battery staple";
/// What a deployed function hashes with.
const COST: u32 = 12;
/// As far away as a database in the same region, in ms.
pub const ROUND_TRIP: f64 = 2.0;

/// Processes of each target that are started, one after the other in turns; one more is for the page cache.
const STARTS: usize = 20;
/// Requests that a process is sent before it is measured.
const WARM_UP: usize = 50;
/// How often each target has its turn.
const ROUNDS: usize = 10;
const LOGINS: usize = 20;
/// Requests whose round trips are counted.
const COUNTED: u32 = 10;

/// What each target has of something.
pub type Each<T> = BTreeMap<Target, T>;

struct Measured {
    zipped: Each<f64>,
    starts: Each<Start>,
    list: Each<Warm>,
    create: Each<Warm>,
    login: Each<Warm>,
    /// Login's time without its hash.
    beyond_hash: Each<f64>,
    /// Of a list with the database [`ROUND_TRIP`] away.
    away: Each<Warm>,
    /// Of a list, by the memory whose CPU it has; none without root.
    throttled: BTreeMap<u32, Each<Warm>>,
    peak_rss: Each<f64>,
    trips: BTreeMap<&'static str, Each<Trips>>,
    connect: Each<f64>,
}

/// In ms, the medians.
struct Start {
    init: f64,
    first: f64,
    both: f64,
}

/// Of requests to a process that has had some, in ms.
#[derive(Clone, Copy)]
struct Warm {
    p50: f64,
    p99: f64,
    cpu: f64,
    /// The database's.
    database_cpu: f64,
}

struct Trips {
    round_trips: f64,
    statements: f64,
}

pub async fn run(binaries: &Binaries) -> Result<(), Error> {
    let tls = kit::tls().await;
    let hash = bcrypt::hash(PASSWORD, COST)?;
    seed(&tls, &hash).await?;
    let measured = Bench { binaries, tls: &tls, hash }.measure().await?;
    let page = root().join("docs/benchmarks.md");
    let table = format!("{}\n{}", measured.table(), machine::described(&tls).await?);
    report::write(&page, "requests", &table)?;
    report::write(&page, "goals", &measured.goals())?;
    Ok(fs::write(root().join("docs/benchmarks.svg"), chart::svg(&measured.bars()))?)
}

/// The demo user with ten tasks, and a hash as a deployed function makes it.
pub async fn seed(tls: &Tls, hash: &str) -> Result<(), Error> {
    events::seed(tls.plain_url()).await;
    let sql = format!(
        "INSERT INTO tasks (id, user_id, title, description, priority, tags, due_date) \
         SELECT gen_random_uuid(), user_id, 'Call the dentist', 'Ask about Tuesday — or any morning', 'high', \
                'health,calls', timestamp '2026-03-20 09:30' + n * interval '1 day' \
         FROM tasks, generate_series(1, 9) n; \
         UPDATE users SET hashed_password = '{hash}'; \
         ANALYZE"
    );
    Ok(tls.client().await?.batch_execute(&sql).await?)
}

struct Bench<'a> {
    binaries: &'a Binaries,
    tls: &'a Tls,
    hash: String,
}

impl Bench<'_> {
    async fn measure(&self) -> Result<Measured, Error> {
        let zipped = Target::ALL.into_iter().map(|target| Ok((target, target.zipped(self.binaries)?)));
        let zipped = zipped.collect::<Result<_, Error>>()?;
        eprintln!("starts");
        let starts = self.starts().await?;
        eprintln!("lists");
        let (list, peak_rss) = {
            let mut running = self.start_all(Request::List, &self.tls.secure_url()).await?;
            let list = in_turns(&mut running, 200).await?;
            (
                list,
                running
                    .iter()
                    .map(|running| Ok((running.target, running.peak_rss()?)))
                    .collect::<Result<_, Error>>()?,
            )
        };
        let away = self.away(&list).await?;
        let mut throttled = BTreeMap::new();
        for memory_mb in [512, 128] {
            if let Some(lists) = self.throttled(memory_mb).await? {
                throttled.insert(memory_mb, lists);
            }
        }
        let (login, beyond_hash) = self.logins().await?;
        eprintln!("creates");
        let create =
            in_turns(&mut self.start_all(Request::Create, &self.tls.secure_url()).await?, 100).await?;
        eprintln!("round trips");
        let (mut trips, mut connect) = (BTreeMap::new(), Each::new());
        for (name, request) in Request::ALL {
            trips.insert(name, self.trips(request).await?);
        }
        for target in Target::ALL {
            connect.insert(target, self.connect(target).await? - trips["list"][&target].round_trips);
        }
        Ok(Measured {
            zipped,
            starts,
            list,
            create,
            login,
            beyond_hash,
            away,
            throttled,
            peak_rss,
            trips,
            connect,
        })
    }

    async fn start(&self, target: Target, request: Request, url: &str) -> Result<Running, Error> {
        let authority = self.tls.authority();
        let mut running = target.start(self.binaries, request, Database { url, authority }).await?;
        running.init().await?;
        Ok(running)
    }

    /// All that can be asked this, warm.
    async fn start_all(&self, request: Request, url: &str) -> Result<Vec<Running>, Error> {
        let mut all = Vec::new();
        for target in Target::ALL.into_iter().filter(|target| target.answers(request)) {
            let mut running = self.start(target, request, url).await?;
            for _ in 0..WARM_UP {
                running.answer().await?;
            }
            running.backend = Some(newest_backend(self.tls).await?);
            all.push(running);
        }
        Ok(all)
    }

    async fn starts(&self) -> Result<Each<Start>, Error> {
        let mut samples: Each<Vec<(f64, f64)>> = Each::new();
        for _ in 0..=STARTS {
            for target in Target::ALL {
                let mut running = self.start(target, Request::List, &self.tls.secure_url()).await?;
                let sample = (running.init().await?, running.answer().await?);
                samples.entry(target).or_default().push(sample);
            }
        }
        let start = |samples: &[(f64, f64)]| {
            let of =
                |part: fn(&(f64, f64)) -> f64| median(&samples[1..].iter().map(part).collect::<Vec<_>>());
            Some(Start {
                init: of(|(init, _)| *init)?,
                first: of(|(_, first)| *first)?,
                both: of(|(init, first)| init + first)?,
            })
        };
        Ok(samples.iter().filter_map(|(target, samples)| Some((*target, start(samples)?))).collect())
    }

    /// Through a proxy that takes its time. What a proxy costs by itself is a part of it.
    async fn away(&self, list: &Each<Warm>) -> Result<Each<Warm>, Error> {
        eprintln!("lists, {ROUND_TRIP} ms away");
        let proxy = Proxy::start(&self.tls.secure_url()).await;
        let mut running = self.start_all(Request::List, proxy.url()).await?;
        let undelayed = in_turns(&mut running[1..2], 100).await?;
        let own = undelayed[&Target::Floor].p50 - list[&Target::Floor].p50;
        proxy.delay(Duration::from_secs_f64((ROUND_TRIP - own).max(0.0) / 2.0 / 1000.0));
        in_turns(&mut running, 50).await
    }

    /// None when this is not root's.
    async fn throttled(&self, memory_mb: u32) -> Result<Option<Each<Warm>>, Error> {
        eprintln!("lists, with the CPU of {memory_mb} MB");
        let mut running = self.start_all(Request::List, &self.tls.secure_url()).await?;
        let shares = running.iter().map(|running| Share::limit(running.pid(), memory_mb));
        match shares.collect::<Result<Vec<_>, _>>() {
            Ok(_shares) => Ok(Some(in_turns(&mut running, if memory_mb < 512 { 10 } else { 30 }).await?)),
            Err(error) => {
                eprintln!("left out, as no process can be given less CPU ({error}): run it as root");
                Ok(None)
            }
        }
    }

    /// Each login right after the same hash alone, by the library that it uses.
    async fn logins(&self) -> Result<(Each<Warm>, Each<f64>), Error> {
        eprintln!("logins");
        let mut samples: Each<(Vec<f64>, Vec<f64>)> = Each::new();
        let mut all = Vec::new();
        for target in [Target::Ours, Target::FastApi] {
            let mut running = self.start(target, Request::Login, &self.tls.secure_url()).await?;
            running.answer().await?;
            all.push((running.cpu()?, running));
        }
        for _ in 0..LOGINS {
            for (_, running) in &mut all {
                let hash = match running.target {
                    Target::FastApi => self.hash_in_python()?,
                    _ => self.hash()?,
                };
                let login = running.answer().await?;
                let (logins, beyond) = samples.entry(running.target).or_default();
                logins.push(login);
                beyond.push(login - hash);
            }
        }
        let (mut logins, mut beyonds) = (Each::new(), Each::new());
        for (before, running) in &all {
            let (login, beyond) = &samples[&running.target];
            logins.insert(running.target, Warm::of(login, running.cpu()? - before, 0.0)?);
            beyonds.extend(median(beyond).map(|beyond| (running.target, beyond)));
        }
        Ok((logins, beyonds))
    }

    fn hash(&self) -> Result<f64, Error> {
        let start = Instant::now();
        bcrypt::verify(PASSWORD, &self.hash)?;
        Ok(ms(start.elapsed()))
    }

    fn hash_in_python(&self) -> Result<f64, Error> {
        const PROGRAM: &str = "import bcrypt, sys, time\n\
            password, hash = (text.encode() for text in sys.argv[1:])\n\
            start = time.perf_counter()\n\
            assert bcrypt.checkpw(password, hash)\n\
            print((time.perf_counter() - start) * 1000)";
        Ok(output(Command::new(python()).args(["-c", PROGRAM, PASSWORD, &self.hash]))?.parse()?)
    }

    /// By all who can be asked it, when they have been asked before. In the clear, as TLS would hide statements.
    async fn trips(&self, request: Request) -> Result<Each<Trips>, Error> {
        let mut all = Each::new();
        for target in Target::ALL.into_iter().filter(|target| target.answers(request)) {
            let proxy = Proxy::start(&format!("{}?sslmode=disable", self.tls.plain_url())).await;
            let mut running = self.start(target, request, proxy.url()).await?;
            running.answer().await?;
            let (turns, statements) = settled(&proxy).await;
            for _ in 0..COUNTED {
                running.answer().await?;
            }
            let after = settled(&proxy).await;
            let each = |count: u64| count as f64 / f64::from(COUNTED);
            let trips = Trips { round_trips: each(after.0 - turns), statements: each(after.1 - statements) };
            all.insert(target, trips);
        }
        Ok(all)
    }

    /// How many round trips there are until the first list has been answered, TLS and SCRAM included.
    async fn connect(&self, target: Target) -> Result<f64, Error> {
        let proxy = Proxy::start(&self.tls.secure_url()).await;
        let mut running = self.start(target, Request::List, proxy.url()).await?;
        running.answer().await?;
        Ok(settled(&proxy).await.0 as f64)
    }
}

/// The process of the server that answers whoever connected last.
pub async fn newest_backend(tls: &Tls) -> Result<u32, Error> {
    let sql = "SELECT pid FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND client_addr IS NOT NULL \
               ORDER BY backend_start DESC LIMIT 1";
    let pid: i32 = tls.client().await?.query_one(sql, &[]).await?.try_get(0)?;
    Ok(pid.try_into()?)
}

/// Round trips and statements so far, those included that come after an answer.
async fn settled(proxy: &Proxy) -> (u64, u64) {
    sleep(Duration::from_millis(50)).await;
    (proxy.round_trips(), proxy.statements())
}

/// Asks each some times in a row, and all of them over and over, because a machine is not always as fast.
async fn in_turns(all: &mut [Running], in_a_row: usize) -> Result<Each<Warm>, Error> {
    let mut samples: Each<(Vec<f64>, f64, f64)> = Each::new();
    for _ in 0..ROUNDS {
        for running in &mut *all {
            let (durations, cpu, database_cpu) = samples.entry(running.target).or_default();
            let before = (running.cpu()?, running.database_cpu()?);
            for _ in 0..in_a_row {
                durations.push(running.answer().await?);
            }
            *cpu += running.cpu()? - before.0;
            *database_cpu += running.database_cpu()? - before.1;
        }
    }
    let warm =
        |(durations, cpu, database_cpu): &(Vec<f64>, f64, f64)| Warm::of(durations, *cpu, *database_cpu);
    samples.iter().map(|(target, samples)| Ok((*target, warm(samples)?))).collect()
}

impl Warm {
    /// The CPU times are those of all.
    fn of(durations: &[f64], cpu: f64, database_cpu: f64) -> Result<Self, Error> {
        let percentile = |percent| percentile(durations, percent).ok_or("nothing was measured");
        let each = |total| total / durations.len() as f64;
        Ok(Self {
            p50: percentile(50)?,
            p99: percentile(99)?,
            cpu: each(cpu),
            database_cpu: each(database_cpu),
        })
    }
}

fn of<T>(each: &Each<T>, part: impl Fn(&T) -> f64) -> Each<f64> {
    each.iter().map(|(target, value)| (*target, part(value))).collect()
}

/// How many times the one's is the other's.
fn ratio(each: &Each<f64>, one: Target, other: Target) -> Option<f64> {
    Some(each.get(&one)? / each.get(&other)?)
}

impl Measured {
    fn rows(&self) -> Vec<(String, Each<f64>)> {
        let Self { starts, list, create, login, .. } = self;
        let mut rows: Vec<(String, Each<f64>)> = Vec::new();
        let mut row = |name: &str, each| rows.push((name.to_owned(), each));
        row("zip, MB", self.zipped.clone());
        row("init, ms", of(starts, |start| start.init));
        row("first list, ms", of(starts, |start| start.first));
        row("init and first list, ms", of(starts, |start| start.both));
        row("list p50, ms", of(list, |warm| warm.p50));
        row("list p99, ms", of(list, |warm| warm.p99));
        row("create p50, ms", of(create, |warm| warm.p50));
        row("create p99, ms", of(create, |warm| warm.p99));
        row("login p50, ms", of(login, |warm| warm.p50));
        row("login p99, ms", of(login, |warm| warm.p99));
        row("login without its hash, ms", self.beyond_hash.clone());
        row(&format!("list p50, database {ROUND_TRIP} ms away, ms"), of(&self.away, |warm| warm.p50));
        for memory_mb in [512, 128] {
            match self.throttled.get(&memory_mb) {
                Some(lists) => {
                    row(&format!("list p50, CPU of {memory_mb} MB, ms"), of(lists, |warm| warm.p50))
                }
                None => {
                    row(&format!("list p50, CPU of {memory_mb} MB (only root can measure it)"), Each::new())
                }
            }
        }
        row("CPU a list, ms", of(list, |warm| warm.cpu));
        row("CPU a create, ms", of(create, |warm| warm.cpu));
        row("the database's CPU a list, ms", of(list, |warm| warm.database_cpu));
        row("the database's CPU a create, ms", of(create, |warm| warm.database_cpu));
        row("peak RSS, MiB", self.peak_rss.clone());
        row("round trips of a first connection", self.connect.clone());
        for (name, _) in Request::ALL {
            let trips = &self.trips[name];
            row(&format!("round trips, {name}"), of(trips, |trips| trips.round_trips));
            row(&format!("statements, {name}"), of(trips, |trips| trips.statements));
        }
        row("a million lists, 256 MB, USD", self.cost("list", list, 256.0));
        row("a million logins, 1769 MB, USD", self.cost("login", login, 1769.0));
        rows
    }

    /// Lambda's share, with the database [`ROUND_TRIP`] away.
    fn cost(&self, name: &str, warm: &Each<Warm>, memory_mb: f64) -> Each<f64> {
        let cost = |target: &Target, Warm { p50, cpu, .. }: &Warm| {
            let round_trips = self.trips[name].get(target)?.round_trips;
            let request =
                cost::Request { p50: *p50, cpu: *cpu, round_trips, round_trip: ROUND_TRIP, memory_mb };
            Some((*target, request.usd_per_million()))
        };
        warm.iter().filter_map(|(target, warm)| cost(target, warm)).collect()
    }

    fn table(&self) -> String {
        let rows = self.rows().into_iter().map(|(name, each)| {
            let values = Target::ALL.iter().map(|target| report::figure_or_dash(each.get(target).copied()));
            let ratios =
                [ratio(&each, Target::Ours, Target::Floor), ratio(&each, Target::FastApi, Target::Ours)];
            let ratios = ratios.map(|ratio| report::figure_or_dash(ratio.filter(|ratio| ratio.is_finite())));
            iter::once(name).chain(values).chain(ratios).collect()
        });
        let table = report::table(&["", "ours", "floor", "FastAPI", "ours / floor", "FastAPI / ours"], rows);
        let added = self.away[&Target::Floor].p50 - self.list[&Target::Floor].p50;
        format!(
            "{table}\nThe {ROUND_TRIP} ms to the database were {added:.2} ms, by the floor's two lists.\n"
        )
    }

    fn bars(&self) -> [Group; 5] {
        [
            Group {
                name: "Cold start: init and first list",
                unit: "ms",
                values: of(&self.starts, |start| start.both),
            },
            Group {
                name: "Warm list of ten tasks, p50",
                unit: "ms",
                values: of(&self.list, |warm| warm.p50),
            },
            Group { name: "CPU a list", unit: "ms", values: of(&self.list, |warm| warm.cpu) },
            Group { name: "Peak memory", unit: "MiB", values: self.peak_rss.clone() },
            Group { name: "Upload (zip)", unit: "MB", values: self.zipped.clone() },
        ]
    }

    fn goals(&self) -> String {
        use Target::{FastApi, Floor, Ours};
        let Self { starts, list, create, .. } = self;
        let (starts, cpu) = (of(starts, |start| start.both), of(list, |warm| warm.cpu));
        let p50 = |each: &Each<Warm>| of(each, |warm| warm.p50);
        let throttled = |memory_mb| ratio(&p50(self.throttled.get(&memory_mb)?), FastApi, Ours);
        let trips = |name| self.trips[name].get(&Ours).map(|trips| trips.round_trips);
        let goals = [
            at_most("init and first list, times the floor's", 1.25, ratio(&starts, Ours, Floor)),
            at_most("list p50, times the floor's", 1.15, ratio(&p50(list), Ours, Floor)),
            at_most("create p50, times the floor's", 1.2, ratio(&p50(create), Ours, Floor)),
            at_most("CPU a list, times the floor's", 1.21, ratio(&cpu, Ours, Floor)),
            at_least("init and first list, FastAPI's times ours", 75.0, ratio(&starts, FastApi, Ours)),
            at_least("list p50, FastAPI's times ours", 10.0, ratio(&p50(list), FastApi, Ours)),
            at_least("CPU a list, FastAPI's times ours", 20.0, ratio(&cpu, FastApi, Ours)),
            at_least("list p50 with the CPU of 512 MB, FastAPI's times ours", 30.0, throttled(512)),
            at_least("list p50 with the CPU of 128 MB, FastAPI's times ours", 80.0, throttled(128)),
            at_most("list p50, database 2 ms away, ms", 2.8, p50(&self.away).get(&Ours).copied()),
            at_most("CPU a list, ms", 0.17, cpu.get(&Ours).copied()),
            at_most("peak RSS, MiB", 8.0, self.peak_rss.get(&Ours).copied()),
            at_most("zip, MB, with the SDK for secrets", 5.0, self.zipped.get(&Ours).copied()),
            at_most("login without its hash, ms", 1.0, self.beyond_hash.get(&Ours).copied()),
            at_most("round trips of a list", 1.0, trips("list")),
            at_most("round trips of a create", 1.0, trips("create")),
            at_most("round trips of a login", 1.0, trips("login")),
            at_most("round trips of a sign-up", 2.0, trips("sign-up")),
            at_most("round trips of a bad token", 0.0, trips("bad token")),
        ];
        report::table(&["goal", "", "measured", ""], goals)
    }
}

fn at_most(name: &str, goal: f64, measured: Option<f64>) -> Vec<String> {
    verdict(name, format!("≤ {goal}"), measured, |measured| measured <= goal)
}

fn at_least(name: &str, goal: f64, measured: Option<f64>) -> Vec<String> {
    verdict(name, format!("≥ {goal}"), measured, |measured| measured >= goal)
}

fn verdict(name: &str, goal: String, measured: Option<f64>, is_met: impl FnOnce(f64) -> bool) -> Vec<String> {
    let verdict = match measured.map(is_met) {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "not measured",
    };
    vec![name.to_owned(), goal, report::figure_or_dash(measured), verdict.to_owned()]
}
