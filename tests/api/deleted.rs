//! Deleted tasks: listed, restored and cleared, for 30 days.

use futures_util::future::join_all;
use kit::{Api, User};
use serde_json::{Value, json};

fn path(task: &Value) -> String {
    format!("/tasks/{}", task["id"].as_str().unwrap())
}

async fn ada() -> (Api, User) {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    (api, ada)
}

async fn deleted(api: &Api, user: &User) -> Vec<Value> {
    let answer = api.get("/tasks/deleted").by(user).send().await;
    assert_eq!((answer.status, answer.header("etag")), (200, ""), "{answer:?}");
    answer.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_deleted_task_is_listed_with_all_its_fields_and_restored_as_it_was() {
    let (api, ada) = ada().await;
    for fields in [
        json!({
            "title": "T", "description": " as sent\n", "completed": true, "priority": "high", "tags": "home,shop",
            "due_date": "2026-01-30T10:00:00+01:00",
        }),
        json!({ "title": "U", "due_date": "2026-01-30" }),
        json!({ "title": "V" }),
    ] {
        let task = api.task(&ada, &fields).await;
        api.delete(&path(&task)).by(&ada).send().await;

        let mut listed = deleted(&api, &ada).await;
        assert_eq!(listed.len(), 1);
        let deleted_at = listed[0].as_object_mut().unwrap().remove("deleted_at").unwrap();
        assert!(deleted_at.as_str() > task["updated_at"].as_str(), "{deleted_at}");
        let revision = task["revision"].as_i64().unwrap();
        let mut expected = task.clone();
        expected["revision"] = json!(revision + 1);
        assert_eq!(listed[0], expected);

        let restored = api.post(&format!("/api{}/restore", path(&task))).by(&ada).send().await;
        assert_eq!(restored.status, 200, "{restored:?}");
        assert!(restored.body["updated_at"].as_str() > deleted_at.as_str(), "{restored:?}");
        expected["revision"] = json!(revision + 2);
        expected["updated_at"] = restored.body["updated_at"].clone();
        assert_eq!(restored.body, expected);
        assert_eq!(restored.header("etag"), format!("\"{}\"", revision + 2));
        assert_eq!(api.get(&path(&task)).by(&ada).send().await.body, expected);
        assert!(deleted(&api, &ada).await.is_empty());
    }
}

#[tokio::test]
async fn a_second_deletion_and_a_second_restore_are_404() {
    let (api, ada) = ada().await;
    let path = path(&api.task(&ada, &json!({ "title": "a" })).await);
    let restore = format!("{path}/restore");
    assert_eq!(api.post(&restore).by(&ada).send().await.code(), "task_not_found", "it is not deleted");
    for _ in 0..2 {
        assert_eq!(api.delete(&path).by(&ada).send().await.status, 200);
        assert_eq!(api.delete(&path).by(&ada).send().await.code(), "task_not_found");
        assert_eq!(api.get(&path).by(&ada).send().await.code(), "task_not_found");
        assert_eq!(api.post(&restore).by(&ada).send().await.status, 200);
        assert_eq!(api.post(&restore).by(&ada).send().await.code(), "task_not_found");
    }
    for nothing in ["/tasks/019bc000-0000-7000-8000-00000000000f/restore", "/tasks/deleted/restore"] {
        assert_eq!(api.post(nothing).by(&ada).send().await.code(), "task_not_found");
    }
}

#[tokio::test]
async fn another_users_deleted_task_is_not_there() {
    let (api, ada) = ada().await;
    let grace = api.user("grace").await;
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    api.delete(&path(&task)).by(&ada).send().await;
    let answer = api.post(&format!("{}/restore", path(&task))).by(&grace).send().await;
    assert_eq!((answer.status, answer.code()), (404, "task_not_found"));
    assert_eq!(api.delete(&path(&task)).by(&grace).send().await.status, 404);
    assert!(deleted(&api, &grace).await.is_empty());
    assert_eq!(api.delete("/tasks/deleted").by(&grace).send().await.status, 204);
    assert_eq!(deleted(&api, &ada).await.len(), 1);
}

#[tokio::test]
async fn deleted_tasks_come_in_pages_the_last_deleted_first() {
    let (api, ada) = ada().await;
    let mut titles = Vec::new();
    for number in 0..7 {
        let title = format!("task {number}");
        let task = api.task(&ada, &json!({ "title": title })).await;
        api.delete(&path(&task)).by(&ada).send().await;
        titles.insert(0, title);
    }
    let all = deleted(&api, &ada).await;
    assert_eq!(all.iter().map(|task| task["title"].as_str().unwrap()).collect::<Vec<_>>(), titles);
    for prefix in ["", "/api"] {
        let mut next = Some(format!("{prefix}/tasks/deleted?limit=3"));
        let (mut pages, mut tasks) = (0, Vec::new());
        while let Some(page) = next {
            assert!(page.starts_with(&format!("{prefix}/tasks/deleted?limit=3")), "{page}");
            let answer = api.get(&page).by(&ada).send().await;
            next = answer.next();
            tasks.extend(answer.body.as_array().unwrap().clone());
            pages += 1;
        }
        assert_eq!((pages, &tasks), (3, &all));
    }
    let list = api.get("/tasks?limit=1").by(&ada).send().await;
    assert_eq!(list.body, json!([]));
    for (query, field) in [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("cursor=x", "query.cursor"),
        ("cursor=", "query.cursor"),
        ("cursor=eyJyZXZpc2lvbiI6IjEifQ", "query.cursor"),
    ] {
        let answer = api.get(&format!("/tasks/deleted?{query}")).by(&ada).send().await;
        assert_eq!(answer.bad_fields(), [field]);
    }
}

#[tokio::test]
async fn what_was_cleared_is_neither_listed_nor_restored_and_its_texts_are_gone() {
    let (api, ada) = ada().await;
    let fields = json!({
        "title": "secret", "description": "secret", "completed": true, "tags": "secret", "due_date": "2026-01-30",
    });
    let task = api.task(&ada, &fields).await;
    let kept = api.task(&ada, &json!({ "title": "kept" })).await;
    api.delete(&path(&task)).by(&ada).send().await;
    for _ in 0..2 {
        let answer = api.delete("/tasks/deleted").by(&ada).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    }
    assert!(deleted(&api, &ada).await.is_empty());
    let restore = api.post(&format!("{}/restore", path(&task))).by(&ada).send().await;
    assert_eq!(restore.code(), "task_not_found");
    let row = "SELECT jsonb_strip_nulls(to_jsonb(d)) - ARRAY['deleted_at', 'expires_at'] AS row FROM deleted_tasks d";
    let row = api.sql().await.query_one(&format!("SELECT row::text FROM ({row}) d"), &[]).await.unwrap();
    let row: Value = serde_json::from_str(row.get(0)).unwrap();
    assert_eq!(row, json!({ "id": task["id"], "user_id": ada.id, "revision": 3 }));
    assert_eq!(api.get(&path(&kept)).by(&ada).send().await.status, 200);
}

#[tokio::test]
async fn a_task_deleted_30_days_ago_counts_as_gone_and_is_removed_by_the_writes_of_anybody() {
    let (api, ada) = ada().await;
    let grace = api.user("grace").await;
    let mut paths = Vec::new();
    for number in 0..25 {
        let task = api.task(&ada, &json!({ "title": number.to_string() })).await;
        api.delete(&path(&task)).by(&ada).send().await;
        paths.push(path(&task));
    }
    let sql = api.sql().await;
    let lifetime = "SELECT DISTINCT extract(epoch FROM expires_at - deleted_at)::float8 FROM deleted_tasks";
    assert_eq!(sql.query_one(lifetime, &[]).await.unwrap().get::<_, f64>(0), 30.0 * 86_400.0);
    sql.batch_execute("UPDATE deleted_tasks SET expires_at = now() - interval '1 second'").await.unwrap();
    assert!(deleted(&api, &ada).await.is_empty());
    for path in &paths {
        assert_eq!(api.post(&format!("{path}/restore")).by(&ada).send().await.status, 404);
    }
    assert_eq!(api.count("deleted_tasks").await, 25);
    for left in [15, 5, 0] {
        api.task(&grace, &json!({ "title": "x" })).await;
        assert_eq!(api.count("deleted_tasks").await, left);
    }
}

#[tokio::test]
async fn a_write_does_not_wait_for_an_expired_task_that_is_locked() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    api.delete(&path(&task)).by(&ada).send().await;
    let sql = api.sql().await;
    // Two transactions: the lock is of a row that others see as expired.
    for statements in
        ["UPDATE deleted_tasks SET expires_at = now()", "BEGIN; SELECT FROM deleted_tasks FOR UPDATE"]
    {
        sql.batch_execute(statements).await.unwrap();
    }
    let create = api.post("/tasks").by(&ada).with_json(&json!({ "title": "b" })).send();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), create).await.unwrap();
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn deleted_tasks_go_with_their_user() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    api.delete(&path(&task)).by(&ada).send().await;
    let answer = api.post("/auth/me/delete").by(&ada).json(&json!({ "password": kit::PASSWORD })).await;
    assert_eq!(answer.status, 204);
    assert_eq!(api.count("deleted_tasks").await, 0);
}

#[tokio::test]
async fn deletions_restores_and_edits_of_one_task_at_once_leave_it_in_one_place() {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "10")]).await;
    let ada = api.user("ada").await;
    let path = path(&api.task(&ada, &json!({ "title": "a" })).await);
    let restore = format!("{path}/restore");
    for _ in 0..100 {
        let calls = [
            api.delete(&path).by(&ada),
            api.post(&restore).by(&ada),
            api.put(&path).by(&ada).with_json(&json!({ "title": "b" })),
            api.delete(&path).by(&ada),
            api.post(&restore).by(&ada),
        ];
        for answer in join_all(calls.into_iter().map(|call| call.send())).await {
            assert!([200, 404].contains(&answer.status), "{answer:?}");
        }
        let places = api.count("tasks").await + api.count("deleted_tasks").await;
        assert_eq!(places, 1);
    }
}
