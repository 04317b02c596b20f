//! `GET /docs`: a page on which the API can be read and tried. `GET /openapi.json`: the same for programs.
//!
//! The page is [Swagger UI](https://swagger.io/tools/swagger-ui/), as in FastAPI. The binary holds everything that it loads,
//! so it needs no CDN, and the function no database and no secret.

use axum::{
    Router,
    http::{HeaderName, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use shared::{Error, extract::json_response};

/// openapi.yaml as JSON.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The files that the page loads: name, content type and content.
const FILES: [(&str, &str, &str); 3] = [
    ("docs.js", JAVASCRIPT, include_str!("../assets/docs.js")),
    ("swagger-ui-bundle.js", JAVASCRIPT, include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js"))),
    ("swagger-ui.css", "text/css; charset=utf-8", include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Allows only our own scripts and connections, and no frame around the page. Swagger UI has styles in its elements and icons
/// in its style sheet.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of this function.
pub fn router() -> Router {
    Router::new()
        .route("/openapi.json", get(async || json_response(OPENAPI)))
        .route("/docs", get(page))
        .route("/docs/{file}", get(file))
}

async fn page() -> ([(HeaderName, &'static str); 2], &'static str) {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (headers, include_str!("../assets/docs.html"))
}

async fn file(uri: Uri) -> Result<Response, Error> {
    let requested = uri.path().strip_prefix("/docs/");
    let (_, content_type, text) =
        FILES.into_iter().find(|(name, ..)| Some(*name) == requested).ok_or(Error::NotFound)?;
    // The files are more than a megabyte together, and hardly ever change.
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=86400")];
    Ok((headers, text).into_response())
}
