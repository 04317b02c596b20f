//! The variables of a process. An empty variable counts as unset, because `sam local` and a SAM template declare variables
//! that have no value.

use std::{collections::HashMap, fmt, ops::RangeInclusive, str::FromStr};

/// The variables that a process was started with, and those that SSM Parameter Store holds.
#[derive(Clone)]
pub struct Config(HashMap<String, String>);

impl Config {
    /// Reads the environment of this process. A value that is not UTF-8 counts as unset.
    pub fn from_env() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Returns the variable's value, unless it is unset or empty. White space and invisible characters at its ends are
    /// removed: a file that a secret was read from ends in a newline.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        Some(value).filter(|value| !value.is_empty())
    }

    /// Returns the variable's value like [`get`](Self::get), but refuses quotes around it.
    pub(crate) fn unquoted(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let is_quoted = ['"', '\'', '`']
            .iter()
            .any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote));
        match is_quoted {
            true => {
                Err(Error::new(format!("{name} is in quotes, which are not part of the value: remove them")))
            }
            false => Ok(Some(value)),
        }
    }

    /// Returns a whole number in a range, or the default if the variable is unset.
    ///
    /// # Errors
    /// The value is anything else. The message names the variable and the range.
    pub fn number<T: FromStr + PartialOrd + fmt::Display>(
        &self,
        name: &str,
        default: T,
        range: RangeInclusive<T>,
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

    /// Sets a variable that is unset or empty.
    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Makes the error for a variable that is required and not set; `form` says what the value should be.
    pub(crate) fn missing(&self, name: &str, form: &str) -> Error {
        let parameter = match self.get("SSM_PARAMETER_PATH") {
            Some(path) => format!(", and there is no parameter {path}/{name}"),
            None => String::new(),
        };
        Error::new(format!("{name} is not set{parameter}: it should be {form}"))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// True for characters that are copied along unseen: a byte order mark, spaces of no width.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}')
}

/// A variable that is missing or has an unusable value. The message names it and says what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// Makes an error with this message.
    pub fn new(message: String) -> Self {
        Self(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset() {
        let mut config = Config::from_iter([("A", ""), ("B", " \n")]);
        assert_eq!((config.get("A"), config.get("B"), config.get("C")), (None, None, None));
        config.set_default("A", "a");
        assert_eq!(config.get("A"), Some("a"));
    }

    #[test]
    fn white_space_and_invisible_characters_at_the_ends_are_removed() {
        for written in ["a b\n", "a b\r\n", " a b\t", "\u{feff}a b", "a b\u{200b}\n", "\u{a0}a b\u{a0}"] {
            assert_eq!(Config::from_iter([("A", written)]).get("A"), Some("a b"), "{written:?}");
        }
    }

    #[test]
    fn quotes_around_a_value_are_refused() {
        for quote in ["\"", "'", "`"] {
            let config = Config::from_iter([("A", format!("{quote}a{quote}\n"))]);
            let error = config.unquoted("A").unwrap_err().to_string();
            assert_eq!(error, "A is in quotes, which are not part of the value: remove them");
        }
        assert_eq!(Config::from_iter([("A", "\"")]).unquoted("A").unwrap(), Some("\""));
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range() {
        for value in ["3", "17", "-1", "12.5", "twelve"] {
            let error = Config::from_iter([("A", value)]).number("A", 12, 4..=16).unwrap_err().to_string();
            assert_eq!(error, format!("A is `{value}`: it should be a whole number from 4 to 16"));
        }
        assert_eq!(Config::from_iter([("A", "10\n")]).number("A", 12, 4..=16).unwrap(), 10);
        assert_eq!(Config::from_iter([("A", "")]).number("A", 12, 4..=16).unwrap(), 12);
    }
}
