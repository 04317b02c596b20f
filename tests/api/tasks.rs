//! Creating, reading, changing and deleting a task.

use std::time::{Duration, Instant};

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use kit::{Api, User};

fn path(task: &Value) -> String {
    format!("/tasks/{}", task["id"].as_str().unwrap())
}

async fn ada() -> (Api, User) {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    (api, user)
}

fn timestamp(task: &Value, field: &str) -> Timestamp {
    let text = task[field].as_str().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    text.parse().unwrap()
}

#[tokio::test]
async fn a_new_task_has_the_defaults() {
    let (api, ada) = ada().await;
    let answer = api.post("/tasks").by(&ada).json(&json!({ "title": "  Buy milk " })).await;
    assert_eq!(answer.status, 201);
    let task = &answer.body;
    assert_eq!(answer.header("location"), path(task));
    assert_eq!(timestamp(task, "created_at"), timestamp(task, "updated_at"));
    assert_eq!(task["id"].as_str().unwrap().as_bytes()[14], b'7', "a UUIDv7");
    let expected = json!({
        "id": task["id"], "user_id": ada.id, "title": "Buy milk", "description": null, "completed": false,
        "completed_at": null, "priority": "medium", "tags": null, "due_date": null, "revision": 1,
        "created_at": task["created_at"], "updated_at": task["updated_at"],
    });
    assert_eq!(*task, expected);
    assert_eq!(api.get(&path(task)).by(&ada).send().await.body, expected);
}

#[tokio::test]
async fn a_new_task_has_what_was_sent() {
    let (api, ada) = ada().await;
    let fields = json!({
        "title": "T", "description": " as sent\n", "completed": true, "priority": "high",
        "tags": "home,shop", "due_date": "2026-01-30T10:00:00",
    });
    let task = api.task(&ada, &fields).await;
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(task[name], *value, "{name}");
    }
}

#[tokio::test]
async fn location_keeps_the_callers_prefix() {
    let (api, ada) = ada().await;
    let answer = api.post("/api/tasks").by(&ada).json(&json!({ "title": "x" })).await;
    let location = answer.header("location");
    assert_eq!(location, format!("/api{}", path(&answer.body)));
    assert_eq!(api.get(location).by(&ada).send().await.status, 200);
}

#[tokio::test]
async fn what_the_client_may_not_choose_is_ignored() {
    let (api, ada) = ada().await;
    let grace = api.user("grace").await;
    let foreign = json!({
        "title": "x", "id": "019bc000-0000-7000-8000-00000000000f", "user_id": grace.id,
        "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z", "no_such_field": 1,
    });
    let task = api.task(&ada, &foreign).await;
    let updated = api.put(&path(&task)).by(&ada).json(&foreign).await.body;
    for task in [task, updated] {
        assert_ne!(task["id"], foreign["id"]);
        assert_eq!(task["user_id"], ada.id.as_str());
        assert!(timestamp(&task, "created_at").to_string().as_str() > "2020");
        assert!(timestamp(&task, "updated_at").to_string().as_str() > "2020");
    }
}

