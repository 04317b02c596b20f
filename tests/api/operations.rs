//! What docs/operations.md tells an operator to do in the database.

use std::future::poll_fn;

use serde_json::json;
use tokio_postgres::{AsyncMessage, Client, NoTls, error::SqlState};

use kit::{Api, PASSWORD, User};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// The block of SQL with these words in it.
fn sql(words: &str) -> &'static str {
    let mut blocks = OPERATIONS.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.contains(words)).unwrap()
}

/// The same database, as one of the roles that the page makes.
fn url(owner: &str, role: &str) -> String {
    let place = owner.split_once('@').unwrap().1;
    format!("postgresql://{role}:what%20openssl%20rand%20-hex%2024%20prints@{place}")
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn the_functions_role_can_do_what_they_do_and_nothing_else_and_another_can_take_its_place() {
    let owner = kit::database().await;
    let as_owner = connect(&owner).await;
    as_owner.batch_execute(sql("CREATE ROLE todo_a")).await.unwrap();

    let a = url(&owner, "todo_a");
    everything_works(&Api::on(dev::api, a.clone(), &[])).await;
    let as_a = connect(&a).await;
    for statement in [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE tasks ADD mine int",
        "DROP TABLE tasks",
        "TRUNCATE tasks",
        "TRUNCATE deleted_tasks",
        "UPDATE users SET email = 'x'",
        "UPDATE users SET created_at = now()",
        "SELECT FROM refinery_schema_history",
        "SELECT rolpassword FROM pg_authid",
        "CREATE ROLE mine",
    ] {
        let error = as_a.batch_execute(statement).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
    }
    let timeout: String = as_a.query_one("SHOW statement_timeout", &[]).await.unwrap().get(0);
    assert_eq!(timeout, "8s");
    as_owner.batch_execute("CREATE TABLE of_a_later_migration (id int)").await.unwrap();
    as_a.batch_execute("INSERT INTO of_a_later_migration VALUES (1)").await.unwrap();

    as_owner.batch_execute(sql("CREATE ROLE todo_b")).await.unwrap();
    as_owner.batch_execute(sql("DROP ROLE todo_a")).await.unwrap();
    everything_works(&Api::on(dev::api, url(&owner, "todo_b"), &[])).await;
}

/// Each statement that the functions have.
async fn everything_works(api: &Api) {
    let user = api.user(&uuid::Uuid::now_v7().simple().to_string()).await;
    let credentials = json!({ "email": user.email, "password": PASSWORD });
    assert_eq!(api.post("/auth/login").json(&credentials).await.status, 200);
    assert_eq!(api.get("/auth/me").by(&user).send().await.status, 200);
    let changes = json!({ "username": null });
    assert_eq!(api.patch("/auth/me").by(&user).json(&changes).await.status, 200);
    let refresh = json!({ "refresh_token": user.refresh_token });
    assert_eq!(api.post("/auth/refresh").json(&refresh).await.status, 200);
    assert_eq!(api.get("/auth/sessions").by(&user).send().await.status, 200);
    assert_eq!(api.delete("/auth/sessions").by(&user).send().await.status, 204);
    assert_eq!(api.get("/health").send().await.status, 200);
    let task = api.task(&user, &json!({ "title": "Rotate the password" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    assert_eq!(api.get("/tasks").by(&user).send().await.status, 200);
    assert_eq!(api.get("/tasks?search=password&tag=x&sort_by=title").by(&user).send().await.status, 200);
    assert_eq!(api.get(&path).by(&user).send().await.status, 200);
    assert_eq!(api.put(&path).by(&user).json(&json!({ "priority": "high" })).await.status, 200);
    assert_eq!(api.patch(&format!("{path}/complete")).by(&user).send().await.status, 200);
    assert_eq!(api.delete(&path).by(&user).send().await.status, 200);
    assert_eq!(api.get("/tasks/deleted").by(&user).send().await.status, 200);
    assert_eq!(api.post(&format!("{path}/restore")).by(&user).send().await.status, 200);
    assert_eq!(api.delete(&path).by(&user).send().await.status, 200);
    api.sql().await.batch_execute("UPDATE deleted_tasks SET expires_at = now()").await.unwrap();
    // It removes the expired task.
    assert_eq!(api.delete(&path).by(&user).send().await.status, 404);
    assert_eq!(api.count("deleted_tasks").await, 0);
    assert_eq!(api.delete("/tasks/deleted").by(&user).send().await.status, 204);
    assert_eq!(api.post("/auth/logout").by(&user).send().await.status, 204);
}

/// Sorts titles on a new connection, and returns the server's warnings.
async fn warnings_of_sorting_titles(url: &str) -> Vec<String> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let messages = tokio::spawn(async move {
        let mut warnings = Vec::new();
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                warnings.push(notice.message().to_owned());
            }
        }
        warnings
    });
    client.batch_execute("SELECT FROM tasks ORDER BY title COLLATE natural_order").await.unwrap();
    drop(client);
    messages.await.unwrap()
}

#[tokio::test]
async fn after_another_icu_the_index_of_titles_is_made_anew_and_the_warning_ends() {
    let owner = kit::database().await;
    let as_owner = connect(&owner).await;
    assert!(warnings_of_sorting_titles(&owner).await.is_empty());
    let of_another = "UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'natural_order'";
    as_owner.batch_execute(of_another).await.unwrap();
    assert_eq!(
        warnings_of_sorting_titles(&owner).await,
        ["collation \"natural_order\" has version mismatch"]
    );
    for statement in sql("REINDEX INDEX CONCURRENTLY").split_inclusive(';') {
        as_owner.batch_execute(statement).await.unwrap();
    }
    assert!(warnings_of_sorting_titles(&owner).await.is_empty());
}

/// Reads the path and returns its tag.
async fn tag(api: &Api, user: &User, path: &str) -> String {
    api.get(path).by(user).send().await.header("etag").to_owned()
}

/// True if the path still has this tag.
async fn is_unchanged(api: &Api, user: &User, path: &str, tag: &str) -> bool {
    api.get(path).by(user).header("if-none-match", tag).send().await.status == 304
}

#[tokio::test]
async fn after_a_restore_no_tag_of_the_lost_time_is_good_and_those_of_unchanged_tasks_are() {
    let api = Api::new(dev::api).await;
    let mut ada = api.user("ada").await;
    let create = async |title| {
        let task = api.task(&ada, &json!({ "title": title })).await;
        format!("/tasks/{}", task["id"].as_str().unwrap())
    };
    let (unchanged, changed) = (&create("unchanged").await, &create("changed").await);
    let tag_of_unchanged = tag(&api, &ada, unchanged).await;
    let owner = api.sql().await;
    let backup = "CREATE TEMP TABLE backup AS SELECT t.id, t.title, t.revision, u.revision AS of_user \
                  FROM tasks t JOIN users u ON u.id = t.user_id";
    owner.batch_execute(backup).await.unwrap();

    let mut lost = Vec::new();
    for n in 0..3 {
        api.put(changed).by(&ada).json(&json!({ "title": format!("lost {n}") })).await;
        lost.push((tag(&api, &ada, "/tasks").await, tag(&api, &ada, changed).await));
    }

    let restore = "UPDATE tasks SET title = b.title, revision = b.revision FROM backup b WHERE b.id = tasks.id; \
                   UPDATE users SET revision = of_user FROM backup";
    owner.batch_execute(restore).await.unwrap();
    owner.batch_execute(sql("DELETE FROM sessions")).await.unwrap();
    assert_eq!(api.get("/tasks").by(&ada).send().await.status, 401);
    let credentials = json!({ "email": ada.email, "password": PASSWORD });
    ada = User::new(&api.post("/auth/login").json(&credentials).await);

    for n in 0..4 {
        for (tag_of_list, tag_of_task) in &lost {
            assert!(
                !is_unchanged(&api, &ada, "/tasks", tag_of_list).await,
                "{tag_of_list} after {n} changes"
            );
            assert!(!is_unchanged(&api, &ada, changed, tag_of_task).await, "{tag_of_task} after {n} changes");
            let change = json!({ "title": "from the lost time" });
            let answer = api.put(changed).by(&ada).header("if-match", tag_of_task).json(&change).await;
            assert_eq!(answer.code(), "changed_meanwhile");
        }
        assert!(is_unchanged(&api, &ada, unchanged, &tag_of_unchanged).await);
        let change = json!({ "title": format!("new {n}") });
        assert_eq!(api.put(changed).by(&ada).json(&change).await.status, 200);
    }
}

#[tokio::test]
async fn after_tasks_were_written_by_hand_no_tag_from_before_is_good() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "Buy milk" })).await;
    let paths = ["/tasks", &format!("/tasks/{}", task["id"].as_str().unwrap())];
    let mut tags = Vec::new();
    for path in paths {
        tags.push(tag(&api, &ada, path).await);
    }
    let owner = api.sql().await;
    owner.batch_execute("UPDATE tasks SET title = 'Buy oat milk'").await.unwrap();
    owner.batch_execute(sql("UPDATE tasks SET revision")).await.unwrap();
    for (path, tag) in paths.iter().zip(&tags) {
        assert!(!is_unchanged(&api, &ada, path, tag).await, "{path}");
    }
}
