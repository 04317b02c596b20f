//! A server that has too many connections, is too slow, or has conflicting sessions.

use std::time::Duration;

use kit::{Outcome, PgBouncer, Proxy};
use serde_json::json;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::{World, api, count, path, spawn, sql, until, waiting};
use kit::{Api, User};

/// Creates a role with these attributes and returns its URL. PostgreSQL exempts superusers from limits.
async fn role(database: &str, attributes: &str) -> String {
    let (place, name) = database.rsplit_once('/').unwrap();
    let role = format!("role_of_{name}");
    sql(database)
        .await
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'a password of the tests' {attributes}; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await
        .unwrap();
    let (_, server) = place.split_once('@').unwrap();
    format!("postgresql://{role}:a%20password%20of%20the%20tests@{server}/{name}")
}

pub async fn too_many_connections() -> Outcome {
    let database = kit::database().await;
    let url = role(&database, "CONNECTION LIMIT 1").await;
    full("53300, too many connections", &database, &url, "53300").await
}

pub async fn pooler_full() -> Outcome {
    let database = kit::database().await;
    let pgbouncer = PgBouncer::start(&database, 1, 1).await;
    full("PgBouncer has no place for another client", &database, pgbouncer.url(), "").await
}

/// Another client holds the only connection: 503. When it is free again, the functions get it.
async fn full(fault: &str, database: &str, url: &str, state: &str) -> Outcome {
    // Signs up through another URL.
    let world = World::on(database).await;
    let proxy = Proxy::start(url).await;
    let occupant = sql(url).await;
    let error = tokio_postgres::connect(url, tokio_postgres::NoTls).await.err().unwrap();
    assert!(error.code().is_some_and(|code| code.code().contains(state)), "{error:?}");

    let api = api(proxy.url(), 4);
    let mut outcome = Outcome::new(fault);
    outcome.answer(api.get("/tasks").by(&world.ada).send()).await;
    assert_eq!(proxy.connections(), 2, "{fault}: one retry is expected");
    assert_eq!(proxy.statements(), 0);
    assert_eq!(outcome.unavailable, 1, "{outcome:?}");

    drop(occupant);
    until(async || tokio_postgres::connect(url, tokio_postgres::NoTls).await.is_ok()).await;
    // Lets the server close the connection that was just opened.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(outcome.answer(api.get("/tasks").by(&world.ada).send()).await.status, 200);
    outcome
}

/// A table is locked, and statements have a timeout as in docs/operations.md.
pub async fn statement_timeout() -> Outcome {
    let database = kit::database().await;
    sql(&database)
        .await
        .batch_execute(&format!("ALTER DATABASE {} SET statement_timeout = '300ms'", name(&database)))
        .await
        .unwrap();
    let world = World::on(&database).await;
    let sql = world.sql().await;
    sql.batch_execute("SET statement_timeout = 0; BEGIN; LOCK TABLE tasks").await.unwrap();
    let before = world.proxy.statements();
    let mut outcome = Outcome::new("57014, the role's statement_timeout");
    outcome.answer(world.api.get("/tasks").by(&world.ada).send()).await;
    outcome.answer(world.api.post("/tasks").by(&world.ada).json(&json!({ "title": "late" }))).await;
    outcome.resent = world.proxy.statements().saturating_sub(before + 2);
    sql.batch_execute("COMMIT").await.unwrap();
    assert_eq!(count(&sql, "tasks").await, 0);
    assert_eq!(world.api.get("/tasks").by(&world.ada).send().await.status, 200);
    outcome
}

/// Two sessions wait for tables that the other has locked (a change locks `sessions` before `tasks`), and PostgreSQL cancels the functions' statement.
pub async fn deadlock() -> Outcome {
    collision("40P01, a deadlock", "", async |other, task, request| {
        let watching = "SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE tasks";
        other.batch_execute(watching).await.unwrap();
        request();
        waiting(task, 1).await;
        other.batch_execute("LOCK TABLE sessions; COMMIT").await.unwrap();
    })
    .await
}