#[tokio::test]
async fn each_field_is_taken_at_its_limit_and_refused_past_it() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "x" })).await;
    for (field, value, fits) in [
        ("title", json!("é".repeat(255)), true),
        ("title", json!("é".repeat(256)), false),
        ("title", json!(format!("  {}  ", "x".repeat(255))), true),
        ("title", json!("  "), false),
        ("title", json!(""), false),
        ("title", json!(null), false),
        ("title", json!(1), false),
        ("title", json!("a\0b"), false),
        ("description", json!("😀".repeat(1000)), true),
        ("description", json!("x".repeat(1001)), false),
        ("description", json!("a\0b"), false),
        ("description", json!([]), false),
        ("completed", json!("true"), false),
        ("completed", json!(1), false),
        ("completed", json!(null), false),
        ("priority", json!("urgent"), false),
        ("priority", json!("HIGH"), false),
        ("priority", json!(""), false),
        ("priority", json!(null), false),
        ("priority", json!(2), false),
        ("tags", json!("é".repeat(500)), true),
        ("tags", json!("x".repeat(501)), false),
        ("tags", json!("a\0b"), false),
        ("tags", json!(1), false),
        ("tags", json!(["a", 1]), false),
        ("tags", json!(["a,b"]), false),
        ("tags", json!({}), false),
        ("due_date", json!("tomorrow"), false),
        ("due_date", json!("2026-02-30"), false),
        ("due_date", json!("2026-01-30T25:00"), false),
        ("due_date", json!("+300000-01-01T00:00"), false),
        ("due_date", json!("0000-12-31T00:00"), false),
        ("due_date", json!("-000001-12-31T00:00"), false),
        ("due_date", json!("0001-01-01T00:00+01:00"), false),
        ("due_date", json!("2026-01-30T10:00[Europe/Paris]"), false),
        ("due_date", json!("2026-01-30T10:00[u-ca=japanese]"), false),
        ("due_date", json!("2026-01-30T10:00:00."), false),
        ("due_date", json!("2026.01.30"), false),
        ("due_date", json!("."), false),
        ("due_date", json!(1_769_767_200), false),
    ] {
        let mut new = json!({ "title": "x" });
        new[field] = value.clone();
        let created = api.post("/tasks").by(&ada).json(&new).await;
        let updated = api.put(&path(&task)).by(&ada).json(&json!({ field: value })).await;
        if fits {
            assert_eq!((created.status, updated.status), (201, 200), "{field}: {value}");
        } else {
            let named = [format!("body.{field}")];
            assert_eq!(
                (created.bad_fields(), updated.bad_fields()),
                (named.to_vec(), named.to_vec()),
                "{value}"
            );
        }
    }
}

#[tokio::test]
async fn every_bad_field_is_named_at_once_and_nothing_is_written() {
    let (api, ada) = ada().await;
    let bad = json!({
        "title": "", "description": 1, "completed": "no", "priority": "urgent", "tags": 1, "due_date": "soon",
    });
    let all = ["completed", "description", "due_date", "priority", "tags", "title"]
        .map(|name| format!("body.{name}"));
    assert_eq!(api.post("/tasks").by(&ada).json(&bad).await.bad_fields(), all);
    assert_eq!(api.count("tasks").await, 0);

    let task = api.task(&ada, &json!({ "title": "x" })).await;
    assert_eq!(api.put(&path(&task)).by(&ada).json(&bad).await.bad_fields(), all);
    assert_eq!(api.get(&path(&task)).by(&ada).send().await.body, task);
}

#[tokio::test]
async fn tags_are_trimmed_and_lose_empty_ones_and_repeats_in_any_case() {
    let (api, ada) = ada().await;
    for (sent, stored) in [
        (json!(" home , shop ,,home"), json!("home,shop")),
        (json!(["shop", " home ", "", "shop"]), json!("shop,home")),
        (json!(["Home", "home", "HOME", "homes"]), json!("Home,homes")),
        (json!("Straße,STRASSE,Café,CAFE\u{301},ΟΔΟΣ,οδος"), json!("Straße,Café,ΟΔΟΣ")),
        (json!(" , ,"), json!(null)),
        (json!([]), json!(null)),
        (json!(""), json!(null)),
        (json!(null), json!(null)),
    ] {
        assert_eq!(api.task(&ada, &json!({ "title": "x", "tags": sent })).await["tags"], stored, "{sent}");
    }
}

