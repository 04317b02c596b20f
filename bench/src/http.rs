//! The whole backend on a port, asked for a list by `wrk`: `cargo dev`'s release build, and FastAPI under uvicorn.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use shared::jwt::DEMO_SECRET;

use crate::{
    Error,
    binaries::{build_local, install_peer, output, python},
    machine, report,
    requests::seed,
    root,
    statistics::median,
    target::Request,
};

const CONNECTIONS: [u32; 3] = [1, 16, 64];
const RUNS: usize = 3;
const SECONDS: u32 = 10;
/// How long a server may take to listen.
const DEADLINE: Duration = Duration::from_secs(30);

pub async fn run() -> Result<(), Error> {
    if Command::new("wrk").arg("--version").output().is_err() {
        return Err(
            "wrk is not installed: `apt-get install wrk` (Debian), or see https://github.com/wg/wrk".into()
        );
    }
    install_peer()?;
    let local = build_local()?;
    let tls = kit::tls().await;
    seed(&tls, "").await?;
    let url = format!("{}?sslmode=disable", tls.plain_url());
    let data = tempfile::tempdir()?;
    let mut ours = Command::new(local);
    ours.args(["--data", &data.path().to_string_lossy()]);
    let servers = [
        ("ours", Server::start(ours, &url)?),
        ("FastAPI, 1 worker", Server::start(uvicorn(1), &url)?),
        ("FastAPI, 2 workers", Server::start(uvicorn(2), &url)?),
    ];
    let event: Value = serde_json::from_str(&Request::List.event()?)?;
    let authorization =
        format!("Authorization: {}", event["headers"]["authorization"].as_str().unwrap_or_default());

    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        eprintln!("http: {connections} connections");
        let mut samples: BTreeMap<&str, Vec<Load>> = BTreeMap::new();
        for _ in 0..RUNS {
            for (name, server) in &servers {
                let output = output(
                    Command::new("wrk")
                        .args(["--threads", "1", "--latency", "--header", &authorization])
                        .args([
                            format!("--connections={connections}"),
                            format!("--duration={SECONDS}s"),
                            format!("http://127.0.0.1:{}/tasks", server.port),
                        ]),
                )?;
                let load =
                    Load::read(&output).ok_or_else(|| format!("wrk's output is not understood: {output}"))?;
                if load.errors > 0.0 {
                    return Err(format!("{name} gave wrong answers or none: {output}").into());
                }
                samples.entry(name).or_default().push(load);
            }
        }
        for (name, _) in &servers {
            let of = |part: fn(&Load) -> f64| {
                report::figure_or_dash(median(&samples[name].iter().map(part).collect::<Vec<_>>()))
            };
            rows.push(vec![
                format!("{name}, {connections} connection{}", if connections == 1 { "" } else { "s" }),
                of(|load| load.a_second),
                of(|load| load.p50),
                of(|load| load.p99),
                of(|load| load.errors),
            ]);
        }
    }
    let table = report::table(&["`GET /tasks`, 10 tasks", "requests/s", "p50 ms", "p99 ms", "errors"], rows);
    let text = format!("{table}\n{}", machine::described(&tls).await?);
    report::write(&root().join("docs/benchmarks.md"), "http", &text)
}

fn uvicorn(workers: u32) -> Command {
    let mut command = Command::new(python());
    command.args(["-m", "uvicorn", "main:app", "--workers", &workers.to_string()]);
    command.current_dir(root().join("bench/fastapi"));
    command
}

/// A process that listens, and is killed when this is dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Gives the port both ways: as a variable, for ours, and for uvicorn as `UVICORN_PORT`.
    fn start(mut command: Command, url: &str) -> Result<Self, Error> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let process = command
            .env("PORT", port.to_string())
            .env("UVICORN_PORT", port.to_string())
            .env("DATABASE_URL", url)
            .env("JWT_SECRET", DEMO_SECRET)
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
}

impl Drop for Server {
    fn drop(&mut self) {
        // So that uvicorn can end its workers.
        kit::signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}

/// What wrk measured; durations in ms.
#[derive(Debug, PartialEq)]
struct Load {
    a_second: f64,
    p50: f64,
    p99: f64,
    errors: f64,
}

impl Load {
    fn read(output: &str) -> Option<Self> {
        let after =
            |name: &str| output.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
        let socket_errors = after("Socket errors:").unwrap_or_default();
        let socket_errors = socket_errors.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok());
        let wrong = after("Non-2xx or 3xx responses:").map_or(Some(0.0), |count| count.parse().ok())?;
        Some(Self {
            a_second: after("Requests/sec:")?.parse().ok()?,
            p50: in_ms(after("50%")?)?,
            p99: in_ms(after("99%")?)?,
            errors: wrong + socket_errors.sum::<f64>(),
        })
    }
}

/// Of wrk's way to write a duration.
fn in_ms(text: &str) -> Option<f64> {
    let (number, factor) = None
        .or_else(|| Some((text.strip_suffix("us")?, 0.001)))
        .or_else(|| Some((text.strip_suffix("ms")?, 1.0)))
        .or_else(|| Some((text.strip_suffix('s')?, 1000.0)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "  Latency Distribution\n     50%  850.00us\n     75%    1.10ms\n     99%    1.23s \n  12 requests in \
                          10.00s, 1MB read\nRequests/sec:  18021.38\nTransfer/sec:      2.20MB\n";

    #[test]
    fn what_wrk_says_is_understood() {
        assert_eq!(
            Load::read(OUTPUT),
            Some(Load { a_second: 18021.38, p50: 0.85, p99: 1230.0, errors: 0.0 })
        );
    }

    #[test]
    fn answers_that_are_wrong_or_do_not_come_are_errors() {
        let errors =
            "  Socket errors: connect 0, read 1, write 0, timeout 2\n  Non-2xx or 3xx responses: 4\n";
        assert_eq!(Load::read(&format!("{OUTPUT}{errors}")).map(|load| load.errors), Some(7.0));
    }
}
