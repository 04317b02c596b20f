//! Configuration from environment variables and, in a function, from SSM Parameter Store. An empty variable counts as
//! unset, because `sam local` and a SAM template declare variables that have no value.

use std::{collections::HashMap, fmt, net::IpAddr, str::FromStr, time::Duration};

use tokio_postgres::config::{Host, SslMode};

/// The secret that signs the tokens in `events/`. It is public, so it is refused unless the database
/// is on this machine.
pub const DEMO_JWT_SECRET: &str = "demo-secret-for-local-events-only-0123456789abcdef";

/// RFC 7518 §3.2: a key for HS256 has at least the size of the hash output.
const JWT_SECRET_MIN_BYTES: usize = 32;

/// The variables a process was started with.
#[derive(Clone)]
pub struct Config(HashMap<String, String>);

/// Which database to use, and how.
#[derive(Clone)]
pub struct Database {
    /// Host, user, password and TLS mode, without the parameters only libpq knows.
    pub postgres: tokio_postgres::Config,
    /// PEM file of the only certificate authorities to trust (`sslrootcert`); the web's when `None`.
    pub root_certificates: Option<String>,
    /// The most connections one process opens.
    pub max_connections: usize,
}

impl Config {
    /// The environment of this process. Values that are not UTF-8 count as unset.
    pub fn from_env() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The variable's value, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Sets a variable that is unset or empty.
    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// `SSM_PARAMETER_PATH`: below which secrets are looked for that the environment does not hold, such as `/todo/prod`.
    ///
    /// # Errors
    /// When it is no path of parameters.
    pub(crate) fn parameter_path(&self) -> Result<Option<&str>, Error> {
        let Some(path) = self.get("SSM_PARAMETER_PATH") else { return Ok(None) };
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(Error::new(format!(
                "SSM_PARAMETER_PATH is `{path}`: it should be a path such as /todo/prod, without a slash at its end"
            )));
        }
        Ok(Some(path))
    }

    /// A variable that has to be set is not.
    fn unset(&self, name: &str, form: &str) -> Error {
        let parameter = match self.get("SSM_PARAMETER_PATH") {
            Some(path) => format!(", and there is no parameter {path}/{name}"),
            None => String::new(),
        };
        Error::new(format!("{name} is not set{parameter}: it should be {form}"))
    }

    /// `AWS_LAMBDA_MAX_CONCURRENCY`: how many requests this process answers at a time (1 to 10,000, default 1). Lambda sets
    /// it on [Managed Instances][lmi].
    ///
    /// [lmi]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
    ///
    /// # Errors
    /// When it is not a number in that range.
    pub fn max_concurrency(&self) -> Result<usize, Error> {
        self.number("AWS_LAMBDA_MAX_CONCURRENCY", 1, 1..=10_000)
    }

    /// `DATABASE_URL` and `DATABASE_MAX_CONNECTIONS` (1 to 1,000, default as many as requests are answered at a time).
    ///
    /// The URL is taken as Neon shows it. Of `sslmode`, `disable` never uses TLS, `allow` and `prefer` use it where
    /// the server offers it, and `require`, `verify-ca` and `verify-full` insist; TLS always verifies the chain and
    /// the host name. Without it, TLS is required
    /// unless the database is on this machine. `sslrootcert` names a PEM file of authorities to trust
    /// instead of the web's.
    ///
    /// # Errors
    /// When the URL is missing or is no PostgreSQL URL, or the number is out of range.
    pub fn database(&self) -> Result<Database, Error> {
        let url = self.get("DATABASE_URL").ok_or_else(|| self.unset("DATABASE_URL", DATABASE_URL_FORM))?;
        let (postgres, root_certificates) = parse_database_url(url).ok_or_else(|| {
            Error::new(format!(
                "DATABASE_URL cannot be read: it should be {DATABASE_URL_FORM}, with the special \
                 characters of the password percent-encoded"
            ))
        })?;
        let default = self.max_concurrency()?.min(1000);
        let max_connections = self.number("DATABASE_MAX_CONNECTIONS", default, 1..=1000)?;
        Ok(Database { postgres, root_certificates, max_connections })
    }

    /// `JWT_SECRET`: signs and verifies tokens.
    ///
    /// # Errors
    /// When it is unset, shorter than 32 bytes, or the demo secret for a database elsewhere.
    pub fn jwt_secret(&self) -> Result<&str, Error> {
        self.optional_secret("JWT_SECRET")?.ok_or_else(|| self.unset("JWT_SECRET", JWT_SECRET_FORM))
    }

    /// `JWT_SECRET_PREVIOUS`: still verifies tokens while a secret is being replaced.
    ///
    /// # Errors
    /// As [`Config::jwt_secret`], except that it may be unset.
    pub fn jwt_secret_previous(&self) -> Result<Option<&str>, Error> {
        self.optional_secret("JWT_SECRET_PREVIOUS")
    }

    /// `ACCESS_TOKEN_TTL`: how long a token is good, in seconds (1 to 315,360,000, default 604,800, a week).
    ///
    /// # Errors
    /// When it is not a number in that range.
    pub fn access_token_ttl(&self) -> Result<Duration, Error> {
        self.number("ACCESS_TOKEN_TTL", 604_800, 1..=315_360_000).map(Duration::from_secs)
    }

    /// `BCRYPT_COST`: 2^cost rounds for a password hash (4 to 16, default 12; OWASP asks for 10 at least).
    ///
    /// # Errors
    /// When it is not a number in that range.
    pub fn bcrypt_cost(&self) -> Result<u32, Error> {
        self.number("BCRYPT_COST", 12, 4..=16)
    }

    fn optional_secret(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(secret) = self.get(name) else { return Ok(None) };
        if secret.len() < JWT_SECRET_MIN_BYTES {
            return Err(Error::new(format!(
                "{name} is too short ({} bytes): it should be {JWT_SECRET_FORM}",
                secret.len()
            )));
        }
        if secret == DEMO_JWT_SECRET && !self.database()?.is_local() {
            return Err(Error::new(format!(
                "{name} is the public demo secret, which is refused unless the database is on this \
                 machine: it should be {JWT_SECRET_FORM}"
            )));
        }
        Ok(Some(secret))
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// When the variable is set to anything else; the sentence names the variable and the range.
    pub fn number<T: FromStr + PartialOrd + fmt::Display>(
        &self,
        name: &str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T, Error> {
        let Some(value) = self.get(name) else { return Ok(default) };
        value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            Error::new(format!(
                "{name} is `{value}`: it should be a whole number from {} to {}",
                range.start(),
                range.end()
            ))
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Database {
    /// Whether every host of the URL is this machine: a Unix socket, `localhost`, a loopback address, or the
    /// name by which a container knows its host.
    pub fn is_local(&self) -> bool {
        is_local(&self.postgres)
    }
}

fn is_local(postgres: &tokio_postgres::Config) -> bool {
    let host_is_local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            matches!(name.as_str(), "localhost" | "host.docker.internal")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    };
    // With `hostaddr` the name is only what the certificate must be for.
    postgres.get_hosts().iter().all(host_is_local) && postgres.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

const DATABASE_URL_FORM: &str =
    "a PostgreSQL URL such as postgresql://user:password@host/database?sslmode=require";

const JWT_SECRET_FORM: &str = "at least 32 random bytes, for example what `openssl rand -hex 32` prints";

/// The URL without what tokio-postgres does not parse, and the value of `sslrootcert`. The parser's own
/// message is dropped: a badly encoded password may be part of it.
fn parse_database_url(url: &str) -> Option<(tokio_postgres::Config, Option<String>)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if !base.starts_with("postgresql://") && !base.starts_with("postgres://") {
        return None;
    }
    let mut sslmode = None;
    let mut root_certificates = None;
    let mut kept = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "sslmode" => sslmode = Some(sslmode_from_libpq(&value)?),
            // "system" is libpq's word for the authorities everyone trusts, which is our default.
            "sslrootcert" => {
                root_certificates = Some(value.into_owned()).filter(|file| file != "system");
            }
            // Prisma's word for "do not prepare statements", which we never do.
            "pgbouncer" => {}
            _ => {
                kept.append_pair(&name, &value);
            }
        }
    }
    // tokio-postgres decodes %20, but does not take + for a space.
    let kept = kept.finish().replace('+', "%20");
    let mut postgres: tokio_postgres::Config = format!("{base}?{kept}").parse().ok()?;
    if postgres.get_hosts().is_empty() || postgres.get_user().is_none() {
        return None;
    }
    postgres.ssl_mode(sslmode.unwrap_or(if is_local(&postgres) {
        SslMode::Disable
    } else {
        SslMode::Require
    }));
    Some((postgres, root_certificates))
}

