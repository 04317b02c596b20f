//! What a process has used, as Linux says.

use std::fs;

use crate::Error;

/// The CPU time of all threads so far, in ms. (`/proc/PID/stat` counts in ticks of 10 ms.)
pub fn cpu_ms(pid: u32) -> Result<f64, Error> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the two.
        let Ok(schedstat) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += schedstat.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1e6)
}

/// The most memory it has had at once, in MiB.
pub fn peak_rss_mib(pid: u32) -> Result<f64, Error> {
    status_mib(pid, "VmHWM:")
}

/// The memory it has now, in MiB.
pub fn rss_mib(pid: u32) -> Result<f64, Error> {
    status_mib(pid, "VmRSS:")
}

fn status_mib(pid: u32, name: &str) -> Result<f64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = value.and_then(|value| value.trim().strip_suffix(" kB"));
    Ok(kib.ok_or_else(|| format!("/proc/{pid}/status has no {name}"))?.parse::<f64>()? / 1024.0)
}
