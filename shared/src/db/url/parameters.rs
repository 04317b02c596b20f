//! The parameters of `DATABASE_URL`: libpq's, and those that other drivers and providers add.

use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use super::parse::{Builder, Reason, decode};

/// Parameters that are ignored because nothing here depends on them: settings of other drivers and their pools, and
/// libpq's settings for features that are not used here.
const IGNORED: &[&str] = &[
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
    // libpq: GSSAPI, and TLS before 1.3.
    "gssdelegation",
    "gsslib",
    "krbsrvname",
    "max_protocol_version",
    "ssl_min_protocol_version",
    "sslcompression",
];

/// Parameters that cannot be ignored because they change who is trusted, who logs in or what is read, and what to do
/// instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "sslcert",
        "use a password instead of a client certificate, and DATABASE_CA or sslrootcert for a root certificate",
    ),
    ("sslkey", "use a password instead of a client certificate"),
    ("sslpassword", "use a password instead of a client certificate"),
    ("sslidentity", "use a password instead of a client certificate"),
    ("sslcrl", "remove it, because revocation lists are not checked"),
    ("sslcrldir", "remove it, because revocation lists are not checked"),
    (
        "sslfactory",
        "put your root certificate into DATABASE_CA or sslrootcert, because TLS always verifies the server",
    ),
    ("requirepeer", "remove it, because the owner of a socket is not checked"),
    ("require_auth", "write channel_binding=require to require SCRAM"),
    ("service", "write the host, the user and the password into the URL"),
    ("servicefile", "write the host, the user and the password into the URL"),
    ("passfile", "write the password into the URL"),
    ("replication", "remove it, because the functions do not replicate"),
    ("search_path", "set it for the role: ALTER ROLE … SET search_path"),
    ("statement_timeout", "set it for the role: ALTER ROLE … SET statement_timeout"),
    ("lock_timeout", "set it for the role: ALTER ROLE … SET lock_timeout"),
    ("idle_in_transaction_session_timeout", "set it for the role: ALTER ROLE … SET"),
];

impl Builder {
    /// Applies a parameter. The reason of an error continues a sentence that starts with the parameter's name.
    pub(super) fn parameter(&mut self, name: &str, value: &str) -> Result<(), Reason> {
        let value = &*decode(value)?;
        match name {
            "user" => self.user(value)?,
            "password" => {
                self.settings.password(value);
            }
            "dbname" => self.database_name(value)?,
            // Hosts and ports given as parameters replace those before the path.
            "host" => {
                self.hosts.clear();
                value.split(',').try_for_each(|host| self.host(host))?;
            }
            "port" => {
                let ports =
                    value.split(',').map(|port| port.parse().map_err(|_| "is not a number from 1 to 65535"));
                self.ports = ports.collect::<Result<_, _>>()?;
            }
            "hostaddr" => {
                let ips = value.split(',').map(|ip| ip.parse().map_err(|_| "is not an IP address"));
                self.ips = ips.collect::<Result<_, _>>()?;
            }
            "application_name" | "ApplicationName" => self.application_name = Some(value.to_owned()),
            "fallback_application_name" => {
                self.application_name.get_or_insert_with(|| value.to_owned());
            }
            "options" => self.add_options(value),
            // Prisma and pgJDBC.
            "schema" | "currentSchema" if value == "public" => {}
            "schema" | "currentSchema" => {
                if value.is_empty() || !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err("should be the name of one schema, with only A-Z, a-z, 0-9 and _".into());
                }
                self.add_options(&format!("-c search_path=\"{value}\""));
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
            // In libpq, "system" means the certificates that the system trusts. Here they are Mozilla's, the default.
            "sslrootcert" => self.root_file = Some(value.to_owned()).filter(|file| file != "system"),
            "sslnegotiation" | "sslNegotiation" => {
                self.is_direct = one_of(value, [("postgres", false), ("direct", true)])?;
            }
            "channel_binding" | "channelBinding" => {
                let values = [
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ];
                self.settings.channel_binding(one_of(value, values)?);
            }
            // The functions write, so a read-only server cannot be asked for.
            "target_session_attrs" => {
                let values = [
                    ("any", TargetSessionAttrs::Any),
                    ("read-write", TargetSessionAttrs::ReadWrite),
                    ("primary", TargetSessionAttrs::ReadWrite),
                ];
                self.settings.target_session_attrs(one_of(value, values)?);
            }
            "targetServerType" => {
                let values = [("any", TargetSessionAttrs::Any), ("primary", TargetSessionAttrs::ReadWrite)];
                self.settings.target_session_attrs(one_of(value, values)?);
            }
            "load_balance_hosts" => {
                let values = [("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
                self.settings.load_balance_hosts(one_of(value, values)?);
            }
            "loadBalanceHosts" => {
                let values = [("false", LoadBalanceHosts::Disable), ("true", LoadBalanceHosts::Random)];
                self.settings.load_balance_hosts(one_of(value, values)?);
            }
            "connect_timeout" | "connectTimeout" => {
                self.connect_timeout = positive(value)?.map(Duration::from_secs);
            }
            "tcp_user_timeout" => {
                if let Some(milliseconds) = positive(value)? {
                    self.settings.tcp_user_timeout(Duration::from_millis(milliseconds));
                }
            }
            "keepalives" | "tcpKeepAlive" => {
                let values = [("0", false), ("false", false), ("1", true), ("true", true)];
                self.settings.keepalives(one_of(value, values)?);
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
                    let count = u32::try_from(count).map_err(|_| "is too large")?;
                    self.settings.keepalives_retries(count);
                }
            }
            // The behaviour here is fixed, so these may only ask for it.
            "gssencmode" => one_of(value, [("disable", ()), ("prefer", ())])?,
            "client_encoding" | "encoding" | "charset" => {
                let values = ["utf8", "utf-8", "unicode", "auto"].map(|value| (value, ()));
                one_of(&value.to_ascii_lowercase(), values)?;
            }
            "sslaccept" => one_of(value, [("strict", ())])?,
            "rejectUnauthorized" => one_of(value, [("true", ())])?,
            "sslcertmode" => one_of(value, [("disable", ()), ("allow", ())])?,
            "sslsni" => one_of(value, [("1", ())])?,
            "ssl_max_protocol_version" => one_of(value, [("", ()), ("TLSv1.3", ())])?,
            name if IGNORED.contains(&name) => {}
            name => {
                return Err(match UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
                    Some((_, instead)) => format!("is not supported; {instead}").into(),
                    None => "is unknown; remove it".into(),
                });
            }
        }
        Ok(())
    }