fn sslmode_from_libpq(value: &str) -> Option<SslMode> {
    match value {
        "disable" => Some(SslMode::Disable),
        "allow" | "prefer" => Some(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Some(SslMode::Require),
        _ => None,
    }
}

/// A missing or unfit variable, as a sentence that names it and says what it should be.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    /// An error that reads as `sentence`.
    pub fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    const NEON: &str = "postgresql://todo:pa%20ss@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require";

    fn config<const N: usize>(variables: [(&str, &str); N]) -> Config {
        Config::from_iter(variables)
    }

    fn database(url: &str) -> Database {
        config([("DATABASE_URL", url)]).database().unwrap()
    }

    fn sentence<T>(result: Result<T, Error>) -> String {
        result.err().expect("an error").to_string()
    }

    #[test]
    fn neons_url_is_taken_as_pasted() {
        let database = database(NEON);
        let postgres = &database.postgres;
        assert_eq!(postgres.get_ssl_mode(), SslMode::Require);
        assert_eq!(postgres.get_channel_binding(), tokio_postgres::config::ChannelBinding::Require);
        assert_eq!(postgres.get_password(), Some(&b"pa ss"[..]));
        assert_eq!(postgres.get_dbname(), Some("neondb"));
        assert_eq!(database.max_connections, 1);
    }

    #[test]
    fn there_are_as_many_connections_as_requests_at_a_time_unless_it_is_said() {
        let max_connections = |concurrency, connections| {
            let url = ("DATABASE_URL", NEON);
            let variables =
                [("AWS_LAMBDA_MAX_CONCURRENCY", concurrency), ("DATABASE_MAX_CONNECTIONS", connections), url];
            config(variables)
                .database()
                .map(|database| database.max_connections)
                .map_err(|error| error.to_string())
        };
        assert_eq!(max_connections("", ""), Ok(1));
        assert_eq!(max_connections("64", ""), Ok(64));
        assert_eq!(max_connections("64", "10"), Ok(10));
        let sentence = max_connections("many", "").unwrap_err();
        assert!(sentence.starts_with("AWS_LAMBDA_MAX_CONCURRENCY is `many`"), "{sentence}");
    }

    #[test]
    fn libpqs_modes_that_verify_are_one() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u:p@db.example.com/d?sslmode={mode}&pgbouncer=true");
            assert_eq!(database(&url).postgres.get_ssl_mode(), SslMode::Require);
        }
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
        ] {
            let url = format!("postgres://u:p@{host}/d");
            assert_eq!(database(&url).postgres.get_ssl_mode(), mode, "{host}");
        }
        let elsewhere = database("postgres://u:p@localhost/d?hostaddr=203.0.113.5");
        assert_eq!(elsewhere.postgres.get_ssl_mode(), SslMode::Require);
        assert!(!elsewhere.is_local());
    }

    #[test]
    fn sslrootcert_is_kept_and_system_means_the_default() {
        let url = "postgres://u:p@h/d?sslrootcert=/etc/ca.pem&application_name=a%20b";
        assert_eq!(database(url).root_certificates.as_deref(), Some("/etc/ca.pem"));
        assert_eq!(database(url).postgres.get_application_name(), Some("a b"));
        assert_eq!(database("postgres://u:p@h/d?sslrootcert=system").root_certificates, None);
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for variables in [config([]), config([("DATABASE_URL", ""), ("JWT_SECRET", "")])] {
            assert!(sentence(variables.database()).starts_with("DATABASE_URL is not set"));
            assert!(sentence(variables.jwt_secret()).starts_with("JWT_SECRET is not set"));
        }
    }

    #[test]
    fn an_unreadable_url_is_not_repeated() {
        for url in ["mysql://u:s3cret@h/d", "postgres://u:s3c?ret=x@h/d", "s3cret", "postgres://"] {
            let sentence = sentence(config([("DATABASE_URL", url)]).database());
            assert!(sentence.starts_with("DATABASE_URL cannot be read"), "{sentence}");
            assert!(!sentence.contains("s3c"), "{sentence}");
        }
    }

    #[test]
    fn a_secret_of_31_bytes_is_refused_and_of_32_taken() {
        let secret = "x".repeat(32);
        assert_eq!(config([("JWT_SECRET", &secret)]).jwt_secret().unwrap(), secret);
        for name in ["JWT_SECRET", "JWT_SECRET_PREVIOUS"] {
            let config = config([(name, &"x".repeat(31))]);
            let sentence = sentence(config.optional_secret(name));
            assert!(sentence.starts_with(&format!("{name} is too short (31 bytes)")), "{sentence}");
        }
    }

    #[test]
    fn the_demo_secret_is_refused_for_a_database_elsewhere() {
        let with = |url| config([("JWT_SECRET", DEMO_JWT_SECRET), ("DATABASE_URL", url)]);
        assert!(with("postgres://u:p@127.0.0.1/d").jwt_secret().is_ok());
        assert!(sentence(with(NEON).jwt_secret()).contains("public demo secret"));
    }

    #[test]
    fn the_example_file_holds_the_demo_secret() {
        let example = include_str!("../../.env.example");
        assert!(example.contains(&format!("\nJWT_SECRET={DEMO_JWT_SECRET}\n")));
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range() {
        for cost in ["3", "17", "-1", "12.5", "twelve"] {
            assert_eq!(
                sentence(config([("BCRYPT_COST", cost)]).bcrypt_cost()),
                format!("BCRYPT_COST is `{cost}`: it should be a whole number from 4 to 16")
            );
        }
        assert_eq!(config([]).bcrypt_cost().unwrap(), 12);
        assert_eq!(config([("ACCESS_TOKEN_TTL", "60")]).access_token_ttl().unwrap().as_secs(), 60);
        assert!(config([("ACCESS_TOKEN_TTL", "0")]).access_token_ttl().is_err());
    }
}
