//! The database: a pool of connections over rustls, one statement in one round trip, and what is done when it fails.
//!
//! Statements go out with [`query_typed`](tokio_postgres::Client::query_typed): unnamed, parsed, bound and
//! executed in one message. That needs no prepared statement, so it works behind a pooler in transaction
//! mode (Neon's `-pooler` host, PgBouncer), and costs one round trip even on a new connection.
//!
//! | fault | tried again? |
//! |---|---|
//! | no connection, for a reason that can pass (refused, reset, starting up, Neon's compute waking) | yes |
//! | no connection, because there are too many | once |
//! | no connection, for a reason that cannot pass (password, name, certificate, endpoint disabled) | no |
//! | the connection was lost before the answer came | yes, unless it must not happen twice |
//! | serialization failure, deadlock: rolled back | yes |
//! | no answer in time, cancelled, out of memory or disk | no |
//! | refused: a constraint, an error of ours | no |

mod connect;
mod failure;
mod tls;
mod url;

use std::{
    convert::Infallible,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::TryStreamExt;
use scopeguard::ScopeGuard;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_postgres::{
    Client, Row,
    error::Severity,
    types::{ToSql, Type},
};

pub use self::url::Database;
pub(crate) use self::url::is_invisible;
use self::{
    connect::Connector,
    failure::{Failure, Obstacle, describe},
};
use crate::{Config, config, telemetry};

/// A parameter of a statement: its value and its PostgreSQL type.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// How long a host may take to answer when a connection is opened, unless `connect_timeout` in the URL says less; and how
/// long the network may leave what was sent unacknowledged before the connection counts as lost (Linux only).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to have a connection, waiting for a free place in the pool and all tries together. A suspended
/// Neon compute wakes in a few hundred milliseconds ([Neon asks for 10 s or more][latency]); Aurora Serverless, once paused,
/// [resumes in about 15 s][resume].
///
/// [latency]: https://neon.com/docs/connect/connection-latency
/// [resume]: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(17);

/// How long one statement may take.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long all tries of a statement may take, their connections included. It stays inside
/// [`REQUEST_DEADLINE`](crate::middleware::REQUEST_DEADLINE).
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long a starting function waits for its first connection. Lambda allows 10 s for the whole init.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Between tries: 25 to 50 ms, doubling up to 0.5 to 1 s. At random, so that functions that lost their connections together
/// do not come back together.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(25))
    .with_max_delay(Duration::from_millis(500))
    .with_factor(2.0)
    .with_jitter()
    .without_max_times();

/// Before the second and last try after "too many connections".
const TOO_MANY_DELAY: Duration = Duration::from_millis(500);

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    connector: Arc<Connector>,
}

impl Db {
    /// A pool for `DATABASE_URL`; nothing is connected yet.
    ///
    /// # Errors
    /// When the configuration is unfit, or the file that `sslrootcert` names cannot be read.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        let database = Database::new(config)?;
        let max_connections = database.max_connections;
        let connector = Connector::new(database)?;
        let manager = Manager::from_connect(
            tokio_postgres::Config::new(), // the connector has its own
            connector.clone(),
            // Looks only whether the connection is known to be closed: no round trip.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(connector.deadline()))
            .build()
            .map_err(|error| config::Error::new(format!("the connection pool cannot be built: {error}")))?;
        Ok(Self { pool, connector: Arc::new(connector) })
    }

    /// Opens a connection ahead of the first request, for 2 s at the most. A failure is logged and nothing
    /// more: the first request tries again.
    pub async fn warm_up(&self) {
        match timeout(WARM_UP_TIMEOUT, self.connection()).await {
            Ok(Ok(connection)) => give_back(connection),
            Ok(Err(error)) => tracing::warn!("no database connection at start: {error}"),
            Err(_) => tracing::warn!("no database connection at start: none within {WARM_UP_TIMEOUT:?}"),
        }
    }

