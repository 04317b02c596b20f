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
