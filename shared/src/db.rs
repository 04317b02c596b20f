//! The database: a pool of connections over rustls, and one statement in one round trip.
//!
//! Statements go out with [`query_typed`](tokio_postgres::Client::query_typed): unnamed, and parsed, bound and executed in
//! one message. That needs no prepared statement, so it works behind any pooler in transaction mode, and costs one round
//! trip even on a new connection. Where prepared statements are known to be safe, a statement that comes again is prepared
//! (`connection.rs`).
//!
//! | failure | retried? |
//! |---|---|
//! | no connection, for a reason that can pass (refused, reset, starting up, Neon's compute waking) | yes |
//! | no connection, because there are too many | once |
//! | no connection, for a reason that cannot pass (password, name, certificate, endpoint disabled) | no |
//! | the connection was lost before the answer came | yes, unless the statement must not run twice |
//! | serialization failure, deadlock: rolled back | yes |
//! | a prepared statement that the server does not know, or that is out of date: it did not run | at once, unnamed |
//! | no answer in time, cancelled, out of memory or disk | no |
//! | refused: a constraint, an error of ours | no |

mod connect;
mod connection;
mod error;
mod failure;
mod tls;
mod url;

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool::{
    Runtime,
    managed::{Object, Pool},
};
use scopeguard::ScopeGuard;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_postgres::{
    Row,
    error::Severity,
    types::{ToSql, Type},
};

use self::{
    connect::Connector,
    failure::{ConnectError, StatementError, describe},
};
pub use self::{connect::connect, error::Error, url::Database};
use crate::{Config, config, telemetry};

/// A parameter of a statement: its value and its PostgreSQL type.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// The time limit for a host to answer when a connection is opened, unless `connect_timeout` in the URL is less. Also the
/// time that the network may leave sent bytes unacknowledged before the connection counts as lost (Linux only).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for getting a connection: waiting for a free place in the pool, and all attempts together. A suspended
/// Neon compute wakes in a few hundred milliseconds ([Neon asks for 10 s or more][latency]); Aurora Serverless, once paused,
/// [resumes in about 15 s][resume].
///
/// [latency]: https://neon.com/docs/connect/connection-latency
/// [resume]: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(17);

/// The time limit for one attempt at a statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for all attempts at a statement, their connections included. It is less than
/// [`REQUEST_DEADLINE`](crate::middleware::REQUEST_DEADLINE).
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The time that a starting function waits for its first connection. Lambda allows 10 s for the whole init.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// The delay between attempts: 25 to 50 ms, doubling up to 0.5 to 1 s. The jitter keeps functions that lost their
/// connections together from coming back together.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(25))
    .with_max_delay(Duration::from_millis(500))
    .with_factor(2.0)
    .with_jitter()
    .without_max_times();

/// The delay before the second and last attempt after "too many connections".
const TOO_MANY_DELAY: Duration = Duration::from_millis(500);

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Connector>,
}

