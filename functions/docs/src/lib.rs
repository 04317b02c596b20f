//! `GET /docs`: a page on which the API can be read and tried. `GET /openapi.json`: the same for programs.
//!
//! The page is [Swagger UI](https://swagger.io/tools/swagger-ui/), as in FastAPI. The binary holds everything that it loads,
//! so it needs no CDN, and the function no database and no secret.

mod coding;

use axum::{
    Router,
    http::{HeaderName, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use shared::Error;

use coding::{Coding, Compressed};

/// openapi.yaml as JSON, for tests: the binary holds it compressed.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Names a text that the build script compressed.
macro_rules! compressed {
    ($name:literal) => {
        Compressed {
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
            brotli: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".br")),
        }
    };
}

/// The files that the page loads: name, content type and content.
const FILES: [(&str, &str, Compressed); 4] = [
    ("docs.css", CSS, compressed!("docs.css")),
    ("docs.js", JAVASCRIPT, compressed!("docs.js")),
    ("swagger-ui-bundle.js", JAVASCRIPT, compressed!("swagger-ui-bundle.js")),
    ("swagger-ui.css", CSS, compressed!("swagger-ui.css")),
];

const CSS: &str = "text/css; charset=utf-8";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const JSON: &str = "application/json; charset=utf-8";

/// Allows only our own scripts and connections, and no frame around the page. Swagger UI has styles in its elements and icons
/// in its style sheet.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of this function.
pub fn router() -> Router {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/docs", get(page))
        .route("/docs/{file}", get(file))
}

async fn openapi(coding: Coding) -> Result<Response, Error> {
    Ok(([(header::CONTENT_TYPE, JSON)], compressed!("openapi.json").answer(coding)?).into_response())
}

async fn page() -> ([(HeaderName, &'static str); 2], &'static str) {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (headers, include_str!("../assets/docs.html"))
}

async fn file(coding: Coding, uri: Uri) -> Result<Response, Error> {
    let requested = uri.path().strip_prefix("/docs/");
    let (_, content_type, text) =
        FILES.iter().find(|(name, ..)| Some(*name) == requested).ok_or(Error::NotFound)?;
    // The files are 360 kB together, and hardly ever change.
    let headers = [(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, "public, max-age=86400")];
    Ok((headers, text.answer(coding)?).into_response())
}
