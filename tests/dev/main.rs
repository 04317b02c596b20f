//! `cargo dev` as a process: its output, data, signals and errors. Requests are sent with curl.

#![cfg(test)]

mod browser;
mod server;
mod waits;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        LazyLock,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A running `cargo dev`. Dropping it kills it, and then panics if the log has secrets.
struct Dev {
    process: Child,
    /// The output until the last example command.
    welcome: String,
    url: String,
    log: Receiver<String>,
}

/// Returns a `cargo dev` command with only these variables, and a free port unless they have PORT.
fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    static DEV: LazyLock<PathBuf> = LazyLock::new(|| {
        // The download would be told on the standard error of `cargo dev`, which the tests keep.
        let install = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(dev_postgres::install())
        };
        // Some callers are in a runtime.
        thread::spawn(install).join().unwrap().unwrap_or_else(|error| panic!("{error}"));
        kit::binary("dev")
    });
    let mut command = Command::new(&*DEV);
    command
        .arg("--data")
        .arg(folder)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([("PORT", "0"), ("BCRYPT_COST", "4")])
        .envs(variables.iter().copied())
        // This folder has no .env.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Dev {
    fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut process = command(folder, arguments, variables).spawn().unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("Authorization") {
            let read = stdout.read_line(&mut welcome).unwrap();
            assert!(read > 0, "cargo dev exited: {:?}", log.iter().collect::<Vec<_>>());
        }
        let url = welcome.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { process, welcome, url, log }
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["-s", "-i"])
            .args(arguments)
            .arg(self.url.clone() + path)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Sends a POST request and returns the status and body of the answer.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.curl(path, &["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    /// Sends a signal and waits until the process has ended.
    fn signal(&mut self, signal: &str) -> ExitStatus {
        kit::signal(self.process.id(), signal);
        self.process.wait().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !thread::panicking() {
            let log: Vec<_> = self.log.try_iter().collect();
            assert_eq!(kit::log::lines_with_secrets(&log.join("\n")), [""; 0]);
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn ada() -> Value {
    json!({ "email": "ada@example.com", "password": "correct horse battery staple" })
}

/// Returns the command lines of the processes that contain the folder's canonical path.
fn processes(folder: &Path) -> Vec<String> {
    let folder = fs::canonicalize(folder).unwrap();
    let mut lines = command_lines();
    lines.retain(|line| line.contains(folder.to_str().unwrap()));
    lines
}

/// Returns the command lines of all processes, from `/proc` if there is one: a small image may lack `ps`.
fn command_lines() -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        let ps = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
        return String::from_utf8_lossy(&ps.stdout).lines().map(str::to_owned).collect();
    };
    let line = |path: PathBuf| fs::read(path.join("cmdline")).unwrap_or_default();
    processes
        .flatten()
        .map(|process| String::from_utf8_lossy(&line(process.path())).replace('\0', " "))
        .collect()
}

/// Runs `cargo dev`, which must exit with an error within 30 s, and returns its stderr.
fn startup_error(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut process = command(folder, arguments, variables).spawn().unwrap();
    // Started after `command`, which may build the binary.
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(30) {
            let _ = process.kill();
            panic!("cargo dev did not exit within 30 s");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "one sentence: {error}");
    error
}

#[test]
fn the_printed_curl_lines_work_after_every_start() {
    let folder = folder();
    for _ in 0..2 {
        let mut dev = Dev::start(folder.path(), &[], &[]);
        let lines: Vec<_> = dev.welcome.lines().filter(|line| line.contains("curl")).collect();
        assert_eq!(lines.len(), 3, "{}", dev.welcome);
        let pasted = Command::new("sh").arg("-c").arg(lines.join("\n")).output().unwrap();
        let answers = String::from_utf8(pasted.stdout).unwrap();
        let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(answers[0]["access_token"].is_string(), "{answers:?}");
        assert_eq!(answers[1]["title"], "Buy milk", "{answers:?}");
        assert!(dev.signal("TERM").success());
    }
}

#[test]
fn the_example_page_is_at_the_root_beside_the_api() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let page = dev.curl("/", &[]);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-type: text/html"), "{page}");
    for file in ["app.js", "style.css", "manifest.webmanifest"] {
        assert!(page.contains(&format!("=\"{file}\"")), "{page}");
    }
    for file in ["app.js", "api.js", "style.css", "sw.js", "manifest.webmanifest"] {
        assert!(dev.curl(&format!("/{file}"), &[]).starts_with("HTTP/1.1 200"), "{file}");
    }
    assert!(dev.welcome.contains(&format!("{}/docs\n", dev.url)), "{}", dev.welcome);
    assert!(dev.curl("/docs", &[]).starts_with("HTTP/1.1 200"));
    for (method, path) in
        [("GET", "/no-such-file.js"), ("POST", "/"), ("POST", "/app.js"), ("GET", "/%2e%2e/README.md")]
    {
        let answer = dev.curl(path, &["-X", method, "--path-as-is"]);
        assert!(
            answer.starts_with("HTTP/1.1 404") && answer.contains("\"not_found\""),
            "{method} {path}: {answer}"
        );
    }
}

#[test]
fn a_signal_stops_every_process_and_keeps_the_data_until_fresh() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &[], &[]);
    let (status, session) = dev.post("/auth/signup", &ada());
    assert_eq!(status, 201);
    assert!(!processes(folder.path()).is_empty());
    assert!(dev.signal("INT").success());
    assert_eq!(processes(folder.path()), Vec::<String>::new());

    let mut dev = Dev::start(folder.path(), &[], &[]);
    assert_eq!(dev.post("/auth/login", &ada()).0, 200);
    let token = format!("Authorization: Bearer {}", session["access_token"].as_str().unwrap());
    assert!(dev.curl("/tasks", &["-H", &token]).starts_with("HTTP/1.1 200"), "the JWT secret is kept too");
    assert!(dev.signal("TERM").success());
    assert_eq!(processes(folder.path()), Vec::<String>::new());

    let dev = Dev::start(folder.path(), &["--fresh"], &[]);
    assert_eq!(dev.post("/auth/login", &ada()).0, 401);
}

