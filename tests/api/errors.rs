//! What is the same for all routes: paths, methods, bodies, and a database that is not there.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use kit::{Api, PASSWORD, User};

#[tokio::test]
async fn an_unknown_path_is_404() {
    let api = Api::new(dev::api).await;
    for path in ["/", "/api", "/taskss", "/tasks/", "/api/api/tasks", "/auth", "/docs/", "/openapi.yaml"] {
        let answer = api.get(path).send().await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_method_is_405_and_allow_names_the_others() {
    let api = Api::new(dev::api).await;
    let id = "/tasks/019bc000-0000-7000-8000-000000000002";
    for (path, allow) in [
        ("/auth/signup", "POST"),
        ("/auth/login", "POST"),
        ("/auth/me", "GET,HEAD,PATCH"),
        ("/auth/sessions", "DELETE,GET,HEAD"),
        ("/auth/sessions/019bc000-0000-7000-8000-000000000004", "DELETE"),
        ("/auth/refresh", "POST"),
        ("/auth/password", "POST"),
        ("/auth/me/delete", "POST"),
        ("/auth/logout", "POST"),
        ("/tasks", "GET,HEAD,POST"),
        (id, "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("{id}/complete"), "PATCH"),
        (&format!("{id}/restore"), "POST"),
        ("/tasks/deleted", "DELETE,GET,HEAD"),
        ("/health", "GET,HEAD"),
        ("/docs", "GET,HEAD"),
        ("/docs/docs.js", "GET,HEAD"),
        ("/openapi.json", "GET,HEAD"),
    ] {
        for prefix in ["", "/api"] {
            // Only asked for, it is no error.
            for (method, expected) in
                [(Method::OPTIONS, (204, "")), (Method::TRACE, (405, "method_not_allowed"))]
            {
                let answer = api.call(method, &format!("{prefix}{path}")).send().await;
                assert_eq!((answer.status, answer.code()), expected, "{path}");
                let mut allowed: Vec<_> = answer.header("allow").split(',').collect();
                allowed.sort();
                assert_eq!(allowed.join(","), allow, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    for path in ["/tasks", "/tasks/deleted", "/auth/me", "/auth/sessions", "/health"] {
        let answer = api.call(Method::HEAD, path).by(&user).send().await;
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(api.call(Method::HEAD, "/tasks").send().await.status, 401);
    assert_eq!(api.call(Method::HEAD, "/auth/login").send().await.status, 405);
}

/// The routes that read a body.
async fn routes(api: &Api) -> (User, [(Method, String); 8]) {
    let user = api.user("ada").await;
    let id = api.task(&user, &json!({ "title": "x" })).await["id"].as_str().unwrap().to_owned();
    let routes = [
        (Method::POST, "/auth/signup".to_owned()),
        (Method::POST, "/auth/login".to_owned()),
        (Method::POST, "/auth/refresh".to_owned()),
        (Method::PATCH, "/auth/me".to_owned()),
        (Method::POST, "/tasks".to_owned()),
        (Method::PUT, format!("/tasks/{id}")),
        (Method::PATCH, format!("/tasks/{id}")),
        (Method::PATCH, format!("/tasks/{id}/complete")),
    ];
    (user, routes)
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (method, path) in &routes {
        for (body, code) in [
            (&b"{"[..], "malformed_json"),
            (b"title=x", "malformed_json"),
            (b"{\"title\": \"x\"} x", "malformed_json"),
            (b"{'title': 'x'}", "malformed_json"),
            (b"{\"title\": \"\\ud800\"}", "malformed_json"),
            (b"{\"title\": \"a\0\"}", "malformed_json"),
            (b"\xef\xbb\xbf{", "malformed_json"),
            (b"{}\xef\xbb\xbf", "malformed_json"),
            (b"{\"title\": 1e400}", "malformed_json"),
            (b"{\"title\": NaN}", "malformed_json"),
            (deep.as_bytes(), "malformed_json"),
            (b"{\"title\": \"x\", \"title\": \"y\"}", "duplicate_key"),
            (b"{\"x\": {\"y\": 1, \"y\": 2}}", "duplicate_key"),
        ] {
            let answer = api.call(method.clone(), path).by(&user).body(body.to_vec()).await;
            assert_eq!(
                (answer.status, answer.code()),
                (400, code),
                "{path} {}",
                String::from_utf8_lossy(body)
            );
        }
    }
    assert_eq!(api.count("tasks").await, 1);
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_skipped() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        let call = || api.call(method.clone(), path).by(&user);
        let with = call().body(b"\xef\xbb\xbf[]".to_vec()).await;
        assert_eq!(with.text_without_id(), call().body("[]").await.text_without_id(), "{path}");
        // A place is counted as without it.
        let with = call().body(b"\xef\xbb\xbf{\n}}".to_vec()).await;
        assert_eq!(with.text_without_id(), call().body("{\n}}").await.text_without_id(), "{path}");
        // Nothing but the mark is an empty body.
        let with = call().body(b"\xef\xbb\xbf".to_vec()).await;
        assert_eq!(with.status, call().send().await.status, "{path}");
    }
    let task = api.post("/tasks").by(&user).body("\u{feff}{\"title\": \"\u{feff}Caf\u{e9}\"}").await;
    assert_eq!((task.status, task.body["title"].as_str()), (201, Some("\u{feff}Caf\u{e9}")));
}

#[tokio::test]
async fn a_body_in_another_encoding_is_400_and_told_as_that() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    let json = "{\"title\": \"Caf\u{e9}\"}";
    let utf_16 = |to_bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{json}").encode_utf16().flat_map(to_bytes).collect()
    };
    let utf_32 = |to_bytes: fn(u32) -> [u8; 4], mark: &str| -> Vec<u8> {
        format!("{mark}{json}").chars().map(u32::from).flat_map(to_bytes).collect()
    };
    for (encoding, body) in [
        ("Latin-1", json.chars().map(|c| u32::from(c) as u8).collect()),
        ("UTF-16LE", utf_16(u16::to_le_bytes, "")),
        ("UTF-16BE", utf_16(u16::to_be_bytes, "")),
        ("UTF-16LE with a mark", utf_16(u16::to_le_bytes, "\u{feff}")),
        ("UTF-16BE with a mark", utf_16(u16::to_be_bytes, "\u{feff}")),
        ("UTF-32LE", utf_32(u32::to_le_bytes, "")),
        ("UTF-32BE", utf_32(u32::to_be_bytes, "")),
        ("UTF-32LE with a mark", utf_32(u32::to_le_bytes, "\u{feff}")),
        ("UTF-16LE in ASCII", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE in ASCII", "{}".encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("a surrogate", b"{\"title\": \"\xed\xa0\x80\"}".to_vec()),
        ("a part of a character", b"{\"title\": \"\xc3\"}".to_vec()),
        ("an overlong character", b"{\"title\": \"\xc0\xaf\"}".to_vec()),
    ] {
        for (method, path) in &routes {
            for kind in ["application/json", "application/json; charset=iso-8859-1"] {
                let call = api.call(method.clone(), path).by(&user).header("content-type", kind);
                let answer = call.raw(body.clone()).await;
                assert_eq!((answer.status, answer.code()), (400, "not_utf8"), "{path} {encoding}");
                assert_eq!(answer.body["detail"], "The request body is not in UTF-8");
            }
        }
    }
    assert_eq!(api.count("tasks").await, 1);
}

#[tokio::test]
async fn a_compressed_body_is_415_and_the_header_named() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        for coding in ["gzip", "GZIP", "br", "deflate", "zstd", "aws-chunked", "identity", "gzip, br", ""] {
            for body in [&b"\x1f\x8b\x08"[..], b"{}"] {
                let call = api.call(method.clone(), path).by(&user).header("content-encoding", coding);
                let answer = call.body(body.to_vec()).await;
                assert_eq!((answer.status, answer.code()), (415, "content_encoding"), "{path} {coding}");
                assert!(answer.body["detail"].as_str().unwrap().contains("Content-Encoding (gzip"));
                assert_eq!(answer.header("accept-encoding"), "identity");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_body_is_400_except_where_it_means_toggle() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        let status = if path.ends_with("/complete") { 200 } else { 400 };
        assert_eq!(api.call(method.clone(), path).by(&user).send().await.status, status, "{path}");
        assert_eq!(api.call(method.clone(), path).by(&user).body("").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_422() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        for body in ["null", "[]", "\"x\"", "1", "true", "[{}]"] {
            // There it means no value.
            if body == "null" && path.ends_with("/complete") {
                continue;
            }
            let answer = api.call(method.clone(), path).by(&user).body(body).await;
            assert_eq!(answer.bad_fields(), ["body"], "{path} {body}");
        }
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_415() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "json",
            "application/json,text/plain",
        ] {
            // There it is a form.
            if kind == "application/x-www-form-urlencoded" && path == "/auth/login" {
                continue;
            }
            let call = api.call(method.clone(), path).by(&user);
            let call = if kind.is_empty() { call } else { call.header("content-type", kind) };
            let answer = call.raw("{}").await;
            assert_eq!((answer.status, answer.code()), (415, "not_json"), "{path} {kind}");
        }
        let twice = api.call(method.clone(), path).by(&user).header("content-type", "text/plain");
        assert_eq!(twice.body("{}").await.status, 415, "{path}: two headers");
        for kind in ["application/json;charset=utf-8", "Application/JSON", "application/json ; charset=UTF-8"]
        {
            let answer =
                api.call(method.clone(), path).by(&user).header("content-type", kind).raw("[]").await;
            assert_eq!(answer.status, 422, "{path} {kind}");
        }
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413() {
    let api = Api::new(dev::api).await;
    let (user, routes) = routes(&api).await;
    for (method, path) in &routes {
        for (size, status) in [(64 * 1024, 422), (64 * 1024 + 1, 413)] {
            let body = format!("[{}]", " ".repeat(size - 2));
            let answer = api.call(method.clone(), path).by(&user).body(body).await;
            assert_eq!(answer.status, status, "{path} {size}");
        }
    }
}

#[tokio::test]
async fn health_is_200_without_a_token() {
    let api = Api::new(dev::api).await;
    for path in ["/health", "/api/health"] {
        let answer = api.get(path).send().await;
        assert_eq!((answer.status, answer.body), (200, json!({ "status": "ok" })));
    }
}

#[tokio::test]
async fn without_a_database_every_route_that_needs_it_is_503() {
    let with_database = Api::new(dev::api).await;
    let user = with_database.user("ada").await;
    // A port that nobody listens on: it was ours a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let api = Api::on(dev::api, format!("postgresql://postgres:secret@127.0.0.1:{port}/none"), &[]);
    let id = "/tasks/019bc000-0000-7000-8000-000000000002";
    let account = json!({ "email": "a@example.com", "password": PASSWORD });
    let requests = [
        (Method::GET, "/health", Value::Null),
        (Method::POST, "/auth/signup", account.clone()),
        (Method::POST, "/auth/login", account),
        (Method::GET, "/auth/me", Value::Null),
        (Method::PATCH, "/auth/me", json!({ "username": "x" })),
        (Method::POST, "/auth/refresh", json!({ "refresh_token": user.refresh_token })),
        (Method::GET, "/auth/sessions", Value::Null),
        (Method::DELETE, "/auth/sessions", Value::Null),
        (Method::DELETE, "/auth/sessions/019bc000-0000-7000-8000-000000000004", Value::Null),
        (Method::POST, "/auth/logout", Value::Null),
        (Method::GET, "/tasks", Value::Null),
        (Method::POST, "/tasks", json!({ "title": "x" })),
        (Method::GET, id, Value::Null),
        (Method::PUT, id, json!({ "title": "x" })),
        (Method::PATCH, id, json!({ "title": "x" })),
        (Method::DELETE, id, Value::Null),
        (Method::PATCH, &format!("{id}/complete"), Value::Null),
        (Method::POST, &format!("{id}/restore"), Value::Null),
        (Method::GET, "/tasks/deleted", Value::Null),
        (Method::DELETE, "/tasks/deleted", Value::Null),
    ];
    // All at once, as each goes on trying for a while.
    let answers = requests.into_iter().map(|(method, path, body)| {
        let call = api.call(method, path).by(&user);
        tokio::spawn(async move { if body.is_null() { call.send().await } else { call.json(&body).await } })
    });
    for answer in answers.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, answer.code()), (503, "database_unavailable"), "{answer:?}");
    }
    // A token is refused without asking the database.
    assert_eq!(api.get("/tasks").send().await.status, 401);
}

/// Lists the tasks of `user` while another session holds them locked, does `what` to the waiting backend, and tells
/// the status.
async fn interrupted(api: &Api, user: &User, what: &str) -> u16 {
    let sql = api.sql().await;
    sql.batch_execute("BEGIN; LOCK TABLE tasks").await.unwrap();
    let waiting = tokio::spawn(api.get("/tasks").by(user).send());
    let interrupt = format!(
        "SELECT count({what}(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'"
    );
    while sql.query_one(&interrupt, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    sql.batch_execute("ROLLBACK").await.unwrap();
    waiting.await.unwrap().status
}

#[tokio::test]
async fn a_read_that_is_cut_is_sent_again_and_one_that_is_cancelled_is_503() {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "1")]).await;
    let user = api.user("ada").await;
    for (what, status) in [("pg_terminate_backend", 200), ("pg_cancel_backend", 503)] {
        assert_eq!(interrupted(&api, &user, what).await, status, "{what}");
        assert_eq!(api.get("/tasks").by(&user).send().await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let api = Api::with(dev::api, &[("DATABASE_MAX_CONNECTIONS", "1")]).await;
    let user = api.user("ada").await;
    let sql = api.sql().await;
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..5 {
        let terminated = sql.query(&format!("SELECT pg_terminate_backend(pid) {others}"), &[]).await.unwrap();
        assert_eq!(terminated.len(), 1);
        while !sql.query(&format!("SELECT {others}"), &[]).await.unwrap().is_empty() {}
        assert_eq!(api.get("/tasks").by(&user).send().await.status, 200);
    }
}
