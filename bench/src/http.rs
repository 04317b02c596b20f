//! Measures lists over HTTP with `wrk`: the release build of `cargo dev`, and FastAPI under uvicorn.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use shared::jwt::DEMO_SECRET;

use crate::{
    Error,
    binaries::build_dev,
    command::output,
    database::{self, BCRYPT_COST},
    fastapi,
    process::{LIST, event_json},
    report,
    samples::median,
};

const CONNECTIONS: [u32; 3] = [1, 16, 64];
const RUNS: usize = 3;
const SECONDS: u32 = 10;
/// The time in which a server must listen.
const DEADLINE: Duration = Duration::from_secs(30);

pub async fn run() -> Result<(), Error> {
    if Command::new("wrk").arg("--version").output().is_err() {
        return Err("wrk is not installed: `apt-get install wrk`, or see https://github.com/wg/wrk".into());
    }
    let mut ours = Command::new(build_dev()?);
    let tls = kit::tls().await;
    database::seed(tls.plain_url(), BCRYPT_COST).await?;
    let url = format!("{}?sslmode=disable", tls.plain_url());
    let data = tempfile::tempdir()?;
    // `cargo dev` does so with the database that it starts by itself.
    ours.arg("--data").arg(data.path()).env("DATABASE_PREPARED_STATEMENTS", "on");
    let servers = [
        ("ours", Server::start(ours, &url)?),
        ("FastAPI, 1 worker", Server::start(uvicorn(1), &url)?),
        ("FastAPI, 2 workers", Server::start(uvicorn(2), &url)?),
    ];
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        eprintln!("http: {connections} connections");
        let mut loads = servers.each_ref().map(|_| Vec::new());
        for _ in 0..RUNS {
            for ((name, server), loads) in servers.iter().zip(&mut loads) {
                loads.push(server.load(connections).map_err(|error| format!("{name}: {error}"))?);
            }
        }
        for ((name, _), loads) in servers.iter().zip(&loads) {
            let medians = [0, 1, 2, 3].map(|number| median(loads.iter().map(|load: &[f64; 4]| load[number])));
            let plural = if connections == 1 { "" } else { "s" };
            rows.push(report::row(format!("{name}, {connections} connection{plural}"), medians));
        }
    }
    let table = report::table("`GET /tasks`, 10 tasks | requests/s | p50 ms | p99 ms | errors", rows);
    report::write_measured("benchmarks.md", "http", &table, &tls).await
}

fn uvicorn(workers: u32) -> Command {
    let mut command = Command::new(fastapi::python());
    command.args(["-m", "uvicorn", "main:app", "--workers", &workers.to_string()]);
    command.current_dir(fastapi::folder());
    command
}

/// A process that listens, and is ended when this is dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts a server on a free port, and waits until it listens. `cargo dev` reads `PORT`, uvicorn `UVICORN_PORT`.
    fn start(mut command: Command, url: &str) -> Result<Self, Error> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let process = command
            .envs([("PORT", port.to_string()), ("UVICORN_PORT", port.to_string())])
            .envs([("DATABASE_URL", url), ("JWT_SECRET", DEMO_SECRET)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { process, port };
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("{command:?} ended before it listened ({status})").into());
            }
            if start.elapsed() > DEADLINE {
                return Err(format!("{command:?} did not listen within {DEADLINE:?}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Returns wrk's requests a second, p50 and p99 in ms, and errors.
    fn load(&self, connections: u32) -> Result<[f64; 4], Error> {
        let event: Value = serde_json::from_str(&event_json(LIST)?)?;
        let token = event["headers"]["authorization"].as_str().unwrap_or_default();
        let mut wrk = Command::new("wrk");
        let output = output(wrk.current_dir(kit::repository()).args([
            "--threads=1".to_owned(),
            "--script=bench/wrk.lua".to_owned(),
            format!("--header=Authorization: {token}"),
            format!("--connections={connections}"),
            format!("--duration={SECONDS}s"),
            format!("http://127.0.0.1:{}/tasks", self.port),
        ]))?;
        let figures = output.lines().find_map(|line| line.strip_prefix("figures: ")).unwrap_or_default();
        let figures = figures.split(' ').map(str::parse).collect::<Result<Vec<_>, _>>()?;
        figures.try_into().map_err(|_| format!("wrk printed no figures: {output}").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Unlike a kill, this lets uvicorn end its workers.
        kit::signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}
