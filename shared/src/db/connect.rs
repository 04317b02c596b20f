//! Opening a connection: at each address in turn, of which some may be dead.

use std::time::Duration;

use deadpool_postgres::{Connect, PoolError};
use futures_util::future::BoxFuture;
use tokio::{net::lookup_host, task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Error,
    config::{Host, LoadBalanceHosts, SslNegotiation},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    CONNECT_DEADLINE, CONNECT_TIMEOUT, config,
    failure::{self, ConnectError},
    tls::tls,
    url::{Address, Database},
};

/// How long an address may take at the most when there are others. A lost packet is sent again after a second; what is
/// silent then is dead. (In tokio-postgres' own loop the first dead address takes all of the time.)
const ONE_OF_SEVERAL: Duration = Duration::from_secs(2);

/// Opens connections for the pool.
#[derive(Clone)]
pub(super) struct Connector {
    database: Database,
    tls: MakeRustlsConnect,
}

impl Connect for Connector {
    fn connect(&self, _: &tokio_postgres::Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(self.open())
    }
}

impl Connector {
    pub(super) fn new(mut database: Database) -> Result<Self, config::Error> {
        let tls = tls(&database.authorities)?;
        if database.settings.get_tcp_user_timeout().is_none() {
            database.settings.tcp_user_timeout(CONNECT_TIMEOUT);
        }
        Ok(Self { database, tls })
    }

    /// How long a host may take: 5 s, or less if the URL's `connect_timeout` says so.
    fn limit(&self) -> Duration {
        self.database.connect_timeout.unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT)
    }

    /// How long all hosts may take together, so that there is time for a second try.
    fn limit_of_all(&self) -> Duration {
        let hosts = u32::try_from(self.database.hosts.len()).unwrap_or(u32::MAX);
        self.limit().saturating_mul(hosts).min(CONNECT_DEADLINE / 2)
    }

    /// Gives TCP's own time-out, whose sentence says more, a moment to come first.
    pub(super) fn deadline(&self) -> Duration {
        self.limit_of_all() + Duration::from_millis(250)
    }

    /// A connection to the first address that gives one; else the error of the last, or what a server said.
    pub(super) async fn open(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let mut addresses = self.addresses().await;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let limit = self.limit().min(ONE_OF_SEVERAL).min(self.limit_of_all() / count);
        let mut said = None;
        let last = addresses.pop();
        for address in &addresses {
            match timeout(limit, self.open_at(address, limit)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(error)) if error.as_db_error().is_some() => said = Some(error),
                Ok(Err(error)) if !failure::is_timeout(&error) => {
                    tracing::debug!("{address}: {}", failure::describe(&error))
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("{address} did not answer within {limit:?}, the next address is tried")
                }
            }
        }
        let opened = match &last {
            Some(last) => self.open_at(last, self.limit()).await,
            None => self.connect_with(&self.database.settings).await,
        };
        opened.map_err(|error| match error.as_db_error() {
            Some(_) => error,
            None => said.unwrap_or(error),
        })
    }

    async fn open_at(&self, address: &Address, limit: Duration) -> Result<(Client, JoinHandle<()>), Error> {
        let mut settings = self.database.settings.clone();
        settings.port(address.port).connect_timeout(limit);
        match &address.host {
            Host::Tcp(name) => settings.host(name),
            Host::Unix(folder) => settings.host_path(folder),
        };
        if let Some(ip) = address.ip {
            settings.hostaddr(ip);
        }
        self.connect_with(&settings).await
    }

    /// The task reads and writes the socket, for as long as there is a client.
    async fn connect_with(
        &self,
        settings: &tokio_postgres::Config,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, connection) = settings.connect(self.tls.clone()).await?;
        // Whoever waits for an answer is told why there is none.
        Ok((client, tokio::spawn(async { _ = connection.await })))
    }

    /// The URL's hosts, and for a name all of its addresses. A name that cannot be looked up stays, to fail in its turn.
    async fn addresses(&self) -> Vec<Address> {
        let mut addresses = Vec::new();
        for address in &self.database.hosts {
            let found = match (&address.host, address.ip) {
                (Host::Tcp(name), None) => lookup_host((name.as_str(), address.port)).await.ok(),
                _ => None,
            };
            let before = addresses.len();
            let of_ip = |found: std::net::SocketAddr| Address { ip: Some(found.ip()), ..address.clone() };
            addresses.extend(found.into_iter().flatten().map(of_ip));
            if addresses.len() == before {
                addresses.push(address.clone());
            }
        }
        if self.database.settings.get_load_balance_hosts() == LoadBalanceHosts::Random {
            fastrand::shuffle(&mut addresses);
        }
        addresses
    }

    /// Classifies an error, and makes the sentence for the log, which names the hosts.
    pub(super) fn explain(&self, error: &PoolError) -> (ConnectError, String) {
        let hosts = self.database.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let is_direct = self.database.settings.get_ssl_negotiation() == SslNegotiation::Direct;
        if is_direct && failure::is_of_tls(error) {
            let reason = "sslnegotiation=direct in DATABASE_URL needs PostgreSQL 17 or newer, and the server did not take \
                          it up: take it out";
            return (ConnectError::Permanent, format!("{hosts}: {reason}"));
        }
        let reason = match error {
            PoolError::Backend(error) => failure::describe(error),
            PoolError::Timeout(_) => {
                let limit = self.limit_of_all();
                format!("not connected within {limit:?}, name look-up, TCP, TLS and authentication together")
            }
            error => error.to_string(),
        };
        (ConnectError::of(error), format!("{hosts}: {reason}"))
    }
}

/// Opens a single connection outside the pool, with the pool's TLS rules: for migrations and seeds.
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
