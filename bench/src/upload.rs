//! The size of what is uploaded to Lambda.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::Error;

/// Returns the size of a function's zip, in MB.
pub fn function_mb(binary: PathBuf) -> Result<f64, Error> {
    size_mb(&[("bootstrap".to_owned(), binary)])
}

/// Adds the files of a folder and of those in it, except what is left out by its name in the zip. That begins with
/// `prefix`.
pub fn add_folder(
    files: &mut Vec<(String, PathBuf)>,
    folder: &Path,
    prefix: &str,
    is_left_out: &impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if is_left_out(&name) {
            continue;
        }
        match path.is_dir() {
            true => add_folder(files, &path, &format!("{name}/"), is_left_out)?,
            false => files.push((name, path)),
        }
    }
    Ok(())
}

/// Returns the size of a zip of these files, in MB. Each has its name in the zip.
pub fn size_mb(files: &[(String, PathBuf)]) -> Result<f64, Error> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, path) in files {
        zip.start_file(name, options.compression_level(Some(9)))?;
        io::copy(&mut File::open(path)?, &mut zip)?;
    }
    Ok(zip.finish()?.into_inner().len() as f64 / 1e6)
}
