//! Many clients of one function at once.

use std::time::Duration;

use serde_json::json;

use super::{World, api, count};
use kit::{Api, Outcome, PASSWORD};

const CLIENTS: usize = 200;

/// 200 clients create a task each at the same time, with a pool of this size and this network delay in each direction.
pub async fn clients(pool: usize, delay: Duration) -> Outcome {
    let world = World::new().await;
    let far = if delay.is_zero() { String::new() } else { format!(", {} ms away", 2 * delay.as_millis()) };
    let fault = format!("{CLIENTS} clients at once, pool of {pool}{far}");
    world.proxy.delay(delay);
    let before = world.proxy.statements();
    let api = api(world.proxy.url(), pool);
    let calls = (0..CLIENTS).map(async |number| {
        let mut outcome = Outcome::default();
        let task = json!({ "title": format!("of client {number}") });
        outcome.answer(api.post("/tasks").by(&world.ada).json(&task)).await;
        outcome
    });
    let outcomes = futures_util::future::join_all(calls).await;
    let mut outcome = outcomes.into_iter().fold(Outcome::new(fault), Outcome::and);
    outcome.resent = world.proxy.statements().saturating_sub(before + CLIENTS as u64);
    let sql = world.sql().await;
    for number in 0..CLIENTS {
        outcome.record_writes(count(&sql, &format!("tasks WHERE title = 'of client {number}'")).await);
    }
    outcome
}

/// 200 clients log in at the same time. Each login computes a hash.
pub async fn logins() -> Outcome {
    let database = kit::database().await;
    let limits =
        ["LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "LOGIN_LIMIT_PER_ADDRESS"].map(|limit| (limit, "1000"));
    let api = Api::on(dev::api, database, &[("BCRYPT_COST", "8"), limits[0], limits[1]]);
    let ada = api.user("ada").await;
    let credentials = json!({ "email": ada.email, "password": PASSWORD });
    let calls = (0..CLIENTS).map(async |_| {
        let mut outcome = Outcome::default();
        outcome.answer(api.post("/auth/login").json(&credentials)).await;
        outcome
    });
    let outcomes = futures_util::future::join_all(calls).await;
    outcomes.into_iter().fold(Outcome::new(format!("{CLIENTS} logins at once")), Outcome::and)
}
