//! The orders of the list, and the place in an order where a page ends. The next page starts after that place, whatever was
//! added or deleted meanwhile.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::validation::Violation;
use uuid::Uuid;

use crate::{
    due::{Due, YEARS},
    fields::Priority,
    page::decode_cursor,
    task::Task,
};

#[derive(Clone, Copy, Default, PartialEq)]
pub enum SortBy {
    #[default]
    DueDate,
    Priority,
    Title,
    CreatedAt,
}

impl SortBy {
    pub fn new(sent: String) -> Result<Self, Violation> {
        match sent.as_str() {
            "due_date" => Ok(Self::DueDate),
            "priority" => Ok(Self::Priority),
            "title" => Ok(Self::Title),
            "created_at" => Ok(Self::CreatedAt),
            _ => Err(Violation::new("enum", "sort_by should be due_date, priority, title or created_at")),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Asc,
    Desc,
}

impl Order {
    pub fn new(sent: String) -> Result<Self, Violation> {
        match sent.as_str() {
            "asc" => Ok(Self::Asc),
            "desc" => Ok(Self::Desc),
            _ => Err(Violation::new("enum", "order should be asc or desc")),
        }
    }
}

/// The place of a page's last task.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    order: Order,
    #[serde(flatten)]
    key: Key,
    pub id: Uuid,
}

/// The field that the list is sorted by, and the last task's value of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "sort_by", content = "key", rename_all = "snake_case")]
enum Key {
    DueDate(Option<Due>),
    Priority(String),
    Title(String),
    CreatedAt(Timestamp),
}

impl Cursor {
    pub fn after(task: &Task, sort_by: SortBy, order: Order) -> Self {
        let key = match sort_by {
            SortBy::DueDate => Key::DueDate(task.due_date),
            SortBy::Priority => Key::Priority(task.priority.clone()),
            SortBy::Title => Key::Title(task.title.clone()),
            SortBy::CreatedAt => Key::CreatedAt(task.created_at),
        };
        Self { order, key, id: task.id }
    }

    pub fn decode(sent: String) -> Result<Self, Violation> {
        decode_cursor(sent, |cursor: &Self| cursor.key.is_valid())
    }

    /// True if this is a place in this order.
    pub fn matches(&self, sort_by: SortBy, order: Order) -> bool {
        let key_order = match self.key {
            Key::DueDate(_) => SortBy::DueDate,
            Key::Priority(_) => SortBy::Priority,
            Key::Title(_) => SortBy::Title,
            Key::CreatedAt(_) => SortBy::CreatedAt,
        };
        (key_order, self.order) == (sort_by, order)
    }

    /// Returns the value as PostgreSQL reads it.
    pub fn key(&self) -> Option<String> {
        match &self.key {
            Key::DueDate(due_date) => due_date.map(Due::at),
            Key::Priority(text) | Key::Title(text) => Some(text.clone()),
            Key::CreatedAt(created_at) => Some(created_at.to_string()),
        }
    }
}

impl Key {
    /// True if a task can have the value, so that PostgreSQL can read it.
    fn is_valid(&self) -> bool {
        match self {
            Self::DueDate(_) => true,
            Self::Priority(priority) => Priority::new(priority).is_ok(),
            Self::Title(title) => !title.contains('\0'),
            Self::CreatedAt(created_at) => YEARS.contains(&TimeZone::UTC.to_datetime(*created_at).year()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::page::encode_cursor;

    /// Any place that a task can have in any order.
    fn cursor() -> impl Strategy<Value = Cursor> {
        let second = || -62_135_596_800..=253_402_300_799_i64;
        let at = |(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap();
        let key = prop_oneof![
            option::of((second(), "|Z")).prop_map(move |due| {
                let at = |(second, zone)| format!("{}{zone}", TimeZone::UTC.to_datetime(at((second, 0))));
                Key::DueDate(due.map(|due| Due::parse(&at(due)).unwrap()))
            }),
            "2026-0[1-9]-[12][0-9]".prop_map(|day| Key::DueDate(Due::parse(&day).ok())),
            "low|medium|high".prop_map(Key::Priority),
            "[^\u{0}]{1,255}".prop_map(Key::Title),
            (second(), 0..1_000_000)
                .prop_map(move |(second, micro)| Key::CreatedAt(at((second, micro * 1000)))),
        ];
        let order = prop_oneof![Just(Order::Asc), Just(Order::Desc)];
        (order, key, any::<u128>()).prop_map(|(order, key, id)| Cursor {
            order,
            key,
            id: Uuid::from_u128(id),
        })
    }

    /// Any text, and texts that are almost a cursor.
    fn sent() -> impl Strategy<Value = String> {
        let json = (
            "\"(asc|desc|ASC)?\"|null|1",
            "due_date|priority|title|created_at|id",
            "null|\"[+-]?[0-9]{4,6}-[01][0-9]-[0-3][0-9]\
             ([T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\\.[0-9]{1,9})?)?Z?)?\"\
             |\"(low|high|LOW)\"|\"\\\\\\\\u000[0-9]\"|[0-9]{1,20}|\\[\\]",
            "[0-9a-f]{8}-?[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        );
        let json = json.prop_map(|(order, sort_by, key, id)| {
            format!(r#"{{"order":{order},"sort_by":"{sort_by}","key":{key},"id":"{id}"}}"#)
        });
        prop_oneof![
            vec(any::<char>(), 0..80).prop_map(String::from_iter),
            vec(any::<u8>(), 0..80).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            json.prop_map(|json| URL_SAFE_NO_PAD.encode(json)),
        ]
    }

    proptest! {
        #[test]
        fn a_cursor_decodes_to_what_was_encoded(cursor in cursor()) {
            prop_assert_eq!(Cursor::decode(encode_cursor(&cursor).unwrap()).unwrap(), cursor);
        }

        #[test]
        fn postgresql_can_read_every_accepted_cursor(sent in sent()) {
            if let Ok(cursor) = Cursor::decode(sent) {
                let key = cursor.key();
                let is_a_time = |key: &str| {
                    let year: Option<u16> = key.get(..4).and_then(|year| year.parse().ok());
                    year.is_some_and(|year| year > 0) && key.get(4..5) == Some("-")
                };
                match (&cursor.key, key.as_deref()) {
                    (Key::DueDate(None), None) => {}
                    (Key::DueDate(_) | Key::CreatedAt(_), Some(key)) => {
                        prop_assert!(is_a_time(key), "{}", key);
                    }
                    (Key::Priority(_), Some(key)) => prop_assert!(["low", "medium", "high"].contains(&key)),
                    (Key::Title(_), Some(key)) => prop_assert!(!key.contains('\0')),
                    (_, None) => prop_assert!(false, "without a key"),
                }
                prop_assert_eq!(Cursor::decode(encode_cursor(&cursor).unwrap()).unwrap(), cursor);
            }
        }
    }
}
