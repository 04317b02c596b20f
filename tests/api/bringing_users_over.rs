//! The SQL of docs/operations.md that brings users over from another backend.

use serde_json::{Value, json};
use tokio_postgres::{Client, SimpleQueryMessage};

use kit::{Answer, Api};

/// Made by passlib 1.7.4 with bcrypt 4.0.1 from `correct horse battery`.
const HASH: &str = "$2b$04$bIun3m38h5cNwYJBhmF87.SGExMuN2PV64HpWl0gm3CRSmubeYIUe";

/// From `Motdepasse d'Ada`, with the identifier `2a`.
const HASH_2A: &str = "$2a$04$J3Brt1nSC.qR/R0rUtA5su9Ba3ONOwi7Bp9xl6cME3acoKumW5Y5q";

/// From `third password`, with the identifier `2y`.
const HASH_2Y: &str = "$2y$04$KcyEw3sIerCAms1tBHTYVOvL.GZlxjvcK8z3VcFczKk3cBXLCqvPa";

/// From `ä` 72 times, which are 72 characters and 144 bytes.
const HASH_OF_144_BYTES: &str = "$2b$04$IAqgOUsixGZnNiW5fld5PuCj7fmHX0DAKMbzuNtgreg9CfRigMyxC";

/// From `argon password`.
const ARGON2: &str =
    "$argon2id$v=19$m=64,t=1,p=1$iVFqrdX6n9O6dy4FoFTK2Q$mUFuW5GF19DaBcGP+UvcJGwk7lbnbd0s5kBChn8BbpI";

/// Returns the blocks of SQL of the section.
fn steps() -> [&'static str; 11] {
    let (_, section) =
        include_str!("../../docs/operations.md").split_once("\n## Bringing users over\n").unwrap();
    let (section, _) = section.split_once("\n### E-mails that a migration refuses\n").unwrap();
    let blocks = section.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().try_into().unwrap()
}

/// Returns the API and the owner's connection to its database, which has the old tables too. The time zone of the
/// connection is not UTC.
async fn with_old_tables(sql: &str) -> (Api, Client) {
    let api = Api::new(dev::api).await;
    let owner = api.sql().await;
    owner.batch_execute("SET timezone = 'America/New_York'").await.unwrap();
    owner.batch_execute(sql).await.unwrap();
    (api, owner)
}

/// Returns each row as its values with `|` between them.
async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|n| row.get(n).unwrap_or("null")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    client.simple_query(sql).await.unwrap().into_iter().filter_map(row).collect()
}

async fn log_in(api: &Api, email: &str, password: &str) -> Answer {
    api.post("/auth/login").json(&json!({ "email": email, "password": password })).await
}

/// Logs in and returns the user's tasks without their ids, the oldest first.
async fn tasks(api: &Api, email: &str, password: &str) -> Value {
    let answer = log_in(api, email, password).await;
    assert_eq!(answer.status, 200, "{email}: {answer:?}");
    let token = answer.body["access_token"].as_str().unwrap();
    let mut answer = api.get("/tasks?sort_by=created_at&order=asc").token(token).send().await;
    for task in answer.body.as_array_mut().unwrap() {
        let task = task.as_object_mut().unwrap();
        task.remove("id").unwrap();
        task.remove("user_id").unwrap();
    }
    answer.body
}

