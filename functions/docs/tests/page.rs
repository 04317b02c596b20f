//! The page and the files that it loads.

#![cfg(test)]

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use http_body_util::BodyExt;
use serde_json::Value;
use shared::{Cors, telemetry, with_middleware};
use tower::ServiceExt;

async fn get(path: &str) -> (u16, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = with_middleware(docs::router(), Cors::default(), telemetry::to_terminal)
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
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
        assert_eq!(files.len(), 4, "{files:?}");
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
async fn another_file_is_404() {
    for file in ["index.html", "swagger-ui.css.map", "docs.js/", "%2e%2e/openapi.yaml", "%ff"] {
        let (status, headers, body) = get(&format!("/docs/{file}")).await;
        assert_eq!(status, 404, "{file}");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(body.contains(r#""code":"not_found""#), "{body}");
    }
}
