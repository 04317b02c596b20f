//! Tests the statements that a connection prepares, where `DATABASE_PREPARED_STATEMENTS` is on.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use kit::{Api, PgBouncer, Proxy};
use serde_json::json;
use shared::{Config, Db};
use tokio_postgres::types::Type;

use crate::scenarios::sql;

const ON: (&str, &str) = ("DATABASE_PREPARED_STATEMENTS", "on");

/// Returns a pool of one connection.
fn db(url: &str, prepared_statements: &str) -> Db {
    let variables = [("DATABASE_URL", url), ("DATABASE_PREPARED_STATEMENTS", prepared_statements)];
    Db::new(&Config::from_iter(variables)).unwrap()
}

/// Runs the statement that adds 1 to `number`. Each `name` is a statement of its own.
async fn add_1(db: &Db, name: usize, number: i32) -> i32 {
    let statement = format!("SELECT $1 + 1 AS statement_{name}");
    db.query_opt(&statement, &[(&number, Type::INT4)]).await.unwrap().unwrap().get(0)
}

/// Returns the names of the prepared statements of [`add_1`], and how often they were executed by their names.
async fn prepared(db: &Db) -> (BTreeSet<usize>, i64) {
    let row = db
        .query_opt(
            "SELECT coalesce(array_agg(substring(statement FROM 'statement_([0-9]+)')), '{}'),
                    coalesce(sum(generic_plans + custom_plans), 0)::int8
             FROM pg_prepared_statements WHERE statement LIKE '%AS statement%' AND statement NOT LIKE '%LIKE%'",
            &[],
        )
        .await
        .unwrap()
        .unwrap();
    (row.get::<_, Vec<&str>>(0).into_iter().map(|name| name.parse().unwrap()).collect(), row.get(1))
}

#[tokio::test]
async fn a_statement_is_prepared_at_its_second_use_and_executed_by_its_name_from_the_third_on() {
    let db = db(&kit::database().await, "on");
    for (uses, names, by_name) in [(1, 0, 0), (2, 1, 0), (3, 1, 1), (4, 1, 2)] {
        assert_eq!(add_1(&db, 7, uses).await, uses + 1);
        let (prepared, executed) = prepared(&db).await;
        assert_eq!((prepared.len(), executed), (names, by_name), "after {uses} uses");
    }
}

#[tokio::test]
async fn nothing_is_prepared_unless_it_is_said() {
    for variable in ["", "off"] {
        let db = db(&kit::database().await, variable);
        for number in 0..4 {
            add_1(&db, 7, number).await;
        }
        assert_eq!(prepared(&db).await, (BTreeSet::new(), 0));
    }
}

#[tokio::test]
async fn a_connection_keeps_64_statements_and_forgets_the_oldest() {
    let db = db(&kit::database().await, "on");
    for name in 0..70 {
        for number in 0..3 {
            assert_eq!(add_1(&db, name, number).await, number + 1);
        }
    }
    // The statement that asks is one of the 64.
    assert_eq!(prepared(&db).await.0, (7..70).collect());
    assert_eq!(add_1(&db, 0, 1).await, 2);
}

#[tokio::test]
async fn no_use_of_a_statement_takes_more_than_one_round_trip() {
    let proxy = Proxy::start(&kit::database().await).await;
    let db = db(proxy.url(), "on");
    add_1(&db, 0, 0).await;
    let before = proxy.round_trips();
    for name in 1..=70 {
        for number in 0..4 {
            add_1(&db, name, number).await;
        }
    }
    assert_eq!(proxy.round_trips() - before, 280);
}

/// The server forgets all of them, as a pooler's other server would not know them.
#[tokio::test]
async fn a_statement_that_the_server_does_not_know_is_sent_again_unnamed_and_so_are_all_others() {
    let db = db(&kit::database().await, "on");
    for number in 0..3 {
        add_1(&db, 1, number).await;
        add_1(&db, 2, number).await;
    }
    db.query_opt("DEALLOCATE ALL", &[]).await.unwrap();
    for number in 0..4 {
        assert_eq!(add_1(&db, 1, number).await, number + 1);
        assert_eq!(add_1(&db, 2, number).await, number + 1);
        assert_eq!(add_1(&db, 3, number).await, number + 1);
    }
    assert_eq!(prepared(&db).await, (BTreeSet::new(), 0));
}

