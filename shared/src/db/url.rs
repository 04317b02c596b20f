//! `DATABASE_URL`: what providers show and other drivers write, as tokio-postgres takes it.

use std::{borrow::Cow, fmt, net::IpAddr, time::Duration};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{
    ChannelBinding, Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs,
};

use super::tls::Authorities;
use crate::{
    Config,
    config::{Error, is_invisible},
    run::max_concurrency,
};

const FORM: &str = "a PostgreSQL URL such as postgresql://user:password@host/database?sslmode=require";

/// The database to use, and how to connect to it.
#[derive(Clone)]
pub struct Database {
    /// All of the URL but the hosts.
    pub(super) settings: tokio_postgres::Config,
    pub(super) hosts: Vec<Address>,
    pub(super) authorities: Authorities,
    /// How long one address may take to answer, if the URL says so.
    pub(super) connect_timeout: Option<Duration>,
    /// The most connections one process opens.
    pub(super) max_connections: usize,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    /// Its name, for which its certificate must be, or its socket's folder.
    pub(super) host: Host,
    /// Its address, where that is not to be looked up.
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

impl Database {
    /// From `DATABASE_URL`, `DATABASE_CA` and `DATABASE_MAX_CONNECTIONS` (1 to 1,000, default as many as requests are answered
    /// at a time).
    ///
    /// The URL is taken as providers show it ([libpq's parameters][libpq]). Those of other drivers and their pools are passed
    /// over where nothing depends on them, and otherwise named in the error. Of `sslmode`, `disable` never uses TLS, `allow`
    /// and `prefer` use it where the server offers it, and `require`, `verify-ca` and `verify-full` insist; TLS always
    /// verifies the chain and the host name. Without it, TLS is required unless the database is on this machine.
    /// `sslrootcert` names a PEM file of authorities to trust instead of the web's; `DATABASE_CA` holds such authorities
    /// itself, and counts before it.
    ///
    /// [libpq]: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    ///
    /// # Errors
    /// When the URL is missing or cannot be used, by a sentence that says why and repeats no part of it that may be secret;
    /// or when the number is out of range.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let url = config.get("DATABASE_URL").ok_or_else(|| config.missing("DATABASE_URL", FORM))?;
        let mut database =
            parse(url).map_err(|reason| Error::new(format!("DATABASE_URL cannot be read: {reason}")))?;
        if let Some(pem) = config.unquoted("DATABASE_CA")? {
            // A variable may have had to be written in one line.
            database.authorities = Authorities::Pem(pem.replace("\\n", "\n"));
        }
        let default = max_concurrency(config)?.min(1000);
        database.max_connections = config.number("DATABASE_MAX_CONNECTIONS", default, 1..=1000)?;
        Ok(database)
    }

    /// True if every host of the URL is this machine: a Unix socket, `localhost`, a loopback address, or the
    /// name by which a container knows its host.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(Address::is_local)
    }
}

/// Hosts, port and name, without the password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, address) in self.hosts.iter().enumerate() {
            write!(f, "{}{address}", if number > 0 { "," } else { "" })?;
        }
        write!(f, "/{}", self.settings.get_dbname().or(self.settings.get_user()).unwrap_or_default())
    }
}

impl Address {
    fn is_local(&self) -> bool {
        match &self.host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                let is_local_name = matches!(name.as_str(), "localhost" | "host.docker.internal");
                // With `hostaddr` the name is only what the certificate must be for.
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

/// Why a URL cannot be used. Names, but no values, of what is in it: a password that is not encoded may stand anywhere.
type Reason = Cow<'static, str>;

/// Parameters of other drivers and of their pools, prepared statements and certificates' formats, on which nothing here
/// depends, and of libpq for what it can do and we do not.
const PASSED_OVER: &[&str] = &[
    // Prisma: https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments.
    "connection_limit",
    "max_connection_lifetime",
    "max_idle_connection_lifetime",
    "pgbouncer",
    "pool_timeout",
    "socket_timeout",
    "statement_cache_size",
    // Supabase's integration for Vercel.
    "supa",
    "workaround",
    // SQLAlchemy and asyncpg.
    "async_fallback",
    "command_timeout",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    // node-postgres.
    "idleTimeoutMillis",
    "max",
    "query_timeout",
    "sslcompat",
    "uselibpqcompat",
    // pgx and lib/pq.
    "binary_parameters",
    "default_query_exec_mode",
    "pool_health_check_period",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_max_conn_lifetime_jitter",
    "pool_max_conns",
    "pool_min_conns",
    "pool_min_idle_conns",
    "pool_ping_timeout",
    "statement_cache_capacity",
    "statement_cache_mode",
    // sqlx.
    "statement-cache-capacity",
    // pgJDBC.
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "preparedStatementCacheSizeMiB",
    "preferQueryMode",
    "reWriteBatchedInserts",
    "socketTimeout",
    // Rails, Django, Ecto, Doctrine.
    "checkout_timeout",
    "conn_max_age",
    "idle_timeout",
    "pool",
    "pool_size",
    "prepared_statements",
    "reaping_frequency",
    "serverVersion",
    "size",
    "timeout",
    // libpq: GSSAPI, which we never use, and TLS before 1.3.
    "gssdelegation",
    "gsslib",
    "krbsrvname",
    "max_protocol_version",
    "ssl_min_protocol_version",
    "sslcompression",
];

/// Parameters that would change who is trusted, who logs in or what is read if they were passed over, and what to do.
const REFUSED: &[(&str, &str)] = &[
    (
        "sslcert",
        "client certificates are not supported; an authority's certificate goes into DATABASE_CA or sslrootcert",
    ),
    ("sslkey", "client certificates are not supported; log in with a password"),
    ("sslpassword", "client certificates are not supported; log in with a password"),
    ("sslidentity", "client certificates are not supported; log in with a password"),
    ("sslcrl", "revocation lists are not supported"),
    ("sslcrldir", "revocation lists are not supported"),
    (
        "sslfactory",
        "TLS always verifies the server; give an authority of your own in DATABASE_CA or sslrootcert",
    ),
    ("requirepeer", "the owner of a socket is not checked"),
    ("require_auth", "say channel_binding=require to insist on SCRAM"),
    ("service", "there is no service file; write host, user and password into the URL"),
    ("servicefile", "there is no service file; write host, user and password into the URL"),
    ("passfile", "there is no password file; write the password into the URL"),
    ("replication", "the functions do not replicate"),
    ("search_path", "set it for the role: ALTER ROLE … SET search_path"),
    ("statement_timeout", "set it for the role: ALTER ROLE … SET statement_timeout"),
    ("lock_timeout", "set it for the role: ALTER ROLE … SET lock_timeout"),
    ("idle_in_transaction_session_timeout", "set it for the role: ALTER ROLE … SET"),
];

fn parse(url: &str) -> Result<Database, Reason> {
    if url.starts_with("psql ") {
        return Err("it begins with the command `psql`; leave that out, and the quotes".into());
    }
    let ends = [url.chars().next(), url.chars().next_back()];
    if let Some(quote) = ends.into_iter().flatten().find(|end| "\"'`“”‘’".contains(*end)) {
        return Err(format!("it is in quotes ({quote}), which are not part of it; remove them").into());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("it should be {FORM}").into());
    };
    check_scheme(scheme)?;
    if rest.contains(|c: char| c.is_control() || is_invisible(c)) {
        return Err(
            "it has a line break or another character that cannot be seen in it; paste it as one line".into(),
        );
    }
    let (credentials, rest) = split_credentials(rest)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, name) = rest.split_once('/').unwrap_or((rest, ""));

