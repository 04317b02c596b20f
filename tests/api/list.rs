//! `GET /tasks`: filters, order and pages.

use serde_json::{Value, json};

use kit::{Answer, Api, User};

/// Sends the list request with this query.
async fn list(api: &Api, user: &User, query: &str) -> Answer {
    let answer = api.get(&format!("/tasks?{query}")).by(user).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer
}

fn titles(answer: &Answer) -> Vec<&str> {
    answer.body.as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap()).collect()
}

/// A user with tasks that differ in everything, and another one whose tasks must never be seen.
async fn ada() -> (Api, User) {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let grace = api.user("grace").await;
    api.task(&grace, &json!({ "title": "theirs", "tags": "home", "description": "milk" })).await;
    for task in [
        json!({ "title": "beta", "priority": "high", "tags": "Home,x", "due_date": "2026-01-02" }),
        json!({ "title": "Alpha", "priority": "low", "tags": "home", "due_date": "2026-01-01", "completed": true }),
        json!({ "title": "gamma 100%", "priority": "medium", "description": "MILK and Öl" }),
        json!({ "title": "Delta_1", "priority": "medium", "tags": "homework,y", "due_date": "2026-01-02" }),
    ] {
        api.task(&ada, &task).await;
    }
    (api, ada)
}

#[tokio::test]
async fn a_list_is_a_bare_array_of_the_callers_tasks() {
    let (api, ada) = ada().await;
    let answer = list(&api, &ada, "").await;
    assert_eq!(answer.body.as_array().unwrap().len(), 4);
    assert!(!titles(&answer).contains(&"theirs"));
    assert_eq!(answer.header("link"), "");
    let nobody = api.user("nobody").await;
    assert_eq!(list(&api, &nobody, "").await.body, json!([]));
}

#[tokio::test]
async fn a_task_in_the_list_is_the_task() {
    let (api, ada) = ada().await;
    for task in list(&api, &ada, "").await.body.as_array().unwrap() {
        let path = format!("/tasks/{}", task["id"].as_str().unwrap());
        assert_eq!(api.get(&path).by(&ada).send().await.body, *task);
    }
}

