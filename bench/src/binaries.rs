//! What is measured: built, installed and packed.

use std::{
    env, fs,
    io::{self, Cursor, Seek, Write},
    path::{Path, PathBuf},
    process::Command,
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Error, root};

/// Installed for uvicorn or by venv itself: no part of a Lambda function.
const NOT_DEPLOYED: [&str; 17] = [
    "__pycache__",
    "_distutils_hack",
    "_yaml",
    "click",
    "distutils-precedence.pth",
    "dotenv",
    "h11",
    "httptools",
    "pip",
    "pkg_resources",
    "python_dotenv",
    "pyyaml",
    "setuptools",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "websockets",
];

pub struct Binaries {
    /// With `tasks`, or `tasks/bootstrap`.
    folder: PathBuf,
}

impl Binaries {
    /// Builds the functions and the floor, unless there is a folder that has them, and installs what FastAPI needs.
    ///
    /// # Errors
    /// A build or the installation fails.
    pub fn ready(folder: Option<PathBuf>) -> Result<Self, Error> {
        install_peer()?;
        if let Some(folder) = folder {
            return Ok(Self::of(folder));
        }
        // By themselves, as `sam build` does: together with others they would get these others' features too.
        build(&["signup", "login", "tasks", "account", "health", "docs", "floor"])?;
        Ok(Self::of(target_folder().join("release")))
    }

    /// Those of a folder.
    pub fn of(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// # Errors
    /// There is none of that name.
    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let plain = self.folder.join(name);
        let path = if plain.is_dir() { plain.join("bootstrap") } else { plain };
        match path.is_file() {
            true => Ok(path),
            false => Err(format!("there is no {}: build it first", path.display()).into()),
        }
    }
}

/// Builds what `cargo dev` runs, as fast as it can be.
///
/// # Errors
/// The build fails.
pub fn build_local() -> Result<PathBuf, Error> {
    build(&["dev"])?;
    Ok(target_folder().join("release/dev"))
}

/// Where cargo puts what it builds.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn build(packages: &[&str]) -> Result<(), Error> {
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    succeeds(cargo().args(["build", "--release"]).args(packages))
}

/// The one that runs this, in the repository, without the variables that it sets for what it runs: ring's build begins anew
/// when they change, and with it almost everything.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    for (name, _) in env::vars_os() {
        if name == "CARGO_MANIFEST_DIR" || name.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// FastAPI as a Lambda function.
pub fn peer() -> PathBuf {
    root().join("bench/fastapi/bootstrap")
}

/// The Python that FastAPI runs on.
pub fn python() -> PathBuf {
    root().join("bench/fastapi/venv/bin/python")
}

/// Once.
///
/// # Errors
/// There is no Python with venv, or no package index.
pub fn install_peer() -> Result<(), Error> {
    let folder = root().join("bench/fastapi");
    if !folder.join("venv/bin/uvicorn").exists() {
        eprintln!("FastAPI is installed into {}", folder.join("venv").display());
        succeeds(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&folder))
            .map_err(|error| format!("{error} (Debian's package for it is python3-venv)"))?;
        let install = ["-m", "pip", "install", "--quiet", "--requirement", "requirements.lock.txt"];
        succeeds(Command::new(python()).args(install).current_dir(&folder))?;
    }
    Ok(())
}

pub fn succeeds(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed ({status})").into()),
    }
}

/// What a command writes to its standard output.
pub fn output(command: &mut Command) -> Result<String, Error> {
    let output = command.output().map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        false => Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// In MB.
pub fn size_mb(file: &Path) -> Result<f64, Error> {
    Ok(fs::metadata(file)?.len() as f64 / 1e6)
}

/// In MB, what is uploaded of a function: a zip of its one file.
pub fn zipped_mb(binary: &Path) -> Result<f64, Error> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut zip, binary, "bootstrap")?;
    mb(zip)
}

/// In MB, what would be uploaded of FastAPI: a zip of its files and of what they import.
pub fn zipped_peer_mb() -> Result<f64, Error> {
    let folder = root().join("bench/fastapi");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for file in ["main.py", "lambda_main.py"] {
        add(&mut zip, &folder.join(file), file)?;
    }
    for python in fs::read_dir(folder.join("venv/lib"))? {
        add_folder(&mut zip, &python?.path().join("site-packages"), "")?;
    }
    mb(zip)
}

fn add_folder(zip: &mut ZipWriter<impl Write + Seek>, folder: &Path, prefix: &str) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let (path, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name().to_string_lossy().into_owned())
        };
        let package = name.split('-').next().unwrap_or_default();
        if NOT_DEPLOYED.contains(&package) && (prefix.is_empty() || name == "__pycache__") {
            continue;
        }
        match path.is_dir() {
            true => add_folder(zip, &path, &format!("{prefix}{name}/"))?,
            false => add(zip, &path, &format!("{prefix}{name}"))?,
        }
    }
    Ok(())
}

fn add(zip: &mut ZipWriter<impl Write + Seek>, file: &Path, name: &str) -> Result<(), Error> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file(name, options.compression_level(Some(9)))?;
    io::copy(&mut fs::File::open(file)?, zip)?;
    Ok(())
}

fn mb(zip: ZipWriter<Cursor<Vec<u8>>>) -> Result<f64, Error> {
    Ok(zip.finish()?.into_inner().len() as f64 / 1e6)
}
