//! Statements whose answer is lost, and connections that are cut while a statement runs.

use kit::{Cut, Outcome, PgBouncer, Proxy};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{World, close_connections, count, path, quoted, spawn, toggle, until, waiting};
use kit::{Answer, PASSWORD, User};

/// The connection that loses an answer: from the functions to PostgreSQL, or to PgBouncer.
#[derive(Clone, Copy)]
pub enum Way {
    Plain,
    PgBouncer,
}

/// A world that loses answers.
struct Losing {
    world: World,
    sql: Client,
    outcome: Outcome,
    /// The number of requests so far, which makes names unique.
    round: usize,
    _pgbouncer: Option<PgBouncer>,
}

impl Losing {
    async fn new(what: &str, way: Way) -> Self {
        let database = kit::database().await;
        let (pgbouncer, before) = match way {
            Way::Plain => (None, ""),
            Way::PgBouncer => (Some(PgBouncer::start(&database, 1, 100).await), ", before PgBouncer"),
        };
        let proxy = Proxy::start(pgbouncer.as_ref().map_or(&database, PgBouncer::url)).await;
        let world = World::through(proxy, &database).await;
        let sql = world.sql().await;
        let outcome = Outcome::new(format!("answer lost: {what}{before}"));
        Self { world, sql, outcome, round: 0, _pgbouncer: pgbouncer }
    }

    /// Sends the request once for each of its statements and each way to close a connection, and loses that statement's
    /// answer. `prepare` makes what the request needs, and `check` counts its effects in the database.
    async fn each<T>(
        mut self,
        statements: usize,
        prepare: impl AsyncFn(&Self) -> T,
        send: impl AsyncFn(&World, &T) -> Answer,
        check: impl AsyncFn(&Self, &T, &Answer) -> i64,
    ) -> Outcome {
        for how in [Cut::Fin, Cut::Rst] {
            for others in 0..statements {
                self.round += 1;
                let prepared = prepare(&self).await;
                // Opens the only connection.
                self.world.api.get("/tasks").by(&self.world.ada).send().await;
                let proxy = &self.world.proxy;
                let before = proxy.statements();
                proxy.lose_answer(others, how);
                let answer = self.outcome.answer(send(&self.world, &prepared)).await;
                let proxy = &self.world.proxy;
                assert!(
                    proxy.has_lost_answer(),
                    "{}: not sent {} statements",
                    self.outcome.fault,
                    others + 1
                );
                self.outcome.resent += (proxy.statements() - before).saturating_sub(statements as u64);
                let found = check(&self, &prepared, &answer).await;
                self.outcome.record_writes(found);
            }
        }
        self.outcome
    }

    async fn task(&self) -> Value {
        self.world.api.task(&self.world.ada, &json!({ "title": format!("task {}", self.round) })).await
    }

    async fn deleted_task(&self) -> Value {
        let task = self.task().await;
        self.world.api.delete(&path(&task)).by(&self.world.ada).send().await;
        task
    }

    async fn anothers_deleted_task(&self) -> Value {
        let grace = self.grace().await;
        let task = self.world.api.task(&grace, &json!({ "title": "theirs" })).await;
        self.world.api.delete(&path(&task)).by(&grace).send().await;
        task
    }

    /// Makes a user of this round.
    async fn grace(&self) -> User {
        self.world.api.user(&format!("grace{}", self.round)).await
    }

    async fn grace_on_two_devices(&self) -> [User; 2] {
        let first = self.grace().await;
        let body = json!({ "email": first.email, "password": PASSWORD });
        let second = User::new(&self.world.api.post("/auth/login").json(&body).await);
        [first, second]
    }

    async fn sessions_of(&self, user: &User) -> i64 {
        self.count(&format!("sessions WHERE user_id = '{}'", user.id)).await
    }

    async fn count(&self, table_and_condition: &str) -> i64 {
        count(&self.sql, table_and_condition).await
    }
}

pub async fn list(way: Way) -> Outcome {
    Losing::new("GET /tasks", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, _| world.api.get("/tasks?sort_by=created_at").by(&world.ada).send().await,
            async |losing, task, answer| {
                let tasks = answer.body.as_array().unwrap();
                assert_eq!(tasks.len(), losing.round);
                tasks.iter().filter(|listed| *listed == task).count() as i64
            },
        )
        .await
}

