//! Lists of a user who has many tasks, among many of others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

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
    binaries::Binaries,
    machine, process, report,
    report::figure,
    root,
    statistics::median,
    target::{Database, Request, Running, Target},
};

/// Who lists, and how many tasks they have. Of all but [`HARD`], half are completed and a third each has a priority.
const USERS: [(u128, &str, u32); 5] = [
    (1, "10", 10),
    (2, "100", 100),
    (3, "10,000", 10_000),
    (HARD, "10,000, 1 % open", 10_000),
    (TOO_MANY, "20,001", 20_001),
];
/// Only the newest tasks of this user, one in a hundred, are open, and only they are of high priority.
const HARD: u128 = 4;
/// More than a list can have without `limit`.
const TOO_MANY: u128 = 5;
const ORDERS: [&str; 4] = ["due_date", "priority", "title", "created_at"];
const FILTERS: [&str; 4] = ["", "&completed=false", "&completed=true", "&priority=high"];
/// Those that no index helps with: some tasks have it, or none.
const SEARCHES: [&str; 4] = ["&search=77", "&search=not+to+be+found", "&tag=tag3", "&tag=nobodys"];
/// The most a page of 10,000 may take, times one of 100, and a search, in ms.
const GOAL_TIMES: f64 = 3.0;
const GOAL_SEARCH_MS: f64 = 30.0;

const ROUNDS: usize = 30;
const WARM_UP: usize = 50;
const WHOLE_LISTS: usize = 5;

pub async fn run(binaries: &Binaries) -> Result<(), Error> {
    eprintln!("a million tasks");
    let tls = kit::tls().await;
    let client = tls.client().await?;
    fill(&client).await?;
    let mut text = pages(binaries, &tls).await?;
    text += &whole(binaries, &tls).await?;
    text += &plans(binaries, &tls, &client).await?;
    text += &machine::described(&tls).await?;
    report::write(&root().join("docs/benchmarks.md"), "lists", &text)
}

