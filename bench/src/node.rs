//! The Node function of bench/node.

use std::{path::PathBuf, process::Command};

use crate::{Error, command::output, upload};

fn folder() -> PathBuf {
    kit::repository().join("bench/node")
}

/// Returns the function with its loop over the Runtime API.
pub fn bootstrap() -> PathBuf {
    folder().join("bootstrap")
}

/// Installs the function's packages, unless they are installed.
pub fn install() -> Result<(), Error> {
    if folder().join("node_modules/pg").exists() {
        return Ok(());
    }
    eprintln!("installing the packages of bench/node");
    output(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder()))
        .map_err(|error| format!("{error}: install Node 20 or newer with npm"))?;
    Ok(())
}

pub fn version() -> Result<String, Error> {
    output(Command::new("node").arg("--version"))
}

/// Returns the size of the function's zip, in MB: its file and its packages. The loop is Lambda's own there.
pub fn zipped_mb() -> Result<f64, Error> {
    let mut files = ["index.js", "package.json"].map(|name| (name.to_owned(), folder().join(name))).to_vec();
    upload::add_folder(&mut files, &folder().join("node_modules"), "node_modules/", &|_| false)?;
    upload::size_mb(&files)
}
