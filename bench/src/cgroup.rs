//! Limits a process to the CPU of a Lambda function of some memory size.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::cost::MB_PER_VCPU;

/// Lambda's period: a function that has used up its quota waits for the next one.
const PERIOD_US: f64 = 20_000.0;
const V1: &str = "/sys/fs/cgroup/cpu";
const V2: &str = "/sys/fs/cgroup";

/// A control group with one process. The process has all of the CPU again when this is dropped.
pub struct CpuLimit {
    folder: PathBuf,
}

impl CpuLimit {
    /// Returns nothing, and says why, if this process is not root's or there is no such controller.
    pub fn new(pid: u32, memory_mb: u32) -> Option<Self> {
        let quota_us = (PERIOD_US * f64::from(memory_mb) / MB_PER_VCPU) as u32;
        let explain = |error: &_| eprintln!("left out, as CPU cannot be limited ({error}): run it as root");
        Self::try_new(pid, quota_us).inspect_err(explain).ok()
    }

    fn try_new(pid: u32, quota_us: u32) -> io::Result<Self> {
        let is_v2 = Path::new(V2).join("cgroup.controllers").exists();
        let limit = Self { folder: Path::new(if is_v2 { V2 } else { V1 }).join(format!("measured-{pid}")) };
        let write = |name: &str, value: String| fs::write(limit.folder.join(name), value);
        if is_v2 {
            fs::write(Path::new(V2).join("cgroup.subtree_control"), "+cpu")?;
        }
        fs::create_dir(&limit.folder)?;
        if is_v2 {
            write("cpu.max", format!("{quota_us} {PERIOD_US}"))?;
        } else {
            write("cpu.cfs_period_us", PERIOD_US.to_string())?;
            write("cpu.cfs_quota_us", quota_us.to_string())?;
        }
        write("cgroup.procs", pid.to_string())?;
        Ok(limit)
    }
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        let processes = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        for pid in processes.lines() {
            let _ = fs::write(self.folder.with_file_name("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}
