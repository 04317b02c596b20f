//! The parser of `DATABASE_URL`.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};

use super::{Address, Database, FORM};
use crate::{config::is_invisible, db::tls::RootCertificates};

/// The reason why a URL cannot be used. It contains names from the URL but no values, because an unencoded password may
/// be anywhere in it.
pub(super) type Reason = Cow<'static, str>;

pub(super) fn parse(url: &str) -> Result<Database, Reason> {
    if url.starts_with("psql ") {
        return Err("it starts with the command `psql`; remove the command and the quotes".into());
    }
    let ends = [url.chars().next(), url.chars().next_back()];
    if let Some(quote) = ends.into_iter().flatten().find(|end| "\"'`“”‘’".contains(*end)) {
        return Err(format!("it starts or ends with a quote ({quote}); remove the quotes").into());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("it should be {FORM}").into());
    };
    check_scheme(scheme)?;
    if rest.contains(|c: char| c.is_control() || is_invisible(c)) {
        return Err("it contains a line break or an invisible character; paste it as one line".into());
    }
    let (credentials, rest) = split_credentials(rest)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, name) = rest.split_once('/').unwrap_or((rest, ""));

    let mut builder = Builder::default();
    if let Some(credentials) = credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        decode(user).and_then(|user| builder.user(&user)).map_err(about("the user"))?;
        if let Some(password) = password {
            builder.password(password).map_err(about("the password"))?;
        }
    }
    let name = name.trim_end_matches('/');
    if !name.is_empty() {
        decode(name).and_then(|name| builder.database_name(&name)).map_err(about("the database name"))?;
    }
    builder.hosts(hosts)?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // The name may be part of an unencoded password.
        let may_be_shown = !query.contains('@')
            && name.len() <= 40
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        builder.parameter(name, value).map_err(|reason| match may_be_shown {
            true => about(&format!("the parameter `{name}`"))(reason),
            false => "a parameter is invalid; percent-encode the special characters of the password".into(),
        })?;
    }
    builder.build()
}

/// Makes a sentence of a reason that lacks its subject.
fn about(subject: &str) -> impl FnOnce(Reason) -> Reason {
    move |reason| format!("{subject} {reason}").into()
}

/// Refuses the URLs of other databases and tools, and text that is not a URL.
fn check_scheme(scheme: &str) -> Result<(), Reason> {
    // SQLAlchemy adds the driver after a plus.
    let database = scheme.split('+').next().unwrap_or_default();
    if ["postgres", "postgresql"].iter().any(|known| known.eq_ignore_ascii_case(database)) {
        return Ok(());
    }
    if let Some((name, _)) =
        scheme.split_once('=').filter(|(name, _)| *name == "DATABASE_URL" || *name == "export DATABASE_URL")
    {
        return Err(format!("it starts with `{name}=`; remove that and keep the value").into());
    }
    let is_scheme =
        scheme.len() <= 24 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
    match is_scheme {
        true => Err(format!("it starts with `{scheme}://`; it should be {FORM}").into()),
        false => Err(format!("it should be {FORM}").into()),
    }
}

/// Splits user and password from the rest. They end at the last `@` before the path. If there is none, a password with
/// an unencoded slash is accepted too.
fn split_credentials(rest: &str) -> Result<(Option<&str>, &str), Reason> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((credentials, _)) = authority.rsplit_once('@') {
        return Ok((Some(credentials), rest.get(credentials.len() + 1..).unwrap_or_default()));
    }
    let Some((before, after)) = rest.split_once('@') else { return Ok((None, rest)) };
    match authority.split_once(':') {
        // `h/d?user=a@b`
        None => Ok((None, rest)),
        // `h:5432/a@b`
        Some((_, port)) if !before.contains('?') && port.parse::<u16>().is_ok() => Ok((None, rest)),
        Some(_) if before.contains(['?', '#']) => {
            Err("the password contains an unencoded `?` or `#`; write %3F or %23".into())
        }
        Some(_) => Ok((Some(before), after)),
    }
}

pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Reason> {
    percent_decode_str(text).decode_utf8().map_err(|_| "is not UTF-8 when percent-decoded".into())
}

/// Refuses a value that was copied from a provider's example.
fn refuse_placeholder(value: &str) -> Result<(), Reason> {
    let is_enclosed = |open, close| {
        value.strip_prefix(open).and_then(|value| value.strip_suffix(close)).is_some_and(|name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || "-_ ".contains(c))
        })
    };
    let is_placeholder = is_enclosed('[', ']')
        || is_enclosed('<', '>')
        || is_enclosed('{', '}')
        || value.starts_with("${")
        || ["YOUR_PASSWORD", "YOUR-PASSWORD"].iter().any(|known| value.eq_ignore_ascii_case(known));
    match is_placeholder {
        true => Err("is a placeholder; replace it with the real value".into()),
        false => Ok(()),
    }
}