    let mut parts = Parts::default();
    if let Some(credentials) = credentials {
        let (user, password) =
            credentials.split_once(':').map_or((credentials, None), |(user, rest)| (user, Some(rest)));
        parts.user(&decoded(user, "user")?)?;
        password.map_or(Ok(()), |password| parts.password(password))?;
    }
    if let Some(name) = Some(name.trim_end_matches('/')).filter(|name| !name.is_empty()) {
        parts.name(&decoded(name, "database's name")?)?;
    }
    parts.hosts(hosts)?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // A password that is not encoded may have led here.
        let is_fit = !query.contains('@') && name.len() <= 40;
        let shown = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) && is_fit;
        parts.parameter(name, value).map_err(|reason| -> Reason {
            match shown {
                true => format!("its parameter `{name}` {reason}").into(),
                false => "one of its parameters is not known; percent-encode the special characters of the password".into(),
            }
        })?;
    }
    parts.finish()
}

/// Refuses what is another database's, another tool's, or no URL at all.
fn check_scheme(scheme: &str) -> Result<(), Reason> {
    // SQLAlchemy names the driver behind a plus.
    let database = scheme.split('+').next().unwrap_or_default();
    if ["postgres", "postgresql"].iter().any(|known| known.eq_ignore_ascii_case(database)) {
        return Ok(());
    }
    if let Some((name, _)) =
        scheme.split_once('=').filter(|(name, _)| *name == "DATABASE_URL" || *name == "export DATABASE_URL")
    {
        return Err(
            format!("it begins with `{name}=`, which is the name and not the value; leave that out").into()
        );
    }
    let is_scheme =
        scheme.len() <= 24 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
    match is_scheme {
        true => Err(format!("it begins with `{scheme}://`; it should be {FORM}").into()),
        false => Err(format!("it should be {FORM}").into()),
    }
}

/// User and password, and what follows them. They end at the last `@` before the path; where there is none, a password
/// with a slash that should be encoded is understood too.
fn split_credentials(rest: &str) -> Result<(Option<&str>, &str), Reason> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if let Some((credentials, hosts)) = authority.rsplit_once('@') {
        return Ok((
            Some(credentials),
            rest.get(rest.len() - hosts.len() - behind.len()..).unwrap_or_default(),
        ));
    }
    let Some((before, after)) = rest.split_once('@') else { return Ok((None, rest)) };
    let port = authority.split_once(':').map(|(_, port)| port);
    let is_in_path = !before.contains('?');
    match port {
        // `h:5432/d?user=a@b`
        None => Ok((None, rest)),
        Some(port) if !is_in_path && port.parse::<u16>().is_ok() => Ok((None, rest)),
        Some(_) if before.contains(['?', '#']) => {
            Err("the password has a `?` or `#` that is not percent-encoded (%3F, %23)".into())
        }
        Some(_) => Ok((Some(before), after)),
    }
}

fn decoded<'a>(text: &'a str, what: &str) -> Result<Cow<'a, str>, Reason> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| format!("its {what} is not UTF-8 when it is decoded").into())
}

/// True if a value is still the one of the provider's example.
fn is_placeholder(value: &str) -> bool {
    let is_enclosed = |open, close| {
        value.strip_prefix(open).and_then(|value| value.strip_suffix(close)).is_some_and(|name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || "-_ ".contains(c))
        })
    };
    is_enclosed('[', ']')
        || is_enclosed('<', '>')
        || is_enclosed('{', '}')
        || value.starts_with("${")
        || ["YOUR_PASSWORD", "YOUR-PASSWORD"].iter().any(|known| value.eq_ignore_ascii_case(known))
}

