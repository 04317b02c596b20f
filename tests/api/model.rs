//! Three users at once, each doing random things to their own tasks and trying it with the others', against a model of
//! what each must see.

use std::{
    cmp::Ordering,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use fastrand::Rng;
use jiff::{Timestamp, civil::DateTime};
use kit::PgBouncer;
use serde_json::{Map, Value, json};

use kit::{Answer, Api, User};

/// What each user does, most of it one request, a list with pages several.
const STEPS: usize = 250;

#[tokio::test]
async fn three_users_doing_random_things_at_once_see_what_they_did_and_nothing_else() {
    let seed = seed();
    three_users(&Api::new(dev::api).await, seed).await;
}

/// Between whose statements PgBouncer gives its one connection to whoever comes next.
#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn three_users_doing_random_things_at_once_over_one_connection_see_what_they_did_and_nothing_else() {
    let seed = seed();
    let pgbouncer = PgBouncer::start(&kit::database().await, 1, 20).await;
    three_users(&Api::on(dev::api, pgbouncer.url().to_owned(), &[]), seed).await;
}

/// `SEED` of the environment, or else another each time. A failed test shows it.
fn seed() -> u64 {
    let from_environment = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = from_environment.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    println!("to see it again: SEED={seed}");
    seed
}

async fn three_users(api: &Api, seed: u64) {
    // What there is, of whom: an id stays when its task is deleted.
    let ids = Arc::new(Mutex::new(Vec::new()));
    let mut users = Vec::new();
    for (number, name) in (0..).zip(["ada", "grace", "barbara"]) {
        let user = api.user(name).await;
        let (api, ids) = (api.clone(), ids.clone());
        let rng = Rng::with_seed(seed + number);
        users.push(tokio::spawn(async move { Model::new(api, user, ids, rng).run().await }));
    }
    let mut count = 0;
    for user in users {
        count += user.await.unwrap();
    }
    assert_eq!(api.count("tasks").await, count);
}

struct Model {
    api: Api,
    user: User,
    /// Every user's id and one of their tasks', deleted ones too.
    ids: Arc<Mutex<Vec<(String, String)>>>,
    rng: Rng,
    /// What is there, as it was last answered.
    tasks: Vec<Value>,
    /// The deleted tasks that can be restored, the last deleted first.
    deleted: Vec<Value>,
    /// The number of changes so far.
    revision: i64,
    /// The keys of creates, and the ids of their tasks.
    keys: Vec<(String, String)>,
}

impl Model {
    fn new(api: Api, user: User, ids: Arc<Mutex<Vec<(String, String)>>>, rng: Rng) -> Self {
        Self { api, user, ids, rng, tasks: Vec::new(), deleted: Vec::new(), revision: 0, keys: Vec::new() }
    }

    /// Counts a change, and returns its revision.
    fn next_revision(&mut self) -> Value {
        self.revision += 1;
        json!(self.revision)
    }

    /// Tells how many tasks are left.
    async fn run(mut self) -> i64 {
        for step in 0..STEPS {
            match self.rng.u8(0..26) {
                0..6 => self.create().await,
                6..9 => self.list().await,
                9..11 => self.get().await,
                11..14 => self.update().await,
                14..16 => self.complete().await,
                16..18 => self.delete().await,
                18..20 => self.restore().await,
                20 => self.list_deleted().await,
                21 => self.clear_deleted().await,
                22..24 => self.create_again().await,
                _ => self.try_what_is_not_there().await,
            }
            if step % 50 == 49 {
                assert_eq!(self.answered_list("sort_by=created_at").await.len(), self.tasks.len());
            }
        }
        self.tasks.len().try_into().unwrap()
    }

