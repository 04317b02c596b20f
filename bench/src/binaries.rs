//! The release binaries of the functions, the floor and `cargo dev`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::{Error, command::output};

pub struct Binaries {
    /// Has `tasks`, or `tasks/bootstrap`, and so on.
    folder: PathBuf,
}

impl Binaries {
    /// Builds the functions and the floor, unless a folder has them.
    pub fn ready(folder: Option<&Path>) -> Result<Self, Error> {
        if let Some(folder) = folder {
            return Ok(Self { folder: folder.to_owned() });
        }
        // Not the whole workspace: Cargo would unite the features of all its packages, which `sam build` does not.
        build(&["signup", "login", "password", "account", "health", "docs"], &[])?;
        // The floor is built as `tasks` is.
        let optimized = kit::repository().join("functions/tasks/.cargo/config.toml");
        build(&["tasks", "floor"], &["--config".as_ref(), optimized.as_ref()])?;
        Ok(Self { folder: kit::target_folder().join("release") })
    }

    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let plain = self.folder.join(name);
        let path = [plain.join("bootstrap"), plain].into_iter().find(|path| path.is_file());
        Ok(path.ok_or_else(|| format!("{} has no {name}: build it first", self.folder.display()))?)
    }
}

/// Builds `cargo dev` and returns its binary.
pub fn build_dev() -> Result<PathBuf, Error> {
    build(&["dev"], &[])?;
    Ok(kit::target_folder().join("release/dev"))
}

fn build(packages: &[&str], options: &[&OsStr]) -> Result<(), Error> {
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    output(kit::cargo().args(["build", "--release"]).args(packages).args(options))?;
    Ok(())
}
