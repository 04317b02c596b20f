//! `cargo dev`: serves the whole API and the example page on one port, and runs a PostgreSQL server.

mod page;
mod server;
mod settings;

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use dev_postgres::{Bridge, Server};
use shared::{Config, db::Database};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use uuid::Uuid;

use crate::settings::Settings;

type Error = Box<dyn std::error::Error>;

/// Returns the root folder of the repository.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Returns the default data folder. samconfig.toml expects env.json there too.
fn default_data() -> PathBuf {
    repository().join(".postgres")
}

/// Serves the whole API on this machine. Starts a PostgreSQL server unless DATABASE_URL is set.
///
/// Variables are read from the environment, then from .env: HOST, PORT, CORS_ALLOW_ORIGINS, DATABASE_URL,
/// JWT_SECRET and the others in .env.example.
#[derive(Parser)]
#[command(name = "cargo dev", verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Delete the data of earlier runs before the start
    #[arg(long)]
    fresh: bool,
    /// Create or reset the demo user and task that the files in events/ use
    #[arg(long)]
    seed: bool,
    /// Let containers on this network interface (docker0 by default) reach the database, and write env.json for SAM
    #[arg(long, value_name = "INTERFACE", num_args = 0..=1, require_equals = true, default_missing_value = "docker0")]
    docker: Option<String>,
    /// Folder for the data, PostgreSQL's log, the generated secret and env.json [default: .postgres]
    #[arg(long, value_name = "FOLDER", default_value_os_t = default_data(), hide_default_value = true)]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Apply the migrations to the database in DATABASE_URL and exit
    Migrate,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .init();
    let result = match arguments.command {
        Some(Command::Migrate) => migrate().await,
        None => serve(&arguments).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate() -> Result<(), Error> {
    let database = Database::new(&settings::config()?)?;
    let mut client = connect(&database).await?;
    let applied = dev_postgres::migrate(&mut client).await?;
    match applied.len() {
        0 => println!("Nothing to apply: the database is up to date."),
        _ => println!("Applied: {}", applied.join(", ")),
    }
    Ok(())
}

async fn serve(arguments: &Arguments) -> Result<(), Error> {
    let mut stop = pin!(stop_signal()?);
    let mut config = settings::config()?;
    let settings = Settings::new(&config)?;
    let listener = settings.listen().await?;

    let mut local_server = None;
    if config.get("DATABASE_URL").is_none() {
        let bridge = match &arguments.docker {
            // On other systems Docker runs in a virtual machine that forwards to 127.0.0.1 of this one.
            Some(interface) if cfg!(target_os = "linux") => Some(Bridge::find(interface)?),
            _ => None,
        };
        let is_new = arguments.fresh || !arguments.data.join("data").exists();
        let action =
            if is_new { "Creating a PostgreSQL database in" } else { "Starting the PostgreSQL database in" };
        println!("{action} {}", arguments.data.display());
        let server = tokio::select! {
            server = Server::start(&arguments.data, arguments.fresh, bridge) => server?,
            () = &mut stop => return Ok(()),
        };
        config.set_default("DATABASE_URL", &server.url("todo"));
        // No pooler is in between.
        config.set_default("DATABASE_PREPARED_STATEMENTS", "on");
        local_server = Some(server);
    } else if arguments.docker.is_some() {
        return Err(
            "--docker works only with the database that cargo dev starts: unset DATABASE_URL, or write your \
                    database's URL to a file like events/env.example.json"
                .into(),
        );
    } else if arguments.fresh {
        return Err(
            "--fresh deletes only the data of the database that cargo dev starts: unset DATABASE_URL, or \
                    delete the data of your database yourself"
                .into(),
        );
    }
    let local_url = local_server.as_ref().map(|server| server.url("todo"));
    let served = tokio::select! {
        served = prepare_and_serve(arguments, config, settings, listener, local_url) => served,
        error = server_exit(&mut local_server) => Err(error.into()),
        () = &mut stop => Ok(()),
    };
    if let Some(server) = local_server {
        server.stop().await?;
    }
    served
}

/// Resolves on Ctrl-C (SIGINT) or SIGTERM. From this call on, these signals no longer end the process.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves with an error when the server exits. Without a server it never resolves.
async fn server_exit(server: &mut Option<Server>) -> dev_postgres::Error {
    match server {
        Some(server) => server.wait_for_exit().await,
        None => std::future::pending().await,
    }
}

async fn prepare_and_serve(
    arguments: &Arguments,
    mut config: Config,
    settings: Settings,
    listener: TcpListener,
    local_url: Option<String>,
) -> Result<(), Error> {
    settings::set_defaults(&mut config, &arguments.data)?;
    let mut sam = String::new();
    if let Some(url) = local_url.as_deref().filter(|_| arguments.docker.is_some()) {
        sam = sam_local(&arguments.data, &settings::write_env_json(&arguments.data, url)?);
    }
    let database = Database::new(&config)?;
    let mut client = connect(&database).await?;
    if database.is_local() {
        println!("Applying the migrations");
        dev_postgres::migrate(&mut client).await?;
    } else {
        eprintln!(
            "note: the database is not on this machine, so no migrations were applied: \
             run `cargo dev migrate` to apply them"
        );
    }
    if arguments.seed {
        seed(&database, &client).await?;
    }
    drop(client);
    let page = page::routes(repository().join("examples/web"));
    let server = server::Server::new(dev::routes(&config)?.fallback_service(page), settings.cors);
    welcome(listener.local_addr()?, &local_url.unwrap_or_else(|| database.to_string()), &sam)?;
    match server.serve(listener).await {}
}

/// Opens one connection, so that an unusable database is reported before the server starts.
async fn connect(database: &Database) -> Result<tokio_postgres::Client, Error> {
    shared::db::connect(database).await.map_err(|error| {
        format!(
            "the database {database} cannot be used ({error}): correct DATABASE_URL, \
             or unset it and cargo dev starts a database"
        )
        .into()
    })
}

async fn seed(database: &Database, client: &tokio_postgres::Client) -> Result<(), Error> {
    if !database.is_local() {
        return Err(
            "--seed works only with a database on this machine, because the demo user's password is \
                    public: run without --seed"
                .into(),
        );
    }
    client.batch_execute(include_str!("../../events/seed.sql")).await?;
    Ok(())
}

/// Returns the printed commands for SAM. samconfig.toml has their other options.
fn sam_local(data: &Path, env_json: &Path) -> String {
    let env_vars = match data == default_data() {
        true => String::new(),
        false => format!(" --env-vars '{}'", env_json.display()),
    };
    format!(
        "
To run the functions in containers, run `sam build` first; the events need the demo user of --seed:

sam local invoke tasks -e events/tasks-list.json{env_vars}
sam local start-api{env_vars}
"
    )
}

/// Prints the URLs and example commands. The e-mail is new each time, because users of earlier runs still exist.
fn welcome(address: SocketAddr, database: &str, sam: &str) -> std::io::Result<()> {
    let url = format!("http://{address}");
    let email = format!("ada-{:08x}@example.com", Uuid::now_v7().as_u128() as u32);
    let account = format!(r#"{{"email": "{email}", "password": "correct horse battery staple"}}"#);
    let json = "-H 'Content-Type: application/json'";
    let token = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
    // A single write, so that a program that reads the output, such as .ci/with-dev, gets all of it at once.
    std::io::stdout().write_all(
        format!(
            "
serverless-todo is at {url} (Ctrl-C stops it)
Open it in a browser to use it. The API documentation is at {url}/docs
The database is {database}
{sam}
Sign up, log in and add a task:

curl -sw '\\n' {url}/auth/signup {json} -d '{account}'
TOKEN=$(curl -s {url}/auth/login {json} -d '{account}' | {token})
curl -sw '\\n' {url}/tasks {json} -H \"Authorization: Bearer $TOKEN\" -d '{{\"title\": \"Buy milk\"}}'

"
        )
        .as_bytes(),
    )
}