/// Collects the parts of a URL.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) settings: tokio_postgres::Config,
    pub(super) hosts: Vec<Host>,
    pub(super) ports: Vec<u16>,
    pub(super) ips: Vec<IpAddr>,
    pub(super) ssl_mode: Option<SslMode>,
    pub(super) is_direct: bool,
    pub(super) application_name: Option<String>,
    pub(super) root_file: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
}

impl Builder {
    pub(super) fn user(&mut self, user: &str) -> Result<(), Reason> {
        refuse_placeholder(user)?;
        self.settings.user(user);
        Ok(())
    }

    fn password(&mut self, password: &str) -> Result<(), Reason> {
        let password: Cow<[u8]> = percent_decode_str(password).into();
        str::from_utf8(&password).map_or(Ok(()), refuse_placeholder)?;
        self.settings.password(password);
        Ok(())
    }

    pub(super) fn database_name(&mut self, name: &str) -> Result<(), Reason> {
        refuse_placeholder(name)?;
        self.settings.dbname(name);
        Ok(())
    }

    /// Adds `host`, `host:port`, `[::1]:port` or `%2Ffolder%2Fof%2Fa%2Fsocket`, or several of them separated by commas.
    fn hosts(&mut self, hosts: &str) -> Result<(), Reason> {
        for address in hosts.split(',').filter(|address| !address.is_empty()) {
            let (host, port) = match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
                Some((ip, rest)) => (ip, rest.strip_prefix(':')),
                None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
            };
            let port = match port {
                None | Some("") => 5432,
                Some(port) => port.parse().map_err(|_| {
                    "the port is not a number from 1 to 65535; percent-encode the special characters of the password"
                })?,
            };
            self.ports.push(port);
            if !host.is_empty() {
                decode(host).and_then(|host| self.host(&host)).map_err(about("the host"))?;
            }
        }
        Ok(())
    }

    pub(super) fn host(&mut self, host: &str) -> Result<(), Reason> {
        self.hosts.push(match host.starts_with('/') {
            true => Host::Unix(host.into()),
            false if host.contains(['[', ']', '<', '>', '{', '}', '$']) => {
                return Err("contains a placeholder; replace it with the real value".into());
            }
            false if host.contains(|c: char| c.is_whitespace() || "@%?#\"'".contains(c)) => {
                return Err(
                    "is not a valid name; percent-encode the special characters of the password".into()
                );
            }
            false => Host::Tcp(host.to_owned()),
        });
        Ok(())
    }

    fn build(mut self) -> Result<Database, Reason> {
        if self.settings.get_user().is_none() {
            return Err(format!("the user is missing; the URL should be {FORM}").into());
        }
        if self.hosts.is_empty() {
            self.hosts = self.ips.iter().map(|ip| Host::Tcp(ip.to_string())).collect();
        }
        if self.hosts.is_empty() {
            return Err(format!("the host is missing; the URL should be {FORM}").into());
        }
        if !self.ips.is_empty() && self.ips.len() != self.hosts.len() {
            return Err("the parameter `hostaddr` should have one address for each host".into());
        }
        if self.ports.len() > 1 && self.ports.len() != self.hosts.len() {
            return Err("there should be one port for all hosts or one for each".into());
        }
        let port = |number| self.ports.get(number).or(self.ports.first()).copied().unwrap_or(5432);
        let address =
            |(number, host)| Address { host, ip: self.ips.get(number).copied(), port: port(number) };
        let hosts: Vec<_> = self.hosts.into_iter().enumerate().map(address).collect();

        let mut settings = self.settings;
        let is_socket = |address: &Address| matches!(address.host, Host::Unix(_));
        let ssl_mode = match self.ssl_mode {
            // PostgreSQL has no TLS on Unix sockets. libpq ignores the mode too.
            _ if hosts.iter().all(is_socket) => SslMode::Disable,
            Some(mode) => mode,
            None if self.is_direct => SslMode::Require,
            None if hosts.iter().all(Address::is_local) => SslMode::Disable,
            None => SslMode::Require,
        };
        settings.ssl_mode(ssl_mode);
        if self.is_direct {
            if ssl_mode != SslMode::Require {
                return Err("sslnegotiation=direct needs sslmode=require".into());
            }
            settings.ssl_negotiation(SslNegotiation::Direct);
        }
        if ssl_mode == SslMode::Disable && settings.get_channel_binding() == ChannelBinding::Require {
            return Err("channel_binding=require needs TLS; write sslmode=require".into());
        }
        if let Some(name) = self.application_name {
            settings.application_name(name);
        }
        Ok(Database {
            settings,
            hosts,
            root_certificates: self.root_file.map_or(RootCertificates::Mozilla, RootCertificates::File),
            connect_timeout: self.connect_timeout,
            max_connections: 1,
            prepares_statements: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> Database {
        parse(url).unwrap_or_else(|reason| panic!("{url}: {reason}"))
    }

    /// Returns hosts, user, password, database name and TLS.
    fn summary(url: &str) -> String {
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
    fn urls_of_providers_and_other_drivers_are_accepted() {
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
            // Supabase: direct, session pooler, transaction pooler; the parameters of Prisma and Vercel.
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
            // Prisma.
            (
                "postgresql://U:P@h:5432/D?schema=public&connection_limit=5&pool_timeout=10&socket_timeout=3&statement_cache_size=0&sslaccept=strict",
                "h:5432 U:P D tls",
            ),
            ("postgresql://U:P@localhost/D?host=/var/run/postgresql/", "/var/run/postgresql/ U:P D clear"),
            // SQLAlchemy and asyncpg, which FastAPI backends use.
            ("postgresql+psycopg2://scott:tiger@localhost/d", "localhost:5432 scott:tiger d clear"),
            ("postgresql+psycopg://u:p@h/d?sslmode=require&channel_binding=require", "h:5432 u:p d tls"),
            ("postgresql+asyncpg://u:p@h/d?ssl=require&prepared_statement_cache_size=0", "h:5432 u:p d tls"),
            ("postgresql+pg8000://u:p@h/d", "h:5432 u:p d tls"),
            // node-postgres, pgx, sqlx, pgJDBC, Rails, Ecto, Doctrine.
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
            // libpq.
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
            // Encoded and unencoded passwords.
            ("postgres://u:a%40b%2Fc%3Fd%23e%25@h/d", "h:5432 u:a@b/c?d#e% d tls"),
            ("postgres://u:a@b@h:5432/d", "h:5432 u:a@b d tls"),
            ("postgres://u:a/b@h:5432/d?sslmode=require", "h:5432 u:a/b d tls"),
            ("postgres://u:a:b%c [d]@h/d", "h:5432 u:a:b%c [d] d tls"),
            ("postgres://u:pa%20ss@h/d", "h:5432 u:pa ss d tls"),
            ("postgres://u:p@h:5432/d?application_name=a@b", "h:5432 u:p d tls"),
        ] {
            assert_eq!(summary(url), expected, "{url}");
        }
    }

    #[test]
    fn errors_name_the_problem_and_repeat_no_password() {
        for (url, part) in [
            ("\"postgresql://u:s3cret@h/d\"", "a quote (\")"),
            ("'postgresql://u:s3cret@h/d'", "a quote (')"),
            ("postgresql://u:s3cret@h/d\"", "a quote (\")"),
            ("“postgresql://u:s3cret@h/d”", "a quote (“)"),
            ("psql 'postgresql://u:s3cret@h/d'", "the command `psql`"),
            ("psql postgresql://u:s3cret@h/d", "the command `psql`"),
            ("DATABASE_URL=postgresql://u:s3cret@h/d", "`DATABASE_URL=`"),
            ("mysql://u:s3cret@h/d", "starts with `mysql://`"),
            ("mysql+pymysql://u:s3cret@h/d", "starts with `mysql+pymysql://`"),
            (
                "prisma+postgres://accelerate.prisma-data.net/?api_key=s3cret",
                "starts with `prisma+postgres://`",
            ),
            ("jdbc:postgresql://h/d?user=u&password=s3cret", "starts with `jdbc:postgresql://`"),
            ("ecto://u:s3cret@h/d", "starts with `ecto://`"),
            ("sqlite:///todo.db", "starts with `sqlite://`"),
            ("https://u:s3cret@console.neon.tech", "starts with `https://`"),
            ("host=h dbname=d user=u password=s3cret", "a PostgreSQL URL such as"),
            ("Host=h;Username=u;Password=s3cret", "a PostgreSQL URL such as"),
            ("s3cret", "a PostgreSQL URL such as"),
            ("postgres://", "the user is missing"),
            ("postgres://h/d", "the user is missing"),
            ("postgres://u:s3cret@/d", "the host is missing"),
            ("postgres://u:s3cret@:5432/d", "the host is missing"),
            ("postgres://u:s3cret@h:54x2/d", "the port is not a number"),
            ("postgres://u:s3cret@h:99999/d", "the port is not a number"),
            ("postgres://u:s3cret@h1:1,h2:2,h3/d?port=1,2", "one port for all hosts or one for each"),
            ("postgres://u:s3c?ret=x@h/d", "an unencoded `?` or `#`"),
            ("postgres://u:s3c#ret@h/d", "an unencoded `?` or `#`"),
            ("postgres://u:s3cret@h/\nd", "line break"),
            ("postgres://u:s3cret@h\u{200b}/d", "an invisible character"),
            (
                "postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres",
                "the password is a placeholder",
            ),
            ("postgres://u:<password>@h/d", "the password is a placeholder"),
            ("postgres://u:%3Cpassword%3E@h/d", "the password is a placeholder"),
            ("postgres://u:{your_password}@h/d", "the password is a placeholder"),
            ("postgres://u:YOUR_PASSWORD@h/d", "the password is a placeholder"),
            ("postgres://u:s3cret@aws-0-[REGION].pooler.supabase.com/d", "the host contains a placeholder"),
            (
                "postgres://u:s3cret@${{postgres.RAILWAY_PRIVATE_DOMAIN}}:5432/d",
                "the host contains a placeholder",
            ),
            ("postgres://u:s3cret@h/d?sslmode=no-verify", "`sslmode` cannot be no-verify"),
            ("postgres://u:s3cret@h/d?ssl=no-verify", "`ssl` cannot be no-verify"),
            ("postgres://u:s3cret@h/d?sslmode=on", "`sslmode` should be"),
            ("postgres://u:s3cret@h/d?sslaccept=accept_invalid_certs", "`sslaccept` should be strict"),
            ("postgres://u:s3cret@h/d?rejectUnauthorized=false", "`rejectUnauthorized` should be true"),
            (
                "postgres://u:s3cret@h/d?sslcert=c.pem&sslkey=k.pem",
                "`sslcert` is not supported; use a password instead of a client certificate",
            ),
            ("postgres://u:s3cret@h/d?gssencmode=require", "`gssencmode` should be disable or prefer"),
            (
                "postgres://u:s3cret@h/d?target_session_attrs=read-only",
                "`target_session_attrs` should be any or",
            ),
            (
                "postgres://u:s3cret@h/d?target_session_attrs=standby",
                "`target_session_attrs` should be any or",
            ),
            (
                "postgres://u:s3cret@h/d?statement_timeout=5000",
                "`statement_timeout` is not supported; set it for the role",
            ),
            ("postgres://u:s3cret@h/d?search_path=todo", "`search_path` is not supported"),
            ("postgres://u:s3cret@h/d?service=todo", "`service` is not supported"),
            ("postgres://u:s3cret@h/d?client_encoding=latin1", "`client_encoding` should be utf8 or"),
            ("postgres://u:s3cret@h/d?connect_timeout=soon", "`connect_timeout` should be a whole number"),
            ("postgres://u:s3cret@h/d?hostaddr=h", "`hostaddr` is not an IP address"),
            (
                "postgres://u:s3cret@h/d?sslmode=disable&sslnegotiation=direct",
                "sslnegotiation=direct needs sslmode=require",
            ),
            (
                "postgres://u:s3cret@h/d?sslmode=disable&channel_binding=require",
                "channel_binding=require needs TLS",
            ),
            ("postgres://u:s3cret@h/d?colour=blue", "`colour` is unknown"),
            ("postgres://u:a@b?s3cret=x@h/d", "a parameter is invalid"),
        ] {
            let reason = parse(url).err().unwrap_or_else(|| panic!("{url} is accepted: {}", summary(url)));
            assert!(reason.contains(part), "{url}: {reason}");
            assert!(!reason.contains("s3c") && !reason.contains('\n'), "{url}: {reason}");
        }
    }

    #[test]
    fn without_sslmode_tls_is_required_except_on_this_machine() {
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
        let remote = database("postgres://u:p@localhost/d?hostaddr=203.0.113.5");
        assert_eq!(remote.settings.get_ssl_mode(), SslMode::Require);
        assert!(!remote.is_local());
        let tunnel = database("postgres://u:p@db.example.com/d?hostaddr=127.0.0.1");
        assert_eq!(tunnel.settings.get_ssl_mode(), SslMode::Require);
        assert!(!tunnel.is_local());
    }
}
