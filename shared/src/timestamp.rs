//! Timestamps as answers have them: RFC 3339 in UTC, with PostgreSQL's precision of a microsecond. The fraction always has
//! six digits, so that timestamps sort as texts do.

use jiff::Timestamp;
use serde::Serializer;

/// For `#[serde(serialize_with = "timestamp::serialize")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{timestamp:.6}"))
}

/// As [`serialize`], for one that may be null.
///
/// # Errors
/// Those of the serializer.
pub fn serialize_option<S: Serializer>(
    timestamp: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match timestamp {
        Some(timestamp) => serialize(timestamp, serializer),
        None => serializer.serialize_none(),
    }
}