pub async fn create(way: Way) -> Outcome {
    Losing::new("POST /tasks", way)
        .await
        .each(
            1,
            async |losing| format!("new {}", losing.round),
            async |world, title| {
                world.api.post("/tasks").by(&world.ada).json(&json!({ "title": title })).await
            },
            async |losing, title, answer| {
                let id = quoted(&answer.body["id"]);
                assert_eq!(losing.count(&format!("tasks WHERE id = {id}")).await, 1);
                losing.count(&format!("tasks WHERE title = '{title}'")).await
            },
        )
        .await
}

pub async fn update(way: Way) -> Outcome {
    Losing::new("PUT /tasks/{id}", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| {
                world.api.put(&path(task)).by(&world.ada).json(&json!({ "title": "changed" })).await
            },
            async |losing, task, answer| {
                assert_eq!(answer.body["title"], "changed");
                losing.count(&format!("tasks WHERE id = {} AND title = 'changed'", quoted(&task["id"]))).await
            },
        )
        .await
}

pub async fn complete(way: Way) -> Outcome {
    Losing::new("PATCH /tasks/{id}/complete with a body", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| {
                toggle(&world.api, &world.ada, task).json(&json!({ "completed": true })).await
            },
            async |losing, task, answer| {
                assert_eq!(answer.body["completed"], true);
                losing.count(&format!("tasks WHERE id = {} AND completed", quoted(&task["id"]))).await
            },
        )
        .await
}

pub async fn delete(way: Way) -> Outcome {
    Losing::new("DELETE /tasks/{id}", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| world.api.delete(&path(task)).by(&world.ada).send().await,
            async |losing, task, _| {
                let id = quoted(&task["id"]);
                assert_eq!(losing.count(&format!("tasks WHERE id = {id}")).await, 0);
                losing.count(&format!("deleted_tasks WHERE id = {id}")).await
            },
        )
        .await
}

pub async fn create_with_key(way: Way) -> Outcome {
    Losing::new("POST /tasks with Idempotency-Key", way)
        .await
        .each(
            1,
            async |losing| losing.round.to_string(),
            async |world, key| {
                let call = world.api.post("/tasks").by(&world.ada).header("idempotency-key", key);
                call.json(&json!({ "title": key })).await
            },
            async |losing, key, answer| {
                let world = &losing.world;
                let call = world.api.post("/tasks").by(&world.ada).header("idempotency-key", key);
                let again = call.json(&json!({ "title": "another" })).await;
                assert_eq!((again.status, &again.body), (201, &answer.body));
                losing.count(&format!("tasks WHERE title = '{key}'")).await
            },
        )
        .await
}

pub async fn restore(way: Way) -> Outcome {
    Losing::new("POST /tasks/{id}/restore", way)
        .await
        .each(
            1,
            Losing::deleted_task,
            async |world, task| {
                world.api.post(&format!("{}/restore", path(task))).by(&world.ada).send().await
            },
            async |losing, task, answer| {
                assert_eq!(answer.body["title"], task["title"]);
                let id = quoted(&task["id"]);
                assert_eq!(losing.count(&format!("deleted_tasks WHERE id = {id}")).await, 0);
                losing.count(&format!("tasks WHERE id = {id}")).await
            },
        )
        .await
}

pub async fn list_deleted(way: Way) -> Outcome {
    Losing::new("GET /tasks/deleted", way)
        .await
        .each(
            1,
            Losing::deleted_task,
            async |world, _| world.api.get("/tasks/deleted").by(&world.ada).send().await,
            async |losing, task, answer| {
                let tasks = answer.body.as_array().unwrap();
                assert_eq!(tasks.len(), losing.round);
                tasks.iter().filter(|listed| listed["id"] == task["id"]).count() as i64
            },
        )
        .await
}

pub async fn clear(way: Way) -> Outcome {
    Losing::new("DELETE /tasks/deleted", way)
        .await
        .each(
            1,
            Losing::deleted_task,
            async |world, _| world.api.delete("/tasks/deleted").by(&world.ada).send().await,
            async |losing, task, _| {
                losing
                    .count(&format!("deleted_tasks WHERE id = {} AND title IS NULL", quoted(&task["id"])))
                    .await
            },
        )
        .await
}

/// A deletion of what another user deleted is not told as carried out, though its statement was sent again.
pub async fn delete_anothers(way: Way) -> Outcome {
    Losing::new("DELETE /tasks/{id} of what another user deleted", way)
        .await
        .each(
            1,
            Losing::anothers_deleted_task,
            async |world, task| world.api.delete(&path(task)).by(&world.ada).send().await,
            async |_, _, answer| i64::from(answer.code() == "task_not_found"),
        )
        .await
}

