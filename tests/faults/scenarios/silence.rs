//! A network that drops all packets.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, count, spawn};
use kit::Outcome;

/// A request on an open connection and one that needs a new one are both answered 503. When the network works again,
/// the next four requests succeed at once on new connections.
pub async fn black_hole() -> Outcome {
    let world = World::new().await;
    let before = world.proxy.statements();
    let connections = world.proxy.connections();
    world.proxy.black_hole();
    let mut outcome = Outcome::new("black hole, on an open connection and on a new one");
    let list = spawn(world.api.get("/tasks").by(&world.ada).send());
    let create = world.api.post("/tasks").by(&world.ada);
    let create = spawn(async move { create.json(&json!({ "title": "into the hole" })).await });
    for request in [list, create] {
        let (answer, took) = request.await.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
        outcome.record(answer.status, took);
    }
    assert!(world.proxy.connections() > connections, "the second request needed no connection");

    world.proxy.restore();
    let connections = world.proxy.connections();
    let healed = Instant::now();
    for number in 0..4 {
        let task = json!({ "title": format!("after {number}") });
        let answer = outcome.answer(world.api.post("/tasks").by(&world.ada).json(&task)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let sql = world.sql().await;
        outcome.record_writes(count(&sql, &format!("tasks WHERE title = 'after {number}'")).await);
    }
    assert!(
        healed.elapsed() < Duration::from_secs(5),
        "the functions took {:?} to recover",
        healed.elapsed()
    );
    assert!(world.proxy.connections() > connections, "a connection from before was used again");
    outcome.resent = world.proxy.statements().saturating_sub(before + 5);
    outcome
}
