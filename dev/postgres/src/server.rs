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
use crate::{Bridge, Error, folder};

/// The port of a kept server, so that its URL stays the same, unless it is taken.
const PORT: u16 = 54329;

/// How often something is looked at again.
const TICK: Duration = Duration::from_millis(20);

/// The locale whose `lower()` knows letters beyond ASCII; the order stays that of `C`.
const CTYPE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

/// Settings for data that nobody will miss, and for plans and timings that stay the same.
const TEMPORARY: &[&str] =
    &["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=300"];

/// A running PostgreSQL that listens on 127.0.0.1 and, when asked to, on a bridge to containers.
///
/// It ends with its owner: by [`stop`](Server::stop), when dropped, and when this process is killed.
#[derive(Debug)]
pub struct Server {
    port: u16,
    password: String,
    /// Its standard input is the pipe that keeps the server running.
    supervisor: Child,
    /// Open from the start, as a temporary server's log is deleted with it.
    log: File,
}

/// What becomes of the data when the server ends.
enum Lifetime {
    /// They stay in this folder, which the file locks, and containers on the bridge get at them.
    Kept(PathBuf, File, Option<Bridge>),
    Temporary,
}

impl Server {
    /// Starts the server whose data, password and log are kept in `folder`, and makes its database `todo`.
    /// A server left over from a run that crashed is stopped first. With `fresh`, its data are deleted first.
    /// With a `bridge`, it listens there too, and admits who is in that network and has the password.
    ///
    /// # Errors
    /// No PostgreSQL to be had, data of another major version, a folder that is in use or not ours,
    /// or a server that does not come up.
    pub async fn start(folder: &Path, fresh: bool, bridge: Option<Bridge>) -> Result<Self, Error> {
        Self::start_from(&Sources::usual(), folder, fresh, bridge).await
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
        end_orphan(&folder, &installation).await?;
        if fresh {
            folder::delete(&folder.join("data"))?;
        }
        // What an interrupted initdb left.
        folder::delete(&folder.join("data.new"))?;
        let server = Self::launch(&installation, &Lifetime::Kept(folder, lock, bridge)).await?;
        let client = connect(server.port, &server.password).await?;
        let todo = "SELECT FROM pg_database WHERE datname = 'todo'";
        if client.query_typed(todo, &[]).await?.is_empty() {
            client.batch_execute("CREATE DATABASE todo").await?;
        }
        Ok(server)
    }

    /// Starts an empty server that forgets: nothing is synced to disk, and when it ends its files are deleted.
    /// Only a PostgreSQL that has to be downloaded is kept, in `downloads`, which may be a kept server's folder.
    ///
    /// # Errors
    /// No PostgreSQL to be had, or a server that does not come up.
    pub async fn temporary(downloads: &Path) -> Result<Self, Error> {
        let installation = Sources::usual().find(downloads, None).await?;
        Self::launch(&installation, &Lifetime::Temporary).await
    }

    async fn launch(installation: &Installation, lifetime: &Lifetime) -> Result<Self, Error> {
        let mut port = match lifetime {
            Lifetime::Kept(_, _, bridge) if is_free(PORT, *bridge) => PORT,
            _ => free_port()?,
        };
        let mut attempts = 1..=5;
        loop {
            let (mut server, folder) = Self::spawn(installation, lifetime, port)?;
            match server.ready(&folder).await {
                // Another program took the port before PostgreSQL could. (Its messages are English: `--locale=C`.)
                Err(Error::Ended { log, .. })
                    if log.contains("could not bind") && attempts.next().is_some() =>
                {
                    port = free_port()?;
                }
                result => return result.map(|()| server),
            }
        }
    }

    fn spawn(installation: &Installation, lifetime: &Lifetime, port: u16) -> Result<(Self, PathBuf), Error> {
        let folder = match lifetime {
            Lifetime::Kept(folder, ..) => folder.clone(),
            Lifetime::Temporary => folder::temporary()?,
        };
        let account = Account::of(&folder)?;
        let password = password(&folder, account)?;
        let mut addresses = Ipv4Addr::LOCALHOST.to_string();
        let mut hba = None;
        if let Lifetime::Kept(_, _, Some(bridge)) = lifetime {
            addresses = format!("{addresses},{}", bridge.address);
            // Beside the data, whose own stays as initdb made it.
            let path = folder.join("pg_hba.conf");
            fs::write(&path, bridge.hba()).map_err(Error::io("write", &path))?;
            account.own(&path)?;
            hba = Some(format!("hba_file={}", path.display()));
        }
        let path = folder.join("log");
        let spawn = || {
            let mut log = File::options();
            let log = log.create(true).write(true).truncate(true).mode(0o600).open(&path)?;
            let (word, settings, lock) = match lifetime {
                Lifetime::Kept(_, lock, _) => ("kept", [].as_slice(), lock),
                Lifetime::Temporary => ("temporary", TEMPORARY, &log),
            };
            account
                .command("/bin/sh")
                .args(["-c", include_str!("supervisor.sh"), "supervisor"])
                .args([&folder, &installation.bin])
                .args([CTYPE, word])
                .args(["-c", &format!("port={port}")])
                .args(["-c", &format!("listen_addresses={addresses}")])
                .args(hba.iter().flat_map(|setting| ["-c", setting]))
                // A socket's path may be no longer than about 100 bytes.
                .args(["-c", "unix_socket_directories="])
                .args(["-c", "timezone=UTC", "-c", "log_timezone=UTC"])
                .args(settings.iter().flat_map(|setting| ["-c", setting]))
                // A terminal's Ctrl-C reaches only us, who then stop it in good order.
                .process_group(0)
                .stdin(Stdio::piped())
                // The supervisor shares the lock, so that nobody starts before it has stopped PostgreSQL.
                .stdout(lock.try_clone()?)
                .stderr(log)
                .spawn()
        };
        let supervisor = spawn().map_err(Error::io("start PostgreSQL with the log", &path))?;
        let log = File::open(&path).map_err(Error::io("open", &path))?;
        let server = Self { port, password, supervisor, log };
        Ok((server, folder))
    }

