//! Counts the instructions of a request with valgrind's callgrind: unlike times, they are the same on a busy machine.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use tokio::time::sleep;

use crate::{Error, bench::Bench, figures::ByTarget, process::Process, target::Target};

/// The numbers of requests of the two runs. Their difference has nothing of the start and of the first requests.
const REQUESTS: [u32; 2] = [50, 150];

/// Returns the instructions of a request in the function, in thousands. Node's and FastAPI's are not counted, and none
/// where valgrind is not installed.
pub async fn of_request(bench: &Bench, event: &str) -> Result<ByTarget<f64>, Error> {
    let mut thousands = ByTarget::new();
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(thousands);
    }
    let is_counted = |target: &Target| !matches!(target, Target::Node | Target::FastApi);
    for target in Target::answering(event).filter(is_counted) {
        let few = count(bench, target, event, REQUESTS[0]).await?;
        let many = count(bench, target, event, REQUESTS[1]).await?;
        thousands.insert(target, (many - few) / f64::from(REQUESTS[1] - REQUESTS[0]) / 1000.0);
    }
    Ok(thousands)
}

/// Returns the instructions of a process that answers this number of requests.
async fn count(bench: &Bench, target: Target, event: &str, requests: u32) -> Result<f64, Error> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("function");
    // Kept for callgrind_annotate.
    let kept = kit::target_folder().join("callgrind");
    fs::create_dir_all(&kept)?;
    let counts = kept.join(format!("{}-{event}", target.name()));
    let _ = fs::remove_file(&counts);
    let (binary, counted) = (bench.binary(target, event)?, counts.display());
    let command = format!("valgrind --tool=callgrind --callgrind-out-file={counted} {}", binary.display());
    fs::write(&script, format!("#!/bin/sh\nexec {command}\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    let mut process = bench.start_binary(&script, &bench.url, target, event).await?;
    for _ in 0..requests {
        process.answer().await?;
    }
    total(&process, &counts).await
}

/// Ends the process, at which callgrind writes its counts, and returns their total.
async fn total(process: &Process, counts: &Path) -> Result<f64, Error> {
    kit::signal(process.function.pid(), "TERM");
    for _ in 0..300 {
        let text = fs::read_to_string(counts).unwrap_or_default();
        if let Some(total) = text.lines().find_map(|line| line.strip_prefix("totals: ")) {
            return Ok(total.parse()?);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(format!("callgrind has written no total within 30 s: {}", process.function.output()).into())
}
