//! Makes JSON of openapi.yaml, takes Swagger UI out of the archive that the vendored crate carries, and compresses
//! everything that the page loads.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{Cursor, Read, Write},
    path::Path,
};

use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const OPENAPI: &str = "../../openapi.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={OPENAPI}");
    println!("cargo:rerun-if-changed=assets");
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let out = Path::new(&out);

    let openapi: serde_json::Value = yaml_serde::from_str(&fs::read_to_string(OPENAPI)?)?;
    let openapi = openapi.to_string();
    fs::write(out.join("openapi.json"), &openapi)?;
    compress(openapi.as_bytes(), "openapi.json", out)?;

    for file in ["docs.css", "docs.js"] {
        compress(&fs::read(Path::new("assets").join(file))?, file, out)?;
    }

    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        // Its folder is named after its version.
        let name = archive.file_names().flatten().find(|name| name.ends_with(&format!("/dist/{file}")));
        let name = name.ok_or_else(|| format!("Swagger UI has no {file}"))?.into_owned();
        let mut text = Vec::new();
        archive.by_name(&name)?.read_to_end(&mut text)?;
        compress(&text, file, out)?;
    }
    Ok(())
}

/// Writes the text in each coding, as small as it gets.
fn compress(mut text: &[u8], name: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let file = File::create(out.join(format!("{name}.gz")))?;
    let mut gzip = GzEncoder::new(file, Compression::best());
    gzip.write_all(text)?;
    gzip.finish()?;

    let mut file = File::create(out.join(format!("{name}.br")))?;
    let best = BrotliEncoderParams { quality: 11, lgwin: 24, size_hint: text.len(), ..Default::default() };
    brotli::BrotliCompress(&mut text, &mut file, &best)?;
    Ok(())
}
