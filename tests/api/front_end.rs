//! The calls of the front end that was there before, as it makes them: a test for each.

use axum::http::Method;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

use kit::{Answer, Api, Call, PASSWORD, User};

/// With the headers of a browser.
fn call(api: &Api, method: Method, path: &str) -> Call {
    api.call(method, path)
        .header("accept", "application/json, text/plain, */*")
        .header("origin", "http://localhost:3000")
        .header("referer", "http://localhost:3000/")
}

/// A user, and the task that the dashboard shows.
async fn dashboard() -> (Api, User, String) {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task =
        api.task(&ada, &json!({ "title": "Buy milk", "description": "Two litres", "tags": "home" })).await;
    (api, ada, format!("/api/tasks/{}", task["id"].as_str().unwrap()))
}

/// The sentence that the front end makes of an error.
fn shown(answer: &Answer) -> String {
    match &answer.body["detail"] {
        Value::String(sentence) => sentence.clone(),
        Value::Array(fields) => {
            let sentences = fields.iter().map(|field| {
                let place = field["loc"].as_array().unwrap().last().unwrap().as_str().unwrap();
                format!("{place}: {}", field["msg"].as_str().unwrap())
            });
            sentences.collect::<Vec<_>>().join(", ")
        }
        detail => panic!("{detail}"),
    }
}

#[tokio::test]
async fn post_api_auth_signup_with_a_username() {
    let api = Api::new(dev::api).await;
    let form = json!({ "email": "ada@example.com", "password": PASSWORD, "username": "ada" });
    let answer = call(&api, Method::POST, "/api/auth/signup").json(&form).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["token_type"], "bearer");
    assert!(answer.body["access_token"].is_string());
    assert_eq!(answer.body["user"]["email"], "ada@example.com");
    assert_eq!(answer.body["user"]["username"], "ada");
    assert!(answer.body["user"]["id"].is_string());
}

#[tokio::test]
async fn post_api_auth_signin() {
    let (api, ada, _) = dashboard().await;
    let form = json!({ "email": ada.email, "password": PASSWORD });
    let answer = call(&api, Method::POST, "/api/auth/signin").json(&form).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["user"]["id"], ada.id);
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(call(&api, Method::GET, "/api/tasks").token(token).send().await.status, 200);
}

/// The front end decodes the token's payload with `atob`, which takes the alphabet of base64 without `-` and `_`.
#[tokio::test]
async fn the_payload_of_a_token_is_read_with_atob() {
    let api = Api::new(dev::api).await;
    // Each character of which base64url makes `-` or `_`, at each place of a group of three.
    for local in ["a~b", "aa~b", "aaa~b", "a?b", "aa?b", "aaa?b", "~~~???", "o'neil+x/y=z"] {
        let email = format!("{local}@example.com");
        let form = json!({ "email": email, "password": PASSWORD });
        assert_eq!(call(&api, Method::POST, "/api/auth/signup").json(&form).await.status, 201);
        let answer = call(&api, Method::POST, "/api/auth/signin").json(&form).await;
        let token = answer.body["access_token"].as_str().unwrap();
        let payload = STANDARD_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["email"], email);
        assert_eq!(call(&api, Method::GET, "/api/tasks").token(token).send().await.status, 200);
    }
}

#[tokio::test]
async fn get_api_tasks_is_an_array() {
    let (api, ada, _) = dashboard().await;
    let answer = call(&api, Method::GET, "/api/tasks").by(&ada).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.as_array().unwrap().len(), 1);
    assert_eq!(answer.body[0]["title"], "Buy milk");
}