/// Another session changes the same task, and the isolation level is repeatable read.
pub async fn serialization_failure() -> Outcome {
    collision(
        "40001, a serialization failure",
        "default_transaction_isolation = 'repeatable read'",
        async |other, observer, request| {
            other.batch_execute("BEGIN; UPDATE tasks SET description = 'changed'").await.unwrap();
            request();
            waiting(observer, 1).await;
            other.batch_execute("COMMIT").await.unwrap();
        },
    )
    .await
}

async fn collision(
    fault: &str,
    setting: &str,
    collide: impl AsyncFnOnce(&Client, &Client, &mut dyn FnMut()),
) -> Outcome {
    let database = kit::database().await;
    if !setting.is_empty() {
        let alter = format!("ALTER DATABASE {} SET {setting}", name(&database));
        sql(&database).await.batch_execute(&alter).await.unwrap();
    }
    let world = World::on(&database).await;
    let task = world.api.task(&world.ada, &json!({ "title": "before" })).await;
    let before = world.proxy.statements();
    let (other, observer) = (world.sql().await, world.sql().await);
    let mut request = None;
    let mut send = || {
        let call = world.api.put(&path(&task)).by(&world.ada);
        request = Some(spawn(async move { call.json(&json!({ "title": "after" })).await }));
    };
    collide(&other, &observer, &mut send).await;
    let (answer, took) = request.unwrap().await.unwrap();
    let mut outcome = Outcome::new(fault);
    outcome.record(answer.status, took);
    outcome.record_writes(count(&observer, "tasks WHERE title = 'after'").await);
    outcome.resent = world.proxy.statements().saturating_sub(before + 1);
    outcome
}

