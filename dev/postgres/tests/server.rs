//! The server with real faults: killed owners, orphaned processes, damaged folders and folders with other files.

#![cfg(test)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dev_postgres::{Bridge, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getpgid};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// Creates a folder that every user can access, whatever the umask.
fn scratch() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn postmaster(folder: &Path) -> Pid {
    let file = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the running processes of a group, from `/proc`, because `kill` also succeeds for zombies.
#[cfg(target_os = "linux")]
fn processes_in(group: Pid) -> Vec<Pid> {
    let group = group.to_string();
    let alive = |pid: &Pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain spaces. After it come state, parent and group.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() != Some("Z") && fields.nth(1) == Some(&group)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_string_lossy().parse().ok());
    pids.map(Pid::from_raw).filter(alive).collect()
}

/// Starts another process that owns a server: persistent in the folder, or temporary without one.
fn owner(folder: Option<&Path>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "owner_process", "--ignored", "--nocapture"]);
    command.env("OWNER_OF", folder.unwrap_or(Path::new("")));
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until an [`owner`]'s server runs, and returns its data folder.
fn data_folder(owner: &mut Child) -> PathBuf {
    BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .find_map(|line| Some(line.unwrap().split_once("data in ")?.1.into()))
        .unwrap()
}

#[tokio::test]
#[ignore = "not a test: `owner` runs it"]
async fn owner_process() {
    let server = match std::env::var("OWNER_OF") {
        Err(_) => return,
        Ok(folder) if folder.is_empty() => Server::temporary().await.unwrap(),
        Ok(folder) => Server::start(Path::new(&folder), false, None).await.unwrap(),
    };
    let client = connect(&server.url("postgres")).await;
    println!("data in {}", text(&client, "SHOW data_directory").await);
    std::future::pending().await
}

