//! A PostgreSQL of the project's own for the developer's machine, and the migrations.
//!
//! [`Server::start`] keeps its data in a folder, for `cargo dev`; [`Server::temporary`] forgets it, for tests.
//! Either takes the PostgreSQL that is installed, or downloads one, and takes it down again
//! however this process ends. [`migrate`] works on any database. Unix only.

#![warn(missing_docs)]

mod account;
mod bridge;
mod error;
mod folder;
mod installation;
mod migrations;
mod server;

pub use bridge::Bridge;
pub use error::Error;
pub use folder::prepare;
pub use migrations::{migrate, migrate_within};
pub use server::Server;
