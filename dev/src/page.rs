//! The example page, which `cargo dev` serves at the paths that are not the API's.

use std::{io::ErrorKind, path::Path};

use axum::{Router, body::Body, extract::Request, http::header, response::Response};
use shared::Error;
use tower_http::services::ServeDir;

/// Serves the files of `folder`.
pub fn routes(folder: impl AsRef<Path>) -> Router {
    let files = ServeDir::new(folder).call_fallback_on_method_not_allowed(true).fallback(Router::new());
    Router::new().fallback(async move |request| file(files.clone(), request).await)
}

async fn file(mut files: ServeDir<Router>, mut request: Request) -> Result<Response, Error> {
    // Without them a whole file is the answer, and 412 and 416 need not be.
    for condition in [header::RANGE, header::IF_UNMODIFIED_SINCE] {
        request.headers_mut().remove(condition);
    }
    match files.try_call(request).await {
        Ok(response) => Ok(response.map(Body::new)),
        Err(error) if error.kind() == ErrorKind::InvalidFilename => Err(Error::NotFound),
        Err(error) => {
            tracing::error!(%error, "a file of the page cannot be read");
            Err(Error::Internal)
        }
    }
}
