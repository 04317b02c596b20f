//! Tests of the kit.

#![cfg(test)]

mod binary;
mod database;
mod function;