#[test]
fn a_crash_leaves_the_data_and_no_process() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &[], &[]);
    assert_eq!(dev.post("/auth/signup", &ada()).0, 201);
    dev.signal("KILL");
    let dev = Dev::start(folder.path(), &[], &[]);
    assert_eq!(dev.post("/auth/login", &ada()).0, 200);
    drop(dev);
    let killed = Instant::now();
    while !processes(folder.path()).is_empty() {
        assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", processes(folder.path()));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_request_logs_its_route_status_and_time_but_no_input() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    dev.curl("/api/tasks?search=secret", &[]);
    let line = dev.log.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(line.contains("GET /tasks 401 invalid_token in "), "{line}");
    assert!(line.contains(" ms, database 0.0 ms"), "{line}");
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn cargo_dev_allows_only_the_listed_origins() {
    let folder = folder();
    let origins = [("CORS_ALLOW_ORIGINS", "http://localhost:3000, https://todo.example.com")];
    let dev = Dev::start(folder.path(), &[], &origins);
    for (origin, listed) in [
        ("http://localhost:3000", true),
        ("https://todo.example.com", true),
        ("http://localhost:3001", false),
        ("https://todo.example.com.evil.example", false),
        ("null", false),
    ] {
        let origin_header = format!("Origin: {origin}");
        let preflight_headers = [
            "-H",
            "Access-Control-Request-Method: PUT",
            "-H",
            "Access-Control-Request-Headers: authorization",
        ];
        let preflight =
            dev.curl("/tasks", &[&["-X", "OPTIONS", "-H", &origin_header], &preflight_headers[..]].concat());
        let actual = dev.curl("/tasks", &["-H", &origin_header]);
        for answer in [&preflight, &actual] {
            let echoed = answer.contains(&format!("access-control-allow-origin: {origin}\r\n"));
            assert_eq!(echoed, listed, "{answer}");
            assert!(!answer.contains("access-control-allow-credentials"), "{answer}");
        }
        assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
        assert!(actual.starts_with("HTTP/1.1 401"), "{actual}");
        assert!(
            actual.contains("access-control-expose-headers: ETag, Idempotent-Replayed, Link,") == listed,
            "{actual}"
        );
        let file = dev.curl("/api.js", &["-H", &origin_header]);
        assert!(file.starts_with("HTTP/1.1 200") && file.contains("vary: Origin\r\n"), "{file}");
        assert_eq!(file.contains("access-control-allow-origin"), listed, "{file}");
    }
}

#[test]
fn seed_resets_the_demo_user_and_task() {
    let folder = folder();
    let demo = json!({ "email": "demo@example.com", "password": "correct horse battery staple" });
    for _ in 0..2 {
        let mut dev = Dev::start(folder.path(), &["--seed"], &[]);
        let (status, session) = dev.post("/auth/login", &demo);
        assert_eq!(status, 200);
        let token = format!("Authorization: Bearer {}", session["access_token"].as_str().unwrap());
        let task = "/tasks/019bc000-0000-7000-8000-000000000002";
        assert!(dev.curl(task, &["-H", &token, "-X", "DELETE"]).starts_with("HTTP/1.1 200"));
        dev.signal("TERM");
    }
}

#[tokio::test]
async fn statements_that_come_again_are_prepared_on_the_database_of_cargo_dev() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let (_, session) = dev.post("/auth/signup", &ada());
    let token = format!("Authorization: Bearer {}", session["access_token"].as_str().unwrap());
    let url = dev.welcome.lines().find_map(|line| line.strip_prefix("The database is ")).unwrap();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("ALTER SYSTEM SET log_min_duration_statement = 0").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // The server names the prepared statement that it executes.
    while !fs::read_to_string(folder.path().join("log")).unwrap().contains("execute s") {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(folder.path().join("log")).unwrap());
        assert!(dev.curl("/tasks", &["-H", &token]).starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn docker_writes_env_json_and_prints_the_sam_commands() {
    let folder = folder();
    // Every Linux machine has the interface lo. Other systems ignore the name.
    let dev = Dev::start(folder.path(), &["--docker=lo", "--seed"], &[]);
    let file = folder.path().join("env.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for line in ["sam local invoke tasks -e events/tasks-list.json", "sam local start-api"] {
        let line = format!("\n{line} --env-vars '{}'\n", file.display());
        assert!(dev.welcome.contains(&line), "{}", dev.welcome);
    }

    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let names = |file: &Value| file["Parameters"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&written),
        names(&serde_json::from_str(include_str!("../../events/env.example.json")).unwrap())
    );
    let variable = |name: &str| written["Parameters"][name].as_str().unwrap();
    assert_eq!(variable("JWT_SECRET"), shared::jwt::DEMO_SECRET);
    assert_eq!(variable("DATABASE_PREPARED_STATEMENTS"), "on");
    let (before, after) = variable("DATABASE_URL").split_once("host.docker.internal").unwrap();
    let url = format!("{before}127.0.0.1{after}");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let count: i64 = client.query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_missing_docker_bridge_is_an_error() {
    let sentence = startup_error(folder().path(), &["--docker=no-such-bridge"], &[]);
    assert!(sentence.contains("no network interface no-such-bridge"), "{sentence}");
    assert!(sentence.contains("start Docker first"), "{sentence}");
}

/// Runs `cargo dev migrate`, and returns its standard output and error.
fn migrate(url: &str) -> (String, String) {
    let output = command(folder().path(), &[], &[("DATABASE_URL", url)]).arg("migrate").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

async fn sorted_titles(sql: &tokio_postgres::Client) -> Vec<String> {
    let sorted = "SELECT title FROM tasks ORDER BY title COLLATE natural_order";
    sql.query(sorted, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// docs/operations.md, "Without ICU".
#[tokio::test]
async fn without_icu_migrating_warns_and_titles_are_in_the_order_of_c() {
    let url = kit::new_database("TEMPLATE template0").await.unwrap();
    let (sql, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // After initdb of a PostgreSQL without ICU there are none.
    let without_icu = "SET allow_system_table_mods = on; DELETE FROM pg_collation WHERE collprovider = 'i'";
    sql.batch_execute(without_icu).await.unwrap();
    let (stdout, stderr) = migrate(&url);
    assert!(stdout.contains("V7__natural_order_and_search"), "{stdout}{stderr}");
    assert!(stderr.contains("this PostgreSQL was built without ICU: titles are sorted by"), "{stderr}");
    assert!(stderr.contains("(to change that later, see docs/operations.md#without-icu)"), "{stderr}");
    let insert = "INSERT INTO users (id, email, hashed_password)
                  VALUES ('00000000-0000-0000-0000-000000000001', 'ada@example.com', 'x');
                  INSERT INTO tasks (id, user_id, title)
                  SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', unnest(ARRAY['Task 2', 'Task 10',
                  'zeit', 'Ärger', 'CAFÉ'])";
    sql.batch_execute(insert).await.unwrap();
    assert_eq!(sorted_titles(&sql).await, ["CAFÉ", "Task 10", "Task 2", "zeit", "Ärger"]);
    let found = "SELECT count(*) FROM tasks WHERE folded_text LIKE '%' || fold('cafe') || '%'";
    assert_eq!(sql.query_one(found, &[]).await.unwrap().get::<_, i64>(0), 1);

    sql.batch_execute("SELECT pg_import_system_collations('pg_catalog')").await.unwrap();
    let migration = include_str!("../../migrations/V7__natural_order_and_search.sql");
    sql.batch_execute(&format!("BEGIN; DROP COLLATION natural_order CASCADE; {migration}; COMMIT"))
        .await
        .unwrap();
    assert_eq!(sorted_titles(&sql).await, ["Ärger", "CAFÉ", "Task 2", "Task 10", "zeit"]);
    assert_eq!(sql.query_one(found, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_with_what_to_do() {
    let url = kit::new_database("TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'").await.unwrap();
    let (_, stderr) = migrate(&url);
    assert!(stderr.contains("the encoding of this database is SQL_ASCII"), "{stderr}");
    assert!(stderr.contains("create it anew with ENCODING 'UTF8'"), "{stderr}");
}

#[tokio::test]
async fn database_url_is_used_and_its_password_is_hidden() {
    let folder = folder();
    let url = kit::database().await;
    let variables = [("DATABASE_URL", url.as_str())];
    assert_eq!(migrate(&url).0, "Nothing to apply: the database is up to date.\n");

    let dev = Dev::start(folder.path(), &[], &variables);
    assert!(!dev.welcome.contains("postgresql://"), "{}", dev.welcome);
    assert_eq!(dev.post("/auth/signup", &ada()).0, 201);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let count: i64 = client.query_one("SELECT count(*) FROM users", &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
    assert!(!folder.path().join("data").exists(), "no PostgreSQL of its own");
}

#[test]
fn an_invalid_setting_is_reported_in_one_sentence() {
    let folder = folder();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().port().to_string();
    let unused = "postgresql://todo:s3cret@127.0.0.1:1/todo";
    for (variables, part) in [
        (&[("PORT", busy.as_str())][..], format!("port {busy} of 127.0.0.1 is in use")),
        (&[("PORT", "http")], "PORT is `http`".to_owned()),
        (&[("HOST", "192.0.2.1")], "cannot listen on port 0 of 192.0.2.1".to_owned()),
        (&[("CORS_ALLOW_ORIGINS", "localhost:3000")], "CORS_ALLOW_ORIGINS has `localhost:3000`".to_owned()),
        (&[("DATABASE_URL", "mysql://u:s3cret@h/d")], "DATABASE_URL cannot be read".to_owned()),
        (&[("DATABASE_URL", unused)], "the database 127.0.0.1:1/todo cannot be used".to_owned()),
        (&[("JWT_SECRET", "short")], "JWT_SECRET is too short".to_owned()),
        (&[("BCRYPT_COST", "99")], "BCRYPT_COST is `99`".to_owned()),
    ] {
        let sentence = startup_error(folder.path(), &[], variables);
        assert!(sentence.contains(&part), "{sentence}");
        assert!(!sentence.contains("s3cret"), "{sentence}");
    }
    let remote = "postgresql://todo:s3cret@db.invalid/todo";
    let sentence = startup_error(folder.path(), &["--fresh"], &[("DATABASE_URL", remote)]);
    assert!(
        sentence.contains("--fresh deletes only the data of the database that cargo dev starts"),
        "{sentence}"
    );
    let sentence = startup_error(folder.path(), &["--docker"], &[("DATABASE_URL", remote)]);
    assert!(sentence.contains("--docker works only with the database that cargo dev starts"), "{sentence}");
}

#[test]
fn data_of_another_postgresql_are_refused_and_unchanged() {
    let folder = folder();
    let mut dev = Dev::start(folder.path(), &[], &[]);
    assert_eq!(dev.post("/auth/signup", &ada()).0, 201);
    dev.signal("TERM");

    let version = folder.path().join("data/PG_VERSION");
    let real = fs::read_to_string(&version).unwrap();
    fs::write(&version, "9\n").unwrap();
    let sentence = startup_error(folder.path(), &[], &[]);
    assert!(sentence.contains("PostgreSQL 9") && sentence.contains("--fresh"), "{sentence}");

    fs::write(&version, real).unwrap();
    let dev = Dev::start(folder.path(), &[], &[]);
    assert_eq!(dev.post("/auth/login", &ada()).0, 200);
}

#[test]
fn a_second_cargo_dev_in_the_same_folder_is_refused() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let sentence = startup_error(folder.path(), &[], &[]);
    assert!(sentence.contains("another"), "{sentence}");
    assert!(dev.curl("/health", &[]).starts_with("HTTP/1.1 200"));
}

#[test]
fn help_names_every_option() {
    let folder = folder();
    let mut process = command(folder.path(), &["--help"], &[]).spawn().unwrap();
    let mut help = String::new();
    process.stdout.take().unwrap().read_to_string(&mut help).unwrap();
    assert!(process.wait().unwrap().success());
    for word in ["migrate", "--fresh", "--seed", "--docker", "--data", "DATABASE_URL"] {
        assert!(help.contains(word), "{help}");
    }
}
