//! A new migration file must rebuild this crate: the macro that embeds them does not tell cargo.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
