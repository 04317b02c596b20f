//! The plans of the statements that `tasks` sends, from PostgreSQL's log.

use std::{fs, path::Path};

use crate::{
    Error,
    bench::Bench,
    lists::{FEW_OPEN, ListEvents, MANY},
    process::LIST,
    target::Target,
};

const LISTS: [(&str, u128, &str); 5] = [
    ("a page", MANY, "?limit=50"),
    ("the few open tasks, all new", FEW_OPEN, "?limit=50&sort_by=created_at&completed=false"),
    ("high priority, titles from Z to A", FEW_OPEN, "?limit=50&sort_by=title&order=desc&priority=high"),
    ("a search that finds nothing", MANY, "?limit=50&search=about+nowhere"),
    ("the whole list", MANY, ""),
];

pub async fn text(bench: &Bench, events: &ListEvents) -> Result<String, Error> {
    let client = bench.tls.client().await?;
    client.batch_execute(include_str!("../plans.sql")).await?;
    let data: String = client.query_one("SHOW data_directory", &[]).await?.try_get(0)?;
    let log = Path::new(&data).with_file_name("log");
    let mut process = bench.start(&bench.url, Target::Ours, LIST).await?;
    let mut text = String::new();
    for (name, user, query) in LISTS {
        let event = events.list(user, query.trim_start_matches('?'));
        // The first fills PostgreSQL's caches.
        process.answer_to(event.clone(), 200).await?;
        process.answer_to(event, 200).await?;
        let plan = last_plan(&fs::read_to_string(&log)?).ok_or("PostgreSQL's log has no plan")?;
        text += &format!("`GET /tasks{query}`, {name}:\n\n```\n{plan}\n```\n\n");
    }
    Ok(text)
}

/// Returns the last plan of a log, without the statement and the estimates.
fn last_plan(log: &str) -> Option<String> {
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
    fn a_plan_has_neither_statement_nor_estimates() {
        let log = "LOG:  duration: 0.1 ms  plan:\n\tQuery Text: SELECT\n\t  1\n\tResult  (cost=0.00..0.01 rows=1 width=4) \
                   (actual rows=1 loops=1)\n\t  Buffers: shared hit=1\nLOG:  more\n";
        assert_eq!(
            last_plan(log).as_deref(),
            Some("Result  (actual rows=1 loops=1)\n  Buffers: shared hit=1")
        );
        assert_eq!(last_plan("LOG:  more\n"), None);
    }
}
