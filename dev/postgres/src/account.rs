//! The operating system user that PostgreSQL runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::Error;

/// The user ID and group ID to run PostgreSQL as, if this process is root: PostgreSQL refuses to run as root. `None`
/// stands for the current user.
#[derive(Clone, Copy)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    /// Returns the account for this data folder. For root it is the folder's owner, else `postgres`, else `nobody`.
    pub(crate) fn for_folder(folder: &Path) -> Result<Self, Error> {
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
            .ok_or(Error::NoUnprivilegedUser)
    }

    /// Returns a command that runs as this account, with `PATH` as the only inherited variable.
    pub(crate) fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        // PostgreSQL reads its working directory, and the account may have no access to the current one.
        command.current_dir("/").env_clear().env("LC_ALL", "C");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        if let Self(Some((uid, gid))) = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes the account the owner of a file or folder, and removes the access of all others.
    pub(crate) fn make_private(self, path: &Path) -> Result<(), Error> {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .and_then(|()| match self {
                Self(Some((uid, gid))) => chown(path, Some(uid), Some(gid)),
                Self(None) => Ok(()),
            })
            .map_err(Error::io("set the owner and mode of", path))
    }

    /// True if the account can write to the folder. Checks it with a shell that runs as the account.
    pub(crate) fn can_write(self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd \"$1\" && test -w .", "sh"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
