//! Opens connections: tries the addresses of all hosts in turn.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use deadpool::managed::{Manager, Metrics, PoolError, RecycleError, RecycleResult};
use tokio::{net::lookup_host, task::JoinHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, Client, Error,
    config::{Host, LoadBalanceHosts, SslNegotiation},
    error::Severity,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    CONNECT_DEADLINE, CONNECT_TIMEOUT, config,
    connection::Connection,
    failure::{self, ConnectError},
    tls::tls,
    url::{Address, Database},
};

/// The time limit for an address when others are left. TCP sends a lost packet again after 1 s, so an address that is
/// silent for longer is dead. (In tokio-postgres' own loop the first dead address uses up all of the time.)
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens connections for the pool.
pub(super) struct Connector {
    database: Database,
    tls: MakeRustlsConnect,
    prepares: Arc<AtomicBool>,
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        // On the heap, or the future of each request that might connect would have room for all of this, and be copied with it.
        let opened = Box::pin(self.open()).await?;
        Ok(Connection::new(opened, self.prepares.clone()))
    }

    /// Checks only whether the connection is known to be closed: no round trip.
    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        if connection.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

impl Connector {
    pub(super) fn new(mut database: Database) -> Result<Self, config::Error> {
        let tls = tls(&database.root_certificates)?;
        if database.settings.get_tcp_user_timeout().is_none() {
            database.settings.tcp_user_timeout(CONNECT_TIMEOUT);
        }
        let prepares = Arc::new(AtomicBool::new(database.prepares_statements));
        Ok(Self { database, tls, prepares })
    }

    /// Returns the time limit for one host: 5 s, or less if the URL's `connect_timeout` is less.
    fn host_timeout(&self) -> Duration {
        self.database.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT)
    }

    /// Returns the time limit for all hosts together. It leaves time for a second attempt.
    fn total_timeout(&self) -> Duration {
        let hosts = u32::try_from(self.database.hosts.len()).unwrap_or(u32::MAX);
        self.host_timeout().saturating_mul(hosts).min(CONNECT_DEADLINE / 2)
    }

    /// Returns the time after which an attempt is abandoned. It is 250 ms more than the total timeout, so that the
    /// error of TCP's own timeout, which says more, comes first.
    pub(super) fn deadline(&self) -> Duration {
        self.total_timeout() + Duration::from_millis(250)
    }

    /// Opens a connection to the first address that accepts one. If none does, returns the last error that a server
    /// sent, or the error of the last address.
    async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let mut addresses = self.addresses().await;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let limit = self.host_timeout().min(ADDRESS_TIMEOUT).min(self.total_timeout() / count);
        let mut server_error = None;
        let last = addresses.pop();
        for address in &addresses {
            match timeout(limit, self.open_address(address, limit)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(error)) if error.as_db_error().is_some() => server_error = Some(error),
                Ok(Err(error)) if !failure::is_timeout(&error) => {
                    tracing::debug!("{address}: {}", failure::describe(&error))
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("{address} did not answer within {limit:?}, the next address is tried")
                }
            }
        }
        let opened = match &last {
            Some(last) => self.open_address(last, self.host_timeout()).await,
            None => self.open_with(&self.database.settings).await,
        };
        opened.map_err(|error| match error.as_db_error() {
            Some(_) => error,
            None => server_error.unwrap_or(error),
        })
    }

    async fn open_address(
        &self,
        address: &Address,
        limit: Duration,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let mut settings = self.database.settings.clone();
        settings.port(address.port).connect_timeout(limit);
        match &address.host {
            Host::Tcp(name) => settings.host(name),
            Host::Unix(folder) => settings.host_path(folder),
        };
        if let Some(ip) = address.ip {
            settings.hostaddr(ip);
        }
        self.open_with(&settings).await
    }

    /// Opens a connection with these settings. The task reads and writes the socket until the client is dropped, and logs
    /// the server's warnings.
    async fn open_with(&self, settings: &tokio_postgres::Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = settings.connect(self.tls.clone()).await?;
        let task = async move {
            // An error is ignored here: a statement that waits for an answer gets it too.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity() == Some(Severity::Warning)
                {
                    let hint = notice.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                    tracing::warn!("the database warns: {}{hint}", notice.message());
                }
            }
        };
        Ok((client, tokio::spawn(task)))
    }

    /// Returns the addresses of the URL's hosts. A name that cannot be looked up is kept, and fails when it is tried.
    async fn addresses(&self) -> Vec<Address> {
        let mut addresses = Vec::new();
        for address in &self.database.hosts {
            let found = match (&address.host, address.ip) {
                (Host::Tcp(name), None) => lookup_host((name.as_str(), address.port)).await.ok(),
                _ => None,
            };
            let before = addresses.len();
            for found in found.into_iter().flatten() {
                addresses.push(Address { ip: Some(found.ip()), ..address.clone() });
            }
            if addresses.len() == before {
                addresses.push(address.clone());
            }
        }
        if self.database.settings.get_load_balance_hosts() == LoadBalanceHosts::Random {
            fastrand::shuffle(&mut addresses);
        }
        addresses
    }

    /// Classifies an error and describes it for the log, with the hosts.
    pub(super) fn explain(&self, error: &PoolError<Error>) -> (ConnectError, String) {
        let hosts = self.database.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let is_direct = self.database.settings.get_ssl_negotiation() == SslNegotiation::Direct;
        if is_direct && failure::is_tls_refused(error) {
            let reason = "the server does not support sslnegotiation=direct, which needs PostgreSQL 17 or newer; \
                          remove it from DATABASE_URL";
            return (ConnectError::Permanent, format!("{hosts}: {reason}"));
        }
        let reason = match error {
            PoolError::Backend(error) => failure::describe(error),
            PoolError::Timeout(_) => {
                let limit = self.total_timeout();
                format!(
                    "connecting took longer than {limit:?} (name lookup, TCP, TLS and authentication together)"
                )
            }
            error => error.to_string(),
        };
        (ConnectError::of(error), format!("{hosts}: {reason}"))
    }
}

/// Opens a single connection outside the pool with the same TLS rules, for migrations and seeds.
///
/// # Errors
/// The configuration is unusable, or the database cannot be reached within 5 s for each host.
pub async fn connect(database: &Database) -> Result<Client, super::Error> {
    let unavailable = super::Error::Unavailable;
    let connector = Connector::new(database.clone()).map_err(|error| unavailable(error.to_string()))?;
    let deadline = connector.deadline();
    let (client, _) = timeout(deadline, connector.open())
        .await
        .map_err(|_| unavailable(format!("no connection within {deadline:?}")))?
        .map_err(|error| unavailable(failure::describe(&error)))?;
    Ok(client)
}
