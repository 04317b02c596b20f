//! The size of what is uploaded to Lambda.

use std::{fs::File, io, path::PathBuf};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::Error;

/// Returns the size of a function's zip, in MB.
pub fn function_mb(binary: PathBuf) -> Result<f64, Error> {
    size_mb(&[("bootstrap".to_owned(), binary)])
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