impl Db {
    /// Makes a pool for `DATABASE_URL`, and connects to nothing yet.
    ///
    /// # Errors
    /// The configuration is unusable, or the file that `sslrootcert` names cannot be read.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        let database = Database::new(config)?;
        let max_connections = database.max_connections;
        let connector = Connector::new(database)?;
        let deadline = connector.deadline();
        let pool = Pool::builder(connector)
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(deadline))
            .build()
            .map_err(|error| config::Error::new(format!("the connection pool cannot be built: {error}")))?;
        Ok(Self { pool })
    }

    /// Opens a connection before the first request, within 2 s. A failure is only logged: the first request tries again.
    pub async fn warm_up(&self) {
        match timeout(WARM_UP_TIMEOUT, self.connection()).await {
            Ok(Ok(connection)) => release(connection),
            Ok(Err(error)) => tracing::warn!("no database connection at start: {error}"),
            Err(_) => tracing::warn!("no database connection at start: none within {WARM_UP_TIMEOUT:?}"),
        }
    }

    /// Runs a statement in one round trip and returns its first row, if any. If an answer is lost the statement is sent
    /// again, so running it twice must have the same effect as running it once.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if there is no connection or the database cannot run it now; [`Error::Unanswered`] if the
    /// answer does not come in time; [`Error::Statement`] if PostgreSQL refuses the statement.
    pub async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        let (row, _) = self.send(sql, params, Resend::Always, keep_first).await?;
        Ok(row)
    }

    /// Runs a statement like [`query_opt`](Self::query_opt). The flag is true if an answer was lost, so that the statement
    /// may have run before the run that the row is from.
    ///
    /// # Errors
    /// See [`query_opt`](Self::query_opt).
    pub async fn query_opt_resent(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(Option<Row>, bool), Error> {
        self.send(sql, params, Resend::Always, keep_first).await
    }

    /// Runs a statement that must not run twice like [`query_opt`](Self::query_opt): it is not sent again if it may have
    /// arrived.
    ///
    /// # Errors
    /// See [`query_opt`](Self::query_opt); also [`Error::Unanswered`] as soon as the connection is lost.
    pub async fn query_opt_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        let (row, _) = self.send(sql, params, Resend::Never, keep_first).await?;
        Ok(row)
    }

    /// Runs a statement like [`query_opt`](Self::query_opt), and returns what `take` makes of its rows, each as it arrives.
    /// After an error of `take` no more rows are read, and the connection is closed. If the statement is sent again, it
    /// starts from `T::default()`.
    ///
    /// # Errors
    /// See [`query_opt`](Self::query_opt), and those of `take`.
    pub async fn query_each<T: Default, E: From<Error>>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        take: impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<T, E> {
        let (taken, _) = self.send(sql, params, Resend::Always, take).await?;
        Ok(taken)
    }

    /// Sends a statement until it is answered. The flag is true if an answer was lost.
    async fn send<T: Default, E: From<Error>>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        resend: Resend,
        mut take: impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<(T, bool), E> {
        let started = Instant::now();
        let attempts = async {
            let mut delays = BACKOFF.build();
            let mut was_lost = false;
            loop {
                let unavailable = move |reason| match was_lost {
                    true => Error::Unanswered(reason),
                    false => Error::Unavailable(reason),
                };
                let mut connection = self.connection().await.map_err(unavailable)?;
                let answer = timeout(STATEMENT_TIMEOUT, connection.query(sql, params, &mut take)).await;
                let error = match answer {
                    Err(_) => {
                        let reason = format!("no answer within {STATEMENT_TIMEOUT:?}");
                        return Err(Error::Unanswered(reason).into());
                    }
                    Ok(Ok(taken)) => {
                        if taken.is_ok() {
                            release(connection);
                        }
                        return taken.map(|taken| (taken, was_lost));
                    }
                    Ok(Err(error)) => error,
                };
                // An ERROR ends the statement, and anything worse the connection.
                if error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error)) {
                    release(connection);
                } else {
                    drop(connection);
                }
                match StatementError::of(&error) {
                    StatementError::Lost if resend == Resend::Never => {
                        return Err(Error::Unanswered(describe(&error)).into());
                    }
                    StatementError::Lost => was_lost = true,
                    StatementError::RolledBack => {}
                    StatementError::Stopped => return Err(unavailable(describe(&error)).into()),
                    StatementError::Refused => return Err(Error::Statement(error).into()),
                }
                tracing::warn!("a statement is sent again: {}", describe(&error));
                telemetry::record(|fields| fields.resent += 1);
                sleep(delays.next().unwrap_or_default()).await;
            }
        };
        let answer = timeout(DEADLINE, attempts).await;
        telemetry::record(|fields| fields.database += started.elapsed());
        answer.unwrap_or_else(|_| Err(Error::Unanswered(format!("no answer within {DEADLINE:?}")).into()))
    }

    /// Returns a connection that is not known to be closed, or the reason why there is none.
    async fn connection(&self) -> Result<PooledConnection, String> {
        let mut last_reason = None;
        let attempts = async {
            let mut delays = BACKOFF.build();
            let mut were_too_many = false;
            loop {
                if self.pool.status().available > 0 {
                    // A function that was frozen learns that its connection was closed meanwhile only when the connection's
                    // own task runs. If the news has arrived, two turns of the executor are enough.
                    yield_now().await;
                    yield_now().await;
                }
                let error = match self.pool.get().await {
                    Ok(connection) => {
                        return Ok(scopeguard::guard(connection, close as fn(Object<Connector>)));
                    }
                    Err(error) => error,
                };
                let (kind, reason) = self.pool.manager().explain(&error);
                let delay = match kind {
                    ConnectError::Transient => delays.next().unwrap_or_default(),
                    // Others may have left by then.
                    ConnectError::TooMany if !were_too_many => TOO_MANY_DELAY,
                    ConnectError::TooMany | ConnectError::Permanent => return Err(reason),
                };
                were_too_many = kind == ConnectError::TooMany;
                last_reason = Some(reason);
                sleep(delay).await;
            }
        };
        timeout(CONNECT_DEADLINE, attempts).await.map_err(|_| {
            let reason = last_reason.as_deref().unwrap_or("all connections of this process are in use");
            format!("no connection within {CONNECT_DEADLINE:?}: {reason}")
        })?
    }
}

/// A connection in use. It is closed when it is dropped, unless it is [released](release): it may be broken, or still have
/// an answer to give that nobody waits for (a request that is cancelled during a statement drops it).
type PooledConnection = ScopeGuard<Object<Connector>, fn(Object<Connector>)>;

fn close(connection: Object<Connector>) {
    drop(Object::take(connection));
}

/// Gives a connection back to the pool.
fn release(connection: PooledConnection) {
    drop(ScopeGuard::into_inner(connection));
}

fn keep_first(first: &mut Option<Row>, row: Row) -> Result<(), Error> {
    first.get_or_insert(row);
    Ok(())
}

/// Whether a statement is sent again after its answer was lost, when it may have run.
#[derive(Clone, Copy, PartialEq)]
enum Resend {
    Always,
    Never,
}
