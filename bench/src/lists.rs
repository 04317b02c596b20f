//! Measures lists of users with few and with many tasks, among a million tasks of others.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kit::Tls;
use serde_json::Value;
use shared::{
    Config,
    jwt::{DEMO_SECRET, Issuer},
    user::User,
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    Error,
    bench::Bench,
    binaries::Binaries,
    plans,
    process::{LIST, Process, event_json},
    procfs::rss_mib,
    report::{self, figure, verdict},
    samples::median,
    target::Target,
};

/// The users of lists.sql whose pages are measured, and the number of their tasks.
const USERS: [(u128, &str); 4] = [(FEW, "10"), (2, "100"), (MANY, "10,000"), (FEW_OPEN, "10,000, 1 % open")];
/// Has no second page.
pub const FEW: u128 = 1;
pub const MANY: u128 = 3;
/// Only the newest 1 % of this user's tasks are open, and only they have a high priority.
pub const FEW_OPEN: u128 = 4;
/// Has more tasks than a list without `limit` may have.
const TOO_MANY: u128 = 5;

const ORDERS: [&str; 4] = ["due_date", "priority", "title", "created_at"];
const FILTERS: [&str; 4] = ["", "&completed=false", "&completed=true", "&priority=high"];
/// Filters that no index helps with: for each, some tasks match, or none. The second word of `about nowhere` is looked for
/// in each task, as the first is found in each.
const SEARCHES: [&str; 6] = [
    "search=77",
    "search=nowhere",
    "search=about+nowhere",
    "search=n%C3%B6wh%C3%A9re",
    "tag=tag3",
    "tag=nobodys",
];
/// The most that a page of 10,000 tasks may take, as a multiple of one of 100.
const GOAL_TIMES: f64 = 3.0;
const GOAL_SEARCH_MS: f64 = 20.0;
/// The most that a generic plan may take, as a multiple of a custom one.
const GOAL_GENERIC: f64 = 1.5;

const ROUNDS: usize = 30;
const WHOLE_LISTS: usize = 5;

pub async fn run(binaries: Binaries) -> Result<(), Error> {
    eprintln!("lists: a million tasks");
    let bench = Bench::new(binaries).await;
    fill(&bench.tls.client().await?).await?;
    let events = ListEvents::new(&bench.tls)?;
    let mut text = pages(&bench, &events).await?;
    text += &whole_lists(&bench, &events).await?;
    text += &plans::text(&bench, &events).await?;
    report::write_measured("benchmarks.md", "lists", text.trim_end_matches('\n'), &bench.tls).await
}

/// Inserts the tasks of lists.sql.
pub async fn fill(client: &Client) -> Result<(), Error> {
    client.batch_execute(include_str!("../lists.sql")).await?;
    // Sorted by their random ids, the tasks of all users are mixed, as they are when they come in time.
    client.batch_execute("CLUSTER tasks USING tasks_pkey").await?;
    // A temporary server does not do so by itself.
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}

/// The events of lists, and each user's token.
pub struct ListEvents {
    event: Value,
    tokens: BTreeMap<u128, String>,
}

impl ListEvents {
    pub fn new(tls: &Tls) -> Result<Self, Error> {
        let variables = [("JWT_SECRET", DEMO_SECRET), ("DATABASE_URL", tls.plain_url())];
        let issuer = Issuer::new(&Config::from_iter(variables))?;
        let mut tokens = BTreeMap::new();
        for id in USERS.map(|(id, _)| id).into_iter().chain([TOO_MANY]) {
            let user = User { id: Uuid::from_u128(id), email: format!("{id}@example.com"), username: None };
            let (id_of_session, now) = (user.id, Timestamp::now());
            let session = issuer.session(user, id_of_session, 0, Timestamp::MAX, now);
            let session = session.map_err(|_| "no token can be signed")?;
            let session = serde_json::to_value(session)?;
            tokens.insert(id, session["access_token"].as_str().unwrap_or_default().to_owned());
        }
        Ok(Self { event: serde_json::from_str(&event_json(LIST)?)?, tokens })
    }

