//! The crate that every function of serverless-todo uses.
//!
//! A function is a `router()` in its own crate and a `main.rs` that hands it to [`run`]:
//!
//! ```text
//! API Gateway → lambda_http → with_middleware → the function's Router → extractors → handler → Db
//! ```

#![warn(missing_docs)]

pub mod config;
mod cors;
pub mod db;
pub mod error;
pub mod extract;
pub mod jwt;
pub mod limits;
pub mod middleware;
mod other_event;
pub mod password;
mod prefix;
mod run;
pub mod session;
mod ssm;
mod state;
pub mod telemetry;
pub mod timestamp;
pub mod user;
pub mod validation;

pub use config::Config;
pub use cors::Cors;
pub use db::Db;
pub use error::Error;
pub use middleware::with_middleware;
pub use prefix::Prefix;
pub use run::{answer_events, run, run_without_database};
pub use state::AppState;