    /// Runs one statement in one round trip and returns its rows. Where an answer is lost the statement is sent again, so
    /// it must be one that can be carried out twice as well as once.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection can be had or the database cannot do it now; [`Error::Unanswered`] when the
    /// answer does not come in time; [`Error::Statement`] when PostgreSQL refuses the statement.
    pub async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        Ok(self.rows(sql, params, Repeat::WhenLost).await?.0)
    }

    /// As [`Db::query`], but hands each row to `take` as it arrives, to be made part of what is returned, and keeps none.
    /// The first error of `take` is the inner result: no more rows are read then, and the connection is closed. When the
    /// statement is sent again, it begins anew.
    ///
    /// # Errors
    /// As [`Db::query`].
    pub async fn query_each<T: Default, E>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        take: impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<Result<T, E>, Error> {
        Ok(self.send(sql, params, Repeat::WhenLost, take).await?.0)
    }

    /// As [`Db::query`], and returns the first row, if any.
    ///
    /// # Errors
    /// As [`Db::query`].
    pub async fn query_opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// As [`Db::query_opt`], and tells whether an answer was lost, so that the statement may have been carried out before.
    ///
    /// # Errors
    /// As [`Db::query`].
    pub async fn query_opt_again(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(Option<Row>, bool), Error> {
        let (rows, another_was_lost) = self.rows(sql, params, Repeat::WhenLost).await?;
        Ok((rows.into_iter().next(), another_was_lost))
    }

    /// As [`Db::query_opt`], for a statement that must not be carried out twice: it is not sent again if it may have
    /// arrived.
    ///
    /// # Errors
    /// As [`Db::query`]; and [`Error::Unanswered`] as soon as the connection is lost.
    pub async fn query_opt_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, params, Repeat::UnlessSent).await?.0.into_iter().next())
    }

    async fn rows(&self, sql: &str, params: &[Param<'_>], repeat: Repeat) -> Result<(Vec<Row>, bool), Error> {
        let keep = |rows: &mut Vec<Row>, row| {
            rows.push(row);
            Ok::<_, Infallible>(())
        };
        let (Ok(rows), another_was_lost) = self.send(sql, params, repeat, keep).await?;
        Ok((rows, another_was_lost))
    }

    /// What was made of the rows, and whether another answer to the same statement was lost, which was sent again.
    async fn send<T: Default, E>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        repeat: Repeat,
        take: impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<(Result<T, E>, bool), Error> {
        let started = Instant::now();
        let result = timeout(DEADLINE, self.send_until_answered(sql, params, repeat, take)).await;
        telemetry::note(|notes| notes.database += started.elapsed());
        result.unwrap_or_else(|_| Err(Error::Unanswered(format!("no answer within {DEADLINE:?}"))))
    }

    async fn send_until_answered<T: Default, E>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        repeat: Repeat,
        mut take: impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<(Result<T, E>, bool), Error> {
        let mut delays = BACKOFF.build();
        let mut another_was_lost = false;
        loop {
            let unable = move |reason| match another_was_lost {
                true => Error::Unanswered(reason),
                false => Error::Unavailable(reason),
            };
            let connection = self.connection().await.map_err(unable)?;
            let Ok(answer) = timeout(STATEMENT_TIMEOUT, ask(&connection, sql, params, &mut take)).await
            else {
                return Err(Error::Unanswered(format!("no answer within {STATEMENT_TIMEOUT:?}")));
            };
            let error = match answer {
                Ok(taken) => {
                    if taken.is_ok() {
                        give_back(connection);
                    }
                    return Ok((taken, another_was_lost));
                }
                Err(error) => error,
            };
            // An ERROR ends the statement, and anything worse the connection.
            if error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error)) {
                give_back(connection);
            } else {
                drop(connection);
            }
            match Failure::of(&error) {
                Failure::Lost if repeat == Repeat::UnlessSent => {
                    return Err(Error::Unanswered(describe(&error)));
                }
                Failure::Lost => another_was_lost = true,
                Failure::RolledBack => {}
                Failure::Stopped => return Err(unable(describe(&error))),
                Failure::Refused => return Err(Error::Statement(error)),
            }
            tracing::warn!("a statement is sent again: {}", describe(&error));
            telemetry::note(|notes| notes.resent += 1);
            sleep(delays.next().unwrap_or_default()).await;
        }
    }

    /// A connection that is not known to be closed, or why there is none.
    async fn connection(&self) -> Result<Connection, String> {
        let mut last = None;
        match timeout(CONNECT_DEADLINE, self.connect_until_connected(&mut last)).await {
            Ok(connection) => connection,
            Err(_) => {
                let reason = last.as_deref().unwrap_or("all that this process may have are in use");
                Err(format!("no connection within {CONNECT_DEADLINE:?}: {reason}"))
            }
        }
    }

    async fn connect_until_connected(&self, last: &mut Option<String>) -> Result<Connection, String> {
        let mut delays = BACKOFF.build();
        let mut were_too_many = false;
        loop {
            if self.pool.status().available > 0 {
                // A function that was frozen learns that its connection was closed meanwhile only once the
                // connection's own task has run. If the news has arrived, two turns of the executor are enough.
                yield_now().await;
                yield_now().await;
            }
            let error = match self.pool.get().await {
                Ok(connection) => return Ok(scopeguard::guard(connection, close as fn(Object))),
                Err(error) => error,
            };
            let (obstacle, reason) = self.connector.explain(&error);
            let delay = match obstacle {
                Obstacle::Passes => delays.next().unwrap_or_default(),
                // When others may have left.
                Obstacle::TooMany if !were_too_many => TOO_MANY_DELAY,
                Obstacle::TooMany | Obstacle::Stays => return Err(reason),
            };
            were_too_many = obstacle == Obstacle::TooMany;
            *last = Some(reason);
            sleep(delay).await;
        }
    }
}