    /// Returns the event of `GET /tasks` with this query, sent by this user.
    pub fn list(&self, user: u128, query: &str) -> String {
        let mut event = self.event.clone();
        event["rawQueryString"] = query.into();
        event["headers"]["authorization"] = format!("Bearer {}", self.tokens[&user]).into();
        event.to_string()
    }
}

/// The processes whose lists are measured in turns: the first with PostgreSQL's own choice of plans, the others with a plan of
/// each kind forced, the generic one of a prepared statement and one that is made for the parameters.
struct Processes([Process; 3]);

impl Processes {
    async fn start(bench: &Bench, events: &ListEvents) -> Result<Self, Error> {
        let forced = |kind| format!("{}&options=-c%20plan_cache_mode%3Dforce_{kind}_plan", bench.url);
        let start = async |url: &str| {
            let mut process = bench.start(url, Target::Ours, LIST).await?;
            for _ in 0..50 {
                process.answer_to(events.list(FEW, "limit=50"), 200).await?;
            }
            Ok::<_, Error>(process)
        };
        Ok(Self([
            start(&bench.url).await?,
            start(&forced("generic")).await?,
            start(&forced("custom")).await?,
        ]))
    }
}

/// A page and its p50 for each of [`USERS`] who has it, in ms.
struct Page {
    name: String,
    p50s: [Option<f64>; 4],
    /// The p50 with the generic plan as a multiple of that with a custom one: the largest of all users.
    generic: f64,
}

impl Page {
    /// Measures a page of each user in turns.
    async fn measure(
        Processes(processes): &mut Processes,
        name: String,
        events: [Option<String>; 4],
    ) -> Result<Self, Error> {
        eprintln!("lists: {name}");
        let mut durations = [const { [const { Vec::new() }; 3] }; 4];
        // From the third use on a statement is executed by its name.
        for round in 0..ROUNDS + 2 {
            for (event, durations) in events.iter().zip(&mut durations) {
                let Some(event) = event else { continue };
                for (process, durations) in processes.iter_mut().zip(durations) {
                    let took = process.answer_to(event.clone(), 200).await?.0;
                    if round >= 2 {
                        durations.push(took);
                    }
                }
            }
        }
        let (mut p50s, mut generic) = ([None; 4], 0.0_f64);
        for (p50, durations) in p50s.iter_mut().zip(durations).filter(|(_, [one, ..])| !one.is_empty()) {
            let [chosen, generic_plan, custom_plan] = durations.map(median);
            *p50 = Some(chosen);
            generic = generic.max(generic_plan / custom_plan);
        }
        Ok(Self { name, p50s, generic })
    }

    /// Returns the p50 of the slower of the two users with 10,000 tasks.
    fn slowest(&self) -> Option<f64> {
        Some(self.p50s[2]?.max(self.p50s[3]?))
    }

    /// Returns [`Page::slowest`] as a multiple of the p50 of the user with 100 tasks.
    fn times(&self) -> Option<f64> {
        Some(self.slowest()? / self.p50s[1]?)
    }
}

