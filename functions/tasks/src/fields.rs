//! The fields of a task as clients send them, and their rules.
//!
//! A length is a number of characters (Unicode scalar values), as in PostgreSQL's `char_length` and Python's `len`. An empty
//! string in a nullable field means null, because the existing front end sends its whole form.

use std::collections::HashSet;

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Sequence, Value, ValueKind, ValuePointerRef,
    take_cf_content,
};
use shared::validation::{ValidationErrors, Violation};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::due::Due;

/// 1 to 255 characters after trimming, one of which can be seen.
#[derive(Deserr)]
#[deserr(error = ValidationErrors, try_from(String) = Title::new -> Violation)]
pub struct Title(pub String);

impl Title {
    fn new(sent: String) -> Result<Self, Violation> {
        let title = reject_nul(sent.trim())?;
        match title.chars().count() {
            1..=255 if title.chars().any(is_visible) => Ok(Self(title.to_owned())),
            ..=255 => Err(Violation::new("string_too_short", "Title should not be empty")),
            _ => Err(Violation::new("string_too_long", "Title should have at most 255 characters")),
        }
    }
}

/// False for white space, controls, and what has no glyph or an empty one: format characters, other characters that are
/// ignored by default (`Default_Ignorable_Code_Point` of Unicode), and the empty Braille pattern.
fn is_visible(symbol: char) -> bool {
    let is_ignored = matches!(symbol,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}'
    );
    !(symbol.is_whitespace()
        || symbol.is_control()
        || symbol.general_category() == GeneralCategory::Format
        || is_ignored
        || symbol == '\u{2800}')
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

/// A comma-separated string of at most 500 characters, or a list of strings. Tags are trimmed; empty ones are dropped, and
/// repeats in any case: the first spelling stays.
#[derive(Default)]
pub struct Tags(pub Option<String>);

impl Tags {
    fn new<'a>(sent: impl Iterator<Item = &'a str>) -> Result<Self, Violation> {
        let mut tags: Vec<&str> = Vec::new();
        let mut folded = HashSet::new();
        let mut length = 0;
        for tag in sent.map(str::trim).filter(|tag| !tag.is_empty()) {
            // Lower case first, because ẞ alone does not become SS.
            if !folded.insert(reject_nul(tag)?.nfd().collect::<String>().to_lowercase().to_uppercase()) {
                continue;
            }
            length += tag.chars().count() + usize::from(!tags.is_empty());
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

#[derive(Default, Deserr)]
#[deserr(error = ValidationErrors, try_from(Option<String>) = DueDate::new -> Violation)]
pub struct DueDate(pub Option<Due>);

impl DueDate {
    pub fn new(sent: Option<String>) -> Result<Self, Violation> {
        let sent = sent.filter(|sent| !sent.trim().is_empty());
        sent.map(|sent| Due::parse(&sent)).transpose().map(Self)
    }

    /// Returns the columns `due_date` and `due_kind`.
    pub fn columns(&self) -> (Option<String>, &'static str) {
        (self.0.map(Due::at), self.0.map_or("local", Due::kind))
    }
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
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;

    fn tags(sent: serde_json::Value) -> Option<Option<String>> {
        deserr::deserialize::<Tags, _, ValidationErrors>(sent).ok().map(|tags| tags.0)
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
                let lower: Vec<_> = each.iter().map(|tag| tag.to_lowercase()).collect();
                prop_assert!((1..each.len()).all(|n| !lower[..n].contains(&lower[n])));
                prop_assert!(each.iter().all(|tag| sent.iter().any(|sent| sent.trim() == *tag)));
                let is_kept = |sent: &String| lower.contains(&sent.trim().to_lowercase());
                prop_assert!(sent.iter().all(|sent| sent.trim().is_empty() || is_kept(sent)));
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
