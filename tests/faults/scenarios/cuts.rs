//! A mixed load whose connections are cut again and again, compared with a model.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fastrand::Rng;
use futures_util::future::join_all;
use kit::{Cut, Outcome, PgBouncer, Proxy};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{api, lost::Way, sql, until};
use kit::{Answer, Api, PASSWORD, User};

const WORKERS: usize = 12;
/// The maximum number of tasks of a worker's user, which keeps lists short.
const MOST_TASKS: usize = 15;

/// Cuts connections at random moments, this number of times, while workers sign up, log in and change tasks. Each
/// worker knows from its answers what the database must contain.
pub async fn mixed_load(cuts: usize, way: Way) -> Outcome {
    let seed = std::env::var("FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    // The test runner shows it only if the test fails.
    eprintln!("to repeat this run: FAULTS_SEED={seed}");
    let mut rng = Rng::with_seed(seed);

    let database = kit::database().await;
    let (pgbouncer, before) = match way {
        Way::Plain => (None, ""),
        Way::PgBouncer => {
            (Some(PgBouncer::start(&database, 1, 100).await), ", before PgBouncer with one connection")
        }
    };
    let proxy = Proxy::start(pgbouncer.as_ref().map_or(&database, PgBouncer::url)).await;
    let api = api(proxy.url(), WORKERS);
    let is_over = AtomicBool::new(false);
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|number| Worker {
            api: api.clone(),
            rng: rng.fork(),
            number,
            steps: 0,
            users: Vec::new(),
            statements: 0,
            outcome: Outcome::default(),
        })
        .collect();
    let cutting = async {
        cut_at_random(&proxy, &mut rng, cuts).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let working = join_all(workers.iter_mut().map(async |worker| {
        while !is_over.load(Ordering::Relaxed) {
            worker.step().await;
        }
    }));
    tokio::join!(cutting, working);

    let mut outcome = Outcome::new(format!("{cuts} cuts at random moments of a mixed load{before}"));
    let mut needed = 0;
    for worker in &mut workers {
        needed += worker.statements;
        worker.check_all_lists().await;
        outcome = outcome.and(std::mem::take(&mut worker.outcome));
    }
    outcome.resent = proxy.statements().saturating_sub(needed);
    compare(&database, &workers, &mut outcome).await;
    outcome
}

async fn cut_at_random(proxy: &Proxy, rng: &mut Rng, cuts: usize) {
    for number in 0..cuts {
        // In a fifth of the cuts, statements take longer.
        proxy.delay(Duration::from_millis(if number % 100 < 80 { 0 } else { 1 }));
        sleep(Duration::from_millis(rng.u64(..12))).await;
        // Lets workers reconnect, or none would ever send a statement.
        until(async || proxy.open_connections() >= WORKERS / 2).await;
        let how = if rng.bool() { Cut::Fin } else { Cut::Rst };
        if rng.u8(..4) == 0 {
            proxy.lose_answer(rng.usize(..3), how);
            until(async || proxy.has_lost_answer()).await;
        } else {
            until(async || proxy.cut_one(rng.usize(..WORKERS), how)).await;
        }
    }
    proxy.delay(Duration::ZERO);
}

struct Worker {
    api: Api,
    rng: Rng,
    number: usize,
    /// Makes names unique.
    steps: usize,
    users: Vec<Known>,
    /// The number of statements that its requests need without faults.
    statements: u64,
    outcome: Outcome,
}

/// A user that only one worker changes, and their tasks by id.
struct Known {
    user: User,
    tasks: BTreeMap<String, Task>,
    deleted: BTreeMap<String, Task>,
}

#[derive(Debug)]
struct Task {
    title: String,
    priority: &'static str,
    /// Unknown after a toggle that was answered 503.
    completed: Option<bool>,
    /// Unknown after a change that was answered 503.
    tag: Option<String>,
    /// The title of a change that was answered 503, which may have been made.
    perhaps: Option<String>,
}

impl Task {
    fn may_have(&self, title: &Value) -> bool {
        *title == self.title.as_str() || self.perhaps.as_deref().is_some_and(|perhaps| title == perhaps)
    }

    /// Remembers what the answer to a change shows. A conditional change from before fails from now on.
    fn is_now(&mut self, answer: &Answer) {
        assert!(self.may_have(&answer.body["title"]), "{answer:?} is not {self:?}");
        self.title = answer.body["title"].as_str().unwrap().to_owned();
        (self.tag, self.perhaps) = (Some(answer.header("etag").to_owned()), None);
    }
}

impl Worker {
    async fn step(&mut self) {
        self.steps += 1;
        let name = format!("w{}n{}", self.number, self.steps);
        if self.users.is_empty() {
            return self.sign_up(&name).await;
        }
        let which = self.rng.usize(..self.users.len());
        let task = match self.users[which].tasks.len() {
            0 => None,
            tasks => self.users[which].tasks.keys().nth(self.rng.usize(..tasks)).cloned(),
        };
        match (self.rng.u8(..100), task) {
            (0..4, _) => self.sign_up(&name).await,
            (4..7, _) => self.sign_up_again(which).await,
            (7..10, _) => self.log_in(which).await,
            (10..14, _) => self.create_invalid(which).await,
            (14..30, _) => self.check_list(which).await,
            (30..33, _) => self.touch_anothers(which).await,
            (33..42, Some(id)) => self.update(which, &id, name).await,
            (42..50, Some(id)) => self.update_if_unchanged(which, &id, name).await,
            (50..55, Some(id)) => self.set(which, &id).await,
            (55..62, Some(id)) => self.toggle(which, &id).await,
            (62..70, Some(id)) => self.delete(which, &id).await,
            (70..76, _) => self.restore(which).await,
            (_, Some(id)) if self.users[which].tasks.len() == MOST_TASKS => self.delete(which, &id).await,
            (76..88, _) => self.create_with_key(which, name).await,
            _ => self.create(which, name).await,
        }
    }

    /// Counts an answer, which must have this status.
    async fn expect(
        &mut self,
        status: u16,
        statements: u64,
        answering: impl Future<Output = Answer>,
    ) -> Answer {
        self.statements += statements;
        let answer = self.outcome.answer(answering).await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer
    }

    async fn sign_up(&mut self, name: &str) {
        let email = format!("{name}@example.com");
        let call = self.api.post("/auth/signup");
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.expect(201, 2, call.json(&body)).await;
        self.users.push(Known { user: User::new(&answer), tasks: BTreeMap::new(), deleted: BTreeMap::new() });
    }

    async fn sign_up_again(&mut self, which: usize) {
        let body = json!({ "email": self.users[which].user.email, "password": "another good password" });
        let call = self.api.post("/auth/signup");
        self.expect(409, 2, call.json(&body)).await;
    }

    async fn log_in(&mut self, which: usize) {
        let body = json!({ "email": self.users[which].user.email, "password": PASSWORD });
        let call = self.api.post("/auth/login");
        self.expect(200, 2, call.json(&body)).await;
    }

    async fn create(&mut self, which: usize, title: String) {
        let priority = if self.rng.bool() { "low" } else { "high" };
        let call = self.api.post("/tasks").by(&self.users[which].user);
        let body = json!({ "title": title, "priority": priority });
        let answer = self.expect(201, 1, call.json(&body)).await;
        self.is_created(which, title, priority, &answer);
    }

    /// Sends a create until it is answered, and once more: one task.
    async fn create_with_key(&mut self, which: usize, title: String) {
        let create = |worker: &Self, title: &str| {
            let call = worker.api.post("/tasks").by(&worker.users[which].user);
            let body = json!({ "title": title, "priority": "low" });
            call.header("idempotency-key", &title.replace("again ", "")).with_json(&body)
        };
        let call = create(self, &title);
        let first = self.expect(201, 1, call.send()).await;
        let call = create(self, &format!("again {title}"));
        let again = self.expect(201, 1, call.send()).await;
        assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, "true"));
        self.is_created(which, title, "low", &again);
    }

    fn is_created(&mut self, which: usize, title: String, priority: &'static str, answer: &Answer) {
        assert_eq!(answer.body["title"], title.as_str());
        let id = answer.body["id"].as_str().unwrap().to_owned();
        let tag = Some(answer.header("etag").to_owned());
        let task = Task { title, priority, completed: Some(false), tag, perhaps: None };
        self.users[which].tasks.insert(id, task);
    }

    /// Changes a task that the worker knows to be unchanged, or one that it knows to be changed.
    async fn update_if_unchanged(&mut self, which: usize, id: &str, title: String) {
        let Some(tag) = self.users[which].tasks[id].tag.clone() else { return };
        let is_current = self.rng.u8(..4) > 0;
        let sent = if is_current { tag.as_str() } else { "\"0\"" };
        let call = self.api.put(&format!("/tasks/{id}")).by(&self.users[which].user).header("if-match", sent);
        self.statements += 1;
        let answer = self.outcome.answer(call.json(&json!({ "title": title }))).await;
        let task = self.users[which].tasks.get_mut(id).unwrap();
        match answer.status {
            200 if is_current => {
                (task.title, task.perhaps) = (title, None);
                task.is_now(&answer);
            }
            412 if !is_current => {}
            503 => (task.tag, task.perhaps) = (None, is_current.then_some(title)),
            _ => panic!("{answer:?} for {sent}: {task:?}"),
        }
    }

    async fn restore(&mut self, which: usize) {
        if self.users[which].tasks.len() >= MOST_TASKS {
            return;
        }
        let Some(id) = self.users[which].deleted.keys().next().cloned() else { return };
        let call = self.api.post(&format!("/tasks/{id}/restore")).by(&self.users[which].user);
        let answer = self.expect(200, 1, call.send()).await;
        let user = &mut self.users[which];
        let mut task = user.deleted.remove(&id).unwrap();
        task.is_now(&answer);
        user.tasks.insert(id, task);
    }

    async fn create_invalid(&mut self, which: usize) {
        let call = self.api.post("/tasks").by(&self.users[which].user);
        self.expect(422, 0, call.json(&json!({ "title": "refused", "priority": "none" }))).await;
    }

    async fn touch_anothers(&mut self, which: usize) {
        let others = self.users.iter().enumerate().filter(|(other, _)| *other != which);
        let Some(id) = others.flat_map(|(_, known)| known.tasks.keys()).next() else { return };
        let path = format!("/tasks/{id}");
        let user = &self.users[which].user;
        if self.rng.bool() {
            let call = self.api.delete(&path).by(user);
            self.expect(404, 1, call.send()).await;
        } else {
            let call = self.api.put(&path).by(user);
            self.expect(404, 1, call.json(&json!({ "title": "refused" }))).await;
        }
    }

    async fn update(&mut self, which: usize, id: &str, title: String) {
        let priority = if self.rng.bool() { "medium" } else { "high" };
        let call = self.api.put(&format!("/tasks/{id}")).by(&self.users[which].user);
        let body = json!({ "title": title, "priority": priority });
        let answer = self.expect(200, 1, call.json(&body)).await;
        let task = self.users[which].tasks.get_mut(id).unwrap();
        (task.title, task.priority, task.perhaps) = (title, priority, None);
        task.is_now(&answer);
    }

    async fn set(&mut self, which: usize, id: &str) {
        let completed = self.rng.bool();
        let call = self.api.patch(&format!("/tasks/{id}/complete")).by(&self.users[which].user);
        let answer = self.expect(200, 1, call.json(&json!({ "completed": completed }))).await;
        assert_eq!(answer.body["completed"], completed);
        let task = self.users[which].tasks.get_mut(id).unwrap();
        // It stays unknown after a lost toggle, which may still run.
        task.completed = task.completed.and(Some(completed));
        task.is_now(&answer);
    }

    async fn toggle(&mut self, which: usize, id: &str) {
        let call = self.api.patch(&format!("/tasks/{id}/complete")).by(&self.users[which].user);
        self.statements += 1;
        let answer = self.outcome.answer(call.send()).await;
        let task = self.users[which].tasks.get_mut(id).unwrap();
        task.tag = None;
        task.completed = match answer.status {
            200 => {
                task.is_now(&answer);
                let completed = answer.body["completed"].as_bool().unwrap();
                assert!(
                    task.completed.is_none_or(|before| completed != before),
                    "not toggled once: {task:?}"
                );
                task.completed.and(Some(completed))
            }
            503 => None,
            _ => panic!("{answer:?}"),
        };
    }

    async fn delete(&mut self, which: usize, id: &str) {
        let call = self.api.delete(&format!("/tasks/{id}")).by(&self.users[which].user);
        self.expect(200, 1, call.send()).await;
        let user = &mut self.users[which];
        user.deleted.extend(user.tasks.remove_entry(id));
    }

    async fn check_list(&mut self, which: usize) {
        let call = self.api.get("/tasks?sort_by=created_at").by(&self.users[which].user);
        let answer = self.expect(200, 1, call.send()).await;
        let known = &self.users[which].tasks;
        let listed = answer.body.as_array().unwrap();
        assert_eq!(listed.len(), known.len(), "{listed:#?} instead of {known:#?}");
        for task in listed {
            let same = known.get(task["id"].as_str().unwrap()).is_some_and(|known| {
                known.may_have(&task["title"])
                    && task["priority"] == known.priority
                    && known.completed.is_none_or(|completed| task["completed"] == completed)
            });
            assert!(same, "{task:#} is not as in {known:#?}");
        }
    }

    async fn check_all_lists(&mut self) {
        for which in 0..self.users.len() {
            self.check_list(which).await;
        }
    }
}