async fn fill(client: &Client) -> Result<(), Error> {
    let id = |number: &str| format!("lpad(to_hex({number}), 32, '0')::uuid");
    let tasks = |user: &str, numbers: &str, is_open: &str, is_high: &str| {
        format!(
            "INSERT INTO tasks (id, user_id, title, description, completed, priority, tags, due_date, created_at)
             SELECT gen_random_uuid(), {id}, md5(n::text), 'about ' || n, NOT ({is_open}),
                    (CASE WHEN {is_high} THEN 'high' WHEN n % 2 = 0 THEN 'low' ELSE 'medium' END)::task_priority,
                    'home,tag' || n % 7, CASE WHEN n % 4 > 0 THEN timestamp '2026-01-01' + n * interval '1 hour' END,
                    timestamptz '2026-01-01' + n * interval '1 minute'
             FROM {numbers}",
            id = id(user),
        )
    };
    client
        .batch_execute(&format!(
            "INSERT INTO users (id, email, hashed_password)
             SELECT {id}, n || '@example.com', 'x' FROM generate_series(1, 2000) n",
            id = id("n"),
        ))
        .await?;
    let mine = |(user, _, count): (u128, &str, u32)| {
        let numbers = format!("generate_series(0, {count} - 1) n");
        let newest = format!("n >= {count} * 99 / 100");
        match user {
            HARD => tasks(&user.to_string(), &numbers, &newest, &newest),
            _ => tasks(&user.to_string(), &numbers, "n / 2 % 2 = 0", "n % 3 = 0"),
        }
    };
    for statement in USERS.map(mine) {
        client.batch_execute(&statement).await?;
    }
    let others = tasks("1001 + n % 1000", "generate_series(0, 999999) n", "n / 2 % 2 = 0", "n % 3 = 0");
    client.batch_execute(&others).await?;
    // By their ids, which are random: everybody's tasks lie among everybody else's, as they come in time.
    client.batch_execute("CLUSTER tasks USING tasks_pkey").await?;
    // Nobody else does in this server.
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

/// The events of those who list.
struct Asking {
    event: Value,
    tokens: BTreeMap<u128, String>,
}

impl Asking {
    fn new(tls: &Tls) -> Result<Self, Error> {
        let variables = [("JWT_SECRET", DEMO_SECRET), ("DATABASE_URL", tls.plain_url())];
        let issuer = Issuer::new(&Config::from_iter(variables))?;
        let token = |(user, ..): (u128, &str, u32)| {
            let id = Uuid::from_u128(user);
            let user_of = User { id, email: format!("{user}@example.com"), username: None };
            let session = issuer.session(user_of, Timestamp::now()).map_err(|_| "no token can be signed")?;
            let session = serde_json::to_value(session)?;
            Ok((user, format!("Bearer {}", session["access_token"].as_str().unwrap_or_default())))
        };
        let tokens = USERS.into_iter().map(token).collect::<Result<_, Error>>()?;
        Ok(Self { event: serde_json::from_str(&Request::List.event()?)?, tokens })
    }

    /// `GET /tasks` with this query, as this user.
    fn list(&self, user: u128, query: &str) -> String {
        let mut event = self.event.clone();
        event["rawQueryString"] = query.into();
        event["headers"]["authorization"] = self.tokens[&user].clone().into();
        event.to_string()
    }
}

async fn start(binaries: &Binaries, tls: &Tls) -> Result<Running, Error> {
    let (url, authority) = (tls.secure_url(), tls.authority());
    let mut running = Target::Ours.start(binaries, Request::List, Database { url: &url, authority }).await?;
    running.init().await?;
    Ok(running)
}

async fn pages(binaries: &Binaries, tls: &Tls) -> Result<String, Error> {
    let asking = Asking::new(tls)?;
    let mut running = start(binaries, tls).await?;
    let page = async |running: &mut Running, user, query: &str| -> Result<(f64, Value), Error> {
        running.answer_to(asking.list(user, query), 200).await
    };
    for _ in 0..WARM_UP {
        page(&mut running, 1, "limit=50").await?;
    }
    let mut queries = Vec::new();
    for sort_by in ORDERS {
        for order in ["asc", "desc"] {
            for filter in FILTERS {
                queries.push(format!("limit=50&sort_by={sort_by}&order={order}{filter}"));
            }
        }
    }
    queries.extend(SEARCHES.map(|filter| format!("limit=50{filter}")));
    let measured = &USERS[..4];
    let (mut rows, mut slowest_times, mut slowest_search) = (Vec::new(), 0.0, 0.0);
    for query in queries.iter().map(String::as_str).chain(["the second page"]) {
        eprintln!("lists: {query}");
        let mut samples: BTreeMap<u128, Vec<f64>> = BTreeMap::new();
        for _ in 0..ROUNDS {
            for (user, _, count) in measured {
                let query = match query {
                    "the second page" if *count > 50 => {
                        next(&page(&mut running, *user, "limit=50").await?.1)?
                    }
                    "the second page" => continue,
                    query => query.to_owned(),
                };
                samples.entry(*user).or_default().push(page(&mut running, *user, &query).await?.0);
            }
        }
        let p50: Vec<_> =
            measured.iter().map(|(user, ..)| samples.get(user).and_then(|all| median(all))).collect();
        let slowest = p50[2].zip(p50[3]).map(|(half, hard)| half.max(hard));
        let times = slowest.zip(p50[1]).map(|(slowest, of_100)| slowest / of_100);
        let is_search = SEARCHES.iter().any(|search| query.ends_with(search));
        let record = if is_search { (&mut slowest_search, slowest) } else { (&mut slowest_times, times) };
        *record.0 = record.1.unwrap_or_default().max(*record.0);
        let name = match query {
            "the second page" => query.to_owned(),
            query => format!("`{}`", query.trim_start_matches("limit=50&")),
        };
        let values = p50.into_iter().chain([times]).map(report::figure_or_dash);
        rows.push([name].into_iter().chain(values).collect());
    }
    let mut head = vec!["`GET /tasks?limit=50&…`, p50 ms"];
    head.extend(measured.iter().map(|(_, name, _)| *name));
    head.push("times that of 100");
    let verdict = |is_met| if is_met { "met" } else { "**missed**" };
    Ok(format!(
        "{}\nThe slowest page of 10,000 takes {} times as long as that of 100 (goal: ≤ {GOAL_TIMES}): {}. The slowest \
         search takes {} ms (goal: ≤ {GOAL_SEARCH_MS}): {}.\n\n",
        report::table(&head, rows),
        figure(slowest_times),
        verdict(slowest_times <= GOAL_TIMES),
        figure(slowest_search),
        verdict(slowest_search <= GOAL_SEARCH_MS),
    ))
}

/// The query that the answer's `Link` leads to.
fn next(answer: &Value) -> Result<String, Error> {
    let link = answer["headers"]["link"].as_str().unwrap_or_default();
    let query = link.split_once('?').and_then(|(_, rest)| rest.split_once('>'));
    Ok(query.ok_or_else(|| format!("{link:?} leads to no next page"))?.0.to_owned())
}

/// Lists without `limit`, each in a process that has answered one page before.
async fn whole(binaries: &Binaries, tls: &Tls) -> Result<String, Error> {
    let asking = Asking::new(tls)?;
    let mut rows = Vec::new();
    for (name, user, status) in [("all of 10,000 tasks", 3, 200), ("of 20,001, refused", TOO_MANY, 422)] {
        eprintln!("lists: {name}");
        let mut running = start(binaries, tls).await?;
        running.answer_to(asking.list(user, "limit=50"), 200).await?;
        let before = running.peak_rss()?;
        let (mut durations, mut bytes) = (Vec::new(), 0);
        for _ in 0..WHOLE_LISTS {
            let (took, answer) = running.answer_to(asking.list(user, ""), status).await?;
            durations.push(took);
            bytes = answer["body"].as_str().unwrap_or_default().len();
        }
        rows.push(vec![
            name.to_owned(),
            status.to_string(),
            figure(durations[0]),
            report::figure_or_dash(median(&durations)),
            bytes.to_string(),
            figure(before),
            figure(running.peak_rss()?),
            figure(process::rss_mib(running.pid())?),
        ]);
    }
    let head = [
        "without `limit`",
        "status",
        "first ms",
        "p50 ms",
        "bytes",
        "peak RSS before, MiB",
        "and after",
        "RSS kept",
    ];
    Ok(report::table(&head, rows) + "\n")
}

/// How PostgreSQL carries out the statements that the function really sends, as it says itself in its log.
async fn plans(binaries: &Binaries, tls: &Tls, client: &Client) -> Result<String, Error> {
    const TOLD: [(&str, u128, &str); 5] = [
        ("a page", 3, "limit=50"),
        (
            "the open ones, of which there are few and all are new",
            HARD,
            "limit=50&sort_by=created_at&completed=false",
        ),
        (
            "those of high priority by title, latest first",
            HARD,
            "limit=50&sort_by=title&order=desc&priority=high",
        ),
        ("a search that finds nothing", 3, "limit=50&search=not+to+be+found"),
        ("the whole list", 3, ""),
    ];
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_buffers = on",
        "auto_explain.log_timing = off",
    ] {
        client.batch_execute(&format!("ALTER ROLE CURRENT_USER SET {setting}")).await?;
    }
    let asking = Asking::new(tls)?;
    let mut running = start(binaries, tls).await?;
    let (log, mut text) = (log(client).await?, String::new());
    for (name, user, query) in TOLD {
        let event = asking.list(user, query);
        // The first fills PostgreSQL's caches.
        running.answer_to(event.clone(), 200).await?;
        running.answer_to(event, 200).await?;
        let plan = plan(&fs::read_to_string(&log)?).ok_or("PostgreSQL's log has no plan")?;
        let query = if query.is_empty() { query.to_owned() } else { format!("?{query}") };
        text += &format!("`GET /tasks{query}`, {name}:\n\n```\n{plan}\n```\n\n");
    }
    client.batch_execute("ALTER ROLE CURRENT_USER RESET ALL").await?;
    Ok(text)
}

