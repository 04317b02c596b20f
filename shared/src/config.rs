//! Configuration from environment variables and, in a function, from SSM Parameter Store. An empty variable counts as
//! unset, because `sam local` and a SAM template declare variables that have no value.

use std::{collections::HashMap, fmt, str::FromStr, time::Duration};

use crate::db::{self, Database};

/// The secret that signs the tokens in `events/`. It is public, so it is refused unless the database
/// is on this machine.
pub const DEMO_JWT_SECRET: &str = "demo-secret-for-local-events-only-0123456789abcdef";

/// RFC 7518 §3.2: a key for HS256 has at least the size of the hash output.
const JWT_SECRET_MIN_BYTES: usize = 32;

/// The variables a process was started with.
#[derive(Clone)]
pub struct Config(HashMap<String, String>);

impl Config {
    /// The environment of this process. Values that are not UTF-8 count as unset.
    pub fn from_env() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The variable's value, unless it is unset or empty. What cannot be seen at its ends does not belong to it: a file that
    /// a secret was read from ends in a newline.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim_matches(|c: char| c.is_whitespace() || db::is_invisible(c));
        Some(value).filter(|value| !value.is_empty())
    }

    /// A variable that has to be set, which should be `form`.
    pub(crate) fn required(&self, name: &str, form: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| self.unset(name, form))
    }

    /// A variable whose value would be another in quotes.
    pub(crate) fn unquoted(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let is_quoted = ['"', '\'', '`']
            .iter()
            .any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote));
        match is_quoted {
            true => {
                Err(Error::new(format!("{name} stands in quotes, which do not belong to it: remove them")))
            }
            false => Ok(Some(value)),
        }
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
        let Some(secret) = self.unquoted(name)? else { return Ok(None) };
        if secret.len() < JWT_SECRET_MIN_BYTES {
            return Err(Error::new(format!(
                "{name} is too short ({} bytes): it should be {JWT_SECRET_FORM}",
                secret.len()
            )));
        }
        if secret == DEMO_JWT_SECRET && !Database::new(self)?.is_local() {
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

const JWT_SECRET_FORM: &str = "at least 32 random bytes, for example what `openssl rand -hex 32` prints";

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

    fn config<const N: usize>(variables: [(&str, &str); N]) -> Config {
        Config::from_iter(variables)
    }

    fn sentence<T>(result: Result<T, Error>) -> String {
        result.err().expect("an error").to_string()
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for variables in [config([]), config([("DATABASE_URL", ""), ("JWT_SECRET", "")])] {
            assert!(sentence(Database::new(&variables)).starts_with("DATABASE_URL is not set"));
            assert!(sentence(variables.jwt_secret()).starts_with("JWT_SECRET is not set"));
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
    fn what_cannot_be_seen_at_the_ends_of_a_secret_does_not_belong_to_it_and_quotes_are_told() {
        let secret = "0123456789abcdef".repeat(3);
        for written in [
            format!("{secret}\n"),
            format!("{secret}\r\n"),
            format!(" {secret}\t"),
            format!("\u{feff}{secret}"),
            format!("{secret}\u{200b}\n"),
            format!("\u{a0}{secret}\u{a0}"),
        ] {
            assert_eq!(config([("JWT_SECRET", &written)]).jwt_secret().unwrap(), secret, "{written:?}");
        }
        for quote in ["\"", "'", "`"] {
            let sentence =
                sentence(config([("JWT_SECRET", &format!("{quote}{secret}{quote}\n"))]).jwt_secret());
            assert_eq!(sentence, "JWT_SECRET stands in quotes, which do not belong to it: remove them");
        }
        assert_eq!(config([("BCRYPT_COST", "10\n")]).bcrypt_cost().unwrap(), 10);
        assert!(sentence(config([("JWT_SECRET", " \n")]).jwt_secret()).starts_with("JWT_SECRET is not set"));
    }

    #[test]
    fn the_demo_secret_is_refused_for_a_database_elsewhere() {
        let with = |url| config([("JWT_SECRET", DEMO_JWT_SECRET), ("DATABASE_URL", url)]);
        assert!(with("postgres://u:p@127.0.0.1/d").jwt_secret().is_ok());
        let elsewhere =
            with("postgresql://todo:secret@ep-cool-name-123456.eu-central-1.aws.neon.tech/neondb");
        assert!(sentence(elsewhere.jwt_secret()).contains("public demo secret"));
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