pub async fn restore_anothers(way: Way) -> Outcome {
    Losing::new("POST /tasks/{id}/restore of what another user deleted", way)
        .await
        .each(
            1,
            Losing::anothers_deleted_task,
            async |world, task| {
                world.api.post(&format!("{}/restore", path(task))).by(&world.ada).send().await
            },
            async |_, _, answer| i64::from(answer.code() == "task_not_found"),
        )
        .await
}

/// A change with If-Match, sent again, would be refused after it was carried out. It is answered 503.
pub async fn conditional_update(way: Way) -> Outcome {
    Losing::new("PUT /tasks/{id} with If-Match", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| {
                let call = world.api.put(&path(task)).by(&world.ada).header("if-match", &tag(task));
                call.json(&json!({ "title": "changed" })).await
            },
            async |losing, task, answer| {
                assert_eq!(answer.code(), "outcome_unknown");
                losing.count(&format!("tasks WHERE id = {} AND title = 'changed'", quoted(&task["id"]))).await
            },
        )
        .await
}

pub async fn conditional_complete(way: Way) -> Outcome {
    Losing::new("PATCH /tasks/{id}/complete with If-Match", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| {
                let call = toggle(&world.api, &world.ada, task).header("if-match", &tag(task));
                call.json(&json!({ "completed": true })).await
            },
            async |losing, task, answer| {
                assert_eq!(answer.code(), "outcome_unknown");
                losing.count(&format!("tasks WHERE id = {} AND completed", quoted(&task["id"]))).await
            },
        )
        .await
}

pub async fn conditional_delete(way: Way) -> Outcome {
    Losing::new("DELETE /tasks/{id} with If-Match", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| {
                world.api.delete(&path(task)).by(&world.ada).header("if-match", &tag(task)).send().await
            },
            async |losing, task, answer| {
                assert_eq!(answer.code(), "outcome_unknown");
                losing.count(&format!("deleted_tasks WHERE id = {}", quoted(&task["id"]))).await
            },
        )
        .await
}

fn tag(task: &Value) -> String {
    format!("\"{}\"", task["revision"])
}

/// A second toggle would undo the first. It is answered 503.
pub async fn toggled(way: Way) -> Outcome {
    Losing::new("PATCH /tasks/{id}/complete, a toggle", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| toggle(&world.api, &world.ada, task).send().await,
            // A second toggle would undo the first.
            async |losing, task, _| {
                losing.count(&format!("tasks WHERE id = {} AND completed", quoted(&task["id"]))).await
            },
        )
        .await
}

pub async fn read(way: Way) -> Outcome {
    Losing::new("GET /tasks/{id}", way)
        .await
        .each(
            1,
            Losing::task,
            async |world, task| world.api.get(&path(task)).by(&world.ada).send().await,
            async |_, task, answer| i64::from(answer.body == *task),
        )
        .await
}

pub async fn signup(way: Way) -> Outcome {
    Losing::new("POST /auth/signup", way)
        .await
        .each(
            2,
            async |losing| format!("grace{}@example.com", losing.round),
            async |world, email| {
                let body = json!({ "email": email, "password": PASSWORD });
                world.api.post("/auth/signup").json(&body).await
            },
            async |losing, email, answer| {
                let api = &losing.world.api;
                let token = answer.body["access_token"].as_str().unwrap();
                assert_eq!(api.get("/auth/me").token(token).send().await.status, 200);
                losing.count(&format!("users WHERE email = '{email}'")).await
            },
        )
        .await
}

pub async fn signup_taken(way: Way) -> Outcome {
    Losing::new("POST /auth/signup with an e-mail that somebody has", way)
        .await
        .each(
            2,
            Losing::grace,
            async |world, grace| {
                let body = json!({ "email": grace.email, "password": "another good password" });
                world.api.post("/auth/signup").json(&body).await
            },
            async |losing, grace, answer| {
                assert_eq!((answer.status, answer.code()), (409, "email_taken"));
                let login = json!({ "email": grace.email, "password": PASSWORD });
                assert_eq!(losing.world.api.post("/auth/login").json(&login).await.status, 200);
                losing.count(&format!("users WHERE email = '{}' AND id = '{}'", grace.email, grace.id)).await
            },
        )
        .await
}