/// Another client has used the names, as behind a pooler that passes them on.
#[tokio::test]
async fn a_name_that_is_taken_does_not_fail_a_statement_and_all_are_sent_unnamed() {
    let db = db(&kit::database().await, "on");
    let take =
        "DO $$ BEGIN FOR n IN 0..9999 LOOP EXECUTE format('PREPARE s%s AS SELECT', n); END LOOP; END $$";
    db.query_opt(take, &[]).await.unwrap();
    for number in 0..4 {
        assert_eq!(add_1(&db, 1, number).await, number + 1);
    }
    db.query_opt("DEALLOCATE ALL", &[]).await.unwrap();
    for number in 0..4 {
        assert_eq!(add_1(&db, 1, number).await, number + 1);
    }
    assert_eq!(prepared(&db).await, (BTreeSet::new(), 0));
}

/// A migration that changes the type of a column makes prepared statements refuse to run: "cached plan must not change result
/// type".
async fn tables_are_altered_under_load(database: &str, url: &str) {
    let api = Api::on(dev::api, url.to_owned(), &[ON]);
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "x" })).await;
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    let is_over = AtomicBool::new(false);
    let altering = async {
        let sql = sql(database).await;
        for length in 100..130 {
            let alter = format!("ALTER TABLE tasks ALTER COLUMN due_kind TYPE varchar({length})");
            sql.batch_execute(&alter).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let load = (0..4).map(async |number| {
        let mut requests = 0;
        while !is_over.load(Ordering::Relaxed) {
            let title = json!({ "title": format!("{number} {requests}") });
            for answer in [
                api.get("/tasks?limit=5").by(&ada).send().await,
                api.get(&path).by(&ada).send().await,
                api.put(&path).by(&ada).json(&title).await,
                api.post("/tasks").by(&ada).json(&title).await,
            ] {
                assert!(matches!(answer.status, 200 | 201), "{answer:?}");
                requests += 1;
            }
        }
        requests
    });
    let (requests, ()) = tokio::join!(futures_util::future::join_all(load), altering);
    let requests: i32 = requests.iter().sum();
    assert!(requests > 100, "{requests}");
}

#[tokio::test]
async fn no_request_fails_while_a_table_is_altered() {
    let database = kit::database().await;
    tables_are_altered_under_load(&database, &database).await;
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn no_request_fails_behind_pgbouncer_while_a_table_is_altered() {
    if PgBouncer::keeps_prepared_statements() {
        let database = kit::database().await;
        let pgbouncer = PgBouncer::start(&database, 2, 100).await;
        tables_are_altered_under_load(&database, pgbouncer.url()).await;
    }
}

/// A prepared statement that is out of date costs one more statement once, and is prepared anew.
async fn a_statement_is_prepared_anew(database: &str, url: &str) {
    let proxy = Proxy::start(url).await;
    let (db, sql) = (db(proxy.url(), "on"), sql(database).await);
    let read = async || {
        db.query_opt("SELECT due_kind FROM tasks", &[]).await.unwrap();
    };
    for _ in 0..3 {
        read().await;
    }
    for length in [100, 101] {
        sql.batch_execute(&format!("ALTER TABLE tasks ALTER COLUMN due_kind TYPE varchar({length})"))
            .await
            .unwrap();
        let before = proxy.statements();
        for _ in 0..10 {
            read().await;
        }
        assert_eq!(proxy.statements() - before, 11);
    }
}

#[tokio::test]
async fn a_statement_is_prepared_anew_after_its_table_was_altered() {
    let database = kit::database().await;
    a_statement_is_prepared_anew(&database, &database).await;
}

/// PgBouncer has prepared the statement itself, and would give back its own.
#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_statement_is_prepared_anew_behind_pgbouncer_after_its_table_was_altered() {
    if PgBouncer::keeps_prepared_statements() {
        let database = kit::database().await;
        let pgbouncer = PgBouncer::start(&database, 1, 100).await;
        a_statement_is_prepared_anew(&database, pgbouncer.url()).await;
    }
}
