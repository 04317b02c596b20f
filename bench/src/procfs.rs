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

/// The parts of resident memory.
pub const PARTS: [&str; 3] = ["the binary's file", "libraries' files", "heap, stacks, data"];

/// Returns the resident memory of each of [`PARTS`], in MiB. Pages of a file that were written to count as data.
pub fn rss_parts_mib(pid: u32) -> Result<[f64; 3], Error> {
    let binary = fs::read_link(format!("/proc/{pid}/exe"))?;
    let binary = binary.to_string_lossy();
    let (mut parts, mut part) = ([0.0; 3], 0);
    for line in fs::read_to_string(format!("/proc/{pid}/smaps"))?.lines() {
        let mut words = line.split_whitespace();
        let Some((name, rest)) = words.next().zip(Some(words.collect::<Vec<_>>())) else { continue };
        // A mapping's first line begins with its addresses, and ends with its file.
        if !name.ends_with(':') {
            part = match rest.get(4) {
                Some(path) if *path == binary => 0,
                Some(path) if path.starts_with('/') => 1,
                _ => 2,
            };
        } else if let Some(kib) = rest.first().and_then(|kib| kib.parse::<f64>().ok()) {
            match name {
                "Rss:" => parts[part] += kib / 1024.0,
                "Anonymous:" => {
                    parts[part] -= kib / 1024.0;
                    parts[2] += kib / 1024.0;
                }
                _ => {}
            }
        }
    }
    Ok(parts)
}