#[tokio::test]
async fn many_tags_are_refused_in_no_time() {
    let (api, ada) = ada().await;
    let tags: Vec<_> = (0..12_000).map(|number| format!("{number:x}")).collect();
    let started = Instant::now();
    let answer = api.post("/tasks").by(&ada).json(&json!({ "title": "x", "tags": tags.join(",") })).await;
    assert_eq!(answer.bad_fields(), ["body.tags"]);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_title_that_looks_empty_is_refused() {
    let (api, ada) = ada().await;
    for empty in [
        "\u{200b}",
        "\u{feff}",
        "\u{3164}",
        "\u{2800}",
        "\u{ad}",
        "\u{34f}\u{200d}",
        "\u{7}",
        "\u{e0041}",
        "\u{600}",
    ] {
        let answer = api.post("/tasks").by(&ada).json(&json!({ "title": empty })).await;
        assert_eq!(answer.bad_fields(), ["body.title"], "{empty:?}");
        assert_eq!(answer.body["detail"][0]["msg"], "Title should not be empty");
    }
    for seen in ["\u{200b}x", "👩\u{200d}👩\u{200d}👧", "\u{301}", "0", "。"] {
        assert_eq!(api.task(&ada, &json!({ "title": seen })).await["title"], seen);
    }
}

#[tokio::test]
async fn timestamps_always_have_six_digits_of_a_fraction() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "x" })).await;
    let whole = "UPDATE tasks SET created_at = '2026-01-30T10:00:00Z', updated_at = '2026-01-30T10:00:00.5Z'";
    let sql = api.sql().await;
    sql.batch_execute(whole).await.unwrap();
    let users = "UPDATE users SET created_at = '2026-01-30T10:00:00.001Z'";
    sql.batch_execute(users).await.unwrap();
    sql.batch_execute("UPDATE sessions SET expires_at = '2999-01-30T10:00:00Z'").await.unwrap();
    let task = api.get(&path(&task)).by(&ada).send().await.body;
    assert_eq!(task["created_at"], "2026-01-30T10:00:00.000000Z");
    assert_eq!(task["updated_at"], "2026-01-30T10:00:00.500000Z");
    let me = api.get("/auth/me").by(&ada).send().await.body;
    assert_eq!(me["created_at"], "2026-01-30T10:00:00.001000Z");
    let sessions = api.get("/auth/sessions").by(&ada).send().await.body;
    assert_eq!(sessions[0]["expires_at"], "2999-01-30T10:00:00.000000Z");
}

#[tokio::test]
async fn a_description_is_kept_as_sent() {
    let (api, ada) = ada().await;
    for (sent, stored) in [
        (json!("  two\r\n lines "), json!("  two\r\n lines ")),
        (json!("'; DROP TABLE tasks; --"), json!("'; DROP TABLE tasks; --")),
        (
            json!("<script>alert(\"1\")</script> \\ \u{202e} 😀"),
            json!("<script>alert(\"1\")</script> \\ \u{202e} 😀"),
        ),
        (json!(""), json!(null)),
    ] {
        let task = api.task(&ada, &json!({ "title": "x", "description": sent })).await;
        assert_eq!(task["description"], stored, "{sent}");
    }
}

#[tokio::test]
async fn an_update_changes_what_is_sent_and_nothing_else() {
    let (api, ada) = ada().await;
    let before = api
        .task(
            &ada,
            &json!({ "title": "T", "description": "D", "completed": true, "priority": "high", "tags": "a,b",
                     "due_date": "2026-01-30T10:00:00" }),
        )
        .await;
    for (field, value) in [
        ("title", json!("New")),
        ("description", json!("New")),
        ("description", json!(null)),
        ("completed", json!(false)),
        ("priority", json!("low")),
        ("tags", json!("c")),
        ("tags", json!(null)),
        ("due_date", json!("2027-01-01T00:00:00")),
        ("due_date", json!(null)),
    ] {
        let task = api.task(&ada, &before).await;
        let answer = api.put(&path(&task)).by(&ada).json(&json!({ field: value })).await;
        assert_eq!(answer.status, 200);
        let mut expected = task.clone();
        expected[field] = value;
        assert!(timestamp(&answer.body, "updated_at") > timestamp(&task, "updated_at"));
        expected["updated_at"] = answer.body["updated_at"].clone();
        expected["revision"] = json!(task["revision"].as_i64().unwrap() + 1);
        if expected["completed"] == false {
            expected["completed_at"] = json!(null);
        }
        assert_eq!(answer.body, expected);
        assert_eq!(api.get(&path(&task)).by(&ada).send().await.body, expected);
    }
}

#[tokio::test]
async fn an_empty_update_changes_nothing() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "T", "description": "D", "tags": "a" })).await;
    let answer = api.put(&path(&task)).by(&ada).json(&json!({})).await;
    assert_eq!((answer.status, answer.body), (200, task));
}

