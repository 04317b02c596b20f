//! The tests of the kit itself.

#![cfg(test)]

mod database;
mod function;
