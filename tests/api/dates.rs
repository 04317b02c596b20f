//! Due dates: a day, a time on the user's clock, an instant.

use serde_json::{Value, json};

use kit::{Api, User};

async fn ada() -> (Api, User) {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    (api, ada)
}

async fn due(api: &Api, user: &User, sent: &Value) -> Value {
    api.task(user, &json!({ "title": "x", "due_date": sent })).await["due_date"].clone()
}

async fn titles(api: &Api, user: &User, query: &str) -> Vec<String> {
    let answer = api.get(&format!("/tasks?{query}")).by(user).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.body.as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_due_date_reads_back_as_the_kind_that_was_sent() {
    let (api, ada) = ada().await;
    for (sent, stored) in [
        (json!("2026-01-30"), json!("2026-01-30")),
        (json!("2026-01-30 "), json!("2026-01-30")),
        (json!("2026-01-30T10:00"), json!("2026-01-30T10:00:00")),
        (json!("2026-01-30T00:00"), json!("2026-01-30T00:00:00")),
        (json!("2026-01-30 10:00:30"), json!("2026-01-30T10:00:30")),
        (json!("2026-01-30T10:00:30.999"), json!("2026-01-30T10:00:30")),
        (json!("2026-01-30T10:00:30.999Z"), json!("2026-01-30T10:00:30Z")),
        (json!("2026-01-30T10:00:00.123456789012345Z"), json!("2026-01-30T10:00:00Z")),
        (json!("2026-01-30T10:00:00,5+02:00"), json!("2026-01-30T08:00:00Z")),
        (json!("2026-01-01T00:30+01:00"), json!("2025-12-31T23:30:00Z")),
        (json!("9999-12-31T23:59:59Z"), json!("9999-12-31T23:59:59Z")),
        (json!("0001-01-01"), json!("0001-01-01")),
        (json!(" "), json!(null)),
        (json!(""), json!(null)),
        (json!(null), json!(null)),
    ] {
        let read = due(&api, &ada, &sent).await;
        assert_eq!(read, stored, "{sent}");
        // A client that sends back what it got moves nothing.
        assert_eq!(due(&api, &ada, &read).await, read, "{sent}");
    }
}

#[tokio::test]
async fn an_instant_that_goes_through_a_javascript_date_at_each_save_stays() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "x", "due_date": "2026-01-30T10:00+01:00" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    for _ in 0..3 {
        let due_date = api.get(&path).by(&ada).send().await.body["due_date"].as_str().unwrap().to_owned();
        assert_eq!(due_date, "2026-01-30T09:00:00Z");
        let saved = json!({ "due_date": due_date.replace('Z', ".000Z") });
        assert_eq!(api.put(&path).by(&ada).json(&saved).await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_due_date_changes_its_kind() {
    let (api, ada) = ada().await;
    let task = api.task(&ada, &json!({ "title": "x", "due_date": "2026-01-30" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    for due_date in ["2026-01-30T10:00:00", "2026-01-30T09:00:00Z", "2026-01-31", "2026-01-31T00:00:00"] {
        let answer = api.put(&path).by(&ada).json(&json!({ "due_date": due_date })).await;
        assert_eq!(answer.body["due_date"], due_date);
        // A change of another field leaves it alone.
        let answer = api.put(&path).by(&ada).json(&json!({ "title": "y" })).await;
        assert_eq!(answer.body["due_date"], due_date);
    }
}

#[tokio::test]
async fn a_day_that_does_not_exist_is_told_as_that() {
    let (api, ada) = ada().await;
    for (sent, message) in [
        ("2026-02-29", "Due date should be a day and a time that exist, in the years 1 to 9999"),
        ("2026-02-29T10:00Z", "Due date should be a day and a time that exist, in the years 1 to 9999"),
        (
            "30.1.2026",
            "Due date should be a day such as 2026-01-30, or a time such as 2026-01-30T10:00, which may end in Z or an \
             offset such as +01:00",
        ),
    ] {
        let answer = api.post("/tasks").by(&ada).json(&json!({ "title": "x", "due_date": sent })).await;
        assert_eq!(answer.bad_fields(), ["body.due_date"]);
        assert_eq!(answer.body["detail"][0]["msg"], message);
    }
}

#[tokio::test]
async fn the_kinds_are_sorted_and_filtered_together() {
    let (api, ada) = ada().await;
    for due_date in [
        json!("2026-01-31"),
        json!("2026-01-30T10:00+01:00"),
        json!("2026-01-30T10:00"),
        json!(null),
        json!("2026-01-30"),
        json!("2026-01-30T00:00"),
        json!("2026-01-30T00:30+01:00"),
    ] {
        let title = due_date.as_str().unwrap_or("none");
        api.task(&ada, &json!({ "title": title, "due_date": due_date })).await;
    }
    let in_order = [
        "2026-01-30T00:30+01:00",
        // A tie, in the order of ids.
        "2026-01-30",
        "2026-01-30T00:00",
        "2026-01-30T10:00+01:00",
        "2026-01-30T10:00",
        "2026-01-31",
        "none",
    ];
    for (query, expected) in [
        ("", &in_order[..]),
        ("due_after=2026-01-30", &in_order[1..6]),
        ("due_before=2026-01-31", &in_order[..5]),
        ("due_after=2026-01-30&due_before=2026-01-31", &in_order[1..5]),
        ("due_after=2026-01-30T09:00Z&due_before=2026-01-30%2010:00", &in_order[3..4]),
        ("due_after=2026-02-01", &[]),
    ] {
        for limit in ["", "&limit=200"] {
            assert_eq!(titles(&api, &ada, &format!("{query}{limit}")).await, expected, "{query}{limit}");
            let mut by_title =
                titles(&api, &ada, &format!("{query}{limit}&sort_by=created_at&order=desc")).await;
            by_title.sort();
            let mut expected = expected.to_vec();
            expected.sort();
            assert_eq!(by_title, expected, "{query}{limit}");
        }
    }
    let descending = titles(&api, &ada, "order=desc&due_before=2026-01-30T09:00").await;
    assert_eq!(descending, ["2026-01-30T00:00", "2026-01-30", "2026-01-30T00:30+01:00"]);
}

#[tokio::test]
async fn due_dates_that_functions_of_before_write_are_times_on_the_users_clock() {
    let (api, ada) = ada().await;
    let day = api.task(&ada, &json!({ "title": "day", "due_date": "2026-01-30" })).await;
    let sql = api.sql().await;
    for statement in [
        format!(
            "INSERT INTO tasks (id, user_id, due_date) VALUES (gen_random_uuid(), '{}', '2026-01-29')",
            ada.id
        ),
        format!("UPDATE tasks SET due_date = '2026-01-30 10:00' WHERE id = {}", day["id"]).replace('"', "'"),
    ] {
        sql.batch_execute(&statement).await.unwrap();
    }
    let tasks = api.get("/tasks").by(&ada).send().await.body;
    assert_eq!(
        [&tasks[0]["due_date"], &tasks[1]["due_date"]],
        ["2026-01-29T00:00:00", "2026-01-30T10:00:00"]
    );
}
