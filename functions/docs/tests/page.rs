//! The page and the files that it loads.

#![cfg(test)]

use std::io::Read;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request},
};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use serde_json::Value;
use shared::{Config, Cors, telemetry, with_middleware};
use tower::ServiceExt;

const ORIGIN: &str = "https://todo.example.com";

async fn send(method: Method, path: &str, accept_encoding: Option<&str>) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(accept_encoding) = accept_encoding {
        request = request.header("accept-encoding", accept_encoding);
    }
    let cors = Cors::new(&Config::from_iter([("CORS_ALLOW_ORIGINS", ORIGIN)])).unwrap();
    let app = with_middleware(docs::router(), cors, telemetry::to_terminal);
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes().into())
}

async fn get(path: &str) -> (u16, HeaderMap, String) {
    let (status, headers, body) = send(Method::GET, path, None).await;
    (status, headers, String::from_utf8(body).unwrap())
}

/// Returns the URLs in the page's attributes, except `data:`.
fn loaded(page: &str) -> Vec<&str> {
    let values = ["href=\"", "src=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    values.map(|rest| rest.split('"').next().unwrap()).filter(|address| *address != "data:,").collect()
}

#[tokio::test]
async fn the_pages_files_are_served_below_its_prefix_and_may_be_cached() {
    for prefix in ["", "/api"] {
        let (status, headers, page) = get(&format!("{prefix}/docs")).await;
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-store");
        let files = loaded(&page);
        assert_eq!(files.len(), 5, "{files:?}");
        for file in files {
            assert!(!file.contains("//") && !file.starts_with('/'), "{file} is elsewhere");
            let (status, headers, text) = get(&format!("{prefix}/{file}")).await;
            assert_eq!(status, 200, "{file}");
            let (content_type, cache_control) = match file.rsplit_once('.').unwrap().1 {
                "js" => ("text/javascript; charset=utf-8", "public, max-age=86400"),
                "css" => ("text/css; charset=utf-8", "public, max-age=86400"),
                _ => ("application/json; charset=utf-8", "no-store"),
            };
            assert_eq!(headers["content-type"], content_type, "{file}");
            assert_eq!(headers["cache-control"], cache_control, "{file}");
            assert!(!text.is_empty(), "{file}");
            // Lambda's answer is JSON of at most 6 MB (AWS Lambda quotas, "invocation payload").
            assert!(Value::from(text).to_string().len() < 5_500_000, "{file}");
        }
    }
}

#[tokio::test]
async fn each_coding_of_a_file_is_the_same_text_and_says_what_it_is() {
    let (_, _, page) = get("/docs").await;
    for file in loaded(&page) {
        let path = format!("/{file}");
        let (_, _, text) = get(&path).await;
        for (accept_encoding, coding) in [
            (None, None),
            (Some("gzip;q=0"), None),
            (Some("gzip, deflate"), Some("gzip")),
            (Some("gzip, deflate, br, zstd"), Some("br")),
            (Some("gzip, br;q=0.9"), Some("gzip")),
        ] {
            let (status, headers, body) = send(Method::GET, &path, accept_encoding).await;
            assert_eq!(status, 200, "{file}");
            let said = headers.get("content-encoding").map(|coding| coding.to_str().unwrap());
            assert_eq!(said, coding, "{file}: {accept_encoding:?}");
            let vary: Vec<_> = headers.get_all("vary").iter().collect();
            assert_eq!(vary, ["Accept-Encoding, Origin"], "{file}: {accept_encoding:?}");
            assert_eq!(headers["content-length"], body.len().to_string(), "{file}: {accept_encoding:?}");
            let mut decoded = Vec::new();
            match coding {
                None => decoded = body,
                Some("gzip") => _ = GzDecoder::new(&*body).read_to_end(&mut decoded).unwrap(),
                Some(_) => brotli::BrotliDecompress(&mut &*body, &mut decoded).unwrap(),
            }
            assert!(decoded == text.as_bytes(), "{file}: {accept_encoding:?}");

            let (status, mut of_head, body) = send(Method::HEAD, &path, accept_encoding).await;
            assert_eq!((status, body.len()), (200, 0), "{file}");
            let mut of_get = headers;
            for headers in [&mut of_get, &mut of_head] {
                headers.remove("x-request-id").unwrap();
            }
            assert_eq!(of_head, of_get, "{file}: {accept_encoding:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_loads_less_than_400_kb_for_the_page_and_with_gzip_less_than_500() {
    let (_, _, page) = get("/docs").await;
    for (accept_encoding, most) in [("gzip, deflate, br, zstd", 400_000), ("gzip", 500_000)] {
        let mut size = 0;
        for file in loaded(&page) {
            size += send(Method::GET, &format!("/{file}"), Some(accept_encoding)).await.2.len();
        }
        assert!(size < most, "{size} bytes with {accept_encoding}");
    }
}

#[tokio::test]
async fn another_file_is_404() {
    for file in ["index.html", "swagger-ui.css.map", "docs.js/", "docs.js.gz", "%2e%2e/openapi.yaml", "%ff"] {
        let (status, headers, body) = get(&format!("/docs/{file}")).await;
        assert_eq!(status, 404, "{file}");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(body.contains(r#""code":"not_found""#), "{body}");
    }
}
