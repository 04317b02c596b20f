//! The revision of a user, which each change of a task takes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kit::{Api, User};
use serde_json::json;

async fn revision(api: &Api, user: &User) -> i64 {
    let sql = format!("SELECT revision FROM users WHERE id = '{}'", user.id);
    api.sql().await.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_change_takes_the_next_revision_of_its_user() {
    let api = Api::new(dev::api).await;
    let (ada, grace) = (api.user("ada").await, api.user("grace").await);
    api.task(&grace, &json!({ "title": "g" })).await;
    assert_eq!(revision(&api, &ada).await, 0);
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    for (expected, call) in (2..).zip([
        api.put(&path).with_json(&json!({ "title": "b" })),
        api.patch(&path).with_json(&json!({ "completed": true })),
        api.patch(&format!("{path}/complete")),
        api.delete(&path),
        api.post(&format!("{path}/restore")),
        api.put(&path).with_json(&json!({ "title": "b" })).header("if-match", "\"6\""),
    ]) {
        let answer = call.by(&ada).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(revision(&api, &ada).await, expected);
        if answer.body["revision"].is_number() {
            assert_eq!(answer.body["revision"], expected);
        }
    }
    assert_eq!(revision(&api, &grace).await, 1);
}

#[tokio::test]
async fn completed_at_is_the_time_since_when_a_task_is_completed() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    let complete = format!("{path}/complete");
    let mut last = task;
    for (call, completed) in [
        (api.patch(&complete), true),
        (api.put(&path).with_json(&json!({ "title": "b" })), true),
        (api.put(&path).with_json(&json!({ "completed": true })), true),
        (api.patch(&complete).with_json(&json!({ "completed": true })), true),
        (api.patch(&complete), false),
        (api.put(&path).with_json(&json!({ "completed": false })), false),
        (api.put(&path).with_json(&json!({ "completed": true })), true),
        (api.patch(&complete).with_json(&json!({ "completed": false })), false),
    ] {
        let task = call.by(&ada).send().await.body;
        let expected = match (last["completed"] == true, completed) {
            (true, true) => last["completed_at"].clone(),
            (false, true) => task["updated_at"].clone(),
            (_, false) => json!(null),
        };
        assert_eq!((&task["completed"], &task["completed_at"]), (&json!(completed), &expected), "{task}");
        last = task;
    }
    let task = api.task(&ada, &json!({ "title": "c", "completed": true })).await;
    assert_eq!(task["completed_at"], task["created_at"]);

    // Rows from before have none, and get none by a change that keeps them completed.
    let sql = api.sql().await;
    sql.batch_execute("UPDATE tasks SET completed = true, completed_at = NULL").await.unwrap();
    for fields in [json!({ "title": "d" }), json!({ "completed": true })] {
        let task = api.put(&path).by(&ada).json(&fields).await.body;
        assert_eq!((&task["completed"], &task["completed_at"]), (&json!(true), &json!(null)));
    }
}

/// Eight writers of one user, and a reader that asks for what came after the last revision that it saw.
#[tokio::test]
async fn a_reader_that_polls_by_revision_misses_no_change_of_eight_writers() {
    writers(Duration::from_secs(3)).await;
}

#[tokio::test]
#[ignore = "takes 30 s"]
async fn a_reader_that_polls_by_revision_for_30_s_misses_no_change_of_eight_writers() {
    writers(Duration::from_secs(30)).await;
}

async fn writers(duration: Duration) {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "9")]).await;
    let ada = api.user("ada").await;
    let stops = AtomicBool::new(false);
    let write = async |writer: usize| {
        let mut taken = Vec::new();
        let mut number = |answer: kit::Answer| {
            assert!([200, 201].contains(&answer.status), "{answer:?}");
            taken.extend(answer.body["revision"].as_i64());
            answer
        };
        let started = Instant::now();
        while started.elapsed() < duration {
            let created = api.post("/tasks").by(&ada).json(&json!({ "title": writer.to_string() })).await;
            let path = number(created).header("location").to_owned();
            number(api.put(&path).by(&ada).json(&json!({ "priority": "low" })).await);
            number(api.patch(&format!("{path}/complete")).by(&ada).send().await);
        }
        taken
    };
    let read = async {
        let sql = api.sql().await;
        let mut seen = Vec::new();
        loop {
            let ends = stops.load(Ordering::SeqCst);
            let last = seen.last().copied().unwrap_or(0_i64);
            let rows = sql
                .query("SELECT revision FROM tasks WHERE revision > $1 ORDER BY revision", &[&last])
                .await
                .unwrap();
            seen.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
            if ends {
                return seen;
            }
        }
    };
    let write = async {
        let taken = join_all((0..8).map(write)).await;
        stops.store(true, Ordering::SeqCst);
        taken.concat()
    };
    let (mut taken, seen) = tokio::join!(write, read);
    taken.sort_unstable();
    assert!(taken.len() > 100, "{}", taken.len());
    assert_eq!(taken, (1..=taken.len() as i64).collect::<Vec<_>>(), "distinct and without a gap");
    // The reader sees each task's last revision at least, in the order of commits.
    let rows = api.sql().await.query("SELECT revision FROM tasks ORDER BY revision", &[]).await.unwrap();
    let missed = rows.iter().map(|row| row.get::<_, i64>(0)).filter(|last| seen.binary_search(last).is_err());
    assert_eq!(missed.count(), 0);
    println!("{} changes in {duration:?}, {} seen", taken.len(), seen.len());
}
