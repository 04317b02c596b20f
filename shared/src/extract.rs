//! Extractors, whose errors have the API's shape (those of axum are plain text), and the JSON of answers.

mod body;
mod caller;
mod client_ip;
mod form;
mod json;
mod query;

pub use body::BODY_LIMIT;
pub use caller::Caller;
pub use client_ip::ClientIp;
pub use form::{Form, is_form};
pub use json::{Json, json_response};
pub use query::Query;