#[tokio::test]
async fn get_api_tasks_with_the_dashboards_filters() {
    let (api, ada, _) = dashboard().await;
    for (query, count) in [
        ("completed=false&priority=medium&sort_by=created_at&order=desc", 1),
        ("completed=true", 0),
        ("search=LITRES&tag=home&sort_by=due_date&order=asc", 1),
        ("search=&tag=", 1),
    ] {
        let answer = call(&api, Method::GET, &format!("/api/tasks?{query}")).by(&ada).send().await;
        assert_eq!(answer.body.as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn post_api_tasks_with_the_whole_form_and_empty_strings() {
    let (api, ada, _) = dashboard().await;
    let form = json!({ "title": "Water the plants", "description": "", "priority": "high", "tags": "", "due_date": "" });
    let answer = call(&api, Method::POST, "/api/tasks").by(&ada).json(&form).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["priority"], "high");
    for field in ["description", "tags", "due_date"] {
        assert_eq!(answer.body[field], Value::Null, "{field}");
    }
}

#[tokio::test]
async fn put_api_tasks_id_with_the_whole_form_and_empty_strings() {
    let (api, ada, task) = dashboard().await;
    let form = json!({
        "title": "Buy oat milk", "description": "", "completed": true, "priority": "low", "tags": "",
        "due_date": "2026-01-30T10:00"
    });
    let answer = call(&api, Method::PUT, &task).by(&ada).json(&form).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["title"], "Buy oat milk");
    assert_eq!(answer.body["completed"], true);
    assert_eq!(answer.body["due_date"], "2026-01-30T10:00:00");
    for field in ["description", "tags"] {
        assert_eq!(answer.body[field], Value::Null, "{field}");
    }
}

/// The value of the form's `datetime-local` input for a due date: the first 16 characters, or nothing if they are no time.
fn in_the_form(due_date: &Value) -> &str {
    due_date.as_str().unwrap().get(..16).unwrap_or_default()
}

#[tokio::test]
async fn a_time_on_the_users_clock_stays_when_the_form_is_saved() {
    let (api, ada, path) = dashboard().await;
    let mut due_date = json!("2026-01-30T10:00");
    for _ in 0..2 {
        let form = json!({ "title": "Buy milk", "due_date": in_the_form(&due_date) });
        let answer = call(&api, Method::PUT, &path).by(&ada).json(&form).await;
        due_date = answer.body["due_date"].clone();
        assert_eq!(due_date, "2026-01-30T10:00:00");
    }
}

/// docs/design.md, "Why has a due date three kinds?".
#[tokio::test]
async fn a_day_or_an_instant_of_another_client_is_not_its_kind_after_the_form_is_saved() {
    let (api, ada, path) = dashboard().await;
    for (due_date, shown, saved) in [
        ("2026-01-30", "", Value::Null),
        ("2026-01-30T10:00:00+01:00", "2026-01-30T09:00", json!("2026-01-30T09:00:00")),
    ] {
        let answer = api.put(&path).by(&ada).json(&json!({ "due_date": due_date })).await;
        assert_eq!(in_the_form(&answer.body["due_date"]), shown);
        let form = json!({ "title": "Buy milk", "due_date": shown });
        let answer = call(&api, Method::PUT, &path).by(&ada).json(&form).await;
        assert_eq!(answer.body["due_date"], saved);
        // The checkbox of the list does not send it.
        api.put(&path).by(&ada).json(&json!({ "due_date": due_date })).await;
        let before = call(&api, Method::GET, &path).by(&ada).send().await.body["due_date"].clone();
        let answer = call(&api, Method::PATCH, &format!("{path}/complete")).by(&ada).send().await;
        assert_eq!(answer.body["due_date"], before);
    }
}

#[tokio::test]
async fn patch_api_tasks_id_complete_without_a_body() {
    let (api, ada, task) = dashboard().await;
    let complete = || call(&api, Method::PATCH, &format!("{task}/complete")).by(&ada);
    assert_eq!(complete().send().await.body["completed"], true);
    // What is said of a body that is not there.
    assert_eq!(complete().header("content-type", "application/json").send().await.body["completed"], false);
}

#[tokio::test]
async fn delete_api_tasks_id_has_a_body_to_parse() {
    let (api, ada, task) = dashboard().await;
    let answer = call(&api, Method::DELETE, &task).by(&ada).send().await;
    assert_eq!((answer.status, answer.body), (200, json!({ "message": "Task deleted successfully" })));
}

#[tokio::test]
async fn an_error_whose_detail_is_a_string_is_shown_as_it_is() {
    let (api, ada, task) = dashboard().await;
    let form = json!({ "email": ada.email, "password": "wrong" });
    let answer = call(&api, Method::POST, "/api/auth/signin").json(&form).await;
    assert_eq!((answer.status, shown(&answer).as_str()), (401, "Incorrect email or password"));
    let form = json!({ "email": ada.email, "password": PASSWORD });
    let answer = call(&api, Method::POST, "/api/auth/signup").json(&form).await;
    assert_eq!((answer.status, shown(&answer).as_str()), (409, "Email already registered"));
    let answer = call(&api, Method::GET, &task).send().await;
    assert_eq!((answer.status, shown(&answer).as_str()), (401, "Could not validate credentials"));
    let answer = call(&api, Method::GET, &format!("{task}0")).by(&ada).send().await;
    assert_eq!((answer.status, shown(&answer).as_str()), (404, "Task not found"));
}

#[tokio::test]
async fn an_error_whose_detail_is_an_array_is_shown_by_loc_and_msg() {
    let (api, ada, task) = dashboard().await;
    let form = json!({ "title": "", "priority": "urgent" });
    let answer = call(&api, Method::PUT, &task).by(&ada).json(&form).await;
    assert_eq!(answer.status, 422);
    let sentences = "title: Title should not be empty, priority: Priority should be low, medium or high";
    assert_eq!(shown(&answer), sentences);
}
