//! Starts and stops a PostgreSQL server.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::iter;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

use crate::account::Account;
use crate::installation::{Installation, Sources};
use crate::progress::waiting;
use crate::{Bridge, Error, folder};

/// The port of a persistent server if it is free, so that the URL stays the same.
const PORT: u16 = 54329;

/// The polling interval.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The locale for character types, so that `lower()` handles non-ASCII letters. The sort order stays that of `C`.
const CTYPE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

/// The settings of a temporary server: no durability, and no autovacuum, which would change plans and timings.
const TEMPORARY_SETTINGS: &[&str] =
    &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=300"];

/// A running PostgreSQL that listens on 127.0.0.1 and, optionally, on the bridge of a container network.
///
/// It stops on [`stop`](Server::stop), when dropped, and when this process is killed.
#[derive(Debug)]
pub struct Server {
    port: u16,
    password: String,
    /// Runs the server until its standard input, a pipe, is closed.
    supervisor: Child,
    /// Opened at the start, because a temporary server's log is deleted when the server ends.
    log: File,
}

/// The kind of data folder.
enum Storage {
    /// The data stay in `folder`.
    Persistent { folder: PathBuf, lock: File, bridge: Option<Bridge> },
    /// The data are deleted when the server ends.
    Temporary,
}

impl Server {
    /// Starts a server with its data, password and log in `folder`, and creates the database `todo` if it is missing.
    /// First stops a server that is left from a crashed run. With `fresh`, deletes the existing data.
    /// With a `bridge`, clients in that network can connect too, with the password.
    ///
    /// # Errors
    /// Fails if PostgreSQL is not available, the data are of another major version, the folder is in use or has other
    /// files, or the server does not start.
    pub async fn start(folder: &Path, fresh: bool, bridge: Option<Bridge>) -> Result<Self, Error> {
        Self::start_from(&Sources::system(), folder, fresh, bridge).await
    }

    pub(crate) async fn start_from(
        sources: &Sources,
        folder: &Path,
        fresh: bool,
        bridge: Option<Bridge>,
    ) -> Result<Self, Error> {
        let (folder, lock) = folder::lock(folder).await?;
        let version = fs::read_to_string(folder.join("data/PG_VERSION")).ok();
        let version = version.as_deref().map(str::trim).filter(|_| !fresh);
        let installation = sources.find(&folder, version).await?;
        stop_orphan(&folder, &installation).await?;
        if fresh {
            folder::delete(&folder.join("data"))?;
        }
        // Left by an interrupted initdb.
        folder::delete(&folder.join("data.new"))?;
        let server = Self::launch(&installation, &Storage::Persistent { folder, lock, bridge }).await?;
        let client = connect(server.port, &server.password).await?;
        let todo = "SELECT FROM pg_database WHERE datname = 'todo'";
        if client.query_typed(todo, &[]).await?.is_empty() {
            client.batch_execute("CREATE DATABASE todo").await?;
        }
        Ok(server)
    }

    /// Starts an empty server that does not sync to disk, and whose files are deleted when it ends.
    ///
    /// # Errors
    /// Fails if PostgreSQL is not available or the server does not start.
    pub async fn temporary() -> Result<Self, Error> {
        Self::temporary_from(&Sources::system()).await
    }

    pub(crate) async fn temporary_from(sources: &Sources) -> Result<Self, Error> {
        let installation = sources.find(&sources.downloads, None).await?;
        waiting("Waiting for PostgreSQL, which starts", Self::launch(&installation, &Storage::Temporary))
            .await
    }

    async fn launch(installation: &Installation, storage: &Storage) -> Result<Self, Error> {
        let mut port = match storage {
            Storage::Persistent { bridge, .. } if is_free(PORT, *bridge) => PORT,
            _ => free_port()?,
        };
        let mut attempts = 1..=5;
        loop {
            let (mut server, folder) = Self::spawn(installation, storage, port)?;
            match server.wait_until_ready(&folder).await {
                // Another program took the port first. (The messages are English because of `--locale=C`.)
                Err(Error::Ended { log, .. })
                    if log.contains("could not bind") && attempts.next().is_some() =>
                {
                    port = free_port()?;
                }
                result => return result.map(|()| server),
            }
        }
    }

