//! `cargo dev`: the whole API on one port, with a page to use it and a PostgreSQL of its own.

mod settings;

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware,
};
use clap::{Parser, Subcommand};
use dev_postgres::{Bridge, Server};
use shared::{Config, db::Database, extract::ClientIp, telemetry, with_middleware};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower_http::services::ServeDir;
use uuid::Uuid;

use crate::settings::Settings;

type Error = Box<dyn std::error::Error>;

/// The root of the clone that this was built in.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where samconfig.toml expects env.json, too.
fn default_data() -> PathBuf {
    repository().join(".postgres")
}

/// Serves the whole API on this machine, with a PostgreSQL of its own unless DATABASE_URL names one.
///
/// Variables (from the environment, else from .env): HOST, PORT, CORS_ALLOW_ORIGINS, DATABASE_URL, JWT_SECRET
/// and the others of .env.example.
#[derive(Parser)]
#[command(name = "cargo dev", verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Delete the data of earlier runs first
    #[arg(long)]
    fresh: bool,
    /// Reset the demo user and task that events/ speaks of
    #[arg(long)]
    seed: bool,
    /// Let containers on Docker's bridge (or this one) reach the database, and write env.json for `sam local`
    #[arg(long, value_name = "INTERFACE", num_args = 0..=1, require_equals = true, default_missing_value = "docker0")]
    docker: Option<String>,
    /// Where the data, PostgreSQL's log, the generated secret and env.json are kept
    #[arg(long, value_name = "FOLDER", default_value_os_t = default_data(), hide_default_value = true)]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Apply the migrations to DATABASE_URL and end
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
    let done = match arguments.command {
        Some(Command::Migrate) => migrate().await,
        None => serve(&arguments).await,
    };
    match done {
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

    let mut own = None;
    if config.get("DATABASE_URL").is_none() {
        let bridge = match &arguments.docker {
            // Elsewhere Docker runs in a virtual machine, which forwards to this one's 127.0.0.1.
            Some(interface) if cfg!(target_os = "linux") => Some(Bridge::find(interface)?),
            _ => None,
        };
        let server = tokio::select! {
            server = Server::start(&arguments.data, arguments.fresh, bridge) => server?,
            () = &mut stop => return Ok(()),
        };
        config.set_default("DATABASE_URL", &server.url("todo"));
        own = Some(server);
    } else if arguments.docker.is_some() {
        return Err(
            "--docker opens only the database that cargo dev keeps: unset DATABASE_URL, or write a file \
                    like events/env.example.json with yours"
                .into(),
        );
    } else if arguments.fresh {
        return Err("--fresh empties only the database that cargo dev keeps: unset DATABASE_URL, or empty \
                    yours yourself"
            .into());
    }
    let own_url = own.as_ref().map(|server| server.url("todo"));
    let served = tokio::select! {
        served = prepare_and_serve(arguments, config, settings, listener, own_url) => served,
        error = ended(&mut own) => Err(error.into()),
        () = &mut stop => Ok(()),
    };
    if let Some(server) = own {
        server.stop().await?;
    }
    served
}

/// Resolves when somebody asks the process to end. From now on Ctrl-C and SIGTERM do nothing else.
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

async fn ended(server: &mut Option<Server>) -> dev_postgres::Error {
    match server {
        Some(server) => server.ended().await,
        None => std::future::pending().await,
    }
}

async fn prepare_and_serve(
    arguments: &Arguments,
    mut config: Config,
    settings: Settings,
    listener: TcpListener,
    own_url: Option<String>,
) -> Result<(), Error> {
    settings::complete(&mut config, &arguments.data)?;
    let mut sam = String::new();
    if let Some(url) = own_url.as_deref().filter(|_| arguments.docker.is_some()) {
        sam = sam_local(&arguments.data, &settings::write_env_json(&arguments.data, url)?);
    }
    let database = Database::new(&config)?;
    let mut client = connect(&database).await?;
    if database.is_local() {
        dev_postgres::migrate(&mut client).await?;
    } else {
        eprintln!(
            "note: the database is not on this machine: `cargo dev migrate` applies what migrations it lacks"
        );
    }
    if arguments.seed {
        seed(&database, &client).await?;
    }
    drop(client);
    // The example page answers what is none of the API's routes.
    let page = ServeDir::new(repository().join("examples/web"));
    let page = page.call_fallback_on_method_not_allowed(true).fallback(Router::new());
    let routes = dev::routes(&config)?.fallback_service(page);
    let api = with_middleware(routes, settings.cors, telemetry::to_terminal)
        .layer(middleware::map_request(note_peer));
    welcome(listener.local_addr()?, &own_url.unwrap_or_else(|| database.to_string()), &sam)?;
    axum::serve(listener, api.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// What API Gateway says of the address that a request comes from.
async fn note_peer(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request) -> Request {
    request.extensions_mut().insert(ClientIp(peer.ip()));
    request
}

/// One connection, to say at once when there is none to be had.
async fn connect(database: &Database) -> Result<tokio_postgres::Client, Error> {
    shared::db::connect(database).await.map_err(|error| {
        format!(
            "the database {database} cannot be used ({error}): correct DATABASE_URL (without it, cargo dev starts one)"
        )
        .into()
    })
}

async fn seed(database: &Database, client: &tokio_postgres::Client) -> Result<(), Error> {
    if !database.is_local() {
        return Err("--seed is refused unless the database is on this machine: the demo user's password is \
                    public"
            .into());
    }
    client.batch_execute(include_str!("../../events/seed.sql")).await?;
    Ok(())
}

/// The lines for a container; samconfig.toml holds their other options.
fn sam_local(data: &Path, env_json: &Path) -> String {
    let env_vars = match data == default_data() {
        true => String::new(),
        false => format!(" --env-vars '{}'", env_json.display()),
    };
    format!(
        "
In containers, after `sam build` (the events speak of the user that --seed makes):

sam local invoke tasks -e events/tasks-list.json{env_vars}
sam local start-api{env_vars}
"
    )
}

/// What to do now. The e-mail is a new one each time, because the users of earlier runs are still there.
fn welcome(address: SocketAddr, database: &str, sam: &str) -> std::io::Result<()> {
    let url = format!("http://{address}");
    let email = format!("ada-{:08x}@example.com", Uuid::now_v7().as_u128() as u32);
    let account = format!(r#"{{"email": "{email}", "password": "correct horse battery staple"}}"#);
    let json = "-H 'Content-Type: application/json'";
    let token = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
    // One write, so that who reads the output gets it whole.
    std::io::stdout().write_all(
        format!(
            "
serverless-todo is at {url} (Ctrl-C stops it)
That is a page to use it with; its API is explained at {url}/docs
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
