//! `GET /tasks`: the caller's tasks, filtered, sorted, all at once or in pages.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, header},
    response::Response,
};
use deserr::Deserr;

use shared::{
    Db, Error, Prefix,
    extract::{Caller, Query, json_response},
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::{Row, types::Type};

use crate::{
    cursor::{Cursor, Order, SortBy},
    fields::{DueDate, Priority, reject_nul},
    task::{Task, columns, is_caller},
};

/// The largest answer, in bytes. Lambda's limit is 6 MB (AWS Lambda quotas, "invocation payload"), of which the headers and
/// the envelope need a part.
const MAX_BYTES: usize = 5_500_000;

/// The number of rows that are read at most: more tasks than fit in [`MAX_BYTES`], however small.
const MAX_TASKS: usize = 20_000;

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
    #[deserr(default, try_from(String) = parse_limit -> Violation)]
    limit: Option<u8>,
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

fn parse_limit(sent: String) -> Result<Option<u8>, Violation> {
    match sent.parse() {
        Ok(limit @ 1..=200) => Ok(Some(limit)),
        _ => Err(Violation::new("int_parsing", "limit should be a whole number from 1 to 200")),
    }
}

fn parse_cursor(sent: String) -> Result<Option<Cursor>, Violation> {
    Cursor::decode(sent).map(Some)
}

pub async fn list(
    caller: Caller,
    prefix: Prefix,
    RawQuery(raw_query): RawQuery,
    Query(query): Query<ListQuery>,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let ListQuery { sort_by, order, .. } = query;
    if query.cursor.as_ref().is_some_and(|cursor| !cursor.matches(sort_by, order)) {
        let violation =
            Violation::new("value_error", "Cursor should come from a list of the same sort_by and order");
        return Err(Error::Invalid(ValidationErrors::parameter("cursor", violation)));
    }
    let limit = query.limit.map_or(MAX_TASKS, usize::from);
    let List { json, last, has_next, .. } = db
        .query_each(
            &statement(&query),
            &[
                (&caller.id, Type::UUID),
                (&caller.session, Type::UUID),
                (&query.completed, Type::BOOL),
                (&query.priority.map(Priority::as_str), Type::TEXT),
                (&query.tag, Type::TEXT),
                (&query.search, Type::TEXT_ARRAY),
                (&query.cursor.as_ref().and_then(Cursor::key), Type::TEXT),
                (&query.cursor.as_ref().map(|cursor| cursor.id), Type::UUID),
                // One row more tells whether there is a next page.
                (&(limit as i64 + 1), Type::INT8),
                (&query.due_after.columns().0, Type::TEXT),
                (&query.due_before.columns().0, Type::TEXT),
            ],
            |list: &mut List, row| list.push(&row, limit),
        )
        .await?
        .finish()?;
    let mut response = json_response(json);
    if let Some(last) = last.filter(|_| has_next) {
        let link = next_link(prefix, raw_query.as_deref(), &Cursor::after(&last, sort_by, order))?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The answer's JSON, to which each task is added as it arrives: rows, tasks and JSON of all of them would take three times
/// the memory.
#[derive(Default)]
struct List {
    session_exists: bool,
    json: Vec<u8>,
    count: usize,
    last: Option<Task>,
    has_next: bool,
}

impl List {
    /// Adds the task of a row. No row means that the session has ended, and a row of nulls that there are no tasks.
    fn push(&mut self, row: &Row, limit: usize) -> Result<(), Error> {
        self.session_exists = true;
        let Some(task) = Task::from_row(row)? else { return Ok(()) };
        self.has_next = self.count == limit;
        if self.has_next {
            return Ok(());
        }
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, &task)?;
        if self.json.len() > MAX_BYTES {
            return Err(Error::ListTooLarge);
        }
        self.count += 1;
        self.last = Some(task);
        Ok(())
    }

    fn finish(mut self) -> Result<Self, Error> {
        if !self.session_exists {
            return Err(Error::InvalidToken);
        }
        if self.json.is_empty() {
            self.json.push(b'[');
        }
        self.json.push(b']');
        // It at most doubles.
        if self.json.len() > MAX_BYTES / 2 && size_in_lambda(&self.json) > MAX_BYTES {
            return Err(Error::ListTooLarge);
        }
        Ok(self)
    }
}

/// Builds the statement. `$1` is the user, `$2` the session, `$3` completed, `$4` priority, `$5` tag, `$6` search, `$7` and
/// `$8` the cursor's key and id, `$9` the limit, `$10` and `$11` the bounds of the due date.
///
/// It has only the conditions that were asked for, so that PostgreSQL has a plan for these. A page is a subquery, so that it is
/// read in the order of an index up to its limit, and only the page is sorted. For the whole list a subquery saves nothing and
/// takes longer to plan. What is searched for is folded in a subquery, or the plan of a prepared statement folds it anew for
/// each task.
fn statement(query: &ListQuery) -> String {
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
    for word in 1..=query.search.len() {
        filter += &format!(" AND strpos(t.folded_text, (SELECT fold($6[{word}]))) > 0");
    }
    let (tasks, of_user) = match query.limit {
        Some(_) => (format!("(SELECT * FROM tasks t WHERE {filter} {in_order})"), "true"),
        None => ("tasks".to_owned(), filter.as_str()),
    };
    format!(
        "SELECT {} FROM sessions me LEFT JOIN {tasks} t ON {of_user} WHERE {} {in_order}",
        columns!(),
        is_caller!()
    )
}

/// Returns the size of a body in the JSON that carries it to API Gateway, where it is a string: a quote or backslash takes two
/// bytes.
fn size_in_lambda(body: &[u8]) -> usize {
    body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// Makes the link to the same request with the cursor of the next page (RFC 8288).
fn next_link(Prefix(prefix): Prefix, query: Option<&str>, cursor: &Cursor) -> Result<HeaderValue, Error> {
    let cursor = cursor.encode()?;
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query.filter(|(name, _)| name != "cursor"))
        .append_pair("cursor", &cursor)
        .finish();
    HeaderValue::try_from(format!("<{prefix}/tasks?{query}>; rel=\"next\"")).map_err(|_| Error::Internal)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
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
            (&i64::from(query.limit.unwrap_or(200)), Type::INT8),
            (&query.due_after.columns().0, Type::TEXT),
            (&query.due_before.columns().0, Type::TEXT),
        ];
        let rows = client.query_typed(&format!("EXPLAIN {}", statement(query)), params).await.unwrap();
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
                let query = ListQuery { sort_by, order, limit: Some(50), cursor, ..Default::default() };
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
                let query = ListQuery { sort_by, order, search, tag, limit: Some(50), ..Default::default() };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(page.contains(&format!(" using {index} on tasks t")), "{plan}");
                assert!(!page.contains("Sort"), "{plan}");
            }
        }
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
                let query = ListQuery { order, due_after, due_before, limit: Some(50), ..Default::default() };
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
                let query =
                    ListQuery { sort_by, order, completed, priority, limit: Some(50), ..Default::default() };
                let plan = plan(&client, user, &query).await;
                let (_, page) = plan.split_once("->  Limit").unwrap_or_else(|| panic!("{plan}"));
                assert!(page.contains(&format!(" using {index} on tasks t")), "{plan}");
                assert!(!page.contains("Filter") && !page.contains("Sort"), "{plan}");
            }
        }
    }

    proptest! {
        #[test]
        fn accepted_parameters_are_within_their_limits(
            sent in "\\PC{0,9}\u{0}?|[+-]?(0|200|201|[0-9]{1,4})|[tTrRuUeE]{4}",
        ) {
            if let Ok(Some(limit)) = parse_limit(sent.clone()) {
                prop_assert!((1..=200).contains(&limit) && sent.parse() == Ok(limit));
            }
            if let Ok(Some(completed)) = parse_completed(sent.clone()) {
                prop_assert_eq!(sent.to_lowercase(), completed.to_string());
            }
            let tag = parse_tag(sent.clone()).unwrap_or_default();
            for text in parse_search(sent.clone()).unwrap_or_default().iter().chain(&tag) {
                prop_assert!(!text.is_empty() && !text.contains('\0') && sent.contains(text));
            }
        }

        #[test]
        fn the_link_to_the_next_page_has_the_same_parameters_and_the_cursor(
            sent in vec(
                ("(limit|search|tag|cursor|%[0-9a-f]{0,2}|\\PC{0,5})", "\\PC{0,9}|%[0-9a-fA-F]{0,2}|[\r\n\0>;\"]"),
                0..6,
            ),
        ) {
            let pairs: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let query = pairs.join("&");
            let cursor = cursor(Order::Asc, "title", "a");
            let link = next_link(Prefix("/api".to_owned()), Some(&query), &cursor).unwrap();
            let link = link.to_str().unwrap().strip_prefix("</api/tasks?").unwrap();
            let (next, relation) = link.split_once('>').unwrap();
            prop_assert_eq!(relation, "; rel=\"next\"");

            let pairs = |query: &str| -> Vec<(String, String)> {
                form_urlencoded::parse(query.as_bytes()).into_owned().collect()
            };
            let mut asked = pairs(&query);
            asked.retain(|(name, _)| name != "cursor");
            asked.push(("cursor".to_owned(), cursor.encode().unwrap()));
            prop_assert_eq!(pairs(next), asked);
        }
    }
}