/// The tables as SQLModel 0.0.22 creates them. Its times have no time zone, and hold UTC.
#[tokio::test]
async fn users_of_another_backend_log_in_with_their_passwords_and_see_their_tasks() {
    let (api, owner) = with_old_tables(&format!(
        r#"
        CREATE TABLE "user" (
            id SERIAL NOT NULL,
            email VARCHAR NOT NULL,
            hashed_password VARCHAR NOT NULL,
            created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
            PRIMARY KEY (id)
        );
        CREATE UNIQUE INDEX ix_user_email ON "user" (email);
        CREATE TABLE task (
            title VARCHAR(200) NOT NULL,
            description VARCHAR(1000),
            completed BOOLEAN NOT NULL,
            id SERIAL NOT NULL,
            created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
            user_id INTEGER NOT NULL,
            PRIMARY KEY (id),
            FOREIGN KEY(user_id) REFERENCES "user" (id)
        );
        CREATE INDEX ix_task_user_id ON task (user_id);
        INSERT INTO "user" (email, hashed_password, created_at) VALUES
            ('Ada@Example.com', '{HASH}', '2024-02-29 23:30:00.123456'),
            ('grace@example.com', '{HASH_2A}', '2024-03-01'),
            ('alan@example.com', '{HASH_2Y}', '2024-03-02'),
            ('long@example.com', '{HASH_OF_144_BYTES}', '2024-03-03');
        INSERT INTO task (title, description, completed, created_at, updated_at, user_id) VALUES
            ('Buy milk', 'Two litres', false, '2024-02-29 23:45:00.123456', '2024-03-01 08:00:00', 1),
            ('Call the dentist', '', true, '2024-03-01 00:00:00', '2024-03-01 00:00:00', 1),
            ('Water the plants', NULL, false, '2024-03-10 02:30:00', '2024-03-10 02:30:00', 2);
        "#
    ))
    .await;
    let [old_schema, prepare, problems, _, _, _, _, bring_over, numbers, drop, _] = steps();
    for step in [old_schema, prepare] {
        owner.batch_execute(step).await.unwrap();
    }
    assert_eq!(rows(&owner, problems).await, Vec::<String>::new());
    owner.batch_execute(bring_over).await.unwrap();
    assert_eq!(rows(&owner, numbers).await, ["4|4|3|3|1|1"]);
    let kinds = "SELECT DISTINCT substr(new_id::text, 15, 1), new_id < old.uuid7('2024-03-20') FROM
                 (SELECT new_id FROM old.\"user\" UNION ALL SELECT new_id FROM old.task) ids";
    assert_eq!(rows(&owner, kinds).await, ["7|t"]);
    owner.batch_execute(drop).await.unwrap();

    let task =
        |title: &str, description: Option<&str>, completed: bool, created_at: &str, updated_at: &str| {
            json!({ "title": title, "description": description, "completed": completed,
                "completed_at": null, "priority": "medium", "tags": null, "due_date": null, "revision": 0,
                "created_at": created_at, "updated_at": updated_at })
        };
    let of_ada = json!([
        task(
            "Buy milk",
            Some("Two litres"),
            false,
            "2024-02-29T23:45:00.123456Z",
            "2024-03-01T08:00:00.000000Z"
        ),
        task("Call the dentist", None, true, "2024-03-01T00:00:00.000000Z", "2024-03-01T00:00:00.000000Z"),
    ]);
    for email in ["Ada@Example.com", "ada@example.com"] {
        assert_eq!(tasks(&api, email, "correct horse battery").await, of_ada);
    }
    // An hour that clocks in New York skipped.
    let of_grace = json!([task(
        "Water the plants",
        None,
        false,
        "2024-03-10T02:30:00.000000Z",
        "2024-03-10T02:30:00.000000Z"
    )]);
    assert_eq!(tasks(&api, "grace@example.com", "Motdepasse d'Ada").await, of_grace);
    assert_eq!(tasks(&api, "alan@example.com", "third password").await, json!([]));

    assert_eq!(log_in(&api, "long@example.com", &"ä".repeat(72)).await.code(), "invalid_credentials");
    assert_eq!(tasks(&api, "long@example.com", &"ä".repeat(36)).await, json!([]));
}

/// The tables as SQLModel 0.0.50 creates them for usernames and every field of a task, without a foreign key.
#[tokio::test]
async fn nobody_is_brought_over_until_each_problem_is_mended() {
    let (api, owner) = with_old_tables(&format!(
        r#"
        CREATE TABLE "user" (
            id SERIAL NOT NULL,
            email VARCHAR NOT NULL,
            username VARCHAR NOT NULL,
            hashed_password VARCHAR NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            PRIMARY KEY (id)
        );
        CREATE UNIQUE INDEX ix_user_email ON "user" (email);
        CREATE UNIQUE INDEX ix_user_username ON "user" (username);
        CREATE TABLE task (
            id SERIAL NOT NULL,
            title VARCHAR NOT NULL,
            description VARCHAR,
            completed BOOLEAN NOT NULL,
            priority VARCHAR NOT NULL,
            tags VARCHAR,
            due_date TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            user_id INTEGER NOT NULL,
            PRIMARY KEY (id)
        );
        INSERT INTO "user" (email, username, hashed_password, created_at) VALUES
            ('Ada@Example.com', 'ada', '{HASH}', '2024-03-01Z'),
            ('ada@example.com', 'Ada', '{HASH_2A}', '2024-03-02Z'),
            ('grace@example.com', 'grace hopper', '{HASH}', '2024-03-03Z'),
            ('Grace@example.com', 'ADA ', '{HASH_2Y}', '2024-03-04Z'),
            ('bärbel@example.com', 'Bärbel', '{HASH}', '2024-03-05Z'),
            ('linus@example.com', 'linus_1', '{ARGON2}', '2024-03-06Z');
        INSERT INTO task (title, description, completed, priority, tags, due_date, created_at, updated_at, user_id)
        VALUES
            (' Buy milk ', '', false, 'HIGH', ' home, shop,, ', '2024-03-20 09:00:00.5Z', '2024-03-01Z', '2024-03-01Z',
             1),
            ('  ', NULL, true, 'low', '', NULL, '2024-03-02Z', '2024-03-03Z', 2),
            (repeat('t', 256), repeat('d', 1001), false, 'urgent', repeat('g', 501), NULL, '2024-03-03Z', '2024-03-03Z',
             3),
            ('Of nobody', NULL, false, 'medium', NULL, NULL, '2024-03-03Z', '2024-03-03Z', 99);
        "#
    ))
    .await;
    let [
        old_schema,
        prepare,
        problems,
        other_email,
        merge,
        usernames,
        tasks_sql,
        bring_over,
        numbers,
        _,
        new_password,
    ] = steps();
    for step in [old_schema, prepare] {
        owner.batch_execute(step).await.unwrap();
    }
    let listed = async || {
        let rows = rows(&owner, problems).await;
        let mut rows: Vec<_> = rows.iter().map(|row| row.rsplit_once('|').unwrap().0.to_owned()).collect();
        // The order of the SQL is that of the database's locale.
        rows.sort();
        rows
    };
    assert_eq!(
        listed().await,
        [
            "task: the description has more than 1000 characters|3",
            "task: the priority is not low, medium or high|3",
            "task: the tags have more than 500 characters|3",
            "task: the title has more than 255 characters|3",
            "task: the user does not exist|4",
            "user: the e-mail is also another user's|1",
            "user: the e-mail is also another user's|2",
            "user: the e-mail is also another user's|3",
            "user: the e-mail is also another user's|4",
            "user: the e-mail is not one that can sign up|5",
            "user: the hash is not bcrypt|6",
            "user: the username has not 1 to 50 characters of A-Z, a-z, 0-9, _ and -|3",
            "user: the username has not 1 to 50 characters of A-Z, a-z, 0-9, _ and -|5",
            "user: the username is also another user's|1",
            "user: the username is also another user's|2",
            "user: the username is also another user's|4",
        ]
    );

    let by_hand = "UPDATE old.\"user\" SET email = 'barbel@example.com' WHERE id = 5";
    let (orphans, texts) = tasks_sql.split_once('\n').unwrap();
    for (mend, next_error) in [
        (other_email, "users_email_key"),
        (merge, "users_email_canonical"),
        (by_hand, "users_username_key"),
        (usernames, "invalid input value for enum task_priority: \"urgent\""),
        (texts, "null value in column \"user_id\" of relation \"tasks\" violates not-null constraint"),
    ] {
        owner.batch_execute(mend).await.unwrap();
        let error = owner.batch_execute(bring_over).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.constraint().unwrap_or(error.message()), next_error);
        owner.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!((api.count("users").await, api.count("tasks").await), (0, 0));
    }
    owner.batch_execute(orphans).await.unwrap();
    assert_eq!(listed().await, ["user: the hash is not bcrypt|6"]);
    owner.batch_execute(bring_over).await.unwrap();
    let again = owner.batch_execute(bring_over).await.unwrap_err();
    assert_eq!(again.as_db_error().unwrap().constraint(), Some("users_pkey"));
    owner.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(rows(&owner, numbers).await, ["5|5|3|3|1|1"]);
    let stored = "SELECT email, username FROM users ORDER BY created_at";
    let expected = [
        "ada@example.com|ada",
        "grace@example.com|null",
        "ada.lovelace@example.com|null",
        "barbel@example.com|null",
        "linus@example.com|linus_1",
    ];
    assert_eq!(rows(&owner, stored).await, expected);

    let of_ada = json!([
        { "title": "Buy milk", "description": null, "completed": false, "completed_at": null, "priority": "high",
          "tags": "home,shop", "due_date": "2024-03-20T09:00:00Z", "revision": 0, "created_at": "2024-03-01T00:00:00.000000Z",
          "updated_at": "2024-03-01T00:00:00.000000Z" },
        { "title": "Untitled", "description": null, "completed": true, "completed_at": null, "priority": "low",
          "tags": null, "due_date": null, "revision": 0, "created_at": "2024-03-02T00:00:00.000000Z", "updated_at": "2024-03-03T00:00:00.000000Z" },
    ]);
    assert_eq!(tasks(&api, "ada@example.com", "correct horse battery").await, of_ada);
    let of_grace = tasks(&api, "grace@example.com", "correct horse battery").await;
    assert_eq!(of_grace[0]["title"], "t".repeat(255));
    assert_eq!(of_grace[0]["priority"], "medium");
    assert_eq!(tasks(&api, "ada.lovelace@example.com", "third password").await, json!([]));

    assert_eq!(log_in(&api, "linus@example.com", "argon password").await.code(), "invalid_credentials");
    owner.batch_execute(&new_password.replace("$2y$12$…", HASH)).await.unwrap();
    assert_eq!(tasks(&api, "linus@example.com", "correct horse battery").await, json!([]));
}

#[tokio::test]
async fn a_due_date_is_brought_over_as_the_kind_of_its_column() {
    for (of_column, due_date) in [
        ("date", "2024-03-20"),
        ("timestamp", "2024-03-20T09:00:00"),
        ("timestamptz", "2024-03-20T09:00:00Z"),
    ] {
        let (api, owner) = with_old_tables(&format!(
            r#"
            CREATE TABLE "user" (id serial, email text, hashed_password text, created_at timestamp);
            CREATE TABLE task (id serial, title text, description text, completed boolean, due_date {of_column},
                created_at timestamp, updated_at timestamp, user_id integer);
            INSERT INTO "user" VALUES (1, 'ada@example.com', '{HASH}', '2024-03-01');
            INSERT INTO task VALUES (1, 'Buy milk', NULL, false, '2024-03-20 09:00Z', '2024-03-01', '2024-03-01', 1)
            "#
        ))
        .await;
        let [old_schema, prepare, _, _, _, _, _, bring_over, _, _, _] = steps();
        for step in [old_schema, prepare, bring_over] {
            owner.batch_execute(step).await.unwrap();
        }
        assert_eq!(tasks(&api, "ada@example.com", "correct horse battery").await[0]["due_date"], due_date);
    }
}
