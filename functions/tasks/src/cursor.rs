//! Where a page of the list ends: the last task's place in the order, so that the next page begins after it
//! whatever was added or deleted meanwhile.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::error::Rule;
use uuid::Uuid;

use crate::{
    fields::{Priority, YEARS},
    list::{Order, SortBy},
    task::Task,
};

/// Opaque to clients: base64url of JSON. It opens nothing that its holder could not read anyway, so it is not
/// signed; what it holds is checked like any other input.
#[derive(Serialize, Deserialize)]
pub struct Cursor {
    order: Order,
    #[serde(flatten)]
    key: Key,
    pub id: Uuid,
}

/// What the list is sorted by, and the last task's value.
#[derive(Serialize, Deserialize)]
#[serde(tag = "sort_by", content = "key", rename_all = "snake_case")]
enum Key {
    DueDate(Option<DateTime>),
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

    pub fn decode(sent: String) -> Result<Self, Rule> {
        URL_SAFE_NO_PAD
            .decode(sent)
            .ok()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok())
            .filter(|cursor| cursor.key.is_sound())
            .ok_or_else(|| Rule::new("value_error", "Cursor should be one that a Link header gave"))
    }

    pub fn encode(&self) -> Result<String, serde_json::Error> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }

    /// Whether it is a place in this order.
    pub fn is_of(&self, sort_by: SortBy, order: Order) -> bool {
        let of = match self.key {
            Key::DueDate(_) => SortBy::DueDate,
            Key::Priority(_) => SortBy::Priority,
            Key::Title(_) => SortBy::Title,
            Key::CreatedAt(_) => SortBy::CreatedAt,
        };
        (of, self.order) == (sort_by, order)
    }

    /// The value as PostgreSQL reads it.
    pub fn key(&self) -> Option<String> {
        match &self.key {
            Key::DueDate(due_date) => due_date.map(|due_date| due_date.to_string()),
            Key::Priority(text) | Key::Title(text) => Some(text.clone()),
            Key::CreatedAt(created_at) => Some(created_at.to_string()),
        }
    }
}

impl Key {
    /// Whether it is a value that a task can have, so that PostgreSQL can read it.
    fn is_sound(&self) -> bool {
        match self {
            Self::DueDate(due_date) => due_date.is_none_or(|due_date| YEARS.contains(&due_date.year())),
            Self::Priority(priority) => Priority::new(priority).is_ok(),
            Self::Title(title) => !title.contains('\0'),
            Self::CreatedAt(created_at) => YEARS.contains(&TimeZone::UTC.to_datetime(*created_at).year()),
        }
    }
}
