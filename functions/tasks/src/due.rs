//! Due dates: a day, a time on the user's clock, or an instant. Each reads back as the kind that was sent, so that a client
//! that sends it again as it got it changes nothing.

use std::{fmt, ops::RangeInclusive};

use jiff::{
    SignedDuration,
    civil::{DateTime, Time},
    fmt::temporal::Pieces,
};
use serde::{Deserialize, Serialize, Serializer};
use shared::validation::Violation;

/// The years that every client's date type can hold.
pub const YEARS: RangeInclusive<i16> = 1..=9999;

/// A due date, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Due {
    /// The time that due dates are sorted by: a day's midnight, an instant's time in UTC.
    at: DateTime,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Day,
    Local,
    Instant,
}

impl Due {
    /// Reads a date, or a date and a time, of ISO 8601. White space around it and fractions of a second are dropped.
    pub fn parse(sent: &str) -> Result<Self, Violation> {
        let sent = truncate_fraction(sent.trim());
        parse(&sent).ok_or_else(|| match parse(&with_harmless_digits(&sent)) {
            Some(_) => Violation::new(
                "value_error",
                "Due date should be a day and a time that exist, in the years 1 to 9999",
            ),
            None => Violation::new(
                "datetime_parsing",
                "Due date should be a day such as 2026-01-30, or a time such as 2026-01-30T10:00, which may end in Z or an \
                 offset such as +01:00",
            ),
        })
    }

    /// Returns the due date of the columns `due_date` and `due_kind`. A day that has a time got it from a function of before
    /// `due_kind`, which knows times on the clock alone.
    pub fn of_columns(at: DateTime, kind: &str) -> Self {
        let kind = match kind {
            "day" if at.time() == Time::midnight() => Kind::Day,
            "instant" => Kind::Instant,
            _ => Kind::Local,
        };
        Self { at, kind }
    }

    /// Returns `due_date` as PostgreSQL reads it. The driver's own conversion fails for the last day of the year 9999.
    pub fn at(self) -> String {
        self.at.to_string()
    }

    /// Returns `due_kind`.
    pub fn kind(self) -> &'static str {
        match self.kind {
            Kind::Day => "day",
            Kind::Local => "local",
            Kind::Instant => "instant",
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Day => self.at.date().fmt(f),
            Kind::Local => self.at.fmt(f),
            Kind::Instant => write!(f, "{}Z", self.at),
        }
    }
}

impl Serialize for Due {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Due {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map_err(|violation| violation.kind)
    }
}

fn parse(sent: &str) -> Option<Due> {
    // A zone or calendar in brackets changes the meaning of the digits.
    if sent.contains('[') {
        return None;
    }
    let pieces = Pieces::parse(sent).ok()?;
    let time = pieces.time().unwrap_or(Time::midnight()).with().subsec_nanosecond(0).build().ok()?;
    let local = pieces.date().to_datetime(time);
    let due = match (pieces.time(), pieces.to_numeric_offset()) {
        (None, None) => Due { at: local, kind: Kind::Day },
        (None, Some(_)) => return None,
        (Some(_), None) => Due { at: local, kind: Kind::Local },
        (Some(_), Some(offset)) => {
            let at = local.checked_sub(SignedDuration::from_secs(offset.seconds().into())).ok()?;
            Due { at, kind: Kind::Instant }
        }
    };
    YEARS.contains(&due.at.year()).then_some(due)
}

/// Returns the text with digits that exist in every date and time, in the places of its own.
fn with_harmless_digits(sent: &str) -> String {
    let mut harmless = "20000101".chars();
    sent.chars()
        .map(|symbol| if symbol.is_ascii_digit() { harmless.next().unwrap_or('0') } else { symbol })
        .collect()
}