    /// Some fields as they may be sent, and as they are answered.
    fn fields(&mut self) -> (Map<String, Value>, Map<String, Value>) {
        let of_each: [(&str, &[(Value, Value)]); 6] = [
            (
                "title",
                &[
                    (json!("beta"), json!("beta")),
                    (json!(" Alpha "), json!("Alpha")),
                    (json!("100% of_it \\ 'x'"), json!("100% of_it \\ 'x'")),
                    (json!("Öl"), json!("Öl")),
                    (json!("<b>😀</b>"), json!("<b>😀</b>")),
                ],
            ),
            (
                "description",
                &[
                    (json!(""), Value::Null),
                    (Value::Null, Value::Null),
                    (json!(" MILK\r\n"), json!(" MILK\r\n")),
                    (json!("beta\"; --"), json!("beta\"; --")),
                ],
            ),
            ("completed", &[(json!(true), json!(true)), (json!(false), json!(false))]),
            (
                "priority",
                &[
                    (json!("low"), json!("low")),
                    (json!("medium"), json!("medium")),
                    (json!("high"), json!("high")),
                ],
            ),
            (
                "tags",
                &[
                    (Value::Null, Value::Null),
                    (json!(" , "), Value::Null),
                    (json!("home"), json!("home")),
                    (json!([" Home", "x", "X"]), json!("Home,x")),
                    (json!("homework, home,"), json!("homework,home")),
                ],
            ),
            (
                "due_date",
                &[
                    (Value::Null, Value::Null),
                    (json!("2026-01-01"), json!("2026-01-01")),
                    (json!("2026-01-01T00:00"), json!("2026-01-01T00:00:00")),
                    (json!("2026-01-01T00:30+01:00"), json!("2025-12-31T23:30:00Z")),
                    (json!("9999-12-31T23:59:59.9"), json!("9999-12-31T23:59:59")),
                ],
            ),
        ];
        let (mut sent, mut answered) = (Map::new(), Map::new());
        for (name, values) in of_each {
            if self.rng.bool() {
                let (value, as_answered) = &values[self.rng.usize(..values.len())];
                sent.insert(name.to_owned(), value.clone());
                answered.insert(name.to_owned(), as_answered.clone());
            }
        }
        (sent, answered)
    }