/// Compares the database with what the workers know.
async fn compare(database: &str, workers: &[Worker], outcome: &mut Outcome) {
    let sql = sql(database).await;
    let rows = async |what: &str| {
        let mut rows = BTreeMap::<String, i64>::new();
        for row in sql.query(what, &[]).await.unwrap() {
            *rows.entry(row.get(0)).or_default() += 1;
        }
        rows
    };
    // The key includes the name that the worker chose, because a duplicate row would have another id.
    let mut users = rows("SELECT email || id FROM users").await;
    let mut tasks = rows("SELECT title || id FROM tasks").await;
    let mut deleted = rows("SELECT id::text FROM deleted_tasks").await;
    for known in workers.iter().flat_map(|worker| &worker.users) {
        outcome.record_writes(users.remove(&format!("{}{}", known.user.email, known.user.id)).unwrap_or(0));
        for (id, task) in &known.tasks {
            let titles = [Some(&task.title), task.perhaps.as_ref()].into_iter().flatten();
            let times = titles.filter_map(|title| tasks.remove(&format!("{title}{id}"))).sum();
            outcome.record_writes(times);
        }
        for id in known.deleted.keys() {
            outcome.record_writes(deleted.remove(id).unwrap_or(0));
        }
    }
    // The remaining rows are duplicates, or belong to requests that were not answered 2xx.
    outcome.duplicated += users.len() + tasks.len() + deleted.len();
    assert_eq!(outcome.duplicated, 0, "unexpected rows: {users:?}, {tasks:?} and {deleted:?}");
}
