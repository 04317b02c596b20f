//! The share of a CPU that a Lambda function of some memory size has.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::cost::MB_PER_VCPU;

/// As Lambda has it: what is used up comes back after 20 ms.
const PERIOD_US: f64 = 20_000.0;
const V1: &str = "/sys/fs/cgroup/cpu";
const V2: &str = "/sys/fs/cgroup";

/// A control group whose processes have no more CPU than Lambda gives to so much memory. When this is dropped, they
/// have all of it again.
pub struct Share {
    folder: PathBuf,
}

impl Share {
    /// Puts the process into a group of its own.
    ///
    /// # Errors
    /// The group cannot be made: not root, or no such controller.
    pub fn limit(pid: u32, memory_mb: u32) -> io::Result<Self> {
        let quota = quota_us(memory_mb);
        let is_v2 = Path::new(V2).join("cgroup.controllers").exists();
        let share = Self { folder: Path::new(if is_v2 { V2 } else { V1 }).join(format!("measured-{pid}")) };
        if is_v2 {
            fs::write(Path::new(V2).join("cgroup.subtree_control"), "+cpu")?;
        }
        fs::create_dir(&share.folder)?;
        if is_v2 {
            fs::write(share.folder.join("cpu.max"), format!("{quota} {PERIOD_US}"))?;
        } else {
            fs::write(share.folder.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(share.folder.join("cpu.cfs_quota_us"), quota.to_string())?;
        }
        fs::write(share.folder.join("cgroup.procs"), pid.to_string())?;
        Ok(share)
    }
}

impl Drop for Share {
    /// What cannot be undone is left to whoever cleans the machine up.
    fn drop(&mut self) {
        let processes = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        for pid in processes.lines() {
            let _ = fs::write(self.folder.with_file_name("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

fn quota_us(memory_mb: u32) -> u32 {
    (PERIOD_US * f64::from(memory_mb) / MB_PER_VCPU) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_1769_mb_there_is_one_cpu_and_elsewhere_in_proportion() {
        assert_eq!(quota_us(1769), 20_000);
        assert_eq!(quota_us(512), 5_788);
        assert_eq!(quota_us(3008), 34_007);
    }
}