    async fn create(&mut self) {
        let (mut sent, answered) = self.fields();
        sent.entry("title").or_insert(json!("gamma"));
        let mut call = self.api.post("/tasks").by(&self.user);
        let key = self.rng.bool().then(|| format!("key-{}", self.revision));
        if let Some(key) = &key {
            call = call.header("idempotency-key", key);
        }
        let answer = call.json(&json!(sent)).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, ""), "{answer:?}");
        let task = answer.body;
        let mut expected = json!({
            "id": task["id"], "user_id": self.user.id, "title": "gamma", "description": null, "completed": false,
            "completed_at": null, "priority": "medium", "tags": null, "due_date": null,
            "revision": self.next_revision(), "created_at": task["created_at"], "updated_at": task["created_at"],
        });
        expected.as_object_mut().unwrap().extend(answered);
        if expected["completed"] == true {
            expected["completed_at"] = expected["created_at"].clone();
        }
        assert_eq!(task, expected);
        self.keys.extend(key.map(|key| (key, id(&task).to_owned())));
        self.ids.lock().unwrap().push((self.user.id.clone(), id(&task).to_owned()));
        self.tasks.push(task);
    }

    /// Sends a create again, whose task may have changed, or be deleted.
    async fn create_again(&mut self) {
        let Some((key, id)) = self.rng.choice(&self.keys).cloned() else { return };
        let call = self.api.post("/tasks").by(&self.user).header("idempotency-key", &key);
        let answer = call.json(&json!({ "title": "again" })).await;
        match self.tasks.iter().find(|task| self::id(task) == id) {
            Some(task) => assert_eq!((answer.status, &answer.body), (201, task)),
            None => assert_eq!((answer.status, answer.code()), (410, "task_deleted")),
        }
    }

    async fn restore(&mut self) {
        if self.deleted.is_empty() {
            return;
        }
        let mut task = self.deleted.remove(self.rng.usize(..self.deleted.len()));
        let answer = self.api.post(&format!("{}/restore", path(&task))).by(&self.user).send().await;
        task["revision"] = self.next_revision();
        task["updated_at"] = answer.body["updated_at"].clone();
        assert_eq!((answer.status, &answer.body), (200, &task));
        self.tasks.push(task);
    }

    async fn list_deleted(&mut self) {
        let limit = self.rng.u8(1..=20);
        let mut listed = self.pages(&format!("/tasks/deleted?limit={limit}")).await;
        for task in &mut listed {
            let deleted_at = task.as_object_mut().unwrap().remove("deleted_at");
            assert!(deleted_at.is_some_and(|at| at.as_str() > task["updated_at"].as_str()), "{task}");
        }
        assert_eq!(listed, self.deleted);
    }

    async fn clear_deleted(&mut self) {
        let answer = self.api.delete("/tasks/deleted").by(&self.user).send().await;
        assert_eq!(answer.status, 204, "{answer:?}");
        self.deleted.clear();
    }

    async fn get(&mut self) {
        let Some(index) = self.any() else { return };
        let answer = self.api.get(&path(&self.tasks[index])).by(&self.user).send().await;
        assert_eq!((answer.status, &answer.body), (200, &self.tasks[index]));
    }

    async fn update(&mut self) {
        let Some(index) = self.any() else { return };
        let (sent, answered) = self.fields();
        let tag = format!("\"{}\"", self.tasks[index]["revision"]);
        let mut call = self.api.put(&path(&self.tasks[index])).by(&self.user);
        match self.rng.u8(0..4) {
            0 => call = call.header("if-match", &tag),
            1 => {
                call = call.header("if-match", "\"0\"");
                let answer = call.json(&json!(sent)).await;
                assert_eq!((answer.status, answer.code()), (412, "changed_meanwhile"), "{answer:?}");
                return;
            }
            _ => {}
        }
        let answer = call.json(&json!(sent)).await;
        self.is_changed(index, answer, answered);
    }

    async fn complete(&mut self) {
        let Some(index) = self.any() else { return };
        let call = self.api.patch(&format!("{}/complete", path(&self.tasks[index]))).by(&self.user);
        let (answer, completed) = if self.rng.bool() {
            let completed = self.rng.bool();
            (call.json(&json!({ "completed": completed })).await, completed)
        } else {
            (call.send().await, self.tasks[index]["completed"] == false)
        };
        let changes = [("completed".to_owned(), json!(completed))].into_iter().collect();
        self.is_changed(index, answer, changes);
    }

    /// Finds the task as it was but for these fields, and later updated if there are any.
    fn is_changed(&mut self, index: usize, answer: Answer, changes: Map<String, Value>) {
        let mut expected = self.tasks[index].clone();
        if !changes.is_empty() {
            assert!(timestamp(&answer.body, "updated_at") > timestamp(&expected, "updated_at"), "{answer:?}");
            expected["updated_at"] = answer.body["updated_at"].clone();
            expected["revision"] = self.next_revision();
        }
        let was_completed = expected["completed"] == true;
        expected.as_object_mut().unwrap().extend(changes);
        match (was_completed, expected["completed"] == true) {
            (false, true) => expected["completed_at"] = expected["updated_at"].clone(),
            (_, false) => expected["completed_at"] = Value::Null,
            (true, true) => {}
        }
        assert_eq!((answer.status, &answer.body), (200, &expected));
        self.tasks[index] = expected;
    }

    async fn delete(&mut self) {
        let Some(index) = self.any() else { return };
        let mut task = self.tasks.remove(index);
        let answer = self.api.delete(&path(&task)).by(&self.user).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        task["revision"] = self.next_revision();
        self.deleted.insert(0, task);
    }

    /// Somebody else's, or one that was deleted.
    async fn try_what_is_not_there(&mut self) {
        let others = |(owner, id): &&(String, String)| {
            *owner != self.user.id || !self.tasks.iter().any(|task| self::id(task) == id)
        };
        let others: Vec<_> =
            self.ids.lock().unwrap().iter().filter(others).map(|(_, id)| id.clone()).collect();
        let Some(id) = self.rng.choice(&others) else { return };
        let path = format!("/tasks/{id}");
        let answer = match self.rng.u8(0..4) {
            0 => self.api.get(&path).by(&self.user).send().await,
            1 => self.api.put(&path).by(&self.user).json(&json!({ "title": "taken" })).await,
            2 => self.api.patch(&format!("{path}/complete")).by(&self.user).send().await,
            _ => self.api.delete(&path).by(&self.user).send().await,
        };
        assert_eq!((answer.status, answer.code()), (404, "task_not_found"), "{answer:?}");
    }

    async fn list(&mut self) {
        let mut query = Vec::new();
        let mut expected: Vec<&Value> = self.tasks.iter().collect();
        if self.rng.u8(0..3) == 0 {
            let completed = self.rng.bool();
            query.push(format!("completed={completed}"));
            expected.retain(|task| task["completed"] == completed);
        }
        if self.rng.u8(0..3) == 0 {
            let priority = *self.rng.choice(&["low", "medium", "high"]).unwrap();
            query.push(format!("priority={priority}"));
            expected.retain(|task| task["priority"] == priority);
        }
        if self.rng.u8(0..4) == 0 {
            query.push("tag=hOmE".to_owned());
            let is_home = |tag: &str| tag.to_lowercase() == "home";
            expected.retain(|task| task["tags"].as_str().is_some_and(|tags| tags.split(',').any(is_home)));
        }
        if self.rng.u8(0..4) == 0 {
            let (encoded, words) = *self
                .rng
                .choice(&[
                    ("O", ["o", ""]),
                    ("BETA", ["beta", ""]),
                    ("%25", ["%", ""]),
                    ("ilk+%C3%B6", ["o", "ilk"]),
                ])
                .unwrap();
            query.push(format!("search={encoded}"));
            let folded =
                |task: &Value, name| task[name].as_str().unwrap_or_default().to_lowercase().replace('ö', "o");
            let holds = |task: &Value, word| {
                ["title", "description"].iter().any(|name| folded(task, name).contains(word))
            };
            expected.retain(|task| words.iter().all(|word| holds(task, word)));
        }
        if self.rng.u8(0..4) == 0 {
            query.push("due_after=2026-01-01&due_before=2026-01-01T00:00:01Z".to_owned());
            expected
                .retain(|task| task["due_date"].as_str().is_some_and(|due| due.starts_with("2026-01-01")));
        }
        let sort_by = *self.rng.choice(&["due_date", "priority", "title", "created_at"]).unwrap();
        let is_descending = self.rng.bool();
        query.push(format!("sort_by={sort_by}&order={}", if is_descending { "desc" } else { "asc" }));
        expected.sort_by(|a, b| in_order(a, b, sort_by, is_descending));
        let expected: Vec<Value> = expected.into_iter().cloned().collect();
        if self.rng.bool() {
            query.push(format!("limit={}", self.rng.u8(1..=20)));
        }
        let query = query.join("&");
        assert_eq!(self.answered_list(&query).await, expected, "{query}");
    }

    /// Every page of it.
    async fn answered_list(&self, query: &str) -> Vec<Value> {
        let first = format!("/tasks?{query}");
        let tag = format!("\"{}-{}\"", self.user.id, self.revision);
        let answer = self.api.get(&first).by(&self.user).header("if-none-match", &tag).send().await;
        assert_eq!((answer.status, answer.header("etag")), (304, tag.as_str()));
        self.pages(&first).await
    }

    async fn pages(&self, first: &str) -> Vec<Value> {
        let mut next = Some(first.to_owned());
        let mut tasks = Vec::new();
        while let Some(path) = next {
            let answer = self.api.get(&path).by(&self.user).send().await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            next = answer.next();
            tasks.extend(answer.body.as_array().unwrap().iter().cloned());
        }
        tasks
    }

    fn any(&mut self) -> Option<usize> {
        (!self.tasks.is_empty()).then(|| self.rng.usize(..self.tasks.len()))
    }
}