/// Returns the text with at most nine digits of a fraction, the parser's limit.
fn truncate_fraction(sent: &str) -> String {
    let Some((whole, fraction)) = sent.split_once(['.', ',']) else { return sent.to_owned() };
    let rest = fraction.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    let digits: String = fraction.chars().take(fraction.len() - rest.len()).take(9).collect();
    format!("{whole}.{digits}{rest}")
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn read_back(sent: &str) -> Result<String, &'static str> {
        Due::parse(sent).map(|due| due.to_string()).map_err(|violation| violation.kind)
    }

    #[test]
    fn a_due_date_reads_back_as_the_kind_that_was_sent() {
        for (sent, taken) in [
            ("2026-01-30", "2026-01-30"),
            (" 2026-01-30\n", "2026-01-30"),
            ("2026-01-30T10:00", "2026-01-30T10:00:00"),
            ("2026-01-30 10:00", "2026-01-30T10:00:00"),
            ("2026-01-30T10:00:59.999999999999", "2026-01-30T10:00:59"),
            ("2026-01-30T00:00", "2026-01-30T00:00:00"),
            ("2026-01-30T10:00+01:00", "2026-01-30T09:00:00Z"),
            ("2026-01-30T09:00:00.000Z", "2026-01-30T09:00:00Z"),
            ("2026-01-30T00:30+01:00", "2026-01-29T23:30:00Z"),
            ("0001-01-01", "0001-01-01"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(read_back(sent).as_deref(), Ok(taken), "{sent:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_told_apart_from_what_has_another_form() {
        for sent in [
            "2026-02-29",
            "2026-02-30T10:00",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31T10:00Z",
            "2026-01-30T25:00",
            "2026-01-30T10:61",
            "0000-01-01",
            "0001-01-01T00:00+14:00",
            "9999-12-31T23:00-14:00",
        ] {
            assert_eq!(read_back(sent), Err("value_error"), "{sent}");
        }
        for sent in [
            "tomorrow",
            "30.01.2026",
            "2026-1-30",
            "10:00",
            "2026-01-30Z",
            "2026-01-30  10:00",
            "1769767200",
            "-",
        ] {
            assert_eq!(read_back(sent), Err("datetime_parsing"), "{sent}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_due_date_reads_back_unchanged(
            sent in prop_oneof![
                vec(any::<char>(), 0..40).prop_map(String::from_iter),
                "([0-9]{4}|0000|9999|[+-]00[01][0-9]{3})-?[01][0-9]-?[0-3][0-9]\
                 ([T ][0-2][0-9](:?[0-5][0-9](:?[0-6][0-9]([.,][0-9]{0,12})?)?)?)?\
                 (Z|[+-][0-2][0-9](:?[0-5][0-9](:?[0-5][0-9])?)?)?(\\[[!u]?-?[A-Za-z/=+]{0,9}\\]?)?",
            ],
        ) {
            if let Ok(due) = Due::parse(&sent) {
                let taken = due.to_string();
                prop_assert!([10, 19, 20].contains(&taken.len()) && !taken.starts_with("0000"), "{}", taken);
                prop_assert_eq!(Due::parse(&taken).ok(), Some(due));
                let at: DateTime = due.at().parse().unwrap();
                prop_assert_eq!(Due::of_columns(at, due.kind()), due);
                // JavaScript's `new Date(…).toISOString()` adds milliseconds to an instant.
                if let Some(instant) = taken.strip_suffix('Z') {
                    prop_assert_eq!(Due::parse(&format!("{instant}.000Z")).ok(), Some(due));
                }
            }
        }

        #[test]
        fn a_time_with_an_offset_is_the_same_instant_in_utc(
            seconds in -62_135_596_800..=253_402_300_799_i64,
            offset in -86_399..=86_399,
            fraction in "([.,][0-9]{1,12})?",
            separator in "[T ]",
        ) {
            let offset = Offset::from_seconds(offset / 60 * 60).unwrap();
            let utc = jiff::Timestamp::from_second(seconds).unwrap();
            let local = offset.to_datetime(utc);
            prop_assume!(YEARS.contains(&local.year()));
            let (date, time) = (local.date(), local.time());
            let sign = if offset.is_negative() { '-' } else { '+' };
            let minutes = offset.seconds().abs() / 60;
            let sent =
                format!("{date}{separator}{time}{fraction}{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            let taken = format!("{}Z", TimeZone::UTC.to_datetime(utc));
            prop_assert_eq!(read_back(&sent), Ok(taken), "{}", sent);
        }
    }
}
