//! The database to use and how to connect to it: `DATABASE_URL` and the other variables that start with `DATABASE_`.

mod parameters;
mod parse;

use std::{fmt, net::IpAddr, time::Duration};

use tokio_postgres::config::Host;

use self::parse::parse;
use super::tls::RootCertificates;
use crate::{Config, config::Error, run::max_concurrency};

/// The form of a URL, for error messages.
const FORM: &str = "a PostgreSQL URL such as postgresql://user:password@host/database?sslmode=require";

/// The database to use, and how to connect to it.
#[derive(Clone)]
pub struct Database {
    /// The settings that are the same for all hosts.
    pub(super) settings: tokio_postgres::Config,
    pub(super) hosts: Vec<Address>,
    pub(super) root_certificates: RootCertificates,
    /// The time limit for one host, if the URL has one.
    pub(super) connect_timeout: Option<Duration>,
    /// The maximum number of connections that one process opens.
    pub(super) max_connections: usize,
    /// True if the server keeps prepared statements, so that a statement that comes again may be prepared.
    pub(super) prepares_statements: bool,
}

/// The address of a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    /// The host name, which the certificate must be for, or the folder of a Unix socket.
    pub(super) host: Host,
    /// The IP address, if the host name is not to be looked up.
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

impl Database {
    /// Reads `DATABASE_URL`, `DATABASE_CA`, `DATABASE_MAX_CONNECTIONS` (1 to 1,000, default the number of requests that are
    /// answered at a time) and `DATABASE_PREPARED_STATEMENTS` (`on` or `off`, default on for Neon's hosts and off for
    /// others).
    ///
    /// The URL is accepted as providers show it, with [libpq's parameters][libpq]. Parameters of other drivers and
    /// their pools are ignored if nothing here depends on them; any other parameter is an error that names it.
    ///
    /// With `sslmode=disable` TLS is never used, with `allow` and `prefer` if the server offers it; `require`,
    /// `verify-ca` and `verify-full` require it. The default is to require TLS unless the database is on this machine.
    /// TLS always verifies the chain and the host name. `sslrootcert` names a PEM file of root certificates to trust
    /// instead of Mozilla's; `DATABASE_CA` contains such certificates and takes precedence.
    ///
    /// [libpq]: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    ///
    /// # Errors
    /// The URL is missing or cannot be used, or another value is none of those. The message repeats no part of the URL that
    /// may be secret.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let url = config.get("DATABASE_URL").ok_or_else(|| config.missing("DATABASE_URL", FORM))?;
        let mut database =
            parse(url).map_err(|reason| Error::new(format!("DATABASE_URL cannot be read: {reason}")))?;
        if let Some(pem) = config.unquoted("DATABASE_CA")? {
            // Some tools allow only one line for a variable.
            database.root_certificates = RootCertificates::Pem(pem.replace("\\n", "\n"));
        }
        let default = max_concurrency(config)?.min(1000);
        database.max_connections = config.number("DATABASE_MAX_CONNECTIONS", default, 1..=1000)?;
        database.prepares_statements = match config.get("DATABASE_PREPARED_STATEMENTS") {
            // A pooler that does not know them may execute another client's statement of the same name. Neon's does know them.
            None => database.hosts.iter().all(Address::is_neon),
            Some("on") => true,
            Some("off") => false,
            Some(other) => {
                return Err(Error::new(format!(
                    "DATABASE_PREPARED_STATEMENTS is `{other}`: it should be on or off"
                )));
            }
        };
        Ok(database)
    }

    /// True if every host of the URL is this machine: a Unix socket, `localhost`, a loopback address, or the name of a
    /// container's host.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(Address::is_local)
    }
}

/// Shows hosts, ports and the database name, without the password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, address) in self.hosts.iter().enumerate() {
            write!(f, "{}{address}", if number > 0 { "," } else { "" })?;
        }
        write!(f, "/{}", self.settings.get_dbname().or(self.settings.get_user()).unwrap_or_default())
    }
}

impl Address {
    fn is_neon(&self) -> bool {
        matches!(&self.host, Host::Tcp(name) if name.to_ascii_lowercase().ends_with(".neon.tech"))
    }

