use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::{Config, jwt::Issuer, user::User};

use crate::support::{Api, SECRET};

#[tokio::test]
async fn the_caller_is_shown() {
    let api = Api::new().await;
    let user = api.user("ada").await;
    for path in ["/auth/me", "/api/auth/me"] {
        let answer = api.get(path).by(&user).send().await;
        assert_eq!(answer.status, 200);
        let created_at = answer.body["created_at"].as_str().unwrap();
        assert!(created_at.ends_with('Z') && created_at.parse::<Timestamp>().is_ok(), "{created_at}");
        let shown = json!({ "id": user.id, "email": user.email, "username": null, "created_at": created_at });
        assert_eq!(answer.body, shown);
    }
}

/// Every route that needs a token, with a body that would do.
fn routes() -> [(Method, &'static str, Option<Value>); 8] {
    let id = "/tasks/019bc000-0000-7000-8000-000000000002";
    let complete = "/tasks/019bc000-0000-7000-8000-000000000002/complete";
    [
        (Method::GET, "/auth/me", None),
        (Method::GET, "/tasks", None),
        (Method::POST, "/tasks", Some(json!({ "title": "x" }))),
        (Method::GET, id, None),
        (Method::PUT, id, Some(json!({ "title": "x" }))),
        (Method::PUT, id, Some(json!({}))),
        (Method::DELETE, id, None),
        (Method::PATCH, complete, None),
    ]
}

#[tokio::test]
async fn every_token_that_is_not_good_gets_one_and_the_same_401() {
    let api = Api::new().await;
    let user = api.user("ada").await;
    let (message, signature) = user.token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let expired = {
        let issuer = Issuer::new(&Config::from_iter([("JWT_SECRET", SECRET)])).unwrap();
        let user = User { id: user.id.parse().unwrap(), email: user.email.clone(), username: None };
        let eight_days_ago = Timestamp::now() - SignedDuration::from_hours(8 * 24);
        serde_json::to_value(issuer.session(user, eight_days_ago).unwrap()).unwrap()["access_token"].clone()
    };
    let headers = [
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![format!("Basic {}", user.token)],
        vec![user.token.clone()],
        vec![format!("Bearer {message}.")],
        vec![format!("Bearer {message}.{other}{}", signature.get(1..).unwrap())],
        vec![format!("Bearer {}", expired.as_str().unwrap())],
        vec![format!("Bearer {}, Bearer {}", user.token, user.token)],
        vec![format!("Bearer {}", user.token); 2],
        vec![format!("Bearer {}", "a".repeat(1_000_000))],
    ];
    for (method, path, body) in routes() {
        for headers in &headers {
            let mut call = api.call(method.clone(), path);
            for header in headers {
                call = call.header("authorization", header);
            }
            let mut answer = match &body {
                Some(body) => call.json(body).await,
                None => call.send().await,
            };
            answer.body["request_id"] = Value::Null;
            let expected = json!({ "detail": "Could not validate credentials", "code": "invalid_token", "request_id": null });
            assert_eq!((answer.status, answer.body), (401, expected), "{method} {path}");
        }
    }
    assert_eq!(api.count("tasks").await, 0);
}

#[tokio::test]
async fn a_token_whose_user_is_gone_gets_401_everywhere() {
    let api = Api::new().await;
    let user = api.user("ada").await;
    api.sql().await.execute("DELETE FROM users", &[]).await.unwrap();
    for (method, path, body) in routes() {
        let call = api.call(method.clone(), path).by(&user);
        let answer = match &body {
            Some(body) => call.json(body).await,
            None => call.send().await,
        };
        assert_eq!((answer.status, answer.code()), (401, "invalid_token"), "{method} {path}");
    }
    assert_eq!(api.count("tasks").await, 0);
}
