//! The FastAPI backend of bench/fastapi.

use std::{fs, path::PathBuf, process::Command};

use crate::{Error, command::output, upload};

/// Packages of uvicorn and of venv itself, which are not deployed to Lambda.
const NOT_DEPLOYED: &str = include_str!("../fastapi/not-deployed.txt");

pub fn folder() -> PathBuf {
    kit::repository().join("bench/fastapi")
}

/// Returns FastAPI as a Lambda function.
pub fn bootstrap() -> PathBuf {
    folder().join("bootstrap")
}

/// Returns the Python that FastAPI runs on.
pub fn python() -> PathBuf {
    folder().join("venv/bin/python")
}

/// Installs FastAPI, unless it is installed.
pub fn install() -> Result<(), Error> {
    if folder().join("venv/bin/uvicorn").exists() {
        return Ok(());
    }
    eprintln!("installing FastAPI into bench/fastapi/venv");
    output(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder()))
        .map_err(|error| format!("{error}: install python3 with venv (Debian's package is python3-venv)"))?;
    let install = ["-m", "pip", "install", "--quiet", "--requirement", "requirements.lock.txt"];
    output(Command::new(python()).args(install).current_dir(folder()))?;
    Ok(())
}

/// Returns the size of FastAPI's zip, in MB: its files and the packages that they import.
pub fn zipped_mb() -> Result<f64, Error> {
    let mut files = ["main.py", "lambda_main.py"].map(|name| (name.to_owned(), folder().join(name))).to_vec();
    let is_left_out = |path: &str| {
        let package = path.split('-').next().unwrap_or_default();
        path.ends_with("__pycache__") || NOT_DEPLOYED.lines().any(|line| line == package)
    };
    for python in fs::read_dir(folder().join("venv/lib"))? {
        upload::add_folder(&mut files, &python?.path().join("site-packages"), "", &is_left_out)?;
    }
    upload::size_mb(&files)
}