/// The user is deleted while the statement that has read them runs.
pub async fn user_deleted_meanwhile() -> Outcome {
    let world = World::new().await;
    let (other, observer) = (world.sql().await, world.sql().await);
    let before = world.proxy.statements();
    other.batch_execute("BEGIN; DELETE FROM users").await.unwrap();
    let call = world.api.post("/tasks").by(&world.ada);
    let request = spawn(async move { call.json(&json!({ "title": "orphan" })).await });
    waiting(&observer, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    let (answer, took) = request.await.unwrap();
    assert_eq!((answer.status, answer.code()), (401, "invalid_token"));
    let mut outcome = Outcome::new("23503, the user is deleted meanwhile");
    outcome.record(answer.status, took);
    outcome.resent = world.proxy.statements().saturating_sub(before + 1);
    assert_eq!(count(&observer, "tasks").await, 0);
    outcome
}

/// Two sign-ups with one e-mail at the same time.
pub async fn email_taken_meanwhile() -> Outcome {
    let world = World::new().await;
    let (other, observer) = (world.sql().await, world.sql().await);
    let before = world.proxy.statements();
    let insert = "INSERT INTO users (id, email, hashed_password) \
                  VALUES ('019bc000-0000-7000-8000-00000000000f', 'grace@example.com', '')";
    other.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    let body = json!({ "email": "grace@example.com", "password": kit::PASSWORD });
    let call = world.api.post("/auth/signup");
    let request = spawn(async move { call.json(&body).await });
    waiting(&observer, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    let (answer, took) = request.await.unwrap();
    assert_eq!((answer.status, answer.code()), (409, "email_taken"));
    let mut outcome = Outcome::new("23505, the e-mail is taken meanwhile");
    outcome.record(answer.status, took);
    outcome.resent = (world.proxy.statements() - before).saturating_sub(2);
    assert_eq!(count(&observer, "users WHERE email = 'grace@example.com'").await, 1);
    outcome
}

/// Returns the number of round trips of each kind of request on an open connection without faults.
pub async fn round_trips(way: impl AsyncFnOnce(&str) -> Proxy) -> Vec<(&'static str, u64)> {
    let database = kit::database().await;
    let world = World::through(way(&database).await, &database).await;
    let World { api, ada, proxy, .. } = &world;
    let task = api.task(ada, &json!({ "title": "x" })).await;
    let credentials = |email: &str| json!({ "email": email, "password": kit::PASSWORD });
    let mut turns = proxy.round_trips();
    let mut trips = Vec::new();
    let mut note = |what, status, expected| {
        assert_eq!(status, expected, "{what}");
        trips.push((what, proxy.round_trips() - turns));
        turns = proxy.round_trips();
    };
    let api: &Api = api;
    note("GET /tasks", api.get("/tasks").by(ada).send().await.status, 200);
    note("POST /tasks", api.post("/tasks").by(ada).json(&json!({ "title": "y" })).await.status, 201);
    note("GET /tasks/{id}", api.get(&path(&task)).by(ada).send().await.status, 200);
    note("PUT /tasks/{id}", api.put(&path(&task)).by(ada).json(&json!({ "title": "z" })).await.status, 200);
    note("PATCH /tasks/{id}/complete", super::toggle(api, ada, &task).send().await.status, 200);
    let keyed =
        || api.post("/tasks").by(ada).header("idempotency-key", "k").with_json(&json!({ "title": "k" }));
    note("POST /tasks with a key", keyed().send().await.status, 201);
    note("POST /tasks with a key, again", keyed().send().await.status, 201);
    let not_modified = api.get("/tasks").by(ada).header("if-none-match", "*").send().await;
    note("GET /tasks with If-None-Match", not_modified.status, 304);
    let conditional = || api.put(&path(&task)).by(ada).with_json(&json!({ "title": "z" }));
    let tag = conditional().send().await.header("etag").to_owned();
    note("PUT /tasks/{id} again", 200, 200);
    note("PUT /tasks/{id} with If-Match", conditional().header("if-match", &tag).send().await.status, 200);
    note(
        "PUT /tasks/{id} with If-Match, again",
        conditional().header("if-match", &tag).send().await.status,
        412,
    );
    note("DELETE /tasks/{id}", api.delete(&path(&task)).by(ada).send().await.status, 200);
    note("DELETE /tasks/{id}, again", api.delete(&path(&task)).by(ada).send().await.status, 404);
    note("GET /tasks/deleted", api.get("/tasks/deleted").by(ada).send().await.status, 200);
    let restore = || api.post(&format!("{}/restore", path(&task))).by(ada);
    note("POST /tasks/{id}/restore", restore().send().await.status, 200);
    note("POST /tasks/{id}/restore, again", restore().send().await.status, 404);
    note("DELETE /tasks/deleted", api.delete("/tasks/deleted").by(ada).send().await.status, 204);
    note("GET /auth/me", api.get("/auth/me").by(ada).send().await.status, 200);
    note("PATCH /auth/me", api.patch("/auth/me").by(ada).json(&json!({ "username": "a" })).await.status, 200);
    let refresh = json!({ "refresh_token": ada.refresh_token });
    note("POST /auth/refresh", api.post("/auth/refresh").json(&refresh).await.status, 200);
    note("GET /auth/sessions", api.get("/auth/sessions").by(ada).send().await.status, 200);
    note("DELETE /auth/sessions", api.delete("/auth/sessions").by(ada).send().await.status, 204);
    note("POST /auth/login", api.post("/auth/login").json(&credentials(&ada.email)).await.status, 200);
    note("POST /auth/logout", api.post("/auth/logout").by(ada).send().await.status, 204);
    let signup = api.post("/auth/signup").json(&credentials("b@example.com")).await;
    note("POST /auth/signup", signup.status, 201);
    let b = User::new(&signup);
    let session = format!("/auth/sessions/{}", b.session);
    let change = json!({ "current_password": kit::PASSWORD, "new_password": "another good password" });
    let changed = api.post("/auth/password").by(&b).json(&change).await;
    note("POST /auth/password", changed.status, 200);
    let b = User::new(&changed);
    note("DELETE /auth/sessions/{id}", api.delete(&session).by(&b).send().await.status, 404);
    let deletion = json!({ "password": "another good password" });
    note("POST /auth/me/delete", api.post("/auth/me/delete").by(&b).json(&deletion).await.status, 204);
    note("GET /health", api.get("/health").send().await.status, 200);
    let forged = json!({ "refresh_token": ada.token });
    note("POST /auth/refresh, forged", api.post("/auth/refresh").json(&forged).await.status, 401);
    note("GET /tasks without a token", api.get("/tasks").send().await.status, 401);
    trips
}

fn name(database: &str) -> &str {
    database.rsplit('/').next().unwrap()
}
