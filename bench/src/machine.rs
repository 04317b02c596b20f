//! The machine and the versions that the figures are of.

use std::{fs, process::Command, thread::available_parallelism};

use jiff::Timestamp;
use kit::Tls;

use crate::{Error, command::output, fastapi::python};

/// Returns the machine, the versions and the date, in italics.
pub async fn description(database: &Tls) -> Result<String, Error> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let version = database.client().await?.query_one("SHOW server_version", &[]).await?.get::<_, String>(0);
    Ok(format!(
        "*{model}, {cores} cores; Linux {linux}; PostgreSQL {postgresql}; {rustc}; {python}; {date}.*",
        model = model.trim_start_matches([' ', '\t', ':']),
        cores = available_parallelism()?,
        linux = fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        postgresql = version.split(' ').next().unwrap_or_default(),
        rustc = output(Command::new("rustc").arg("--version"))?.split(" (").next().unwrap_or_default(),
        python = output(Command::new(python()).arg("--version"))?,
        date = Timestamp::now().strftime("%F"),
    ))
}
