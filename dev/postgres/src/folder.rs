//! The data folder: creates it, locks it and deletes it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::account::Account;
use crate::progress::{PATIENCE, say};

/// The lock file: locked while a server runs, with its owner's PID as content. It also marks the folder as a data
/// folder of `cargo dev`.
const LOCK: &str = "cargo-dev.lock";

/// Creates the folder for [`Server::start`](crate::Server::start) if it is missing, and returns its canonical path.
/// PostgreSQL cannot run as root. If the process is root and the other user has no access to the folder, the folder
/// becomes a symbolic link to a new one in `/var/tmp`. Other files may be added to the folder later.
///
/// # Errors
/// Fails if the folder has other files and no lock file, or if PostgreSQL's user lost access to it.
pub fn prepare(folder: &Path) -> Result<PathBuf, Error> {
    if folder.is_symlink() && !folder.exists() {
        // The link's target was deleted.
        fs::remove_file(folder).map_err(Error::io("delete the link", folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    let real = fs::canonicalize(folder).map_err(Error::io("resolve the path", folder))?;
    if !real.join(LOCK).exists() {
        let mut entries = fs::read_dir(&real).map_err(Error::io("read", &real))?;
        if entries.next().is_some() {
            return Err(Error::ForeignFiles(folder.to_owned()));
        }
        open_lock(&real)?;
    }
    let account = Account::for_folder(&real)?;
    account.make_private(&real)?;
    if account.can_write(&real) {
        return Ok(real);
    }
    let entries = fs::read_dir(&real).map_err(Error::io("read", &real))?;
    if folder.is_symlink() || entries.count() > 1 {
        // The folder has more than the lock file, and moving it would delete or leave data.
        return Err(Error::NoAccess(folder.to_owned()));
    }
    let target = new_folder_in(Path::new("/var/tmp"))?;
    open_lock(&target)?;
    fs::remove_file(real.join(LOCK))
        .and_then(|()| fs::remove_dir(&real))
        .map_err(Error::io("delete", &real))?;
    symlink(&target, folder).map_err(Error::io("create the link", folder))?;
    Ok(target)
}

/// Creates a folder in the system's folder for temporary files.
pub(crate) fn temporary() -> Result<PathBuf, Error> {
    new_folder_in(&std::env::temp_dir())
}

/// Creates a folder in `parent`, or in `/tmp` if PostgreSQL's user has no access to `parent`.
fn new_folder_in(parent: &Path) -> Result<PathBuf, Error> {
    for parent in [parent, Path::new("/tmp")] {
        let folder = tempfile::Builder::new().prefix("serverless-todo-").tempdir_in(parent);
        let Ok(folder) = folder else { continue };
        let account = Account::for_folder(folder.path())?;
        account.make_private(folder.path())?;
        if account.can_write(folder.path()) {
            let folder = folder.keep();
            return fs::canonicalize(&folder).map_err(Error::io("resolve the path", &folder));
        }
    }
    Err(Error::NoAccess(parent.to_owned()))
}

/// [Prepares](prepare) the folder and locks it. The lock lasts as long as any process has the file open.
/// Waits 3 s for an owner that is still running, and 30 s for the PostgreSQL of one that was killed.
pub(crate) async fn lock(folder: &Path) -> Result<(PathBuf, File), Error> {
    let start = Instant::now();
    let mut is_told = false;
    loop {
        let real = prepare(folder)?;
        let mut lock = open_lock(&real)?;
        match lock.try_lock() {
            Ok(()) if is_current(&lock, &real) => {
                lock.set_len(0)
                    .and_then(|()| write!(lock, "{}", std::process::id()))
                    .map_err(Error::io("write the lock in", &real))?;
                return Ok((real, lock));
            }
            // The folder was replaced while this waited for the lock.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(real.join(LOCK)).unwrap_or_default();
                let alive =
                    owner.parse().is_ok_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH));
                if start.elapsed() > Duration::from_secs(if alive { 3 } else { 30 }) {
                    return Err(Error::InUse { folder: folder.to_owned(), owner });
                }
                if !alive && !is_told && start.elapsed() > PATIENCE {
                    is_told = true;
                    say("Waiting for the PostgreSQL of an earlier run, which is stopping");
                }
                sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &real)(error)),
        }
    }
}

/// True if the open file is still the folder's lock file.
fn is_current(lock: &File, folder: &Path) -> bool {
    match (lock.metadata(), fs::metadata(folder.join(LOCK))) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

fn open_lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io("open", &path))
}

/// Deletes a folder and its content, if it exists.
pub(crate) fn delete(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}