/// The parts of a URL that have been read so far.
#[derive(Default)]
struct Parts {
    settings: tokio_postgres::Config,
    hosts: Vec<Host>,
    ports: Vec<u16>,
    ips: Vec<IpAddr>,
    ssl_mode: Option<SslMode>,
    is_direct: bool,
    application_name: Option<String>,
    authorities: Option<String>,
    connect_timeout: Option<Duration>,
}

impl Parts {
    fn user(&mut self, user: &str) -> Result<(), Reason> {
        if is_placeholder(user) {
            return Err("its user is a placeholder; put the user's name there".into());
        }
        self.settings.user(user);
        Ok(())
    }

    fn password(&mut self, password: &str) -> Result<(), Reason> {
        let password: Cow<[u8]> = percent_decode_str(password).into();
        if str::from_utf8(&password).is_ok_and(is_placeholder) {
            return Err("its password is a placeholder; put the password there".into());
        }
        self.settings.password(password);
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), Reason> {
        if is_placeholder(name) {
            return Err("its database is a placeholder; put the database's name there".into());
        }
        self.settings.dbname(name);
        Ok(())
    }

    /// `host`, `host:port`, `[::1]:port`, `%2Ffolder%2Fof%2Fa%2Fsocket`, or several of them with commas between.
    fn hosts(&mut self, hosts: &str) -> Result<(), Reason> {
        for place in hosts.split(',').filter(|place| !place.is_empty()) {
            let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
                Some((address, rest)) => (address, rest.strip_prefix(':')),
                None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
            };
            let port = port.filter(|port| !port.is_empty()).map_or(Ok(5432), |port| {
                port.parse().map_err(|_| -> Reason {
                    "its port is no number from 1 to 65535; percent-encode the special characters of the password".into()
                })
            })?;
            self.ports.push(port);
            if !host.is_empty() {
                self.host(&decoded(host, "host")?)?;
            }
        }
        Ok(())
    }

    fn host(&mut self, host: &str) -> Result<(), Reason> {
        self.hosts.push(match host.starts_with('/') {
            true => Host::Unix(host.into()),
            false if host.contains(['[', ']', '<', '>', '{', '}', '$']) => {
                return Err("its host has a placeholder; put the provider's value there".into());
            }
            false if host.contains(|c: char| c.is_whitespace() || "@%?#\"'".contains(c)) => {
                return Err(
                    "its host is no name; percent-encode the special characters of the password".into()
                );
            }
            false => Host::Tcp(host.to_owned()),
        });
        Ok(())
    }

    /// A parameter of the query. The reason goes on after its name.
    fn parameter(&mut self, name: &str, value: &str) -> Result<(), Reason> {
        let value = &*decoded(value, "value")?;
        match name {
            "user" => self.user(value)?,
            "password" => {
                self.settings.password(value);
            }
            "dbname" => self.name(value)?,
            // They stand in the place of those before the path.
            "host" => {
                self.hosts.clear();
                value.split(',').try_for_each(|host| self.host(host))?;
            }
            "port" => {
                let ports =
                    value.split(',').map(|port| port.parse().map_err(|_| "is no number from 1 to 65535"));
                self.ports = ports.collect::<Result<_, _>>()?;
            }
            "hostaddr" => {
                let ips = value.split(',').map(|ip| ip.parse().map_err(|_| "is no IP address"));
                self.ips = ips.collect::<Result<_, _>>()?;
            }
            "application_name" | "ApplicationName" => self.application_name = Some(value.to_owned()),
            "fallback_application_name" => {
                self.application_name.get_or_insert_with(|| value.to_owned());
            }
            "options" => {
                self.options(value);
            }
            // Prisma's and pgJDBC's.
            "schema" | "currentSchema" if value == "public" => {}
            "schema" | "currentSchema" => {
                if value.is_empty() || !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err("should be one schema's name, of A-Z, a-z, 0-9 and _".into());
                }
                self.options(&format!("-c search_path=\"{value}\""));
            }
            "sslmode" => self.ssl_mode = Some(ssl_mode(value)?),
            "ssl" | "requiressl" => {
                let mode = match value {
                    "" | "true" | "1" => SslMode::Require,
                    "false" | "0" => SslMode::Disable,
                    mode => ssl_mode(mode)?,
                };
                self.ssl_mode.get_or_insert(mode);
            }
            // "system" is libpq's word for the authorities everyone trusts, which is our default.
            "sslrootcert" => self.authorities = Some(value.to_owned()).filter(|file| file != "system"),
            "sslnegotiation" | "sslNegotiation" => {
                self.is_direct = one_of(value, [("postgres", false), ("direct", true)])?;
            }
            "channel_binding" | "channelBinding" => {
                let of = [
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ];
                self.settings.channel_binding(one_of(value, of)?);
            }
            // The functions write: a server that only reads will not do.
            "target_session_attrs" => {
                let of = [
                    ("any", TargetSessionAttrs::Any),
                    ("read-write", TargetSessionAttrs::ReadWrite),
                    ("primary", TargetSessionAttrs::ReadWrite),
                ];
                self.settings.target_session_attrs(one_of(value, of)?);
            }
            "targetServerType" => {
                let of = [("any", TargetSessionAttrs::Any), ("primary", TargetSessionAttrs::ReadWrite)];
                self.settings.target_session_attrs(one_of(value, of)?);
            }
            "load_balance_hosts" => {
                let of = [("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
                self.settings.load_balance_hosts(one_of(value, of)?);
            }
            "loadBalanceHosts" => {
                let of = [("false", LoadBalanceHosts::Disable), ("true", LoadBalanceHosts::Random)];
                self.settings.load_balance_hosts(one_of(value, of)?);
            }
            // Zero and less mean no limit of its own (libpq).
            "connect_timeout" | "connectTimeout" => {
                self.connect_timeout = positive(value)?.map(Duration::from_secs);
            }
            "tcp_user_timeout" => {
                if let Some(milliseconds) = positive(value)? {
                    self.settings.tcp_user_timeout(Duration::from_millis(milliseconds));
                }
            }
            "keepalives" | "tcpKeepAlive" => {
                let of = [("0", false), ("false", false), ("1", true), ("true", true)];
                self.settings.keepalives(one_of(value, of)?);
            }
            "keepalives_idle" => {
                if let Some(seconds) = positive(value)? {
                    self.settings.keepalives_idle(Duration::from_secs(seconds));
                }
            }
            "keepalives_interval" => {
                if let Some(seconds) = positive(value)? {
                    self.settings.keepalives_interval(Duration::from_secs(seconds));
                }
            }
            "keepalives_count" | "keepalives_retries" => {
                if let Some(count) = positive(value)? {
                    let count = u32::try_from(count).map_err(|_| "is too large a number")?;
                    self.settings.keepalives_retries(count);
                }
            }
            // These ask for what we do anyway, or cannot do.
            "gssencmode" => one_of(value, [("disable", ()), ("prefer", ())])?,
            "client_encoding" | "encoding" | "charset" => {
                let of = ["utf8", "utf-8", "unicode", "auto"].map(|word| (word, ()));
                one_of(&value.to_ascii_lowercase(), of)?;
            }
            "sslaccept" => one_of(value, [("strict", ())])?,
            "rejectUnauthorized" => one_of(value, [("true", ())])?,
            "sslcertmode" => one_of(value, [("disable", ()), ("allow", ())])?,
            "sslsni" => one_of(value, [("1", ())])?,
            "ssl_max_protocol_version" => one_of(value, [("", ()), ("TLSv1.3", ())])?,
            name if PASSED_OVER.contains(&name) => {}
            name => {
                let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
                return Err(refused.map_or("is not known; remove it".into(), |(_, instead)| {
                    format!("cannot be honoured: {instead}").into()
                }));
            }
        }
        Ok(())
    }

    fn options(&mut self, more: &str) {
        let options = match self.settings.get_options() {
            Some(options) => format!("{options} {more}"),
            None => more.to_owned(),
        };
        self.settings.options(options);
    }

    fn finish(mut self) -> Result<Database, Reason> {
        if self.settings.get_user().is_none() {
            return Err(format!("it names no user; it should be {FORM}").into());
        }
        if self.hosts.is_empty() {
            self.hosts = self.ips.iter().map(|ip| Host::Tcp(ip.to_string())).collect();
        }
        if self.hosts.is_empty() {
            return Err(format!("it names no host; it should be {FORM}").into());
        }
        if !self.ips.is_empty() && self.ips.len() != self.hosts.len() {
            return Err("its hostaddr has not as many addresses as there are hosts".into());
        }
        if self.ports.len() > 1 && self.ports.len() != self.hosts.len() {
            return Err("it has not as many ports as hosts".into());
        }
        let port = |number| self.ports.get(number).or(self.ports.first()).copied().unwrap_or(5432);
        let address =
            |(number, host)| Address { host, ip: self.ips.get(number).copied(), port: port(number) };
        let hosts: Vec<_> = self.hosts.into_iter().enumerate().map(address).collect();

        let mut settings = self.settings;
        let is_socket = |address: &Address| matches!(address.host, Host::Unix(_));
        let ssl_mode = match self.ssl_mode {
            // PostgreSQL has no TLS on sockets; libpq ignores the mode too.
            _ if hosts.iter().all(is_socket) => SslMode::Disable,
            Some(mode) => mode,
            None if self.is_direct => SslMode::Require,
            None if hosts.iter().all(Address::is_local) => SslMode::Disable,
            None => SslMode::Require,
        };
        settings.ssl_mode(ssl_mode);
        if self.is_direct {
            if ssl_mode != SslMode::Require {
                return Err("its sslnegotiation=direct needs sslmode=require".into());
            }
            settings.ssl_negotiation(SslNegotiation::Direct);
        }
        if ssl_mode == SslMode::Disable && settings.get_channel_binding() == ChannelBinding::Require {
            return Err("its channel_binding=require needs TLS: say sslmode=require".into());
        }
        if let Some(name) = self.application_name {
            settings.application_name(name);
        }
        Ok(Database {
            settings,
            hosts,
            authorities: self.authorities.map_or(Authorities::Web, Authorities::File),
            connect_timeout: self.connect_timeout,
            max_connections: 1,
        })
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, Reason> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        "no-verify" => {
            Err("asks not to verify the server, which is always done; give an authority of your own in \
                            DATABASE_CA or sslrootcert"
                .into())
        }
        _ => Err("should be disable, allow, prefer, require, verify-ca or verify-full".into()),
    }
}