/// Returns the table of pages and whether their goals are met.
async fn pages(bench: &Bench, events: &ListEvents) -> Result<String, Error> {
    let mut processes = Processes::start(bench, events).await?;
    let (mut pages, mut searches) = (Vec::new(), Vec::new());
    let page = |query: &str| USERS.map(|(user, _)| Some(events.list(user, &format!("limit=50&{query}"))));
    for sort_by in ORDERS {
        for order in ["asc", "desc"] {
            for filter in FILTERS {
                let query = format!("sort_by={sort_by}&order={order}{filter}");
                pages.push(Page::measure(&mut processes, format!("`{query}`"), page(&query)).await?);
            }
        }
    }
    let query = "due_after=2026-03-01&due_before=2027-01-01";
    pages.push(Page::measure(&mut processes, format!("`{query}`"), page(query)).await?);
    let mut seconds = [const { None }; 4];
    for (second, (user, _)) in seconds.iter_mut().zip(USERS).filter(|(_, (user, _))| *user != FEW) {
        let first = processes.0[0].answer_to(events.list(user, "limit=50"), 200).await?.1;
        *second = Some(events.list(user, next_query(&first)?));
    }
    pages.push(Page::measure(&mut processes, "the second page".to_owned(), seconds).await?);
    for query in SEARCHES {
        searches.push(Page::measure(&mut processes, format!("`{query}`"), page(query)).await?);
    }
    let whole = USERS.map(|(user, _)| Some(events.list(user, "")));
    let whole = Page::measure(&mut processes, "without `limit`: all tasks".to_owned(), whole).await?;
    let slowest_times = pages.iter().filter_map(Page::times).fold(0.0, f64::max);
    let slowest_search = searches.iter().filter_map(Page::slowest).fold(0.0, f64::max);
    let pages = pages.iter().chain(&searches).chain([&whole]);
    let most_generic = pages.clone().map(|page| page.generic).fold(0.0, f64::max);
    let rows = pages
        .map(|page| report::row(&page.name, page.p50s.into_iter().chain([page.times(), Some(page.generic)])));
    let users = USERS.map(|(_, name)| name).join(" | ");
    Ok(format!(
        "{}\nThe slowest page of 10,000 takes {} times as long as that of 100 (goal: ≤ {GOAL_TIMES}): {}. The slowest \
         search takes {} ms (goal: ≤ {GOAL_SEARCH_MS}): {}. With the generic plan of a prepared statement a list takes at \
         most {} times as long as with a plan that is made for its parameters (goal: ≤ {GOAL_GENERIC}): {}.\n\n",
        report::table(
            &format!("`GET /tasks?limit=50&…`, p50 ms | {users} | times that of 100 | generic / custom plan"),
            rows
        ),
        figure(slowest_times),
        verdict(slowest_times <= GOAL_TIMES),
        figure(slowest_search),
        verdict(slowest_search <= GOAL_SEARCH_MS),
        figure(most_generic),
        verdict(most_generic <= GOAL_GENERIC),
    ))
}

/// Returns the query of the next page, which the answer's `Link` has.
fn next_query(answer: &Value) -> Result<&str, Error> {
    let link = answer["headers"]["link"].as_str().unwrap_or_default();
    let query = link.split_once('?').and_then(|(_, rest)| rest.split_once('>'));
    Ok(query.ok_or_else(|| format!("{link:?} has no next page"))?.0)
}

/// Returns the table of lists without `limit`, each in a process that has answered one page before.
async fn whole_lists(bench: &Bench, events: &ListEvents) -> Result<String, Error> {
    let mut rows = Vec::new();
    for (name, user, status) in [("all of 10,000 tasks", MANY, 200), ("of 20,001, refused", TOO_MANY, 422)] {
        eprintln!("lists: {name}");
        let mut process = bench.start(&bench.url, Target::Ours, LIST).await?;
        process.answer_to(events.list(user, "limit=50"), 200).await?;
        let before = rss_mib(process.function.pid())?.peak;
        let (mut durations, mut bytes) = (Vec::new(), 0);
        for _ in 0..WHOLE_LISTS {
            let (took, answer) = process.answer_to(events.list(user, ""), status).await?;
            durations.push(took);
            bytes = answer["body"].as_str().unwrap_or_default().len();
        }
        let rss = rss_mib(process.function.pid())?;
        let p50 = median(durations.iter().copied());
        let figures = [f64::from(status), durations[0], p50, bytes as f64, before, rss.peak, rss.now];
        rows.push(report::row(name, figures));
    }
    let head =
        "without `limit` | status | first ms | p50 ms | bytes | peak RSS before, MiB | and after | RSS kept";
    Ok(report::table(head, rows) + "\n")
}
