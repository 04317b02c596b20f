//! The fields of a task as clients send them, and their rules.
//!
//! A length is a number of characters (Unicode scalar values), as in PostgreSQL's `char_length` and Python's `len`. An empty
//! string in a nullable field means null, because the existing front end sends its whole form.

use std::ops::RangeInclusive;

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Sequence, Value, ValueKind, ValuePointerRef,
    take_cf_content,
};
use jiff::{
    SignedDuration,
    civil::{DateTime, Time},
    fmt::temporal::Pieces,
};
use shared::validation::{ValidationErrors, Violation};

/// 1 to 255 characters after trimming.
#[derive(Deserr)]
#[deserr(error = ValidationErrors, try_from(String) = Title::new -> Violation)]
pub struct Title(pub String);

impl Title {
    fn new(sent: String) -> Result<Self, Violation> {
        let title = reject_nul(sent.trim())?;
        match title.chars().count() {
            0 => Err(Violation::new("string_too_short", "Title should not be empty")),
            1..=255 => Ok(Self(title.to_owned())),
            _ => Err(Violation::new("string_too_long", "Title should have at most 255 characters")),
        }
    }
}

/// At most 1,000 characters, unchanged.
#[derive(Default, Deserr)]
#[deserr(error = ValidationErrors, try_from(Option<String>) = Description::new -> Violation)]
pub struct Description(pub Option<String>);

impl Description {
    fn new(sent: Option<String>) -> Result<Self, Violation> {
        let Some(description) = sent.filter(|sent| !sent.is_empty()) else { return Ok(Self(None)) };
        reject_nul(&description)?;
        if description.chars().count() > 1000 {
            return Err(Violation::new("string_too_long", "Description should have at most 1000 characters"));
        }
        Ok(Self(Some(description)))
    }
}

/// `low` < `medium` < `high`.
#[derive(Clone, Copy, Default, Deserr)]
#[deserr(error = ValidationErrors, try_from(String) = Priority::new -> Violation)]
pub enum Priority {
    Low,
    #[default]
    Medium,
    High,
}

impl Priority {
    pub fn new(sent: impl AsRef<str>) -> Result<Self, Violation> {
        match sent.as_ref() {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            _ => Err(Violation::new("enum", "Priority should be low, medium or high")),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A comma-separated string of at most 500 characters, or a list of strings. Tags are trimmed; empty ones and repeats are
/// dropped.
#[derive(Default)]
pub struct Tags(pub Option<String>);

impl Tags {
    fn new<'a>(sent: impl Iterator<Item = &'a str>) -> Result<Self, Violation> {
        let mut tags: Vec<&str> = Vec::new();
        let mut length = 0;
        for tag in sent.map(str::trim).filter(|tag| !tag.is_empty()) {
            if tags.contains(&reject_nul(tag)?) {
                continue;
            }
            length += tag.chars().count() + usize::from(!tags.is_empty());
            // Checked for each tag, because looking for repeats among many tags takes long.
            if length > 500 {
                return Err(Violation::new(
                    "string_too_long",
                    "Tags should have at most 500 characters together",
                ));
            }
            tags.push(tag);
        }
        Ok(Self(Some(tags.join(",")).filter(|tags| !tags.is_empty())))
    }
}

impl Deserr<ValidationErrors> for Tags {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        at: ValuePointerRef,
    ) -> Result<Self, ValidationErrors> {
        match value {
            Value::Null => Ok(Self(None)),
            Value::String(tags) => Self::new(tags.split(',')).map_err(|violation| violation.at(at)),
            Value::Sequence(tags) => {
                let tags = tags.into_iter().map(IntoValue::into_value).map(|tag| match tag {
                    Value::String(tag) if tag.contains(',') => {
                        Err(Violation::new("value_error", "A tag should not contain a comma"))
                    }
                    Value::String(tag) => Ok(tag),
                    _ => Err(Violation::new("string_type", "Tags should be strings")),
                });
                let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|violation| violation.at(at))?;
                Self::new(tags.iter().map(String::as_str)).map_err(|violation| violation.at(at))
            }
            actual => {
                let accepted = &[ValueKind::String, ValueKind::Sequence];
                let error = ErrorKind::IncorrectValueKind { actual, accepted };
                Err(take_cf_content(ValidationErrors::error(None, error, at)))
            }
        }
    }
}

/// The years that every client's date type can hold.
pub const YEARS: RangeInclusive<i16> = 1..=9999;

/// A time on the user's clock, to the second.
#[derive(Clone, Copy, Default, Deserr)]
#[deserr(error = ValidationErrors, try_from(Option<String>) = DueDate::new -> Violation)]
pub struct DueDate(Option<DateTime>);

impl DueDate {
    fn new(sent: Option<String>) -> Result<Self, Violation> {
        let Some(sent) = sent.filter(|sent| !sent.is_empty()) else { return Ok(Self(None)) };
        parse_due_date(&sent).map(|due_date| Self(Some(due_date))).ok_or_else(|| {
            Violation::new("datetime_parsing", "Due date should be a time such as 2026-01-30T10:00 or a date")
        })
    }