/// PostgreSQL's log, which is beside its data.
async fn log(client: &Client) -> Result<PathBuf, Error> {
    let data: String = client.query_one("SHOW data_directory", &[]).await?.try_get(0)?;
    Ok(Path::new(&data).with_file_name("log"))
}

/// The last plan of a log, without the statement and the estimates.
fn plan(log: &str) -> Option<String> {
    let (_, after) = log.rsplit_once(" plan:\n")?;
    let lines = after.lines().map_while(|line| line.strip_prefix('\t'));
    let lines = lines.skip_while(|line| !line.contains("(cost="));
    let without_estimate = |line: &str| {
        let (node, rest) = line.split_once("(cost=")?;
        let (_, actual) = rest.split_once("(actual")?;
        Some(format!("{node}(actual{actual}"))
    };
    let lines = lines.map(|line| without_estimate(line).unwrap_or_else(|| line.to_owned()));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_found_in_the_log_and_freed_of_statement_and_estimates() {
        let log = "LOG:  duration: 0.1 ms  plan:\n\tQuery Text: SELECT\n\t  1\n\tResult  (cost=0.00..0.01 rows=1 width=4) \
                   (actual rows=1 loops=1)\n\t  Buffers: shared hit=1\nLOG:  more\n";
        assert_eq!(plan(log).as_deref(), Some("Result  (actual rows=1 loops=1)\n  Buffers: shared hit=1"));
        assert_eq!(plan("LOG:  more\n"), None);
    }

    #[test]
    fn the_next_page_is_where_the_link_leads() {
        let answer =
            serde_json::json!({ "headers": { "link": "</tasks?limit=50&cursor=e30>; rel=\"next\"" } });
        assert_eq!(next(&answer).unwrap(), "limit=50&cursor=e30");
        assert!(next(&serde_json::json!({ "headers": {} })).is_err());
    }
}
