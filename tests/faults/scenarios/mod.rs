//! Real faults of the database and of the network, with measured results. The tests in `main.rs` assert the results,
//! and `cargo run -p tests --example faults` prints them.
//!
//! Requests go to all functions' routes in this process, or to the real binary (`kit::faults`, which that function's
//! own tests use). A proxy is between them and the database.

pub mod addresses;
pub mod crowd;
pub mod cuts;
pub mod lost;
pub mod pressure;
pub mod silence;
pub mod stopped;
pub mod waking;

use std::time::{Duration, Instant};

use kit::{Outcome, Proxy};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};
use tokio_postgres::{Client, NoTls};

use kit::{Answer, Api, Call, User};

/// An API that reaches the scenario's own database through a proxy, and a user.
pub struct World {
    /// The URL of the database without the proxy.
    pub database: String,
    pub proxy: Proxy,
    pub api: Api,
    pub ada: User,
}

impl World {
    pub async fn new() -> Self {
        Self::on(&kit::database().await).await
    }

    pub async fn on(database: &str) -> Self {
        Self::through(Proxy::start(database).await, database).await
    }

    /// Makes a world with a proxy that may be elsewhere than directly in front of the database.
    pub async fn through(proxy: Proxy, database: &str) -> Self {
        let api = api(proxy.url(), 4);
        let ada = api.user("ada").await;
        Self { database: database.to_owned(), proxy, api, ada }
    }

    /// Returns the same functions without a connection, as after their start.
    pub fn cold(&self) -> Api {
        api(self.proxy.url(), 4)
    }

    pub async fn sql(&self) -> Client {
        sql(&self.database).await
    }

    /// Sends requests at once, of which every third lists tasks and the others create one, and counts the results.
    pub async fn crowd(&self, api: &Api, requests: usize, outcome: &mut Outcome) {
        let sql = self.sql().await;
        let calls = (0..requests).map(async |number| {
            let mut outcome = Outcome::default();
            if number % 3 == 2 {
                outcome.answer(api.get("/tasks").by(&self.ada).send()).await;
                return outcome;
            }
            let title = format!("task {number} of {requests}");
            let answer =
                outcome.answer(api.post("/tasks").by(&self.ada).json(&json!({ "title": title }))).await;
            if answer.status == 201 {
                outcome.record_writes(count(&sql, &format!("tasks WHERE title = '{title}'")).await);
            }
            outcome
        });
        for one in futures_util::future::join_all(calls).await {
            *outcome = std::mem::take(outcome).and(one);
        }
    }
}

/// Returns the functions' routes with a pool of this size, and without rate limits on logins and sign-ups.
pub fn api(url: &str, pool: usize) -> Api {
    Api::on(
        dev::api,
        url.to_owned(),
        &[
            ("DATABASE_MAX_CONNECTIONS", &pool.to_string()),
            ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "0"),
            ("LOGIN_LIMIT_PER_ADDRESS", "0"),
            ("SIGNUP_LIMIT_PER_ADDRESS", "0"),
        ],
    )
}

pub async fn sql(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub async fn count(client: &Client, table_and_condition: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table_and_condition}");
    client.query_one(&count, &[]).await.unwrap().get(0)
}

/// Sends a request in the background.
pub fn spawn(call: impl Future<Output = Answer> + Send + 'static) -> JoinHandle<(Answer, Duration)> {
    tokio::spawn(async move {
        let started = Instant::now();
        let answer = call.await;
        (answer, started.elapsed())
    })
}

/// Waits until the condition is true.
///
/// # Panics
/// It is not true within 30 s.
#[track_caller]
pub fn until(mut condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        while !condition().await {
            assert!(started.elapsed() < Duration::from_secs(30), "waited in vain at {caller}");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Waits until this number of sessions of the client's database wait for a lock.
pub async fn waiting(client: &Client, sessions: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until(async || client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == sessions).await;
}

/// Closes all other connections of the database, and waits until they are gone.
pub async fn close_connections(client: &Client) {
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.batch_execute(&format!("SELECT pg_terminate_backend(pid) {others}")).await.unwrap();
    until(async || client.query(&format!("SELECT {others}"), &[]).await.unwrap().is_empty()).await;
}

pub fn path(task: &Value) -> String {
    format!("/tasks/{}", task["id"].as_str().unwrap())
}

/// Returns the text as an SQL literal.
pub fn quoted(text: &Value) -> String {
    format!("'{}'", text.as_str().unwrap().replace('\'', "''"))
}

/// Makes the request that toggles a task.
pub fn toggle(api: &Api, user: &User, task: &Value) -> Call {
    api.patch(&format!("{}/complete", path(task))).by(user)
}
