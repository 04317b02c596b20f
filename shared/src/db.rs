//! The database: a pool of connections over rustls, and one statement in one round trip.
//!
//! Statements go out with [`query_typed`](tokio_postgres::Client::query_typed): unnamed, parsed, bound and
//! executed in one message. That needs no prepared statement, so it works behind a pooler in transaction
//! mode (Neon's `-pooler` host, PgBouncer), and costs one round trip even on a new connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{task::yield_now, time::timeout};
use tokio_postgres::{
    Row,
    error::SqlState,
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    Config,
    config::{self, Database},
    telemetry,
};

/// A parameter of a statement: its value and its PostgreSQL type.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// How long opening a connection may take, name look-up, TCP, TLS and authentication together. A suspended
/// Neon compute answers in a few hundred milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement may take. With [`CONNECT_TIMEOUT`], once for a free place in the pool and once for the connection, it
/// stays inside [`REQUEST_DEADLINE`](crate::http::REQUEST_DEADLINE).
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a starting function waits for its first connection. Lambda allows 10 s for the whole init.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
}

impl Db {
    /// A pool for `DATABASE_URL`; nothing is connected yet.
    ///
    /// # Errors
    /// When the configuration is unfit, or the file that `sslrootcert` names cannot be read.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        let Database { mut postgres, root_certificates, max_connections } = config.database()?;
        let tls = tls(root_certificates.as_deref())?;
        postgres.connect_timeout(CONNECT_TIMEOUT);
        let manager = Manager::from_config(
            postgres,
            tls,
            // Looks only whether the connection is known to be closed: no round trip.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|error| config::Error::new(format!("the connection pool cannot be built: {error}")))?;
        Ok(Self { pool })
    }

    /// Opens a connection ahead of the first request, for 2 s at the most. A failure is logged and nothing
    /// more: the first request tries again.
    pub async fn warm_up(&self) {
        match timeout(WARM_UP_TIMEOUT, self.pool.get()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!("no database connection at start: {}", Error::from(error)),
            Err(_) => tracing::warn!("no database connection at start: none within {WARM_UP_TIMEOUT:?}"),
        }
    }

    /// Runs one statement in one round trip and returns its rows.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection can be had or the answer does not come in time;
    /// [`Error::Statement`] when PostgreSQL refuses the statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let started = Instant::now();
        let result = self.query_untimed(sql, params).await;
        telemetry::note(|notes| notes.database += started.elapsed());
        result
    }

    async fn query_untimed(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        // A function that was frozen learns that its connection was closed meanwhile only once the
        // connection's own task has run. If the news has arrived, two turns of the executor are enough.
        yield_now().await;
        yield_now().await;
        let client = self.pool.get().await?;
        let result = match timeout(STATEMENT_TIMEOUT, client.query_typed(sql, params)).await {
            Ok(result) => result.map_err(Error::from),
            Err(_) => Err(Error::Unavailable(format!("no answer within {STATEMENT_TIMEOUT:?}"))),
        };
        if let Err(Error::Unavailable(_)) = result {
            // Not for the next request: it may be closing, or still have the answer to this one to give.
            drop(deadpool_postgres::Object::take(client));
        }
        result
    }

    /// Runs one statement in one round trip and returns its first row, if any.
    ///
    /// # Errors
    /// As [`Db::query`].
    pub async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }
}

/// A single connection outside the pool, with the pool's TLS rules: for migrations and seeds.
///
/// # Errors
/// When the configuration is unfit or the database cannot be reached within 5 s.
pub async fn connect(database: &Database) -> Result<tokio_postgres::Client, Error> {
    let tls =
        tls(database.root_certificates.as_deref()).map_err(|error| Error::Unavailable(error.to_string()))?;
    let (client, connection) = timeout(CONNECT_TIMEOUT, database.postgres.connect(tls))
        .await
        .map_err(|_| Error::Unavailable(format!("no connection within {CONNECT_TIMEOUT:?}")))??;
    tokio::spawn(connection);
    Ok(client)
}

/// TLS that always verifies the chain and the host name.
fn tls(root_certificates: Option<&str>) -> Result<MakeRustlsConnect, config::Error> {
    let roots = match root_certificates {
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(file) => root_store(file).map_err(|error| {
            config::Error::new(format!(
                "the file `{file}` that DATABASE_URL names as sslrootcert cannot be used: {error}"
            ))
        })?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| config::Error::new(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn root_store(file: &str) -> Result<RootCertStore, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("it holds no PEM certificate".into());
    }
    Ok(roots)
}

/// Why a statement has no rows to show.
#[derive(Debug)]
pub enum Error {
    /// The database cannot be reached, is too busy, or did not answer in time. The text is for the log: it
    /// holds no value of a statement and no password.
    Unavailable(String),
    /// PostgreSQL refused the statement, or its answer is not what the code expects.
    Statement(tokio_postgres::Error),
}

impl Error {
    /// The name of the constraint that the statement would have broken.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Error::Statement(error) => error.as_db_error()?.constraint(),
            Error::Unavailable(_) => None,
        }
    }
}

/// For the log. PostgreSQL's message and detail are left out: they may quote what a user sent.
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Unavailable(reason) => f.write_str(reason),
            Error::Statement(error) => match error.as_db_error() {
                Some(error) => write!(f, "SQLSTATE {}", error.code().code())
                    .and_then(|()| error.constraint().map_or(Ok(()), |name| write!(f, ", {name}"))),
                None => write!(f, "{error}"),
            },
        }
    }
}

impl std::error::Error for Error {}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_unavailable(&error) { Error::Unavailable(describe(&error)) } else { Error::Statement(error) }
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        // Whatever keeps a connection from being made, the statement was not sent.
        match error {
            PoolError::Backend(error) => Error::Unavailable(describe(&error)),
            error => Error::Unavailable(error.to_string()),
        }
    }
}

/// Whether the fault lies with the connection or the server's state, not with the statement.
fn is_unavailable(error: &tokio_postgres::Error) -> bool {
    let Some(state) = error.code() else {
        let caused_by_io =
            std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
        return error.is_closed() || caused_by_io;
    };
    // 08 connection exception, 53 insufficient resources, 57P0x shutdown or starting up.
    state.code().starts_with("08")
        || state.code().starts_with("53")
        || matches!(
            *state,
            SqlState::QUERY_CANCELED
                | SqlState::ADMIN_SHUTDOWN
                | SqlState::CRASH_SHUTDOWN
                | SqlState::CANNOT_CONNECT_NOW
                | SqlState::IDLE_SESSION_TIMEOUT
        )
}

/// The message and what caused it: "error connecting to server: Connection refused". When connecting,
/// PostgreSQL and poolers say in the message what is wrong (no such database, endpoint disabled).
fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