    async fn ready(&mut self, folder: &Path) -> Result<(), Error> {
        // Recovery after a crash takes its time.
        let deadline = Instant::now() + Duration::from_secs(60);
        while probe(self.port, &self.password, folder).await != Answer::Ours {
            if self.has_ended() {
                return Err(self.last_words("did not start"));
            }
            if Instant::now() > deadline {
                return Err(self.last_words("did not answer within 60 s"));
            }
            sleep(TICK).await;
        }
        Ok(())
    }

    /// The URL of one of the server's databases, password included.
    pub fn url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgresql://postgres:{password}@127.0.0.1:{port}/{database}")
    }

    /// Waits until the server ends by itself, which it does only when something is wrong, and tells its last words.
    /// Safe to use in `select!`.
    pub async fn ended(&mut self) -> Error {
        while !self.has_ended() {
            sleep(10 * TICK).await;
        }
        self.last_words("ended by itself")
    }

    /// Shuts the server down in good order and waits for that.
    ///
    /// # Errors
    /// It has not ended within 30 s.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.supervisor.stdin.take());
        let stopped = async {
            while !self.has_ended() {
                sleep(TICK).await;
            }
        };
        let stopped = timeout(Duration::from_secs(30), stopped).await;
        stopped.map_err(|_| Error::StillStopping(self.supervisor.id()))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.supervisor.try_wait(), Ok(None))
    }

    fn last_words(&mut self, happened: &'static str) -> Error {
        let mut log = Vec::new();
        // What can be read will have to do.
        let _ = self.log.read_to_end(&mut log);
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.len().saturating_sub(8);
        let log = lines.get(last..).unwrap_or_default().join("\n  ");
        Error::Ended { happened, log }
    }
}

/// The password that the data were made with; a new one when there are none.
fn password(folder: &Path, account: Account) -> Result<String, Error> {
    let path = folder.join("password");
    if folder.join("data").exists() {
        return fs::read_to_string(&path).map_err(Error::io("read", &path));
    }
    let make = || {
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
    let password = make().map_err(Error::io("write", &path))?;
    account.own(&path)?;
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

/// Who listens on a port.
#[derive(PartialEq)]
enum Answer {
    /// The server of this data folder.
    Ours,
    Nobody,
    /// Another server, or ours while it comes up, goes down or hangs.
    Unclear,
}

async fn probe(port: u16, password: &str, folder: &Path) -> Answer {
    let ask = async {
        let client = connect(port, password).await?;
        let shown = client.query_typed("SHOW data_directory", &[]).await?;
        shown.first().map_or(Ok(String::new()), |row| row.try_get(0))
    };
    match timeout(Duration::from_secs(2), ask).await {
        Ok(Ok(data)) if Path::new(&data) == folder.join("data") => Answer::Ours,
        Ok(Err(error)) if is_refused(&error) => Answer::Nobody,
        _ => Answer::Unclear,
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
    // It ends with the client; its errors are the client's too.
    tokio::spawn(connection);
    Ok(client)
}

/// Stops a server that still runs on the data: its supervisor was killed as well.
async fn end_orphan(folder: &Path, installation: &Installation) -> Result<(), Error> {
    let pid_file = folder.join("data/postmaster.pid");
    let password = fs::read_to_string(folder.join("password")).unwrap_or_default();
    let start = Instant::now();
    while let Some((pid, port)) = postmaster(&pid_file) {
        match probe(port, &password, folder).await {
            Answer::Ours => {
                let pg_ctl = installation.bin.join("pg_ctl");
                Account::of(folder)?
                    .command(&pg_ctl)
                    .args(["stop", "--silent", "--no-wait", "--mode=fast", "--pgdata"])
                    .arg(folder.join("data"))
                    .stderr(Stdio::null())
                    .status()
                    .map_err(Error::io("run", &pg_ctl))?;
            }
            // Even one that is just coming up or going down listens.
            _ if start.elapsed() < Duration::from_secs(1) => {}
            // The number is another program's by now, at which PostgreSQL would balk.
            Answer::Nobody => return fs::remove_file(&pid_file).map_err(Error::io("delete", &pid_file)),
            Answer::Unclear if start.elapsed() < Duration::from_secs(20) => {}
            Answer::Unclear => {
                return Err(Error::Orphan { folder: folder.to_owned(), pid: pid.as_raw() });
            }
        }
        sleep(5 * TICK).await;
    }
    Ok(())
}

/// The process and port in `postmaster.pid`, if such a process is alive.
fn postmaster(pid_file: &Path) -> Option<(Pid, u16)> {
    let text = fs::read_to_string(pid_file).ok()?;
    let mut lines = text.lines();
    let pid = Pid::from_raw(lines.next()?.trim().parse().ok()?);
    let port = lines.nth(2).and_then(|port| port.trim().parse().ok()).unwrap_or(0);
    kill(pid, None).is_ok().then_some((pid, port))
}
