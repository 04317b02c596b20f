//! Runs PgBouncer in front of a test's database.

use std::{
    env,
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::unistd::{Uid, User};
use tempfile::TempDir;
use tokio::time::sleep;

/// A running PgBouncer. Dropping it ends the process.
pub struct PgBouncer {
    url: String,
    process: Child,
    /// The configuration and the log.
    folder: TempDir,
}

impl PgBouncer {
    /// Starts PgBouncer in transaction mode in front of the database of this URL, with `pool_size` connections to it
    /// and at most `clients` clients.
    ///
    /// # Panics
    /// Panics if PgBouncer is not installed (Debian's package is `pgbouncer`) or does not start. Its log is printed.
    pub async fn start(url: &str, pool_size: usize, clients: usize) -> Self {
        Self::start_in_mode("transaction", url, pool_size, clients).await
    }

    /// Like [`PgBouncer::start`], with another `pool_mode`.
    ///
    /// # Panics
    /// See [`PgBouncer::start`].
    pub async fn start_in_mode(mode: &str, url: &str, pool_size: usize, clients: usize) -> Self {
        for _ in 0..5 {
            let mut started = Self::spawn(mode, url, pool_size, clients)
                .unwrap_or_else(|error| panic!("cannot run PgBouncer: {error}"));
            // If another program took the port first, try another one.
            if started.wait_until_up().await {
                return started;
            }
        }
        panic!("PgBouncer did not start in five attempts: see its log above")
    }

    /// True if this PgBouncer keeps the prepared statements of its clients. It does since 1.21, by default since 1.24.
    ///
    /// # Panics
    /// Panics if it does not tell its version.
    pub fn keeps_prepared_statements() -> bool {
        let output = Command::new(program()).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("cannot run PgBouncer: {error}")).stdout;
        let text = String::from_utf8_lossy(&output);
        let version = text.strip_prefix("PgBouncer 1.").and_then(|rest| rest.split(['.', '\n']).next());
        let minor = version.and_then(|minor| minor.parse::<u32>().ok());
        minor.unwrap_or_else(|| panic!("unknown version: {text}")) >= 24
    }

    /// Returns the database's URL through PgBouncer.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn spawn(mode: &str, url: &str, pool_size: usize, clients: usize) -> io::Result<Self> {
        let parts: tokio_postgres::Config = url.parse().map_err(io::Error::other)?;
        let (Some(user), Some(password), Some(database), &[server]) =
            (parts.get_user(), parts.get_password(), parts.get_dbname(), parts.get_ports())
        else {
            return Err(io::Error::other("the URL lacks a user, a password, a database or a port"));
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let (users, settings, log) =
            (folder.path().join("users"), folder.path().join("pgbouncer.ini"), folder.path().join("log"));
        fs::write(&users, format!("\"{user}\" \"{}\"\n", String::from_utf8_lossy(password)))?;
        fs::write(
            &settings,
            format!(
                "[databases]\n\
                 {database} = host=127.0.0.1 port={server}\n\
                 [pgbouncer]\n\
                 listen_addr = 127.0.0.1\n\
                 listen_port = {port}\n\
                 unix_socket_dir =\n\
                 auth_type = scram-sha-256\n\
                 auth_file = {}\n\
                 pool_mode = {mode}\n\
                 default_pool_size = {pool_size}\n\
                 server_login_retry = 1\n\
                 max_client_conn = {clients}\n",
                users.display()
            ),
        )?;
        let mut command = Command::new(program());
        if let Some(User { uid, gid, .. }) = unprivileged_user()? {
            // PgBouncer refuses to run as root.
            for path in [folder.path(), &users, &settings] {
                chown(path, Some(uid.as_raw()), Some(gid.as_raw()))?;
            }
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let log = File::create(log)?;
        let process = command
            .arg(&settings)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other("not installed: run `apt install pgbouncer`"),
                _ => error,
            })?;
        let url = url.replacen(&format!(":{server}/"), &format!(":{port}/"), 1);
        Ok(Self { url, process, folder })
    }

    /// Waits until it is up. Prints its log and returns false if it ends or takes more than 10 s.
    async fn wait_until_up(&mut self) -> bool {
        let path = self.folder.path().join("log");
        let log = || fs::read_to_string(&path).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && matches!(self.process.try_wait(), Ok(None)) {
            // Reads the log, because another program may listen on the port.
            if log().contains("process up") {
                return true;
            }
            sleep(Duration::from_millis(10)).await;
        }
        eprintln!("{}", log());
        false
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the path of PgBouncer: `PGBOUNCER`, or the installed one. Debian installs it in a folder that is only in root's
/// `PATH`.
fn program() -> PathBuf {
    let debian = Path::new("/usr/sbin/pgbouncer");
    match env::var_os("PGBOUNCER") {
        Some(path) => path.into(),
        None if debian.exists() => debian.to_owned(),
        None => "pgbouncer".into(),
    }
}

/// Returns the user to run PgBouncer as, if this process is root.
fn unprivileged_user() -> io::Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = match User::from_name("postgres")? {
        Some(user) => Some(user),
        None => User::from_name("nobody")?,
    };
    user.map(Some).ok_or_else(|| {
        io::Error::other("it cannot run as root, and there is no user `postgres` or `nobody`: add one")
    })
}
