//! `GET /tasks`: the caller's tasks, filtered, sorted, all at once or in pages.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    Db, Error, Prefix,
    extract::{Caller, Query},
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::types::Type;

use crate::{
    cursor::{Cursor, Order, SortBy},
    etag::{IfNoneMatch, etag},
    fields::{DueDate, Priority, reject_nul},
    page::{Limit, Page, encode_cursor},
    sql::{columns, is_caller},
    task::{COLUMNS, Task},
};

/// The words of a search that have a condition each. Planning takes time with the square of the conditions, so that
/// the rest have one in common.
const WORDS_APART: usize = 8;

/// Filters, order and page. Every parameter is optional.
#[derive(Default, Deserr)]
#[deserr(error = ValidationErrors)]
pub struct ListQuery {
    #[deserr(default, try_from(String) = parse_completed -> Violation)]
    completed: Option<bool>,
    #[deserr(default, try_from(String) = parse_priority -> Violation)]
    priority: Option<Priority>,
    /// A whole tag.
    #[deserr(default, try_from(String) = parse_tag -> Violation)]
    tag: Option<String>,
    /// Words, each a part of the title or the description.
    #[deserr(default, try_from(String) = parse_search -> Violation)]
    search: Vec<String>,
    /// Inclusive.
    #[deserr(default, try_from(Option<String>) = DueDate::new -> Violation)]
    due_after: DueDate,
    /// Exclusive.
    #[deserr(default, try_from(Option<String>) = DueDate::new -> Violation)]
    due_before: DueDate,
    #[deserr(default, try_from(String) = SortBy::new -> Violation)]
    sort_by: SortBy,
    #[deserr(default, try_from(String) = Order::new -> Violation)]
    order: Order,
    #[deserr(default, try_from(String) = Limit::new -> Violation)]
    limit: Limit,
    #[deserr(default, try_from(String) = parse_cursor -> Violation)]
    cursor: Option<Cursor>,
}

/// An empty filter is none: a form sends it for a field that is not filled in.
fn parse_completed(sent: String) -> Result<Option<bool>, Violation> {
    match sent.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(Violation::new("bool_parsing", "completed should be true or false")),
    }
}

fn parse_priority(sent: String) -> Result<Option<Priority>, Violation> {
    if sent.is_empty() { Ok(None) } else { Priority::new(sent).map(Some) }
}

fn parse_tag(sent: String) -> Result<Option<String>, Violation> {
    let tag = reject_nul(sent.trim())?;
    Ok(Some(tag.to_owned()).filter(|tag| !tag.is_empty()))
}

fn parse_search(sent: String) -> Result<Vec<String>, Violation> {
    Ok(reject_nul(&sent)?.split_whitespace().map(str::to_owned).collect())
}

fn parse_cursor(sent: String) -> Result<Option<Cursor>, Violation> {
    Cursor::decode(sent).map(Some)
}