    fn add_options(&mut self, more: &str) {
        let options = match self.settings.get_options() {
            Some(options) => format!("{options} {more}"),
            None => more.to_owned(),
        };
        self.settings.options(options);
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, Reason> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        "no-verify" => Err(
            "cannot be no-verify, because TLS always verifies the server; put your root certificate into \
                            DATABASE_CA or sslrootcert"
                .into(),
        ),
        _ => Err("should be disable, allow, prefer, require, verify-ca or verify-full".into()),
    }
}

/// Returns the meaning of a value that must be one of these.
fn one_of<T, const N: usize>(value: &str, values: [(&str, T); N]) -> Result<T, Reason> {
    let names =
        values.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" or ");
    let found = values.into_iter().find(|(name, _)| *name == value);
    found.map(|(_, meaning)| meaning).ok_or_else(|| format!("should be {names}").into())
}

/// Returns a whole number, or `None` if it is zero or less, which means "no limit" or "the system's default" in libpq.
fn positive(value: &str) -> Result<Option<u64>, Reason> {
    let number: i64 = value.parse().map_err(|_| "should be a whole number")?;
    Ok(u64::try_from(number).ok().filter(|number| *number > 0))
}

#[cfg(test)]
mod tests {
    use super::{super::parse::parse, *};

    #[test]
    fn parameters_become_settings_of_tokio_postgres() {
        let database = parse(
            "postgres://u:p@h/d?connect_timeout=3&tcp_user_timeout=30000&keepalives_count=4&keepalives_interval=7\
             &target_session_attrs=primary&fallback_application_name=a&schema=Todo&options=endpoint%3Dx",
        )
        .unwrap();
        assert_eq!(database.connect_timeout, Some(Duration::from_secs(3)));
        let tcp_user_timeout = database.settings.get_tcp_user_timeout();
        assert_eq!(tcp_user_timeout, Some(&Duration::from_secs(30)), "libpq's unit is the millisecond");
        assert_eq!(database.settings.get_keepalives_retries(), Some(4));
        assert_eq!(database.settings.get_keepalives_interval(), Some(Duration::from_secs(7)));
        assert_eq!(database.settings.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(database.settings.get_application_name(), Some("a"));
        assert_eq!(database.settings.get_options(), Some("-c search_path=\"Todo\" endpoint=x"));
        let database =
            parse("postgres://u:p@h/d?connect_timeout=0&application_name=a%20b+c&keepalives=0").unwrap();
        assert_eq!((database.connect_timeout, database.settings.get_keepalives()), (None, false));
        assert_eq!(database.settings.get_application_name(), Some("a b+c"), "a plus is not a space");
    }
}
