//! Tests of the kit.

#![cfg(test)]

mod database;
mod function;
