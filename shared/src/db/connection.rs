//! A connection: its client, and the statements that were used on it.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{TryStreamExt, future::join};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Row, RowStream, Statement, error::SqlState};

use super::{Param, failure::describe};

/// The number of statements that a connection remembers. The server holds the plan of each that is prepared.
const MAX_STATEMENTS: usize = 64;

/// A connection of the pool. It is closed when it is dropped.
///
/// A statement goes out unnamed at its first use: parsed, bound and executed in one round trip. At its second use it is
/// prepared beside that, and from then on it is executed by its name. So no use costs a round trip more, and the server
/// plans what comes often once.
pub(super) struct Connection {
    client: Client,
    /// Reads and writes the socket.
    task: JoinHandle<()>,
    /// False if the server is not known to keep prepared statements. All connections of the process share it.
    prepares: Arc<AtomicBool>,
    /// The statements that were used, the oldest first, and those that are prepared.
    used: VecDeque<(String, Option<Statement>)>,
    /// How often a prepared statement was out of date.
    outdated: usize,
}

impl Connection {
    pub(super) fn new((client, task): (Client, JoinHandle<()>), prepares: Arc<AtomicBool>) -> Self {
        Self { client, task, prepares, used: VecDeque::new(), outdated: 0 }
    }

    /// True if it is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends a statement and returns what `take` makes of its rows. The inner error is that of `take`.
    pub(super) async fn query<T: Default, E>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        take: &mut impl FnMut(&mut T, Row) -> Result<(), E>,
    ) -> Result<Result<T, E>, Error> {
        if !self.prepares.load(Ordering::Relaxed) {
            return query_unnamed(&self.client, sql, params, take).await;
        }
        let Some((_, statement)) = self.used.iter_mut().find(|(used, _)| used == sql) else {
            if self.used.len() == MAX_STATEMENTS {
                // The client tells the server to forget it too.
                self.used.pop_front();
            }
            self.used.push_back((sql.to_owned(), None));
            return query_unnamed(&self.client, sql, params, take).await;
        };
        let Some(prepared) = statement else {
            // PgBouncer, too, keeps a statement by its text, and would give back the one that is out of date.
            let text = format!("{sql}{}", " ".repeat(self.outdated));
            let types: Vec<_> = params.iter().map(|(_, of)| of.clone()).collect();
            let prepare = self.client.prepare_typed(&text, &types);
            let (answer, prepared) = join(query_unnamed(&self.client, sql, params, take), prepare).await;
            match prepared {
                Ok(prepared) => *statement = Some(prepared),
                Err(error) if is_name_lost(&error) => self.stop_preparing(&error),
                // The next use tries again.
                Err(_) => {}
            }
            return answer;
        };
        match query_named(&self.client, prepared, params, take).await {
            Err(error) if is_name_lost(&error) => self.stop_preparing(&error),
            // "cached plan must not change result type": a migration has changed the tables.
            Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
                self.used.clear();
                self.outdated += 1;
            }
            answer => return answer,
        }
        // The statement was refused before it ran.
        query_unnamed(&self.client, sql, params, take).await
    }

    /// Sends all statements of this process unnamed from now on.
    fn stop_preparing(&self, error: &Error) {
        if self.prepares.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "the database does not keep prepared statements, so this process uses none from now on; set \
                 DATABASE_PREPARED_STATEMENTS to off: {}",
                describe(error)
            );
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// True if the server does not know the statement's name, or has another statement of that name: it is behind a pooler
/// that hands each transaction to another server.
fn is_name_lost(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT))
}

async fn query_unnamed<T: Default, E>(
    client: &Client,
    sql: &str,
    params: &[Param<'_>],
    take: &mut impl FnMut(&mut T, Row) -> Result<(), E>,
) -> Result<Result<T, E>, Error> {
    let params = params.iter().map(|(value, of)| (*value, of.clone()));
    read(client.query_typed_raw(sql, params).await?, take).await
}

async fn query_named<T: Default, E>(
    client: &Client,
    statement: &Statement,
    params: &[Param<'_>],
    take: &mut impl FnMut(&mut T, Row) -> Result<(), E>,
) -> Result<Result<T, E>, Error> {
    let params = params.iter().map(|(value, _)| *value);
    read(client.query_raw(statement, params).await?, take).await
}

async fn read<T: Default, E>(
    rows: RowStream,
    take: &mut impl FnMut(&mut T, Row) -> Result<(), E>,
) -> Result<Result<T, E>, Error> {
    let mut rows = pin!(rows);
    let mut taken = T::default();
    while let Some(row) = rows.try_next().await? {
        if let Err(error) = take(&mut taken, row) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(taken))
}