pub async fn login(way: Way) -> Outcome {
    Losing::new("POST /auth/login", way)
        .await
        .each(
            2,
            Losing::grace,
            async |world, grace| {
                let body = json!({ "email": grace.email, "password": PASSWORD });
                world.api.post("/auth/login").json(&body).await
            },
            async |losing, grace, answer| {
                let signed_in = User::new(answer);
                assert_eq!(losing.world.api.get("/auth/me").by(&signed_in).send().await.status, 200);
                // One more than sign-up started.
                losing.sessions_of(grace).await - 1
            },
        )
        .await
}

pub async fn refresh(way: Way) -> Outcome {
    Losing::new("POST /auth/refresh", way)
        .await
        .each(
            1,
            Losing::grace,
            async |world, grace| {
                let body = json!({ "refresh_token": grace.refresh_token });
                world.api.post("/auth/refresh").json(&body).await
            },
            async |losing, grace, answer| {
                let body = json!({ "refresh_token": User::new(answer).refresh_token });
                let next = losing.world.api.post("/auth/refresh").json(&body).await;
                assert_eq!(next.status, 200, "{next:?}");
                // The one that was lost, and this one.
                losing.count(&format!("sessions WHERE id = '{}' AND counter = 2", grace.session)).await
            },
        )
        .await
}

pub async fn log_out(way: Way) -> Outcome {
    Losing::new("POST /auth/logout", way)
        .await
        .each(
            1,
            Losing::grace,
            async |world, grace| world.api.post("/auth/logout").by(grace).send().await,
            async |losing, grace, _| 1 - losing.sessions_of(grace).await,
        )
        .await
}

pub async fn end_session(way: Way) -> Outcome {
    Losing::new("DELETE /auth/sessions/{id}, the caller's own", way)
        .await
        .each(
            1,
            Losing::grace,
            async |world, grace| {
                world.api.delete(&format!("/auth/sessions/{}", grace.session)).by(grace).send().await
            },
            async |losing, grace, _| 1 - losing.sessions_of(grace).await,
        )
        .await
}

pub async fn end_another_session(way: Way) -> Outcome {
    Losing::new("DELETE /auth/sessions/{id}, another one", way)
        .await
        .each(
            1,
            Losing::grace_on_two_devices,
            async |world, [first, second]| {
                world.api.delete(&format!("/auth/sessions/{}", first.session)).by(second).send().await
            },
            async |losing, [_, second], _| 2 - losing.sessions_of(second).await,
        )
        .await
}

pub async fn end_other_sessions(way: Way) -> Outcome {
    Losing::new("DELETE /auth/sessions", way)
        .await
        .each(
            1,
            Losing::grace_on_two_devices,
            async |world, [_, second]| world.api.delete("/auth/sessions").by(second).send().await,
            async |losing, [_, second], _| 2 - losing.sessions_of(second).await,
        )
        .await
}

pub async fn change_password(way: Way) -> Outcome {
    Losing::new("POST /auth/password", way)
        .await
        .each(
            2,
            Losing::grace_on_two_devices,
            async |world, [_, second]| {
                let body = json!({ "current_password": PASSWORD, "new_password": "another good password" });
                world.api.post("/auth/password").by(second).json(&body).await
            },
            async |losing, [_, second], answer| {
                let api = &losing.world.api;
                assert_eq!(api.get("/auth/me").by(&User::new(answer)).send().await.status, 200);
                let login = json!({ "email": second.email, "password": PASSWORD });
                assert_eq!(api.post("/auth/login").json(&login).await.status, 401);
                // The new one, in the place of both.
                losing.sessions_of(second).await
            },
        )
        .await
}

pub async fn delete_account(way: Way) -> Outcome {
    Losing::new("POST /auth/me/delete", way)
        .await
        .each(
            2,
            Losing::grace,
            async |world, grace| {
                world.api.post("/auth/me/delete").by(grace).json(&json!({ "password": PASSWORD })).await
            },
            async |losing, grace, _| 1 - losing.count(&format!("users WHERE id = '{}'", grace.id)).await,
        )
        .await
}