    fn is_local(&self) -> bool {
        match &self.host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                let is_local_name = matches!(name.as_str(), "localhost" | "host.docker.internal");
                // With `hostaddr` the name is used only to verify the certificate.
                (is_local_name || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
                    && self.ip.is_none_or(|ip| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.ip) {
            (Host::Unix(folder), _) => write!(f, "{}", folder.display()),
            (Host::Tcp(name), Some(ip)) if ip.to_string() != *name => {
                write!(f, "{name} ({ip}):{}", self.port)
            }
            (Host::Tcp(name), _) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            (Host::Tcp(name), _) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(variables: &[(&str, &str)]) -> Result<Database, String> {
        let config = Config::from_iter(variables.iter().copied());
        Database::new(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_missing_url_is_named() {
        for variables in [("", ""), ("DATABASE_URL", "")] {
            let error = database(&[variables]).err().unwrap();
            assert!(error.starts_with("DATABASE_URL is not set"), "{error}");
        }
    }

    #[test]
    fn white_space_and_invisible_characters_around_the_url_are_removed() {
        let url = "postgres://u:p@h/d";
        for written in
            ["\n", "\r\n", " ", "\t", "\u{feff}", "\u{200b}", "\u{a0}"].map(|end| format!("{end}{url}{end}"))
        {
            let database = database(&[("DATABASE_URL", &written)]).unwrap();
            assert_eq!((database.settings.get_dbname(), database.hosts.len()), (Some("d"), 1), "{written:?}");
        }
        let error = database(&[("DATABASE_URL", "mysql://u:s3cret@h/d")]).err().unwrap();
        assert!(error.starts_with("DATABASE_URL cannot be read: it starts with `mysql://`"), "{error}");
    }

    #[test]
    fn database_ca_overrides_sslrootcert() {
        let url = |parameter: &str| format!("postgres://u:p@h/d?{parameter}");
        let with = |url: &str, pem: &str| {
            database(&[("DATABASE_URL", url), ("DATABASE_CA", pem)]).unwrap().root_certificates
        };
        let file = RootCertificates::File("/etc/ca.pem".to_owned());
        assert_eq!(with(&url("sslrootcert=/etc/ca.pem"), ""), file);
        assert_eq!(with(&url("sslrootcert=system"), ""), RootCertificates::Mozilla);
        assert_eq!(with(&url(""), ""), RootCertificates::Mozilla);
        for pem in ["-----BEGIN\nabc\nEND-----\n", "-----BEGIN\\nabc\\nEND-----"] {
            let expected = RootCertificates::Pem("-----BEGIN\nabc\nEND-----".to_owned());
            assert_eq!(with(&url("sslrootcert=/etc/ca.pem"), pem), expected);
        }
        let quoted =
            database(&[("DATABASE_URL", &url("")), ("DATABASE_CA", "\"-----BEGIN\"")]).err().unwrap();
        assert!(quoted.starts_with("DATABASE_CA is in quotes"), "{quoted}");
    }

    #[test]
    fn max_connections_is_by_default_the_number_of_requests_at_a_time() {
        let max_connections = |concurrency, connections| {
            database(&[
                ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
                ("DATABASE_MAX_CONNECTIONS", connections),
                ("DATABASE_URL", "postgres://u:p@h/d"),
            ])
            .map(|database| database.max_connections)
        };
        assert_eq!(max_connections("", ""), Ok(1));
        assert_eq!(max_connections("64", ""), Ok(64));
        assert_eq!(max_connections("64", "10"), Ok(10));
        let error = max_connections("many", "").unwrap_err();
        assert!(error.starts_with("AWS_LAMBDA_MAX_CONCURRENCY is `many`"), "{error}");
    }
    #[test]
    fn statements_are_prepared_on_neon_and_where_it_is_said() {
        let prepares = |hosts: &str, variable: &str| {
            let url = format!("postgres://u:p@{hosts}/d");
            database(&[("DATABASE_URL", &url), ("DATABASE_PREPARED_STATEMENTS", variable)])
                .map(|database| database.prepares_statements)
        };
        for (hosts, by_default) in [
            ("ep-cool-meadow-123456-pooler.eu-central-1.aws.neon.tech", true),
            ("EP-COOL-MEADOW-123456.eastus2.azure.NEON.tech", true),
            ("ep-a.aws.neon.tech,ep-b.aws.neon.tech", true),
            ("ep-a.aws.neon.tech,db.example.com", false),
            ("neon.tech.example.com", false),
            ("notneon.tech", false),
            ("aws-0-eu-central-1.pooler.supabase.com:6543", false),
            ("localhost", false),
            ("%2Frun%2Fpostgresql", false),
        ] {
            assert_eq!(prepares(hosts, ""), Ok(by_default), "{hosts}");
            assert_eq!(prepares(hosts, "on"), Ok(true), "{hosts}");
            assert_eq!(prepares(hosts, "off\n"), Ok(false), "{hosts}");
        }
        for other in ["true", "ON", "1"] {
            let error = prepares("localhost", other).unwrap_err();
            assert_eq!(error, format!("DATABASE_PREPARED_STATEMENTS is `{other}`: it should be on or off"));
        }
    }
}
