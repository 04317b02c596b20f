//! Pages of other origins, as browsers let them call the API (Fetch standard, "CORS protocol").

use axum::http::Method;
use serde_json::json;

use kit::{Answer, Api};

const PAGE: &str = "https://todo.example.com";
const ORIGINS: (&str, &str) = ("CORS_ALLOW_ORIGINS", "http://localhost:3000, https://todo.example.com");

fn preflight(api: &Api, path: &str, origin: &str) -> impl Future<Output = Answer> {
    api.call(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header(
            "access-control-request-headers",
            "authorization,content-type,sentry-trace,baggage,traceparent",
        )
        .send()
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_204_and_allows_any_method_and_header() {
    let api = Api::with(dev::api, &[ORIGINS]).await;
    let id = "/tasks/019bc000-0000-7000-8000-000000000002";
    for path in [
        "/auth/signup",
        "/auth/login",
        "/auth/me",
        "/tasks",
        id,
        &format!("{id}/complete"),
        "/health",
        "/docs",
    ] {
        for (prefix, origin) in [("", PAGE), ("/api", "http://localhost:3000")] {
            let answer = preflight(&api, &format!("{prefix}{path}"), origin).await;
            assert_eq!(answer.status, 204, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, PUT, PATCH, DELETE");
            assert_eq!(answer.header("access-control-allow-headers"), "authorization, *");
            assert_eq!(answer.header("access-control-max-age"), "7200");
            assert_eq!(answer.header("vary"), "Origin");
        }
    }
}

#[tokio::test]
async fn a_preflight_of_another_origin_is_204_and_allows_nothing() {
    let api = Api::with(dev::api, &[ORIGINS]).await;
    for origin in [
        "https://evil.example.net",
        "https://todo.example.com.evil.example.net",
        "https://todo.example.com:8443",
        "http://todo.example.com",
        "https://Todo.example.com",
        "http://localhost:3001",
        "https://todo.example.com,http://localhost:3000",
        "*",
        "null",
        "",
    ] {
        let answer = preflight(&api, "/tasks", origin).await;
        assert_eq!((answer.status, answer.header("vary")), (204, "Origin"), "{origin}");
        assert!(!allows_a_page(&answer), "{origin}: {answer:?}");
    }
}

#[tokio::test]
async fn every_answer_to_an_allowed_page_can_be_read_errors_too() {
    let api = Api::with(dev::api, &[ORIGINS]).await;
    let ada = api.user("ada").await;
    let call = |method: Method, path: &str| api.call(method, path).header("origin", PAGE);
    let answers = [
        (200, call(Method::GET, "/tasks").by(&ada).send().await),
        (201, call(Method::POST, "/tasks").by(&ada).json(&json!({ "title": "x" })).await),
        (400, call(Method::POST, "/tasks").by(&ada).body("{").await),
        (401, call(Method::GET, "/tasks").send().await),
        (404, call(Method::GET, "/nowhere").send().await),
        (405, call(Method::DELETE, "/tasks").send().await),
        (
            409,
            call(Method::POST, "/auth/signup")
                .json(&json!({ "email": ada.email, "password": "x".repeat(12) }))
                .await,
        ),
        (413, call(Method::POST, "/tasks").by(&ada).body(vec![b'x'; 70_000]).await),
        (422, call(Method::POST, "/tasks").by(&ada).json(&json!({})).await),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{answer:?}");
        assert_eq!(answer.header("vary"), "Origin");
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Request-Id"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    for origin in ["https://evil.example.net", "null"] {
        let answer = api.get("/tasks").by(&ada).header("origin", origin).send().await;
        assert_eq!((answer.status, answer.header("vary")), (200, "Origin"));
        assert!(!allows_a_page(&answer), "{answer:?}");
    }
    // A request without an origin gets no header but the one for caches.
    let answer = api.get("/health").send().await;
    assert_eq!(answer.header("vary"), "Origin");
    assert!(!allows_a_page(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_to_a_page_as_to_anybody() {
    let api = Api::on(
        dev::api,
        "postgresql://todo:a%20secret%20of%20the%20tests@127.0.0.1:1/todo".to_owned(),
        &[ORIGINS],
    );
    let answer = api.get("/health").header("origin", PAGE).send().await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (503, PAGE));
}

#[tokio::test]
async fn options_that_ask_for_no_other_request_are_204_with_allow() {
    let api = Api::with(dev::api, &[ORIGINS]).await;
    let options = || api.call(Method::OPTIONS, "/auth/login");
    let only_the_method = options().header("access-control-request-method", "PUT");
    for (answer, is_readable) in [
        (options().send().await, false),
        (options().header("origin", PAGE).send().await, true),
        (only_the_method.send().await, false),
    ] {
        assert_eq!((answer.status, answer.header("allow")), (204, "POST"));
        assert_eq!(allows_a_page(&answer), is_readable, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-methods"), "");
    }
    assert_eq!(api.call(Method::OPTIONS, "/nowhere").send().await.status, 404);
}

#[tokio::test]
async fn any_origin_is_allowed_by_a_star_and_none_without_the_variable() {
    let api = Api::with(dev::api, &[("CORS_ALLOW_ORIGINS", "*")]).await;
    for origin in [PAGE, "null"] {
        assert_eq!(preflight(&api, "/tasks", origin).await.header("access-control-allow-origin"), "*");
    }
    for none in [&[][..], &[("CORS_ALLOW_ORIGINS", "")]] {
        let api = Api::with(dev::api, none).await;
        let answer = preflight(&api, "/tasks", "http://localhost:3000").await;
        assert_eq!((answer.status, answer.header("allow")), (204, "GET,HEAD,POST"));
        assert!(!allows_a_page(&answer) && answer.header("vary").is_empty(), "{answer:?}");
    }
}

fn allows_a_page(answer: &Answer) -> bool {
    answer.headers.contains_key("access-control-allow-origin")
}