/// Refreshes this number of times and loses answers at random: those of the database, and those of the API, for which the
/// client asks again with the same token.
pub async fn refreshes(number: usize) -> Outcome {
    let world = World::new().await;
    let mut outcome = Outcome::new(format!("answers lost at random in a chain of {number} refreshes"));
    let before = world.proxy.statements();
    let mut token = world.ada.refresh_token.clone();
    for _ in 0..number {
        let body = json!({ "refresh_token": token });
        let refresh = async |outcome: &mut Outcome| {
            if fastrand::u8(..5) == 0 {
                world.proxy.lose_answer(0, if fastrand::bool() { Cut::Fin } else { Cut::Rst });
            }
            let answer = outcome.answer(world.api.post("/auth/refresh").json(&body)).await;
            User::new(&answer).refresh_token
        };
        let next = refresh(&mut outcome).await;
        while fastrand::u8(..4) == 0 {
            assert_eq!(refresh(&mut outcome).await, next);
        }
        token = next;
    }
    outcome.resent = world.proxy.statements().saturating_sub(before + outcome.requests as u64);
    let advanced = format!("sessions WHERE id = '{}' AND counter = {number}", world.ada.session);
    outcome.record_writes(count(&world.sql().await, &advanced).await);
    outcome
}

pub async fn rename(way: Way) -> Outcome {
    Losing::new("PATCH /auth/me", way)
        .await
        .each(
            1,
            Losing::grace,
            async |world, grace| {
                world.api.patch("/auth/me").by(grace).json(&json!({ "username": "Grace" })).await
            },
            async |losing, grace, answer| {
                assert_eq!(answer.body["username"], "Grace");
                let renamed =
                    losing.count(&format!("users WHERE id = '{}' AND username = 'Grace'", grace.id)).await;
                // For the next round.
                losing.sql.batch_execute("UPDATE users SET username = NULL").await.unwrap();
                renamed
            },
        )
        .await
}

/// The answer is lost and no new connection can be made, so it is unknown whether the statement ran.
pub async fn for_good() -> Outcome {
    let world = World::new().await;
    let sql = world.sql().await;
    let mut outcome = Outcome::new("answer lost, and then no connection for 17 s");
    for (is_read, code) in [(true, "database_unavailable"), (false, "outcome_unknown")] {
        world.api.get("/tasks").by(&world.ada).send().await;
        world.proxy.refuse().await;
        world.proxy.lose_answer(0, Cut::Fin);
        let answer = match is_read {
            true => outcome.answer(world.api.get("/tasks").by(&world.ada).send()).await,
            false => {
                let task = json!({ "title": "created without an answer" });
                outcome.answer(world.api.post("/tasks").by(&world.ada).json(&task)).await
            }
        };
        assert_eq!((answer.status, answer.code()), (503, code));
        world.proxy.restore();
    }
    assert_eq!(count(&sql, "tasks").await, 1);
    outcome
}

/// The old session continues without its client, and the new one waits for its lock.
pub async fn cut_while_inserting() -> Outcome {
    let world = World::new().await;
    let sql = world.sql().await;
    let mut outcome = Outcome::new("connection cut while an INSERT runs");
    for (how, title) in [(Cut::Fin, "first"), (Cut::Rst, "second")] {
        world.api.get("/tasks").by(&world.ada).send().await;
        let before = world.proxy.statements();
        sql.batch_execute("BEGIN; LOCK TABLE tasks IN EXCLUSIVE MODE").await.unwrap();
        let request = world.api.post("/tasks").by(&world.ada);
        let request = spawn(async move { request.json(&json!({ "title": title })).await });
        let observer = world.sql().await;
        waiting(&observer, 1).await;
        world.proxy.cut(how);
        waiting(&observer, 2).await;
        sql.batch_execute("COMMIT").await.unwrap();
        let (answer, took) = request.await.unwrap();
        outcome.record(answer.status, took);
        waiting(&observer, 0).await;
        outcome.record_writes(count(&observer, &format!("tasks WHERE title = '{title}'")).await);
        outcome.resent += world.proxy.statements().saturating_sub(before + 1);
    }
    outcome
}

/// The server has closed the connection, as a function finds it after a freeze or a long idle time.
pub async fn closed_while_idle() -> Outcome {
    let world = World::new().await;
    let sql = world.sql().await;
    let before = world.proxy.statements();
    let mut outcome = Outcome::new("57P01, idle connections closed by the server");
    for _ in 0..50 {
        close_connections(&sql).await;
        until(async || world.proxy.open_connections() == 0).await;
        let answer = outcome.answer(world.api.get("/tasks").by(&world.ada).send()).await;
        outcome.record_writes(i64::from(answer.body == json!([])));
    }
    outcome.resent = world.proxy.statements().saturating_sub(before + 50);
    outcome
}
