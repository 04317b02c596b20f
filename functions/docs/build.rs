//! Makes JSON of openapi.yaml, and takes Swagger UI out of the archive that the vendored crate carries.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{self, Cursor},
    path::Path,
};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const OPENAPI: &str = "../../openapi.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={OPENAPI}");
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let out = Path::new(&out);

    let openapi: serde_json::Value = yaml_serde::from_str(&fs::read_to_string(OPENAPI)?)?;
    fs::write(out.join("openapi.json"), openapi.to_string())?;

    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        // Its folder is named after its version.
        let name = archive.file_names().flatten().find(|name| name.ends_with(&format!("/dist/{file}")));
        let name = name.ok_or_else(|| format!("Swagger UI has no {file}"))?.into_owned();
        io::copy(&mut archive.by_name(&name)?, &mut File::create(out.join(file))?)?;
    }
    Ok(())
}
