//! Extractors, whose errors have the API's shape (those of axum are plain text), and the JSON of answers.

mod caller;
mod client_ip;
mod json;
mod query;

pub use caller::Caller;
pub use client_ip::ClientIp;
pub use json::{BODY_LIMIT, Json, json_response};
pub use query::Query;
