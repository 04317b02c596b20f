//! `Idempotency-Key`: a create that is sent again makes no second task.

use futures_util::future::join_all;
use kit::{Answer, Api, User};
use serde_json::json;

async fn create(api: &Api, user: &User, key: &str, title: &str) -> Answer {
    api.post("/tasks").by(user).header("idempotency-key", key).json(&json!({ "title": title })).await
}

#[tokio::test]
async fn a_create_that_is_sent_again_answers_with_the_task_as_it_is_now() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let first = create(&api, &ada, "a key!", "first").await;
    assert_eq!(first.status, 422, "a space is not visible: {first:?}");
    let first = create(&api, &ada, "key", "first").await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    assert_eq!(first.body["id"].as_str().unwrap().as_bytes()[14], b'8', "a UUIDv8");
    let path = first.header("location").to_owned();
    let changed = api.put(&path).by(&ada).json(&json!({ "title": "changed" })).await;
    // Quotes are those of a structured header (RFC 9651 §3.3.3).
    for (key, title) in [("key", "first"), ("\"key\"", "another")] {
        let again = create(&api, &ada, key, title).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "{again:?}");
        assert_eq!((again.header("location"), &again.body), (path.as_str(), &changed.body));
        assert_eq!(again.header("etag"), changed.header("etag"));
    }
    assert_eq!(api.count("tasks").await, 1);
}

#[tokio::test]
async fn another_key_and_another_users_key_make_another_task() {
    let api = Api::new(dev::api).await;
    let (ada, grace) = (api.user("ada").await, api.user("grace").await);
    let mut ids = Vec::new();
    for (user, key) in [(&ada, "key"), (&ada, "Key"), (&ada, "key2"), (&grace, "key")] {
        let answer = create(&api, user, key, "x").await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, ""));
        ids.push(answer.body["id"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn two_hundred_creates_at_once_with_one_key_make_one_task() {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "20")]).await;
    let ada = api.user("ada").await;
    let answers = join_all((0..200).map(|number| {
        let (api, ada) = (&api, &ada);
        async move { create(api, ada, "key", &number.to_string()).await }
    }))
    .await;
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!((replayed, api.count("tasks").await), (199, 1));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &answers[0].body));
    }
    assert_eq!(answers[0].body["revision"], 1);
    let user = api.sql().await.query_one("SELECT revision FROM users", &[]).await.unwrap();
    assert_eq!(user.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_key_whose_task_was_deleted_is_410_until_it_expires() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let path = create(&api, &ada, "key", "x").await.header("location").to_owned();
    api.delete(&path).by(&ada).send().await;
    for _ in 0..2 {
        let answer = create(&api, &ada, "key", "x").await;
        assert_eq!((answer.status, answer.code()), (410, "task_deleted"), "{answer:?}");
        // Clearing keeps the id.
        assert_eq!(api.delete("/tasks/deleted").by(&ada).send().await.status, 204);
    }
    assert_eq!(api.count("tasks").await, 0);

    api.sql().await.batch_execute("UPDATE deleted_tasks SET expires_at = now()").await.unwrap();
    let answer = create(&api, &ada, "key", "anew").await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, ""), "{answer:?}");
    assert_eq!((answer.header("location"), &answer.body["title"]), (path.as_str(), &json!("anew")));
    assert_eq!(api.count("deleted_tasks").await, 0);
    assert_eq!(api.delete(&path).by(&ada).send().await.status, 200);
}

#[tokio::test]
async fn a_restored_task_has_its_key_again() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let path = create(&api, &ada, "key", "x").await.header("location").to_owned();
    api.delete(&path).by(&ada).send().await;
    assert_eq!(api.post(&format!("{path}/restore")).by(&ada).send().await.status, 200);
    let answer = create(&api, &ada, "key", "y").await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, "true"));
    assert_eq!(answer.body["title"], "x");
}

#[tokio::test]
async fn a_replay_that_races_a_deletion_never_leaves_a_task_beside_its_tombstone() {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "6")]).await;
    let ada = api.user("ada").await;
    let sql = api.sql().await;
    let (mut created, mut gone) = (0, 0);
    for round in 0..500 {
        let key = round.to_string();
        let path = create(&api, &ada, &key, "x").await.header("location").to_owned();
        let replay = || create(&api, &ada, &key, "x");
        let replays = join_all([replay(), replay(), replay()]);
        let delete = api.delete(&path).by(&ada).send();
        // The first one here is mostly the first in the database.
        let (deleted, replays) = if round % 2 == 0 {
            tokio::join!(delete, replays)
        } else {
            let (replays, deleted) = tokio::join!(replays, delete);
            (deleted, replays)
        };
        assert_eq!(deleted.status, 200, "{deleted:?}");
        for answer in replays {
            match answer.status {
                201 => {
                    assert_eq!(answer.header("idempotent-replayed"), "true", "{answer:?}");
                    created += 1;
                }
                status => {
                    assert_eq!(status, 410, "{answer:?}");
                    gone += 1;
                }
            }
        }
        let row = sql.query_one("SELECT count(*) FROM tasks", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0, "round {round}");
    }
    println!("{created} replayed, {gone} gone");
    assert!(created > 50 && gone > 50, "both orders: {created} replayed, {gone} gone");
    assert_eq!(api.count("deleted_tasks").await, 500);
}

#[tokio::test]
async fn a_malformed_key_is_422() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let long = "k".repeat(65);
    for key in ["", " ", "\"\"", "a b", "\"a", "a\"", "a\"b", "a\\b", "\"a\\\"b\"", "é", "\t", "'a b'", &long]
    {
        let answer = create(&api, &ada, key, "x").await;
        assert_eq!(answer.bad_fields(), ["header.Idempotency-Key"], "{key}");
    }
    let two = api.post("/tasks").by(&ada).header("idempotency-key", "a").header("idempotency-key", "a");
    assert_eq!(two.json(&json!({ "title": "x" })).await.bad_fields(), ["header.Idempotency-Key"]);
    let longest = "k".repeat(64);
    for key in ["a", "~!#$%&'()*+,-./:;<=>?@[]^_`{|}", &longest, &format!("\"{longest}\""), "a,b"] {
        assert_eq!(create(&api, &ada, key, "x").await.status, 201, "{key}");
    }
}