    fn spawn(installation: &Installation, storage: &Storage, port: u16) -> Result<(Self, PathBuf), Error> {
        let folder = match storage {
            Storage::Persistent { folder, .. } => folder.clone(),
            Storage::Temporary => folder::temporary()?,
        };
        let account = Account::for_folder(&folder)?;
        let password = password(&folder, account)?;
        let mut addresses = Ipv4Addr::LOCALHOST.to_string();
        let mut hba = None;
        if let Storage::Persistent { bridge: Some(bridge), .. } = storage {
            addresses = format!("{addresses},{}", bridge.address);
            // Outside the data folder, so that initdb's own pg_hba.conf is unchanged.
            let path = folder.join("pg_hba.conf");
            fs::write(&path, bridge.hba()).map_err(Error::io("write", &path))?;
            account.make_private(&path)?;
            hba = Some(format!("hba_file={}", path.display()));
        }
        let path = folder.join("log");
        let spawn = || {
            let mut log = File::options();
            let log = log.create(true).write(true).truncate(true).mode(0o600).open(&path)?;
            let (mode, settings, lock) = match storage {
                Storage::Persistent { lock, .. } => ("persistent", [].as_slice(), lock),
                Storage::Temporary => ("temporary", TEMPORARY_SETTINGS, &log),
            };
            account
                .command("/bin/sh")
                .args(["-c", include_str!("supervisor.sh"), "supervisor"])
                .args([&folder, &installation.bin])
                .args([CTYPE, mode])
                .args(["-c", &format!("port={port}")])
                .args(["-c", &format!("listen_addresses={addresses}")])
                .args(hba.iter().flat_map(|setting| ["-c", setting]))
                // No Unix socket, because its path is limited to about 100 bytes.
                .args(["-c", "unix_socket_directories="])
                .args(["-c", "timezone=UTC", "-c", "log_timezone=UTC"])
                .args(settings.iter().flat_map(|setting| ["-c", setting]))
                // Own process group, so that Ctrl-C in a terminal reaches only this process, which stops it cleanly.
                .process_group(0)
                .stdin(Stdio::piped())
                // The supervisor shares the lock, so that no other run starts before PostgreSQL has stopped.
                .stdout(lock.try_clone()?)
                .stderr(log)
                .spawn()
        };
        let supervisor = spawn().map_err(Error::io("start PostgreSQL with the log", &path))?;
        let log = File::open(&path).map_err(Error::io("open", &path))?;
        let server = Self { port, password, supervisor, log };
        Ok((server, folder))
    }

    async fn wait_until_ready(&mut self, folder: &Path) -> Result<(), Error> {
        // Long enough for recovery after a crash.
        let deadline = Instant::now() + Duration::from_secs(60);
        while probe(self.port, &self.password, folder).await != Probe::ThisServer {
            if self.has_ended() {
                return Err(self.error_with_log("did not start"));
            }
            if Instant::now() > deadline {
                return Err(self.error_with_log("did not answer within 60 s"));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Returns the URL of a database of this server, with the password.
    pub fn url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgresql://postgres:{password}@127.0.0.1:{port}/{database}")
    }

    /// Waits until the server exits by itself, and returns an error with the last lines of its log.
    /// Cancel safe in `select!`.
    pub async fn wait_for_exit(&mut self) -> Error {
        while !self.has_ended() {
            sleep(10 * POLL_INTERVAL).await;
        }
        self.error_with_log("exited by itself")
    }

    /// Shuts the server down cleanly and waits until it has ended.
    ///
    /// # Errors
    /// Fails after 30 s.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.supervisor.stdin.take());
        let stopped = async {
            while !self.has_ended() {
                sleep(POLL_INTERVAL).await;
            }
        };
        let stopped = timeout(Duration::from_secs(30), stopped).await;
        stopped.map_err(|_| Error::StillStopping(self.supervisor.id()))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.supervisor.try_wait(), Ok(None))
    }

    fn error_with_log(&mut self, event: &'static str) -> Error {
        let mut log = Vec::new();
        // If reading fails, the error has the part that was read.
        let _ = self.log.read_to_end(&mut log);
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.len().saturating_sub(8);
        let log = lines.get(last..).unwrap_or_default().join("\n  ");
        Error::Ended { event, log }
    }
}