fn id(task: &Value) -> &str {
    task["id"].as_str().unwrap()
}

fn path(task: &Value) -> String {
    format!("/tasks/{}", id(task))
}

fn timestamp(task: &Value, name: &str) -> Timestamp {
    task[name].as_str().unwrap().parse().unwrap()
}

/// The titles in their order.
const TITLES: [&str; 6] = ["<b>😀</b>", "100% of_it \\ 'x'", "Alpha", "beta", "gamma", "Öl"];

/// The time that due dates are sorted by.
fn due(task: &Value) -> Option<DateTime> {
    task["due_date"].as_str().map(|due| due.trim_end_matches('Z').parse().unwrap())
}

/// Nulls last, ties by id.
fn in_order(a: &Value, b: &Value, sort_by: &str, is_descending: bool) -> Ordering {
    let nulls = a[sort_by].is_null().cmp(&b[sort_by].is_null());
    let rank = |names: &[&str], task: &Value| names.iter().position(|name| task[sort_by] == *name);
    let by_key = match sort_by {
        "priority" => rank(&["low", "medium", "high"], a).cmp(&rank(&["low", "medium", "high"], b)),
        "title" => rank(&TITLES, a).cmp(&rank(&TITLES, b)),
        "created_at" => timestamp(a, sort_by).cmp(&timestamp(b, sort_by)),
        _ => due(a).cmp(&due(b)),
    };
    let order = by_key.then_with(|| id(a).cmp(id(b)));
    nulls.then(if is_descending { order.reverse() } else { order })
}