#[tokio::test]
async fn complete_toggles_without_a_body_and_sets_with_one() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "T" })).await;
    let complete = || api.patch(&format!("{}/complete", path(&task))).by(&ada);
    for expected in [true, false, true] {
        assert_eq!(complete().send().await.body["completed"], expected);
    }
    assert_eq!(complete().json(&json!({})).await.body["completed"], false);
    for set in [true, true, false, false] {
        assert_eq!(complete().json(&json!({ "completed": set })).await.body["completed"], set);
    }
    for bad in [json!({ "completed": "true" }), json!({ "completed": 1 }), json!({ "completed": {} })] {
        assert_eq!(complete().json(&bad).await.bad_fields(), ["body.completed"]);
    }
    assert_eq!(api.get(&path(&task)).by(&ada).send().await.body["completed"], false);
}

#[tokio::test]
async fn complete_toggles_with_null_which_is_no_value() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "T" })).await;
    let complete = || api.patch(&format!("{}/complete", path(&task))).by(&ada);
    for expected in [true, false] {
        assert_eq!(complete().body("null").await.body["completed"], expected);
        assert_eq!(complete().body(" null\n").await.body["completed"], !expected);
        assert_eq!(complete().json(&json!({ "completed": null })).await.body["completed"], expected);
    }
}

/// Swift writes UUIDs in capitals.
#[tokio::test]
async fn an_id_in_capitals_is_the_same_task_and_answers_have_it_in_lower_case() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "T" })).await;
    let id = task["id"].as_str().unwrap();
    let mixed: String =
        id.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
    for id in [id.to_uppercase(), mixed] {
        for prefix in ["", "/api"] {
            let path = format!("{prefix}/tasks/{id}");
            let complete = format!("{path}/complete");
            assert_eq!(api.get(&path).by(&ada).send().await.body["id"], task["id"]);
            assert_eq!(api.call(Method::HEAD, &path).by(&ada).send().await.status, 200);
            assert_eq!(api.put(&path).by(&ada).json(&json!({ "title": id })).await.body["id"], task["id"]);
            assert_eq!(api.put(&path).by(&ada).json(&json!({})).await.body["id"], task["id"]);
            assert_eq!(api.patch(&complete).by(&ada).send().await.body["id"], task["id"]);
        }
    }
    assert_eq!(api.delete(&format!("/tasks/{}", id.to_uppercase())).by(&ada).send().await.status, 200);
    assert_eq!(api.count("tasks").await, 0);
}

#[tokio::test]
async fn a_deleted_task_is_gone() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "T" })).await;
    let answer = api.delete(&path(&task)).by(&ada).send().await;
    assert_eq!((answer.status, answer.body), (200, json!({ "message": "Task deleted successfully" })));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(api.call(method, &path(&task)).by(&ada).send().await.status, 404);
    }
    assert_eq!(api.count("tasks").await, 0);
}

#[tokio::test]
async fn a_task_for_a_user_who_is_being_deleted_is_401() {
    let (api, ada) = ada().await;
    let sql = api.sql().await;
    sql.batch_execute("BEGIN; DELETE FROM users").await.unwrap();
    let call = api.post("/tasks").by(&ada);
    let waiting = tokio::spawn(async move { call.json(&json!({ "title": "x" })).await });
    let is_waiting =
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while api.sql().await.query(is_waiting, &[]).await.unwrap().is_empty() {}
    sql.batch_execute("COMMIT").await.unwrap();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.code()), (401, "invalid_token"));
}

#[tokio::test]
async fn patch_takes_a_merge_patch_and_no_other_method_does() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "a", "description": "b", "due_date": "2026-01-30" })).await;
    let path = path(&task);
    let changes = json!({ "title": "c", "description": null, "no_such_field": { "x": null } }).to_string();
    let merge_patch =
        |call: kit::Call| call.header("content-type", "application/merge-patch+json; charset=utf-8");
    let answer = merge_patch(api.patch(&path).by(&ada)).raw(changes.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!([&answer.body["title"], &answer.body["description"]], [&json!("c"), &json!(null)]);
    assert_eq!(answer.body["due_date"], "2026-01-30");
    let answer = merge_patch(api.patch(&path).by(&ada)).raw(json!({ "title": null }).to_string()).await;
    assert_eq!(answer.bad_fields(), ["body.title"]);
    for call in [api.put(&path), api.post("/tasks")] {
        assert_eq!(merge_patch(call.by(&ada)).raw(changes.clone()).await.code(), "not_json");
    }
}