/// Returns the password of the existing data, or writes a new one if there are no data.
fn password(folder: &Path, account: Account) -> Result<String, Error> {
    let path = folder.join("password");
    if folder.join("data").exists() {
        return fs::read_to_string(&path).map_err(Error::io("read", &path));
    }
    let create = || {
        let mut random = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let password = format!("{:032x}", u128::from_ne_bytes(random));
        fs::remove_file(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut options = File::options();
        let mut file = options.create_new(true).write(true).mode(0o600).open(&path)?;
        file.write_all(password.as_bytes())?;
        Ok(password)
    };
    let password = create().map_err(Error::io("write", &path))?;
    account.make_private(&path)?;
    Ok(password)
}

fn is_free(port: u16, bridge: Option<Bridge>) -> bool {
    let mut addresses = iter::once(Ipv4Addr::LOCALHOST).chain(bridge.map(|bridge| bridge.address));
    addresses.all(|address| TcpListener::bind((address, port)).is_ok())
}

fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| Ok(listener.local_addr()?.port()))
        .map_err(Error::io("find a free port on", Path::new("127.0.0.1")))
}

/// The result of a connection to a port.
#[derive(PartialEq)]
enum Probe {
    /// The server of this data folder answered.
    ThisServer,
    /// Nothing listens on the port.
    Refused,
    /// Another server answered, or this one is starting, stopping or hanging.
    Unknown,
}

async fn probe(port: u16, password: &str, folder: &Path) -> Probe {
    let ask = async {
        let client = connect(port, password).await?;
        let shown = client.query_typed("SHOW data_directory", &[]).await?;
        shown.first().map_or(Ok(String::new()), |row| row.try_get(0))
    };
    match timeout(Duration::from_secs(2), ask).await {
        Ok(Ok(data)) if Path::new(&data) == folder.join("data") => Probe::ThisServer,
        Ok(Err(error)) if is_refused(&error) => Probe::Refused,
        _ => Probe::Unknown,
    }
}

fn is_refused(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

async fn connect(port: u16, password: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").password(password).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    // This task ends with the client, which also gets its errors.
    tokio::spawn(connection);
    Ok(client)
}

/// Stops a server that still runs because its supervisor was killed too.
async fn stop_orphan(folder: &Path, installation: &Installation) -> Result<(), Error> {
    let pid_file = folder.join("data/postmaster.pid");
    let password = fs::read_to_string(folder.join("password")).unwrap_or_default();
    let start = Instant::now();
    while let Some((pid, port)) = postmaster(&pid_file) {
        match probe(port, &password, folder).await {
            Probe::ThisServer => {
                let pg_ctl = installation.bin.join("pg_ctl");
                Account::for_folder(folder)?
                    .command(&pg_ctl)
                    .args(["stop", "--silent", "--no-wait", "--mode=fast", "--pgdata"])
                    .arg(folder.join("data"))
                    .stderr(Stdio::null())
                    .status()
                    .map_err(Error::io("run", &pg_ctl))?;
            }
            // A server that is starting or stopping listens within this time.
            _ if start.elapsed() < Duration::from_secs(1) => {}
            // Another program has the PID now, and PostgreSQL would refuse to start.
            Probe::Refused => return fs::remove_file(&pid_file).map_err(Error::io("delete", &pid_file)),
            Probe::Unknown if start.elapsed() < Duration::from_secs(20) => {}
            Probe::Unknown => {
                return Err(Error::Orphan { folder: folder.to_owned(), pid: pid.as_raw() });
            }
        }
        sleep(5 * POLL_INTERVAL).await;
    }
    Ok(())
}

/// Returns the PID and port in `postmaster.pid` if that process is alive.
fn postmaster(pid_file: &Path) -> Option<(Pid, u16)> {
    let text = fs::read_to_string(pid_file).ok()?;
    let mut lines = text.lines();
    let pid = Pid::from_raw(lines.next()?.trim().parse().ok()?);
    let port = lines.nth(2).and_then(|port| port.trim().parse().ok()).unwrap_or(0);
    kill(pid, None).is_ok().then_some((pid, port))
}
