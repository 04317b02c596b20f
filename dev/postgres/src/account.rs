use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::Error;

/// Whom PostgreSQL runs as: ourselves or, as it refuses root, another user.
#[derive(Clone, Copy)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    /// Root runs it as the folder's owner (data keep theirs), else `postgres`, else `nobody`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let owner = fs::metadata(folder).map_or(0, |found| found.uid());
        let owner = Some(Uid::from_raw(owner)).filter(|owner| !owner.is_root());
        owner
            .and_then(|owner| User::from_uid(owner).ok().flatten())
            .or_else(|| User::from_name("postgres").ok().flatten())
            .or_else(|| User::from_name("nobody").ok().flatten())
            .map(|user| Self(Some((user.uid.as_raw(), user.gid.as_raw()))))
            .ok_or(Error::NoAccount)
    }

    /// A program run as this user, with nothing of our environment but `PATH`.
    pub(crate) fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        // Our own working directory may be closed to this user, and PostgreSQL wants to know its own.
        command.current_dir("/").env_clear().env("LC_ALL", "C");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        if let Self(Some((uid, gid))) = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file or folder to this user alone.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .and_then(|()| match self {
                Self(Some((uid, gid))) => chown(path, Some(uid), Some(gid)),
                Self(None) => Ok(()),
            })
            .map_err(Error::io("set the owner and mode of", path))
    }

    /// Whether this user gets to the folder and may write there; found out by trying.
    pub(crate) fn reaches(self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd \"$1\" && test -w .", "sh"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
