//! The contract, through the routers, on a real PostgreSQL: each test on a database of its own.

#![cfg(test)]

mod account;
mod bringing_users_over;
mod conditions;
mod cors;
mod dates;
mod deleted;
mod emails;
mod errors;
mod front_end;
mod idempotency;
mod input;
mod isolation;
mod limits;
mod list;
mod login;
mod model;
mod openapi;
mod operations;
mod password;
mod refresh;
mod revisions;
mod search;
mod security;
mod sessions;
mod signup;
mod tasks;
mod tokens;
mod walk;
