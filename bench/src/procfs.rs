//! The CPU time and memory of a process, from Linux's /proc.

use std::fs;

use crate::Error;

/// Returns the CPU time of all threads so far, in ms. `/proc/PID/stat` counts only in ticks of 10 ms.
pub fn cpu_ms(pid: u32) -> Result<f64, Error> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended by now.
        let Ok(schedstat) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += schedstat.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1e6)
}

/// The resident memory, in MiB.
pub struct Rss {
    pub now: f64,
    pub peak: f64,
}

pub fn rss_mib(pid: u32) -> Result<Rss, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| {
        let kib = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        Ok::<_, Error>(kib.ok_or("/proc/PID/status is not understood")?.parse::<f64>()? / 1024.0)
    };
    Ok(Rss { now: mib("VmRSS:")?, peak: mib("VmHWM:")? })
}
