//! What is somebody else's: it is neither shown nor changed, and does not even seem to be there.

use std::time::Instant;

use axum::http::Method;
use serde_json::{Value, json};

use kit::{Answer, Api, Call, User, assert_same_time};

const NOT_FOUND: &str = r#"{"detail":"Task not found","code":"task_not_found","request_id":"…"}"#;

/// What can be asked of one task.
fn requests() -> [(Method, &'static str, Option<Value>); 7] {
    [
        (Method::GET, "", None),
        (Method::PUT, "", Some(json!({ "title": "mine now" }))),
        (Method::PUT, "", Some(json!({}))),
        (Method::PATCH, "", Some(json!({ "title": "mine now" }))),
        (Method::DELETE, "", None),
        (Method::PATCH, "/complete", None),
        (Method::PATCH, "/complete", Some(json!({ "completed": true }))),
    ]
}

async fn send(call: Call, body: &Option<Value>) -> Answer {
    match body {
        Some(body) => call.json(body).await,
        None => call.send().await,
    }
}

fn id(task: &Value) -> String {
    task["id"].as_str().unwrap().to_owned()
}

struct Strangers {
    api: Api,
    ada: User,
    grace: User,
    theirs: Value,
    /// Ids that are nothing to Ada: Grace's task, one that never was, one of hers that is no more.
    ids: [(&'static str, String); 3],
}

async fn strangers() -> Strangers {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let grace = api.user("grace").await;
    let theirs = api.task(&grace, &json!({ "title": "theirs", "tags": "home" })).await;
    let deleted = id(&api.task(&ada, &json!({ "title": "deleted" })).await);
    assert_eq!(api.delete(&format!("/tasks/{deleted}")).by(&ada).send().await.status, 200);
    let ids = [("another's", id(&theirs)), ("none", uuid::Uuid::now_v7().to_string()), ("deleted", deleted)];
    Strangers { api, ada, grace, theirs, ids }
}

#[tokio::test]
async fn another_users_a_missing_and_a_deleted_task_get_the_same_answer_from_every_method() {
    let Strangers { api, ada, grace, theirs, ids } = strangers().await;
    for (method, end, body) in requests() {
        for (kind, id) in &ids {
            let path = format!("/tasks/{id}{end}");
            let call = |path: &str| api.call(method.clone(), path).by(&ada);
            for call in [
                call(&path),
                call(&format!("/api{path}")),
                call(&path).header("if-match", "*").header("if-none-match", "*"),
                call(&path).header("if-match", "\"1\"").header("if-none-match", "\"1\""),
            ] {
                let answer = send(call, &body).await;
                assert_eq!(answer.status, 404, "{method} {kind}");
                assert_eq!(answer.text_without_id(), NOT_FOUND, "{method} {kind}");
            }
        }
    }
    let still = api.get(&format!("/tasks/{}", id(&theirs))).by(&grace).send().await.body;
    assert_eq!(still, theirs, "it is as it was");
}

#[tokio::test]
async fn an_id_in_another_form_than_a_uuids_own_is_not_found() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "as it was" })).await;
    let id = id(&task);
    for other in [
        "1",
        "null",
        &id.replace('-', ""),
        &format!("%7B{id}%7D"),
        &format!("urn:uuid:{id}"),
        &format!("{id}%00"),
        &format!("{id}%0D%0A"),
        &format!("%20{id}"),
        &format!("..%2F{id}"),
        &format!("{id}%2F"),
        &format!("{id}%3Fx"),
        "%FF",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for (method, end, body) in requests() {
            let call = api.call(method.clone(), &format!("/tasks/{other}{end}")).by(&ada);
            let answer = send(call, &body).await;
            assert_eq!(answer.status, 404, "{method} {other}");
            assert_eq!(answer.text_without_id(), NOT_FOUND, "{method} {other}");
        }
    }
    let still = api.get(&format!("/tasks/{id}")).by(&ada).send().await.body;
    assert_eq!(still, task, "it is as it was");
}

#[tokio::test]
async fn another_users_a_missing_and_a_deleted_task_take_the_same_time() {
    let Strangers { api, ada, ids, .. } = strangers().await;
    for (method, end, body) in requests() {
        let call = async |kind: usize| {
            let call = api.call(method.clone(), &format!("/tasks/{}{end}", ids[kind].1)).by(&ada);
            let started = Instant::now();
            assert_eq!(send(call, &body).await.status, 404);
            started.elapsed()
        };
        assert_same_time(&format!("{method} {end}"), 200, ids.each_ref().map(|(kind, _)| *kind), call).await;
    }
}

/// How many tasks a list has, all of this user.
fn tasks_of(user: &User, answer: &Answer) -> usize {
    let tasks = answer.body.as_array().unwrap();
    assert!(tasks.iter().all(|task| task["user_id"] == user.id.as_str()), "{answer:?}");
    tasks.len()
}

#[tokio::test]
async fn lists_filters_and_pages_show_and_count_nothing_of_anothers() {
    let api = Api::new(dev::api).await;
    let users = [api.user("ada").await, api.user("grace").await];
    // Alike in everything, so that a filter or cursor of one would find the other's.
    for index in 0..6 {
        for user in &users {
            let due_date = [None, Some("2026-01-01")][index % 2];
            let task = json!({ "title": format!("same {}", index / 2), "tags": "home", "description": "milk",
                               "priority": "high", "completed": index % 3 == 0, "due_date": due_date });
            api.task(user, &task).await;
        }
    }
    let [ada, grace] = &users;
    for filter in ["", "tag=home", "search=same", "search=milk", "priority=high", "completed=true"] {
        for order in
            ["due_date", "due_date&order=desc", "priority", "title", "title&order=desc", "created_at"]
        {
            let mut path = format!("/tasks?{filter}&sort_by={order}&limit=1");
            let mut seen = 0;
            loop {
                let answer = api.get(&path).by(ada).send().await;
                seen += tasks_of(ada, &answer);
                let Some(next) = answer.next() else { break };
                // Ada's place in the order, in Grace's hands, leads through Grace's own.
                tasks_of(grace, &api.get(&next).by(grace).send().await);
                path = next;
            }
            assert_eq!(seen, if filter == "completed=true" { 2 } else { 6 }, "{filter} {order}");
        }
    }
}
