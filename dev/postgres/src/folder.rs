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

/// Locked while a server runs, and holds its owner's process number; that it is there marks the folder as ours.
const LOCK: &str = "cargo-dev.lock";

/// Makes the folder for [`Server::start`](crate::Server::start), or finds it, and tells where it really is:
/// when root's PostgreSQL, which runs as another user, cannot get to it, it is a link to one in `/var/tmp`.
/// Others may keep files of their own in it.
///
/// # Errors
/// A folder that holds something else is refused, and so is one of ours that has been closed to PostgreSQL's user.
pub fn prepare(folder: &Path) -> Result<PathBuf, Error> {
    if folder.is_symlink() && !folder.exists() {
        // What it led to has been cleaned away.
        fs::remove_file(folder).map_err(Error::io("delete the link", folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let real = fs::canonicalize(folder).map_err(Error::io("find", folder))?;
    if !real.join(LOCK).exists() {
        let mut entries = fs::read_dir(&real).map_err(Error::io("read", &real))?;
        if entries.next().is_some() {
            return Err(Error::NotOurs(folder.to_owned()));
        }
        open_lock(&real)?;
    }
    let account = Account::of(&real)?;
    account.own(&real)?;
    if account.reaches(&real) {
        return Ok(real);
    }
    let entries = fs::read_dir(&real).map_err(Error::io("read", &real))?;
    if folder.is_symlink() || entries.count() > 1 {
        // Not only our lock: nothing is left behind or deleted unasked.
        return Err(Error::Unreachable(folder.to_owned()));
    }
    let elsewhere = random(Path::new("/var/tmp"))?;
    open_lock(&elsewhere)?;
    fs::remove_file(real.join(LOCK))
        .and_then(|()| fs::remove_dir(&real))
        .map_err(Error::io("delete", &real))?;
    symlink(&elsewhere, folder).map_err(Error::io("make the link", folder))?;
    Ok(elsewhere)
}

/// A new folder in the system's temporary one.
pub(crate) fn temporary() -> Result<PathBuf, Error> {
    random(&std::env::temp_dir())
}

/// A new folder in `parent` if PostgreSQL's user gets there, else in `/tmp`.
fn random(parent: &Path) -> Result<PathBuf, Error> {
    for parent in [parent, Path::new("/tmp")] {
        let made = tempfile::Builder::new().prefix("serverless-todo-").tempdir_in(parent);
        let Ok(made) = made else { continue };
        let account = Account::of(made.path())?;
        account.own(made.path())?;
        if account.reaches(made.path()) {
            let made = made.keep();
            return fs::canonicalize(&made).map_err(Error::io("find", &made));
        }
    }
    Err(Error::Unreachable(parent.to_owned()))
}

/// [Prepares](prepare) the folder and takes its lock, which lasts as long as the file is open somewhere.
/// A predecessor that is ending gets three seconds, and its PostgreSQL thirty when it was killed.
pub(crate) async fn lock(folder: &Path) -> Result<(PathBuf, File), Error> {
    let start = Instant::now();
    loop {
        let real = prepare(folder)?;
        let mut lock = open_lock(&real)?;
        match lock.try_lock() {
            // Unless the folder was replaced while we waited for it.
            Ok(()) if is_at(&lock, &real) => {
                lock.set_len(0)
                    .and_then(|()| write!(lock, "{}", std::process::id()))
                    .map_err(Error::io("write the lock in", &real))?;
                return Ok((real, lock));
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(real.join(LOCK)).unwrap_or_default();
                let alive =
                    owner.parse().is_ok_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH));
                if start.elapsed() > Duration::from_secs(if alive { 3 } else { 30 }) {
                    return Err(Error::InUse { folder: folder.to_owned(), owner });
                }
                sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &real)(error)),
        }
    }
}

fn is_at(lock: &File, folder: &Path) -> bool {
    match (lock.metadata(), fs::metadata(folder.join(LOCK))) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

fn open_lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io("open", &path))
}

/// Deletes a folder with all that is in it, if it is there.
pub(crate) fn delete(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}