/// A connection in use. It is closed unless it is [given back](give_back): it may be broken, or still have an answer to
/// give that nobody waits for (a request that is given up in the middle of a statement drops it).
type Connection = ScopeGuard<Object, fn(Object)>;

fn close(connection: Object) {
    drop(Object::take(connection));
}

fn give_back(connection: Connection) {
    drop(ScopeGuard::into_inner(connection));
}

/// One statement, sent once.
async fn ask<T: Default, E>(
    client: &Client,
    sql: &str,
    params: &[Param<'_>],
    take: &mut impl FnMut(&mut T, Row) -> Result<(), E>,
) -> Result<Result<T, E>, tokio_postgres::Error> {
    let params = params.iter().map(|(value, of)| (*value, of.clone()));
    let mut rows = pin!(client.query_typed_raw(sql, params).await?);
    let mut taken = T::default();
    while let Some(row) = rows.try_next().await? {
        if let Err(error) = take(&mut taken, row) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(taken))
}

/// Whether a statement may be sent again when its answer was lost.
#[derive(Clone, Copy, PartialEq)]
enum Repeat {
    WhenLost,
    UnlessSent,
}

/// A single connection outside the pool, with the pool's TLS rules: for migrations and seeds.
///
/// # Errors
/// When the configuration is unfit or the database cannot be reached within 5 s for each host.
pub async fn connect(database: &Database) -> Result<Client, Error> {
    let connector =
        Connector::new(database.clone()).map_err(|error| Error::Unavailable(error.to_string()))?;
    let deadline = connector.deadline();
    let (client, _) = timeout(deadline, connector.open())
        .await
        .map_err(|_| Error::Unavailable(format!("no connection within {deadline:?}")))?
        .map_err(|error| Error::Unavailable(describe(&error)))?;
    Ok(client)
}

/// Why a statement has no rows to show. The texts are for the log: they hold no value of a statement and no password.
#[derive(Debug)]
pub enum Error {
    /// The database cannot be reached or is too busy. Nothing was done.
    Unavailable(String),
    /// No answer came. The statement may have been carried out, or be yet.
    Unanswered(String),
    /// PostgreSQL refused the statement, or its answer is not what the code expects.
    Statement(tokio_postgres::Error),
}

impl Error {
    /// The name of the constraint that the statement would have broken.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Error::Statement(error) => error.as_db_error()?.constraint(),
            Error::Unavailable(_) | Error::Unanswered(_) => None,
        }
    }
}

/// For the log. PostgreSQL's message and detail are left out: they may quote what a user sent.
impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Unavailable(reason) | Error::Unanswered(reason) => f.write_str(reason),
            Error::Statement(error) => match error.as_db_error() {
                Some(error) => write!(f, "SQLSTATE {}", error.code().code())
                    .and_then(|()| error.constraint().map_or(Ok(()), |name| write!(f, ", {name}"))),
                None => write!(f, "{error}"),
            },
        }
    }
}

impl std::error::Error for Error {}