    /// Returns the text that PostgreSQL reads. The driver's own conversion fails for the last day of the year 9999.
    pub fn text(self) -> Option<String> {
        self.0.map(|due_date| due_date.to_string())
    }
}

/// Reads ISO 8601 within RFC 9557. A time with an offset becomes UTC, a fraction of a second is dropped, and a date alone
/// means its midnight.
fn parse_due_date(sent: &str) -> Option<DateTime> {
    // A zone or calendar in brackets changes the meaning of the digits.
    if sent.contains('[') {
        return None;
    }
    let sent = truncate_fraction(sent);
    let pieces = Pieces::parse(&sent).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset = pieces.to_numeric_offset().map_or(0, |offset| offset.seconds());
    let utc = local.checked_sub(SignedDuration::from_secs(offset.into())).ok()?;
    let to_the_second = utc.with().subsec_nanosecond(0).build().ok()?;
    YEARS.contains(&to_the_second.year()).then_some(to_the_second)
}

/// Returns the text with at most nine digits of a fraction, the parser's limit.
fn truncate_fraction(sent: &str) -> String {
    let Some((whole, fraction)) = sent.split_once(['.', ',']) else { return sent.to_owned() };
    let rest = fraction.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    let digits: String = fraction.chars().take(fraction.len() - rest.len()).take(9).collect();
    format!("{whole}.{digits}{rest}")
}

/// Refuses U+0000, which PostgreSQL's text cannot hold.
pub fn reject_nul(text: &str) -> Result<&str, Violation> {
    if text.contains('\0') {
        return Err(Violation::new("value_error", "Text should not contain a NUL character"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;

    fn tags(sent: serde_json::Value) -> Option<Option<String>> {
        deserr::deserialize::<Tags, _, ValidationErrors>(sent).ok().map(|tags| tags.0)
    }

    fn due_date(sent: &str) -> Option<String> {
        DueDate::new(Some(sent.to_owned())).ok()?.text()
    }

    /// A tag of few letters, so that tags repeat, and of characters that are white space or look like it.
    fn tag() -> impl Strategy<Value = String> {
        let few = "[abAé \\t\u{a0}\u{2003}\u{200b}\u{feff}]{0,4}";
        prop_oneof![9 => few, 1 => "[a-z]{0,300}", 1 => "\\PC{0,4}\u{0}?"]
            .prop_map(|tag| tag.replace(',', "."))
    }

    proptest! {
        #[test]
        fn accepted_tags_have_at_most_500_characters_and_none_is_empty_or_repeated(sent in vec(tag(), 0..30)) {
            if let Some(Some(taken)) = tags(json!(sent)) {
                let each: Vec<_> = taken.split(',').collect();
                prop_assert!(taken.chars().count() <= 500);
                prop_assert!(each.iter().all(|tag| !tag.is_empty() && tag.trim() == *tag));
                prop_assert!(!taken.contains('\0'));
                prop_assert!((1..each.len()).all(|n| !each[..n].contains(&each[n])));
                prop_assert!(each.iter().all(|tag| sent.iter().any(|sent| sent.trim() == *tag)));
                prop_assert!(sent.iter().all(|sent| sent.trim().is_empty() || each.contains(&sent.trim())));
            }
        }

        #[test]
        fn tags_as_a_string_as_a_list_and_as_stored_are_the_same(sent in vec(tag(), 0..30)) {
            let taken = tags(json!(sent));
            prop_assert_eq!(&tags(json!(sent.join(","))), &taken);
            if let Some(taken) = taken {
                prop_assert_eq!(tags(json!(taken)), Some(taken));
            }
        }

        #[test]
        fn an_accepted_due_date_reads_back_unchanged(
            sent in prop_oneof![
                vec(any::<char>(), 0..40).prop_map(String::from_iter),
                "([0-9]{4}|0000|9999|[+-]00[01][0-9]{3})-?[01][0-9]-?[0-3][0-9]\
                 ([T ][0-2][0-9](:?[0-5][0-9](:?[0-6][0-9]([.,][0-9]{0,12})?)?)?)?\
                 (Z|[+-][0-2][0-9](:?[0-5][0-9](:?[0-5][0-9])?)?)?(\\[[!u]?-?[A-Za-z/=+]{0,9}\\]?)?",
            ],
        ) {
            if let Some(taken) = due_date(&sent) {
                prop_assert!(taken.len() == 19 && !taken.starts_with("0000"), "{}", taken);
                prop_assert_eq!(due_date(&taken), Some(taken));
            }
        }

        #[test]
        fn a_due_date_with_an_offset_is_converted_to_utc(
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
            prop_assert_eq!(due_date(&sent), Some(TimeZone::UTC.to_datetime(utc).to_string()), "{}", sent);
        }

        #[test]
        fn accepted_texts_are_within_their_limits_and_have_no_nul(sent in "\\PC{0,260}\u{0}?\\s?") {
            if let Ok(Title(title)) = Title::new(sent.clone()) {
                prop_assert!((1..=255).contains(&title.chars().count()) && title == sent.trim());
                prop_assert!(!title.contains('\0'));
            }
            if let Ok(Description(Some(description))) = Description::new(Some(sent.clone())) {
                prop_assert!(description == sent && !sent.is_empty() && !sent.contains('\0'));
            }
        }
    }
}