fn one_of<T, const N: usize>(value: &str, words: [(&str, T); N]) -> Result<T, Reason> {
    let known =
        words.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    let found = words.into_iter().find(|(word, _)| *word == value).map(|(_, meaning)| meaning);
    found.ok_or_else(|| format!("can only be {known} here").into())
}

/// A whole number; `None` where it is not above zero.
fn positive(value: &str) -> Result<Option<u64>, Reason> {
    let number: i64 = value.parse().map_err(|_| "should be a whole number")?;
    Ok(u64::try_from(number).ok().filter(|number| *number > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> Database {
        parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"))
    }

    #[test]
    fn a_missing_url_is_named() {
        for config in [Config::from_iter([("", "")]), Config::from_iter([("DATABASE_URL", "")])] {
            let error = Database::new(&config).err().unwrap().to_string();
            assert!(error.starts_with("DATABASE_URL is not set"), "{error}");
        }
    }

    /// Hosts, user, password, database's name and TLS.
    fn shown(url: &str) -> String {
        let database = database(url);
        let settings = &database.settings;
        let tls = match (settings.get_ssl_mode(), settings.get_ssl_negotiation()) {
            (_, SslNegotiation::Direct) => "direct",
            (SslMode::Disable, _) => "clear",
            (SslMode::Prefer, _) => "prefer",
            _ => "tls",
        };
        let hosts: Vec<_> = database.hosts.iter().map(ToString::to_string).collect();
        format!(
            "{} {}:{} {} {tls}",
            hosts.join(","),
            settings.get_user().unwrap(),
            String::from_utf8_lossy(settings.get_password().unwrap_or(b"-")),
            settings.get_dbname().unwrap_or("-"),
        )
    }

    #[test]
    fn the_urls_of_providers_and_of_other_drivers_are_taken_as_pasted() {
        for (url, expected) in [
            // Neon: https://neon.com/docs/connect/connect-from-any-app.
            (
                "postgresql://alex:p@ep-x-123456.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require",
                "ep-x-123456.us-east-2.aws.neon.tech:5432 alex:p dbname tls",
            ),
            (
                "postgresql://alex:p@ep-x-a1b2c3d4-pooler.us-east-2.aws.neon.tech/dbname?sslmode=require&channel_binding=require",
                "ep-x-a1b2c3d4-pooler.us-east-2.aws.neon.tech:5432 alex:p dbname tls",
            ),
            (
                "postgres://u:p@ep-x.neon.tech/d?options=endpoint%3Dep-cool-darkness-123456",
                "ep-x.neon.tech:5432 u:p d tls",
            ),
            (
                "postgres://u:endpoint=ep-x;secret@ep-x.neon.tech/d",
                "ep-x.neon.tech:5432 u:endpoint=ep-x;secret d tls",
            ),
            (
                "postgresql://u:p@ep-x.neon.tech/d?sslmode=require&sslnegotiation=direct",
                "ep-x.neon.tech:5432 u:p d direct",
            ),
            ("postgresql://u:p@ep-x.neon.tech/d?sslnegotiation=direct", "ep-x.neon.tech:5432 u:p d direct"),
            // Supabase: direct, session pooler, transaction pooler; with what Prisma and Vercel add.
            (
                "postgresql://postgres:p@db.abcdefgh.supabase.co:5432/postgres",
                "db.abcdefgh.supabase.co:5432 postgres:p postgres tls",
            ),
            (
                "postgres://postgres.abcdefgh:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
                "aws-0-eu-central-1.pooler.supabase.com:5432 postgres.abcdefgh:p postgres tls",
            ),
            (
                "postgres://postgres.abcdefgh:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1",
                "aws-0-eu-central-1.pooler.supabase.com:6543 postgres.abcdefgh:p postgres tls",
            ),
            (
                "postgres://postgres.abcdefgh:p@aws-0-us-east-1.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
                "aws-0-us-east-1.pooler.supabase.com:6543 postgres.abcdefgh:p postgres tls",
            ),
            // Vercel.
            (
                "postgres://default:p@ep-x-pooler.us-east-1.postgres.vercel-storage.com:5432/verceldb?pgbouncer=true&connect_timeout=15",
                "ep-x-pooler.us-east-1.postgres.vercel-storage.com:5432 default:p verceldb tls",
            ),
            // Amazon RDS, Aurora, RDS Proxy.
            (
                "postgres://u:p@mydb.abc123.eu-central-1.rds.amazonaws.com:5432/d?sslmode=verify-full&sslrootcert=global-bundle.pem",
                "mydb.abc123.eu-central-1.rds.amazonaws.com:5432 u:p d tls",
            ),
            (
                "postgres://u:p@c.cluster-123456789012.us-west-2.rds.amazonaws.com:5432/d",
                "c.cluster-123456789012.us-west-2.rds.amazonaws.com:5432 u:p d tls",
            ),
            (
                "postgresql://u:p@the-proxy.proxy-demo.us-east-1.rds.amazonaws.com/d?sslmode=require",
                "the-proxy.proxy-demo.us-east-1.rds.amazonaws.com:5432 u:p d tls",
            ),
            // Heroku, Render, Railway, Fly.
            (
                "postgres://u:p@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d",
                "ec2-1-2-3-4.compute-1.amazonaws.com:5432 u:p d tls",
            ),
            (
                "postgresql://u:p@dpg-x-a.oregon-postgres.render.com/d",
                "dpg-x-a.oregon-postgres.render.com:5432 u:p d tls",
            ),
            ("postgresql://u:p@dpg-x-a/d?sslmode=disable", "dpg-x-a:5432 u:p d clear"),
            (
                "postgresql://postgres:p@postgres.railway.internal:5432/railway",
                "postgres.railway.internal:5432 postgres:p railway tls",
            ),
            (
                "postgresql://postgres:p@acela.proxy.rlwy.net:13314/railway",
                "acela.proxy.rlwy.net:13314 postgres:p railway tls",
            ),
            ("postgres://postgres:p@appname.internal:5432", "appname.internal:5432 postgres:p - tls"),
            ("postgres://u:p@x.flycast:5432/d?sslmode=disable", "x.flycast:5432 u:p d clear"),
            // DigitalOcean, Azure, Timescale, Aiven, CockroachDB, Crunchy Bridge, PlanetScale, Nile, Prisma Postgres.
            (
                "postgresql://doadmin:p@x.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
                "x.db.ondigitalocean.com:25060 doadmin:p defaultdb tls",
            ),
            (
                "postgresql://doadmin:p@x.db.ondigitalocean.com:25061/pool?ssl=1&sslrootcert=ca-certificate.crt",
                "x.db.ondigitalocean.com:25061 doadmin:p pool tls",
            ),
            (
                "postgresql://admin:p@x.postgres.database.azure.com:5432/d?sslmode=require",
                "x.postgres.database.azure.com:5432 admin:p d tls",
            ),
            (
                "postgresql://admin%40server:p@x.postgres.database.azure.com:5432/d?sslmode=require",
                "x.postgres.database.azure.com:5432 admin@server:p d tls",
            ),
            (
                "postgres://tsdbadmin:p@x.project.tsdb.cloud.timescale.com:30477/tsdb?sslmode=require",
                "x.project.tsdb.cloud.timescale.com:30477 tsdbadmin:p tsdb tls",
            ),
            (
                "postgres://avnadmin:p@pg-x.aivencloud.com:12345/defaultdb?sslmode=require",
                "pg-x.aivencloud.com:12345 avnadmin:p defaultdb tls",
            ),
            (
                "postgresql://u:p@x.cockroachlabs.cloud:26257/defaultdb?sslmode=verify-full&options=--cluster%3Dx-123",
                "x.cockroachlabs.cloud:26257 u:p defaultdb tls",
            ),
            (
                "postgres://postgres:p@p.x.db.postgresbridge.com:5431/test",
                "p.x.db.postgresbridge.com:5431 postgres:p test tls",
            ),
            (
                "postgresql://u:p@x.horizon.psdb.cloud:5432/d?sslmode=verify-full&sslrootcert=system&sslnegotiation=direct",
                "x.horizon.psdb.cloud:5432 u:p d direct",
            ),
            (
                "postgres://0191c898-0000:p@eu.db.thenile.dev:5432/d",
                "eu.db.thenile.dev:5432 0191c898-0000:p d tls",
            ),
            ("postgres://U:P@db.prisma.io:5432/?sslmode=require", "db.prisma.io:5432 U:P - tls"),
            // Prisma's spelling.
            (
                "postgresql://U:P@h:5432/D?schema=public&connection_limit=5&pool_timeout=10&socket_timeout=3&statement_cache_size=0&sslaccept=strict",
                "h:5432 U:P D tls",
            ),
            ("postgresql://U:P@localhost/D?host=/var/run/postgresql/", "/var/run/postgresql/ U:P D clear"),
            // SQLAlchemy's and asyncpg's, with which a FastAPI backend connects.
            ("postgresql+psycopg2://scott:tiger@localhost/d", "localhost:5432 scott:tiger d clear"),
            ("postgresql+psycopg://u:p@h/d?sslmode=require&channel_binding=require", "h:5432 u:p d tls"),
            ("postgresql+asyncpg://u:p@h/d?ssl=require&prepared_statement_cache_size=0", "h:5432 u:p d tls"),
            ("postgresql+pg8000://u:p@h/d", "h:5432 u:p d tls"),
            // node-postgres, pgx, sqlx, pgJDBC's parameters, Rails, Ecto, Doctrine.
            ("postgresql://u:p@h/d?sslmode=require&ssl=1&uselibpqcompat=true", "h:5432 u:p d tls"),
            ("postgres://u:p@h/d?ssl=true", "h:5432 u:p d tls"),
            ("postgres://u:p@h/d?ssl=false", "h:5432 u:p d clear"),
            (
                "postgres://jack:p@h:5432/d?sslmode=verify-full&pool_max_conns=10&pool_max_conn_lifetime=1h30m&statement_cache_mode=describe",
                "h:5432 jack:p d tls",
            ),
            ("postgres://u:p@h/d?statement-cache-capacity=0", "h:5432 u:p d tls"),
            (
                "postgresql://h/d?user=u&password=p&ssl=true&tcpKeepAlive=true&prepareThreshold=0&currentSchema=public&ApplicationName=x",
                "h:5432 u:p d tls",
            ),
            (
                "postgresql://u:p@h/d?pool=5&timeout=3000&prepared_statements=false&encoding=unicode",
                "h:5432 u:p d tls",
            ),
            ("postgresql://u:p@127.0.0.1:5432/d?serverVersion=16&charset=utf8", "127.0.0.1:5432 u:p d clear"),
            // libpq's own.
            (
                "postgresql://u:p@h/d?gssencmode=disable&keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&target_session_attrs=primary",
                "h:5432 u:p d tls",
            ),
            (
                "postgresql://u:p@h1:123,h2:456/d?target_session_attrs=read-write&load_balance_hosts=random",
                "h1:123,h2:456 u:p d tls",
            ),
            ("postgresql://u:p@h1,h2/d", "h1:5432,h2:5432 u:p d tls"),
            ("postgresql://u:p@h1,h2/d?port=6000", "h1:6000,h2:6000 u:p d tls"),
            ("postgresql://u@h/d?hostaddr=203.0.113.5", "h (203.0.113.5):5432 u:- d tls"),
            ("postgresql://u:p@[2001:db8::1]:6000/d", "[2001:db8::1]:6000 u:p d tls"),
            ("postgres://u:p@%2Fvar%2Frun%2Fpostgresql/d", "/var/run/postgresql u:p d clear"),
            ("postgres://u:p@/d?host=/cloudsql/P:R:I", "/cloudsql/P:R:I u:p d clear"),
            ("POSTGRES://u:p@h/d/", "h:5432 u:p d tls"),
            // Passwords as they are, and encoded.
            ("postgres://u:a%40b%2Fc%3Fd%23e%25@h/d", "h:5432 u:a@b/c?d#e% d tls"),
            ("postgres://u:a@b@h:5432/d", "h:5432 u:a@b d tls"),
            ("postgres://u:a/b@h:5432/d?sslmode=require", "h:5432 u:a/b d tls"),
            ("postgres://u:a:b%c [d]@h/d", "h:5432 u:a:b%c [d] d tls"),
            ("postgres://u:pa%20ss@h/d", "h:5432 u:pa ss d tls"),
            ("postgres://u:p@h:5432/d?application_name=a@b", "h:5432 u:p d tls"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_named_and_no_password_is_repeated() {
        for (url, part) in [
            ("\"postgresql://u:s3cret@h/d\"", "quotes (\")"),
            ("'postgresql://u:s3cret@h/d'", "quotes (')"),
            ("postgresql://u:s3cret@h/d\"", "quotes (\")"),
            ("“postgresql://u:s3cret@h/d”", "quotes (“)"),
            ("psql 'postgresql://u:s3cret@h/d'", "the command `psql`"),
            ("psql postgresql://u:s3cret@h/d", "the command `psql`"),
            ("DATABASE_URL=postgresql://u:s3cret@h/d", "`DATABASE_URL=`"),
            ("mysql://u:s3cret@h/d", "begins with `mysql://`"),
            ("mysql+pymysql://u:s3cret@h/d", "begins with `mysql+pymysql://`"),
            (
                "prisma+postgres://accelerate.prisma-data.net/?api_key=s3cret",
                "begins with `prisma+postgres://`",
            ),
            ("jdbc:postgresql://h/d?user=u&password=s3cret", "begins with `jdbc:postgresql://`"),
            ("ecto://u:s3cret@h/d", "begins with `ecto://`"),
            ("sqlite:///todo.db", "begins with `sqlite://`"),
            ("https://u:s3cret@console.neon.tech", "begins with `https://`"),
            ("host=h dbname=d user=u password=s3cret", "a PostgreSQL URL such as"),
            ("Host=h;Username=u;Password=s3cret", "a PostgreSQL URL such as"),
            ("s3cret", "a PostgreSQL URL such as"),
            ("postgres://", "names no user"),
            ("postgres://h/d", "names no user"),
            ("postgres://u:s3cret@/d", "names no host"),
            ("postgres://u:s3cret@:5432/d", "names no host"),
            ("postgres://u:s3cret@h:54x2/d", "port is no number"),
            ("postgres://u:s3cret@h:99999/d", "port is no number"),
            ("postgres://u:s3cret@h1:1,h2:2,h3/d?port=1,2", "not as many ports"),
            ("postgres://u:s3c?ret=x@h/d", "`?` or `#` that is not percent-encoded"),
            ("postgres://u:s3c#ret@h/d", "`?` or `#` that is not percent-encoded"),
            ("postgres://u:s3cret@h/\nd", "line break"),
            ("postgres://u:s3cret@h\u{200b}/d", "cannot be seen"),
            (
                "postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres",
                "password is a placeholder",
            ),
            ("postgres://u:<password>@h/d", "password is a placeholder"),
            ("postgres://u:%3Cpassword%3E@h/d", "password is a placeholder"),
            ("postgres://u:{your_password}@h/d", "password is a placeholder"),
            ("postgres://u:YOUR_PASSWORD@h/d", "password is a placeholder"),
            ("postgres://u:s3cret@aws-0-[REGION].pooler.supabase.com/d", "host has a placeholder"),
            ("postgres://u:s3cret@${{postgres.RAILWAY_PRIVATE_DOMAIN}}:5432/d", "host has a placeholder"),
            ("postgres://u:s3cret@h/d?sslmode=no-verify", "`sslmode` asks not to verify"),
            ("postgres://u:s3cret@h/d?ssl=no-verify", "`ssl` asks not to verify"),
            ("postgres://u:s3cret@h/d?sslmode=on", "`sslmode` should be"),
            ("postgres://u:s3cret@h/d?sslaccept=accept_invalid_certs", "`sslaccept` can only be strict"),
            ("postgres://u:s3cret@h/d?rejectUnauthorized=false", "`rejectUnauthorized` can only be true"),
            (
                "postgres://u:s3cret@h/d?sslcert=c.pem&sslkey=k.pem",
                "`sslcert` cannot be honoured: client certificates",
            ),
            ("postgres://u:s3cret@h/d?gssencmode=require", "`gssencmode` can only be"),
            ("postgres://u:s3cret@h/d?target_session_attrs=read-only", "`target_session_attrs` can only be"),
            ("postgres://u:s3cret@h/d?target_session_attrs=standby", "`target_session_attrs` can only be"),
            (
                "postgres://u:s3cret@h/d?statement_timeout=5000",
                "`statement_timeout` cannot be honoured: set it for the role",
            ),
            ("postgres://u:s3cret@h/d?search_path=todo", "`search_path` cannot be honoured"),
            ("postgres://u:s3cret@h/d?service=todo", "`service` cannot be honoured"),
            ("postgres://u:s3cret@h/d?client_encoding=latin1", "`client_encoding` can only be"),
            ("postgres://u:s3cret@h/d?connect_timeout=soon", "`connect_timeout` should be a whole number"),
            ("postgres://u:s3cret@h/d?hostaddr=h", "`hostaddr` is no IP address"),
            (
                "postgres://u:s3cret@h/d?sslmode=disable&sslnegotiation=direct",
                "sslnegotiation=direct needs sslmode=require",
            ),
            (
                "postgres://u:s3cret@h/d?sslmode=disable&channel_binding=require",
                "channel_binding=require needs TLS",
            ),
            ("postgres://u:s3cret@h/d?colour=blue", "`colour` is not known"),
            ("postgres://u:a@b?s3cret=x@h/d", "one of its parameters is not known"),
        ] {
            let reason = parse(url).err().unwrap_or_else(|| panic!("{url} is taken: {}", shown(url)));
            assert!(reason.contains(part), "{url}: {reason}");
            assert!(!reason.contains("s3c") && !reason.contains('\n'), "{url}: {reason}");
        }
    }

    #[test]
    fn parameters_are_translated_into_what_tokio_postgres_has_in_its_units() {
        let of = database(
            "postgres://u:p@h/d?connect_timeout=3&tcp_user_timeout=30000&keepalives_count=4&keepalives_interval=7\
             &target_session_attrs=primary&fallback_application_name=a&schema=Todo&options=endpoint%3Dx",
        );
        assert_eq!(of.connect_timeout, Some(Duration::from_secs(3)));
        assert_eq!(
            of.settings.get_tcp_user_timeout(),
            Some(&Duration::from_secs(30)),
            "libpq's milliseconds"
        );
        assert_eq!(of.settings.get_keepalives_retries(), Some(4));
        assert_eq!(of.settings.get_keepalives_interval(), Some(Duration::from_secs(7)));
        assert_eq!(of.settings.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(of.settings.get_application_name(), Some("a"));
        assert_eq!(of.settings.get_options(), Some("-c search_path=\"Todo\" endpoint=x"));
        let of = database("postgres://u:p@h/d?connect_timeout=0&application_name=a%20b+c&keepalives=0");
        assert_eq!((of.connect_timeout, of.settings.get_keepalives()), (None, false));
        assert_eq!(of.settings.get_application_name(), Some("a b+c"), "a plus is a plus");
    }

    #[test]
    fn without_sslmode_only_this_machine_is_trusted_in_the_clear() {
        for (host, mode) in [
            ("localhost", SslMode::Disable),
            ("127.0.0.1", SslMode::Disable),
            ("[::1]", SslMode::Disable),
            ("host.docker.internal", SslMode::Disable),
            ("db.example.com", SslMode::Require),
            ("10.0.0.1", SslMode::Require),
            ("localhost.example.com", SslMode::Require),
            ("localhost,db.example.com", SslMode::Require),
        ] {
            assert_eq!(database(&format!("postgres://u:p@{host}/d")).settings.get_ssl_mode(), mode, "{host}");
        }
        let elsewhere = database("postgres://u:p@localhost/d?hostaddr=203.0.113.5");
        assert_eq!(elsewhere.settings.get_ssl_mode(), SslMode::Require);
        assert!(!elsewhere.is_local());
        let tunnel = database("postgres://u:p@db.example.com/d?hostaddr=127.0.0.1");
        assert_eq!(tunnel.settings.get_ssl_mode(), SslMode::Require);
        assert!(!tunnel.is_local());
    }

    fn of(variables: &[(&str, &str)]) -> Result<Database, String> {
        let config = Config::from_iter(variables.iter().copied());
        Database::new(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_seen_at_the_ends_of_the_url_does_not_belong_to_it() {
        let url = "postgres://u:p@h/d";
        for written in
            ["\n", "\r\n", " ", "\t", "\u{feff}", "\u{200b}", "\u{a0}"].map(|end| format!("{end}{url}{end}"))
        {
            let database = of(&[("DATABASE_URL", &written)]).unwrap();
            assert_eq!((database.settings.get_dbname(), database.hosts.len()), (Some("d"), 1), "{written:?}");
        }
        let reason = of(&[("DATABASE_URL", "mysql://u:s3cret@h/d")]).err().unwrap();
        assert!(reason.starts_with("DATABASE_URL cannot be read: it begins with `mysql://`"), "{reason}");
    }

    #[test]
    fn database_ca_counts_before_sslrootcert_and_system_means_the_web() {
        let url = |parameter: &str| format!("postgres://u:p@h/d?{parameter}");
        let with =
            |url: &str, pem: &str| of(&[("DATABASE_URL", url), ("DATABASE_CA", pem)]).unwrap().authorities;
        assert_eq!(with(&url("sslrootcert=/etc/ca.pem"), ""), Authorities::File("/etc/ca.pem".to_owned()));
        assert_eq!(with(&url("sslrootcert=system"), ""), Authorities::Web);
        assert_eq!(with(&url(""), ""), Authorities::Web);
        // In one line too, as a file of variables may have it.
        for pem in ["-----BEGIN\nabc\nEND-----\n", "-----BEGIN\\nabc\\nEND-----"] {
            let expected = Authorities::Pem("-----BEGIN\nabc\nEND-----".to_owned());
            assert_eq!(with(&url("sslrootcert=/etc/ca.pem"), pem), expected);
        }
        let quoted = of(&[("DATABASE_URL", &url("")), ("DATABASE_CA", "\"-----BEGIN\"")]).err().unwrap();
        assert!(quoted.starts_with("DATABASE_CA is in quotes"), "{quoted}");
    }

    #[test]
    fn there_are_as_many_connections_as_requests_at_a_time_unless_it_is_said() {
        let max_connections = |concurrency, connections| {
            let url = ("DATABASE_URL", "postgres://u:p@h/d");
            of(&[("AWS_LAMBDA_MAX_CONCURRENCY", concurrency), ("DATABASE_MAX_CONNECTIONS", connections), url])
                .map(|database| database.max_connections)
        };
        assert_eq!(max_connections("", ""), Ok(1));
        assert_eq!(max_connections("64", ""), Ok(64));
        assert_eq!(max_connections("64", "10"), Ok(10));
        let sentence = max_connections("many", "").unwrap_err();
        assert!(sentence.starts_with("AWS_LAMBDA_MAX_CONCURRENCY is `many`"), "{sentence}");
    }
}