pub async fn list(
    caller: Caller,
    Prefix(prefix): Prefix,
    if_none_match: IfNoneMatch,
    RawQuery(raw_query): RawQuery,
    Query(query): Query<ListQuery>,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let ListQuery { sort_by, order, limit, .. } = query;
    if query.cursor.as_ref().is_some_and(|cursor| !cursor.matches(sort_by, order)) {
        let violation =
            Violation::new("value_error", "Cursor should come from a list of the same sort_by and order");
        return Err(Error::Invalid(ValidationErrors::parameter("cursor", violation)));
    }
    let (page, revision) = db
        .query_each(
            &statement(&query, if_none_match.is_some()),
            &[
                (&caller.id, Type::UUID),
                (&caller.session, Type::UUID),
                (&query.completed, Type::BOOL),
                (&query.priority.map(Priority::as_str), Type::TEXT),
                (&query.tag, Type::TEXT),
                (&query.search, Type::TEXT_ARRAY),
                (&query.cursor.as_ref().and_then(Cursor::key), Type::TEXT),
                (&query.cursor.as_ref().map(|cursor| cursor.id), Type::UUID),
                (&limit.rows(), Type::INT8),
                (&query.due_after.columns().0, Type::TEXT),
                (&query.due_before.columns().0, Type::TEXT),
                (&if_none_match.tags(), Type::TEXT_ARRAY),
            ],
            |(page, revision): &mut (Page<Task>, i64), row| {
                *revision = row.try_get(COLUMNS)?;
                page.push(Task::from_row(&row)?, limit)
            },
        )
        .await?;
    let path = format!("{prefix}/tasks");
    let answer =
        page.answer(&path, raw_query.as_deref(), |last| encode_cursor(&Cursor::after(last, sort_by, order)))?;
    // `statement` compares the same text.
    let tag = format!("{}-{revision}", caller.id);
    let etag = [etag(&tag)];
    if if_none_match.has(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((etag, answer).into_response())
}

/// Builds the statement. `$1` is the user, `$2` the session, `$3` completed, `$4` priority, `$5` tag, `$6` search, `$7` and
/// `$8` the cursor's key and id, `$9` the limit, `$10` and `$11` the bounds of the due date, `$12` the tags of lists that the
/// client has. The last column is the user's revision.
///
/// It has only the conditions that were asked for, so that PostgreSQL has a plan for these. A page is a subquery, so that it is
/// read in the order of an index up to its limit, and only the page is sorted. For the whole list a subquery saves nothing and
/// takes longer to plan. What is searched for is folded in a subquery, or the plan of a prepared statement folds it anew for
/// each task. With `is_conditional`, tasks are read only if the client has another list: OFFSET keeps the condition in the
/// subquery, where it is checked before anything is read.
fn statement(query: &ListQuery, is_conditional: bool) -> String {
    let ListQuery { sort_by, order, .. } = *query;
    let key = |column: &str| match (sort_by, order) {
        (SortBy::DueDate, Order::Asc) => format!("coalesce({column}::timestamp, 'infinity'::timestamp)"),
        (SortBy::DueDate, Order::Desc) => format!("coalesce({column}::timestamp, '-infinity'::timestamp)"),
        (SortBy::Priority, _) => format!("{column}::task_priority"),
        (SortBy::Title, _) => format!("{column} COLLATE natural_order"),
        (SortBy::CreatedAt, _) => format!("{column}::timestamptz"),
    };
    let column = match sort_by {
        SortBy::DueDate => "t.due_date",
        SortBy::Priority => "t.priority",
        SortBy::Title => "t.title",
        SortBy::CreatedAt => "t.created_at",
    };
    let (direction, beyond) = match order {
        Order::Asc => ("ASC", ">"),
        Order::Desc => ("DESC", "<"),
    };
    let of_task = key(column);
    let in_order = format!("ORDER BY {of_task} {direction}, t.id {direction} LIMIT $9");

    // The index of this order begins at the bounds. Tasks without a due date are at an infinity there.
    let due = if sort_by == SortBy::DueDate { &of_task } else { "t.due_date" };

    let mut filter = "t.user_id = $1".to_owned();
    if query.completed.is_some() {
        filter += " AND t.completed = $3";
    }
    if query.priority.is_some() {
        filter += " AND t.priority = $4::task_priority";
    }
    if query.tag.is_some() {
        // No tag has a comma.
        filter += " AND strpos($5, ',') = 0 AND strpos(t.folded_tags, (SELECT ',' || fold($5) || ',')) > 0";
    }
    if query.due_after.0.is_some() {
        filter += &format!(" AND {due} >= $10::timestamp AND {due} < 'infinity'");
    }
    if query.due_before.0.is_some() {
        filter += &format!(" AND {due} < $11::timestamp AND {due} > '-infinity'");
    }
    if query.cursor.is_some() {
        filter += &format!(" AND ({of_task}, t.id) {beyond} ({}, $8)", key("$7"));
    }
    for word in 1..=query.search.len().min(WORDS_APART) {
        filter += &format!(" AND strpos(t.folded_text, (SELECT fold($6[{word}]))) > 0");
    }
    if query.search.len() > WORDS_APART {
        filter += &format!(
            " AND NOT EXISTS (SELECT FROM unnest((SELECT array_agg(DISTINCT fold(word)) FROM unnest($6[{}:]) word)) \
             AS word WHERE strpos(t.folded_text, word) = 0)",
            WORDS_APART + 1
        );
    }
    let in_page = if query.limit.0.is_some() { in_order.as_str() } else { "" };
    let tasks = match (is_conditional, query.limit.0) {
        (true, _) => format!(
            "LATERAL (SELECT * FROM tasks t WHERE {filter} \
             AND NOT coalesce(me.user_id || '-' || u.revision = ANY ($12), true) {in_page} OFFSET 0) t ON true"
        ),
        (false, Some(_)) => format!("(SELECT * FROM tasks t WHERE {filter} {in_page}) t ON true"),
        (false, None) => format!("tasks t ON {filter}"),
    };
    format!(
        "SELECT {}, u.revision FROM sessions me JOIN users u ON u.id = me.user_id LEFT JOIN {tasks} WHERE {} {in_order}",
        columns!(),
        is_caller!()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Makes a user with this many tasks, among 100,000 tasks of a thousand other users.
    async fn user_with(count: i32) -> (tokio_postgres::Client, uuid::Uuid) {
        let url = kit::database().await;
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute(&format!(
                "INSERT INTO users (id, email, hashed_password)
                 SELECT md5(n::text)::uuid, n || '@example.com', 'x' FROM generate_series(0, 1000) n;
                 INSERT INTO sessions (id, user_id) SELECT id, id FROM users;
                 INSERT INTO tasks (id, user_id, title, description, completed, priority, tags, due_date, created_at)
                 SELECT gen_random_uuid(), md5((CASE WHEN n < {count} THEN 0 ELSE 1 + n % 1000 END)::text)::uuid,
                        md5(n::text), 'about ' || n, n % 3 = 0, (enum_range(NULL::task_priority))[1 + n % 3],
                        'home,tag' || n % 7, CASE WHEN n % 4 > 0 THEN timestamp '2026-01-01' + n * interval '1 hour' END,
                        timestamptz '2026-01-01' + n * interval '1 minute'
                 FROM generate_series(0, 99999 + {count}) n;
                 ANALYZE"
            ))
            .await
            .unwrap();
        let user = client.query_one("SELECT md5('0')::uuid", &[]).await.unwrap().get(0);
        (client, user)
    }

    async fn plan(client: &tokio_postgres::Client, user: uuid::Uuid, query: &ListQuery) -> String {
        explain(client, user, query, None).await
    }

    /// Runs the statement, with tags that the client has.
    async fn explain(
        client: &tokio_postgres::Client,
        user: uuid::Uuid,
        query: &ListQuery,
        tags: Option<&[&str]>,
    ) -> String {
        let params: &[shared::db::Param<'_>] = &[
            (&user, Type::UUID),
            // The session has the same id.
            (&user, Type::UUID),
            (&query.completed, Type::BOOL),
            (&query.priority.map(Priority::as_str), Type::TEXT),
            (&query.tag, Type::TEXT),
            (&query.search, Type::TEXT_ARRAY),
            (&query.cursor.as_ref().and_then(Cursor::key), Type::TEXT),
            (&query.cursor.as_ref().map(|cursor| cursor.id), Type::UUID),
            (&query.limit.rows(), Type::INT8),
            (&query.due_after.columns().0, Type::TEXT),
            (&query.due_before.columns().0, Type::TEXT),
            (&tags, Type::TEXT_ARRAY),
        ];
        let rows = client
            .query_typed(&format!("EXPLAIN ANALYZE {}", statement(query, tags.is_some())), params)
            .await
            .unwrap();
        rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
    }

    fn due(sent: &str) -> DueDate {
        DueDate::new(Some(sent.to_owned())).unwrap()
    }

    /// Makes the cursor of a page in the middle of the order.
    fn cursor(order: Order, sort_by: &str, key: &str) -> Cursor {
        let cursor = json!({ "order": order, "sort_by": sort_by, "key": key, "id": uuid::Uuid::nil() });
        serde_json::from_value(cursor).unwrap()
    }

    /// Each order with its name, its index and a key in the middle.
    const ORDERS: [(SortBy, Order, &str, &str, &str); 8] = [
        (SortBy::DueDate, Order::Asc, "due_date", "tasks_list_due_date", "2026-06-01T00:00:00"),
        (SortBy::DueDate, Order::Desc, "due_date", "tasks_list_due_date_desc", "2026-06-01T00:00:00"),
        (SortBy::Priority, Order::Asc, "priority", "tasks_list_priority", "medium"),
        (SortBy::Priority, Order::Desc, "priority", "tasks_list_priority", "medium"),
        (SortBy::Title, Order::Asc, "title", "tasks_list_title", "8"),
        (SortBy::Title, Order::Desc, "title", "tasks_list_title", "8"),
        (SortBy::CreatedAt, Order::Asc, "created_at", "tasks_list_created_at", "2026-01-03T00:00:00Z"),
        (SortBy::CreatedAt, Order::Desc, "created_at", "tasks_list_created_at", "2026-01-03T00:00:00Z"),
    ];

    #[tokio::test]
    async fn no_list_reads_the_tasks_of_100_000_others() {
        let (client, user) = user_with(100).await;
        let filters: [fn(&mut ListQuery); 6] = [
            |_| {},
            |query| query.completed = Some(true),
            |query| query.priority = parse_priority("high".to_owned()).unwrap(),
            |query| query.tag = Some("home".to_owned()),
            |query| query.search = vec!["about".to_owned(), "7".to_owned()],
            |query| query.due_after = due("2026-06-01"),
        ];
        for (sort_by, order, name, _, key) in ORDERS {
            for filter in filters {
                for (limit, is_first) in [(None, true), (Some(50), true), (Some(50), false)] {
                    let limit = Limit(limit);
                    let cursor = Some(cursor(order, name, key)).filter(|_| !is_first);
                    let mut query = ListQuery { sort_by, order, limit, cursor, ..Default::default() };
                    filter(&mut query);
                    let plan = plan(&client, user, &query).await;
                    assert!(!plan.contains("Seq Scan"), "{plan}");
                    assert!(
                        plan.contains("Index Cond: (user_id = ") || plan.contains("Index Cond: ((user_id = "),
                        "{plan}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn a_page_of_10_000_tasks_is_read_in_order_from_the_cursor() {
        let (client, user) = user_with(10_000).await;
        for (sort_by, order, name, index, key) in ORDERS {
            for cursor in [None, Some(cursor(order, name, key))] {
                let starts_at_cursor = cursor.is_some();
                let query =
                    ListQuery { sort_by, order, limit: Limit(Some(50)), cursor, ..Default::default() };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(page.contains(&format!(" using {index} on tasks t")), "{plan}");
                assert!(!page.contains("Sort"), "{plan}");
                let condition = page.lines().find(|line| line.contains("Index Cond")).unwrap();
                assert_eq!(condition.contains("ROW("), starts_at_cursor, "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn a_page_of_a_search_or_a_tag_is_read_in_order_until_it_is_full() {
        let (client, user) = user_with(10_000).await;
        for (sort_by, order, _, index, _) in ORDERS {
            for (search, tag) in [("about", ""), ("about 7", ""), ("", "home")] {
                let search = parse_search(search.to_owned()).unwrap();
                let tag = parse_tag(tag.to_owned()).unwrap();
                let query =
                    ListQuery { sort_by, order, search, tag, limit: Limit(Some(50)), ..Default::default() };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(page.contains(&format!(" using {index} on tasks t")), "{plan}");
                assert!(!page.contains("Sort"), "{plan}");
            }
        }
    }

    #[test]
    fn a_statement_does_not_grow_with_the_words_of_a_search() {
        let length = |words| {
            let search = vec!["b".to_owned(); words];
            statement(&ListQuery { search, ..Default::default() }, false).len()
        };
        assert!(length(2) > length(1));
        assert_eq!(length(5000), length(WORDS_APART + 1));
    }

    #[tokio::test]
    async fn a_page_in_the_order_of_due_dates_reads_only_those_within_the_bounds() {
        let (client, user) = user_with(10_000).await;
        for (order, index) in [(Order::Asc, "tasks_list_due_date"), (Order::Desc, "tasks_list_due_date_desc")]
        {
            for (due_after, due_before) in
                [("2026-03-01", ""), ("", "2026-04-01"), ("2026-03-01", "2026-04-01")]
            {
                let (due_after, due_before) = (due(due_after), due(due_before));
                let query =
                    ListQuery { order, due_after, due_before, limit: Limit(Some(50)), ..Default::default() };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(
                    [" using ", " on "].iter().any(|on| page.contains(&format!("{on}{index} "))),
                    "{plan}"
                );
                assert!(!page.contains("Filter"), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn tasks_that_a_filter_excludes_are_not_read_from_the_table() {
        let (client, user) = user_with(10_000).await;
        for (sort_by, order, _, index, _) in ORDERS {
            for (completed, priority) in
                [(Some(false), None), (Some(true), Some("high")), (None, Some("low"))]
            {
                let priority = priority.and_then(|priority| Priority::new(priority).ok());
                let query = ListQuery {
                    sort_by,
                    order,
                    completed,
                    priority,
                    limit: Limit(Some(50)),
                    ..Default::default()
                };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(page.contains(&format!(" using {index} on tasks t")), "{plan}");
                assert!(!page.contains("Filter") && !page.contains("Sort"), "{plan}");
            }
        }
    }

    #[tokio::test]
    async fn a_list_that_the_client_has_is_answered_without_reading_a_task() {
        let (client, user) = user_with(10_000).await;
        let tag = format!("{user}-0");
        for limit in [None, Some(50)] {
            let query = ListQuery { limit: Limit(limit), ..Default::default() };
            let plan = explain(&client, user, &query, Some(&["other", &tag])).await;
            let tasks: Vec<_> = plan.lines().filter(|line| line.contains(" on tasks t")).collect();
            assert!(!tasks.is_empty() && tasks.iter().all(|line| line.contains("never executed")), "{plan}");

            let plan = explain(&client, user, &query, Some(&["other", &format!("{user}-1")])).await;
            assert!(plan.contains(" on tasks t") && !plan.contains("never executed"), "{plan}");
        }
    }

    proptest! {
        #[test]
        fn accepted_parameters_are_within_their_limits(
            sent in "\\PC{0,9}\u{0}?|[tTrRuUeE]{4}",
        ) {
            if let Ok(Some(completed)) = parse_completed(sent.clone()) {
                prop_assert_eq!(sent.to_lowercase(), completed.to_string());
            }
            let tag = parse_tag(sent.clone()).unwrap_or_default();
            for text in parse_search(sent.clone()).unwrap_or_default().iter().chain(&tag) {
                prop_assert!(!text.is_empty() && !text.contains('\0') && sent.contains(text));
            }
        }
    }
}