#[tokio::test]
async fn it_is_sorted_with_nulls_last_and_ties_in_order_of_id() {
    let (api, ada) = ada().await;
    for (query, expected) in [
        ("", ["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("sort_by=due_date", ["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("sort_by=due_date&order=desc", ["Delta_1", "beta", "Alpha", "gamma 100%"]),
        ("sort_by=priority", ["Alpha", "gamma 100%", "Delta_1", "beta"]),
        ("sort_by=priority&order=desc", ["beta", "Delta_1", "gamma 100%", "Alpha"]),
        ("sort_by=title&order=asc", ["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("sort_by=title&order=desc", ["gamma 100%", "Delta_1", "beta", "Alpha"]),
        ("sort_by=created_at", ["beta", "Alpha", "gamma 100%", "Delta_1"]),
        ("sort_by=created_at&order=desc", ["Delta_1", "gamma 100%", "Alpha", "beta"]),
    ] {
        assert_eq!(titles(&list(&api, &ada, query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn filters_narrow_it_together() {
    let (api, ada) = ada().await;
    for (query, expected) in [
        ("completed=true", vec!["Alpha"]),
        ("completed=False", vec!["beta", "Delta_1", "gamma 100%"]),
        ("priority=medium", vec!["Delta_1", "gamma 100%"]),
        ("tag=home", vec!["Alpha", "beta"]),
        ("tag=%20HOME%20", vec!["Alpha", "beta"]),
        ("tag=home,x", vec![]),
        ("tag=hom", vec![]),
        ("tag=", vec!["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("search=A", vec!["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("search=milk", vec!["gamma 100%"]),
        ("search=%20", vec!["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("completed=&priority=&due_after=&due_before=%20", vec!["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("search=%C3%B6L", vec!["gamma 100%"]),
        ("search=%25", vec!["gamma 100%"]),
        ("search=_", vec!["Delta_1"]),
        ("search=%5C", vec![]),
        ("search=", vec!["Alpha", "beta", "Delta_1", "gamma 100%"]),
        ("completed=false&priority=high&tag=x&search=BET", vec!["beta"]),
        ("completed=true&priority=high", vec![]),
        ("no_such_parameter=1&priority=low", vec!["Alpha"]),
    ] {
        assert_eq!(titles(&list(&api, &ada, query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_value_is_422_and_every_one_is_named() {
    let (api, ada) = ada().await;
    let cursor = list(&api, &ada, "limit=1&sort_by=title").await.next().unwrap();
    let cursor = cursor.split("cursor=").nth(1).unwrap().to_owned();
    for (query, fields) in [
        ("completed=maybe", vec!["completed"]),
        ("priority=urgent", vec!["priority"]),
        ("due_after=soon", vec!["due_after"]),
        ("due_before=2026-02-29", vec!["due_before"]),
        ("sort_by=id", vec!["sort_by"]),
        ("sort_by=title;DROP", vec!["sort_by"]),
        ("order=ASC", vec!["order"]),
        ("limit=0", vec!["limit"]),
        ("limit=201", vec!["limit"]),
        ("limit=-1", vec!["limit"]),
        ("limit=1.5", vec!["limit"]),
        ("limit=x", vec!["limit"]),
        ("limit=99999999999999999999", vec!["limit"]),
        ("tag=a%00", vec!["tag"]),
        ("search=a%00", vec!["search"]),
        ("cursor=x", vec!["cursor"]),
        ("cursor=", vec!["cursor"]),
        (&format!("cursor={cursor}"), vec!["cursor"]),
        (&format!("cursor={cursor}&sort_by=title&order=desc"), vec!["cursor"]),
        ("completed=x&limit=x&order=x", vec!["completed", "limit", "order"]),
    ] {
        let answer = api.get(&format!("/tasks?{query}")).by(&ada).send().await;
        let fields: Vec<_> = fields.iter().map(|field| format!("query.{field}")).collect();
        assert_eq!(answer.bad_fields(), fields, "{query}");
    }
}

async fn pages(api: &Api, user: &User, first: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut path = Some(first.to_owned());
    while let Some(this) = path {
        let answer = api.get(&this).by(user).send().await;
        assert_eq!(answer.status, 200, "{this}: {answer:?}");
        path = answer.next();
        pages.push(answer.body.as_array().unwrap().clone());
        assert!(pages.len() < 100);
    }
    pages
}

#[tokio::test]
async fn the_pages_together_are_the_list() {
    let (api, ada) = ada().await;
    // Ties and nulls on every page's edge.
    for index in 0..8 {
        let due_date = [None, Some("2026-01-02"), Some("2026-03-01")][index % 3];
        let priority = ["low", "medium", "high"][index % 3];
        let task = json!({ "title": "same", "due_date": due_date, "priority": priority });
        api.task(&ada, &task).await;
    }
    for sort_by in ["due_date", "priority", "title", "created_at"] {
        for order in ["asc", "desc"] {
            for filter in ["", "&search=a", "&completed=false", "&priority=medium"] {
                let query = format!("sort_by={sort_by}&order={order}{filter}");
                let all = list(&api, &ada, &query).await.body;
                for limit in [1, 2, 5, 12, 200] {
                    let pages = pages(&api, &ada, &format!("/tasks?{query}&limit={limit}")).await;
                    assert!(pages.iter().all(|page| page.len() <= limit));
                    assert_eq!(
                        pages.len(),
                        all.as_array().unwrap().len().div_ceil(limit),
                        "no empty last page"
                    );
                    assert_eq!(json!(pages.concat()), all, "{query} {limit}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_page_begins_after_the_last_one_whatever_happened_meanwhile() {
    let (api, ada) = ada().await;
    let first = list(&api, &ada, "sort_by=title&limit=2").await;
    assert_eq!(titles(&first), ["Alpha", "beta"]);
    for task in first.body.as_array().unwrap() {
        api.delete(&format!("/tasks/{}", task["id"].as_str().unwrap())).by(&ada).send().await;
    }
    api.task(&ada, &json!({ "title": "Aardvark" })).await;
    let second = api.get(&first.next().unwrap()).by(&ada).send().await;
    assert_eq!(titles(&second), ["Delta_1", "gamma 100%"]);
    assert_eq!(second.next(), None);
}

#[tokio::test]
async fn the_link_keeps_prefix_and_parameters() {
    let (api, ada) = ada().await;
    let answer = api.get("/api/tasks?search=a&limit=1&cursor_like=%26%20x").by(&ada).send().await;
    let link = answer.next().unwrap();
    assert!(link.starts_with("/api/tasks?search=a&limit=1&cursor_like=%26+x&cursor="), "{link}");
    assert_eq!(titles(&api.get(&link).by(&ada).send().await), ["beta"]);
}

#[tokio::test]
async fn another_users_cursor_shows_only_ones_own_tasks() {
    let (api, ada) = ada().await;
    let link = list(&api, &ada, "limit=1").await.next().unwrap();
    let nobody = api.user("nobody").await;
    assert_eq!(api.get(&link).by(&nobody).send().await.body, json!([]));
}

#[tokio::test]
async fn a_list_that_lambda_cannot_carry_is_422_and_names_limit() {
    let (api, ada) = ada().await;
    let fill = "INSERT INTO tasks (id, user_id, title, description) \
                SELECT gen_random_uuid(), $1::text::uuid, 'x', repeat($2, 1000) FROM generate_series(1, $3)";
    let sql = api.sql().await;
    let only_fill = |text: &'static str, count: i32| {
        let (sql, id) = (&sql, &ada.id);
        async move {
            sql.execute("DELETE FROM tasks", &[]).await.unwrap();
            sql.execute(fill, &[id, &text, &count]).await.unwrap();
        }
    };
    only_fill("x", 4_000).await;
    assert_eq!(list(&api, &ada, "").await.body.as_array().unwrap().len(), 4_000);
    // Nor is a list of tasks as small as can be cut short, though not all of them are read.
    sql.execute("DELETE FROM tasks", &[]).await.unwrap();
    let tiny = "INSERT INTO tasks (id, user_id) SELECT gen_random_uuid(), $1::text::uuid FROM generate_series(1, 30000)";
    sql.execute(tiny, &[&ada.id]).await.unwrap();
    assert_eq!(api.get("/tasks").by(&ada).send().await.code(), "list_too_large");
    // Twice as large where the answer travels as a string in JSON.
    for (text, count) in [("x", 5_000), ("\"", 2_500)] {
        only_fill(text, count).await;
        let answer = api.get("/tasks").by(&ada).send().await;
        assert_eq!(answer.code(), "list_too_large");
        assert_eq!(answer.bad_fields(), ["query.limit"]);
        assert_eq!(list(&api, &ada, "limit=200").await.body.as_array().unwrap().len(), 200);
    }
}
