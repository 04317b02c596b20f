//! The binary of a package of this repository, as Cargo builds it for a person.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds the binary of a package, which has the package's name, and returns its path.
///
/// A package's own tests know their binary from `CARGO_BIN_EXE_<name>`; this is for the tests of another package.
///
/// # Panics
/// The build fails.
pub fn binary(package: &str) -> PathBuf {
    let built = cargo().args(["build", "--quiet", "--package", package]).status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build --package {package} failed");
    target_folder().join("debug").join(package)
}

/// Returns a command of the Cargo that runs this process, in the repository.
///
/// The variables that Cargo sets for this process are removed: ring's build script runs again when they change, and then
/// almost everything is built again.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository());
    for (name, _) in env::vars_os() {
        if name == "CARGO_MANIFEST_DIR" || name.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Returns the folder into which Cargo builds.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Returns the folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
