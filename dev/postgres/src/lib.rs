//! Runs PostgreSQL for development and tests, and applies the migrations. Unix only.
//!
//! [`Server::start`] keeps its data in a folder, for `cargo dev`; [`Server::temporary`] deletes them, for tests.
//! Both use the installed PostgreSQL or download one, and stop it when this process ends, even if it is killed.
//! [`migrate`] works on any database.

#![warn(missing_docs)]

mod account;
mod bridge;
mod download;
mod error;
mod folder;
mod installation;
mod migrations;
mod progress;
mod server;

pub use bridge::Bridge;
pub use error::Error;
pub use folder::prepare;
pub use installation::install;
pub use migrations::{migrate, migrate_within};
pub use server::Server;
