//! Extractors, whose errors have the API's shape (those of axum are plain text), and the JSON of answers.

mod body;
mod caller;
mod client_ip;
mod form;
mod json;
mod path_id;
mod query;
mod user_agent;

pub use body::BODY_LIMIT;
pub use caller::{Caller, FormerCaller};
pub use client_ip::ClientIp;
pub use form::{Form, is_form};
pub use json::{Json, json_response};
pub use path_id::PathId;
pub use query::Query;
pub use user_agent::UserAgent;
