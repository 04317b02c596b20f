//! Builds the binaries of this repository.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// Builds the binary with the package's name and returns its path.
///
/// This is for tests of other packages. A package's own tests use `CARGO_BIN_EXE_<name>`. Names an example too, because
/// examples have the dependencies of tests: Cargo then takes the features of `cargo test`, and compiles nothing anew.
///
/// # Panics
/// Panics if the build fails.
pub fn binary(package: &str) -> PathBuf {
    let told = format!("Building `{package}`, which these tests run\n");
    let (building, ended) = mpsc::channel::<()>();
    thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout) {
            // Tests capture what `eprintln!` writes.
            let _ = io::stderr().write_all(told.as_bytes());
        }
    });
    let built = cargo().args(["build", "--quiet", "--bin", package, "--example", "function"]).status();
    drop(building);
    assert!(built.is_ok_and(|status| status.success()), "cargo build --bin {package} failed");
    target_folder().join("debug").join(package)
}

/// Returns a command for the Cargo that runs this process, in the repository.
///
/// Removes the variables that Cargo sets for this process, because a change of them makes ring's build script, and so
/// almost everything, build again.
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

/// Returns Cargo's target folder.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Returns the folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