#[tokio::test]
async fn a_temporary_server_uses_utf8_and_utc() {
    let server = Server::temporary().await.unwrap();
    let client = connect(&server.url("postgres")).await;
    assert_eq!(text(&client, "SHOW server_encoding").await, "UTF8");
    assert_eq!(text(&client, "SHOW timezone").await, "UTC");
    assert_eq!(text(&client, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(text(&client, "SELECT lower('ÄÉŒЖ')").await, "äéœж");
    let order = "SELECT string_agg(c, '' ORDER BY c) FROM unnest(ARRAY['a', 'B', 'é', 'Z']) AS c";
    assert_eq!(text(&client, order).await, "BZaé");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_temporary_server_deletes_its_files() {
    let server = Server::temporary().await.unwrap();
    let url = server.url("postgres");
    let data = PathBuf::from(text(&connect(&url).await, "SHOW data_directory").await);
    server.stop().await.unwrap();
    assert!(!data.parent().unwrap().exists());
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let server = Server::temporary().await.unwrap();
    let url = server.url("postgres");
    let (before, after) = url.split_once('@').unwrap();
    let wrong = format!("{}x@{after}", before);
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
    assert!(tokio_postgres::connect(&url, NoTls).await.is_ok());
    server.stop().await.unwrap();
}

/// On Linux all of 127.0.0.0/8 is local, so one address can be the bridge and another one a container.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_the_bridge_network_may_connect_and_needs_the_password() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    // The data were created without a bridge.
    Server::start(&folder, false, None).await.unwrap().stop().await.unwrap();
    let bridge = Bridge { address: "127.0.5.1".parse().unwrap(), netmask: "255.255.255.0".parse().unwrap() };
    let server = Server::start(&folder, false, Some(bridge)).await.unwrap();
    let url = server.url("todo");
    let wrong = url.replace("postgres:", "postgres:x");
    let from = async |address: &str, url: &str| {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address.parse::<Ipv4Addr>().unwrap(), 0).into()).unwrap();
        let stream = socket.connect((bridge.address, config.get_ports()[0]).into()).await.unwrap();
        config.connect_raw(stream, NoTls).await.map(drop)
    };
    from("127.0.5.2", &url).await.unwrap();
    let refused = from("127.0.5.2", &wrong).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
    let outsider = from("127.0.6.2", &url).await.unwrap_err();
    assert_eq!(outsider.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
    connect(&url).await;
    server.stop().await.unwrap();

    let server = Server::start(&folder, false, None).await.unwrap();
    let port = server.url("todo").parse::<tokio_postgres::Config>().unwrap().get_ports()[0];
    assert!(tokio::net::TcpStream::connect((bridge.address, port)).await.is_err());
    server.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_temporary_server_is_removed_if_its_owner_is_killed() {
    let mut owner = owner(None);
    let data = data_folder(&mut owner);
    let folder = data.parent().unwrap();
    let supervisor = getpgid(Some(postmaster(folder))).unwrap();
    assert!(processes_in(supervisor).len() >= 3, "the supervisor, its background job and PostgreSQL");
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the folder is gone", || !folder.exists());
    wait_until("the processes are gone", || processes_in(supervisor).is_empty());
}

#[tokio::test]
async fn data_survive_a_killed_owner() {
    let scratch = scratch();
    let folder = scratch.path().join("data folder");
    let mut owner = owner(Some(&folder));
    data_folder(&mut owner);
    let before = fs::read_to_string(folder.join("password")).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let server = Server::start(&folder, false, None).await.unwrap();
    assert!(server.url("todo").contains(before.as_str()));
    connect(&server.url("todo")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_recovers_from_an_owner_killed_during_initdb() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    let mut owner = owner(Some(&folder));
    wait_until("initdb is running", || folder.join("data.new/base").exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(!folder.join("data").exists());
    let server = Server::start(&folder, false, None).await.unwrap();
    connect(&server.url("todo")).await;
    assert!(!folder.join("data.new").exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn incomplete_data_are_recreated() {
    let scratch = scratch();
    let folder = dev_postgres::prepare(&scratch.path().join("postgres")).unwrap();
    fs::create_dir(folder.join("data.new")).unwrap();
    fs::write(folder.join("data.new/PG_VERSION"), "15").unwrap();
    fs::write(folder.join("password"), "").unwrap();
    let server = Server::start(&folder, false, None).await.unwrap();
    connect(&server.url("todo")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn data_and_password_are_kept_until_a_fresh_start() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    let server = Server::start(&folder, false, None).await.unwrap();
    let password = folder.join("password");
    assert_eq!(fs::metadata(&password).unwrap().mode() & 0o777, 0o600);
    fs::write(folder.join("jwt-secret"), "someone else's").unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("CREATE TABLE kept ()").await.unwrap();
    server.stop().await.unwrap();

    let before = fs::read(&password).unwrap();
    let server = Server::start(&folder, false, None).await.unwrap();
    assert_eq!(fs::read(&password).unwrap(), before);
    let client = connect(&server.url("todo")).await;
    client.batch_execute("SELECT FROM kept").await.unwrap();
    server.stop().await.unwrap();

    let server = Server::start(&folder, true, None).await.unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("SELECT FROM kept").await.unwrap_err();
    assert!(folder.join("jwt-secret").exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_in_the_same_folder_is_refused() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    let first = Server::start(&folder, false, None).await.unwrap();
    let (second, fresh) =
        tokio::join!(Server::start(&folder, false, None), Server::start(&folder, true, None));
    for error in [second.unwrap_err(), fresh.unwrap_err()] {
        assert_eq!(
            error.to_string(),
            format!(
                "another `cargo dev` (process {}) is using {}: stop it first",
                std::process::id(),
                folder.display()
            )
        );
    }
    connect(&first.url("todo")).await;
    first.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_postgresql_without_its_supervisor_is_stopped() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    let mut server = Server::start(&folder, false, None).await.unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("CREATE TABLE kept ()").await.unwrap();
    let orphan = postmaster(&folder);
    let supervisor = getpgid(Some(orphan)).unwrap();
    for pid in processes_in(supervisor) {
        if pid != orphan {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    }
    server.wait_for_exit().await;
    drop(server);
    wait_until("the orphan is alone", || processes_in(supervisor) == [orphan]);
    client.batch_execute("SELECT FROM kept").await.unwrap();

    let server = Server::start(&folder, false, None).await.unwrap();
    assert_ne!(postmaster(&folder), orphan);
    assert!(processes_in(supervisor).is_empty());
    let client = connect(&server.url("todo")).await;
    client.batch_execute("SELECT FROM kept").await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_is_ignored_even_if_the_pid_is_in_use() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    Server::start(&folder, false, None).await.unwrap().stop().await.unwrap();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    for pid in [ended.id(), std::process::id()] {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let stale = format!("{pid}\n{}\n1\n{unused}\n\n127.0.0.1\n", folder.join("data").display());
        fs::write(folder.join("data/postmaster.pid"), stale).unwrap();
        let server = Server::start(&folder, false, None).await.unwrap();
        connect(&server.url("todo")).await;
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn data_of_another_version_are_refused_until_a_fresh_start() {
    let scratch = scratch();
    let folder = dev_postgres::prepare(&scratch.path().join("postgres")).unwrap();
    let version = folder.join("data/PG_VERSION");
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(&version, "12\n").unwrap();

    let error = Server::start(&folder, false, None).await.unwrap_err().to_string();
    assert!(error.contains("were written by PostgreSQL 12, but this machine has only PostgreSQL"), "{error}");
    assert!(error.contains("install PostgreSQL 12, or use --fresh, which deletes the data"), "{error}");
    assert_eq!(fs::read_to_string(&version).unwrap(), "12\n");
    assert_eq!(fs::read_dir(folder.join("data")).unwrap().count(), 1);

    let server = Server::start(&folder, true, None).await.unwrap();
    connect(&server.url("todo")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_with_other_files_is_refused_and_unchanged() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("data")).unwrap();
    fs::write(scratch.path().join("data/thesis.txt"), "years of work").unwrap();
    let mode = fs::metadata(scratch.path()).unwrap().mode();
    for fresh in [false, true] {
        let error = Server::start(scratch.path(), fresh, None).await.unwrap_err().to_string();
        assert!(error.contains("contains files that `cargo dev` did not create"), "{error}");
    }
    assert!(scratch.path().join("data/thesis.txt").exists());
    assert_eq!(fs::metadata(scratch.path()).unwrap().mode(), mode);
}

#[tokio::test]
async fn root_stores_the_data_elsewhere_if_postgresql_cannot_access_the_folder() {
    if !Uid::effective().is_root() {
        return; // Only root runs PostgreSQL as another user.
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let folder = closed.path().join(".postgres");
    let server = Server::start(&folder, false, None).await.unwrap();
    let target = fs::read_link(&folder).unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("CREATE TABLE kept ()").await.unwrap();
    server.stop().await.unwrap();

    let server = Server::start(&folder, false, None).await.unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("SELECT FROM kept").await.unwrap();
    server.stop().await.unwrap();

    let server = Server::start(&folder, true, None).await.unwrap();
    let client = connect(&server.url("todo")).await;
    client.batch_execute("SELECT FROM kept").await.unwrap_err();
    assert_eq!(fs::read_link(&folder).unwrap(), target);
    server.stop().await.unwrap();

    // The system may delete files in /var/tmp. The next start must replace the link.
    fs::remove_dir_all(&target).unwrap();
    let recreated = dev_postgres::prepare(&folder).unwrap();
    assert_ne!(recreated, target);
    fs::remove_dir_all(&recreated).unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_avoided() {
    let taken = TcpListener::bind("127.0.0.1:54329");
    let scratch = scratch();
    let server = Server::start(&scratch.path().join("postgres"), false, None).await.unwrap();
    // If another test's server has the port, it may free it meanwhile.
    assert!(taken.is_err() || !server.url("todo").contains(":54329/"));
    connect(&server.url("todo")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_owner_gets_an_error_when_the_server_dies() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    let mut server = Server::start(&folder, false, None).await.unwrap();
    let still_up = timeout(Duration::from_millis(500), server.wait_for_exit()).await;
    assert!(still_up.is_err());
    kill(postmaster(&folder), Signal::SIGKILL).unwrap();
    let error = timeout(Duration::from_secs(10), server.wait_for_exit()).await.unwrap();
    assert!(
        error.to_string().starts_with("PostgreSQL exited by itself; the last lines of its log: "),
        "{error}"
    );
    drop(server);
    let server = Server::start(&folder, false, None).await.unwrap();
    connect(&server.url("todo")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_start_reports_the_log() {
    let scratch = scratch();
    let folder = scratch.path().join("postgres");
    Server::start(&folder, false, None).await.unwrap().stop().await.unwrap();
    fs::remove_file(folder.join("data/global/pg_control")).unwrap();
    let error = Server::start(&folder, false, None).await.unwrap_err().to_string();
    assert!(error.starts_with("PostgreSQL did not start; the last lines of its log: "), "{error}");
    assert!(error.contains("pg_control"), "{error}");
}
