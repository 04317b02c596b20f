//! Rebuilds the crate when a migration is added, because refinery's macro does not tell cargo.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
