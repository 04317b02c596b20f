//! `/auth/sessions` and `/auth/logout`.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use kit::{Answer, Api, PASSWORD, User};

async fn log_in(api: &Api, email: &str) -> User {
    let credentials = json!({ "email": email, "password": PASSWORD });
    let answer = api.post("/auth/login").json(&credentials).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    User::new(&answer)
}

/// Ada, who has signed in on three devices.
async fn ada(api: &Api) -> [User; 3] {
    let first = api.user("ada").await;
    let email = first.email.clone();
    [first, log_in(api, &email).await, log_in(api, &email).await]
}

async fn is_signed_in(api: &Api, user: &User) -> bool {
    let answer = api.get("/tasks").by(user).send().await;
    assert!(answer.status == 200 || answer.code() == "invalid_token", "{answer:?}");
    answer.status == 200
}

async fn listed(api: &Api, user: &User) -> Vec<Value> {
    let answer = api.get("/auth/sessions").by(user).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn the_callers_sessions_are_listed_newest_first() {
    let api = Api::new(dev::api).await;
    let [first, second, third] = ada(&api).await;
    api.user("grace").await;
    let credentials = json!({ "email": first.email, "password": PASSWORD });
    let agent = [b"curl/8.0 \xff".as_slice(), "\u{e9}".repeat(300).as_bytes()].concat();
    let call = api.post("/auth/login").from("2001:db8:1:2:3:4:5:6").header_bytes("user-agent", &agent);
    let fourth = User::new(&call.json(&credentials).await);

    let sessions = listed(&api, &second).await;
    let ids: Vec<_> = sessions.iter().map(|session| session["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&fourth, &third, &second, &first].map(|user| user.session.as_str()));
    let current: Vec<_> = sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, false, true, false]);
    assert_eq!(sessions[0]["user_agent"], format!("curl/8.0 \u{fffd}{}", "\u{e9}".repeat(190)));
    assert_eq!(sessions[0]["address"], "2001:db8:1:2::");
    assert_eq!(sessions[1]["user_agent"], Value::Null);
    assert_eq!(sessions[1]["created_at"], sessions[1]["refreshed_at"]);
    let mut keys: Vec<_> = sessions[0].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["address", "created_at", "current", "expires_at", "id", "refreshed_at", "user_agent"]);
}

#[tokio::test]
async fn log_out_ends_the_session_of_the_token_at_once_and_no_other() {
    let api = Api::new(dev::api).await;
    let [first, second, _] = ada(&api).await;
    for path in ["/auth/logout", "/api/auth/logout"] {
        // A session that has ended already is no error.
        assert_eq!(api.post(path).by(&first).send().await.status, 204);
        assert!(!is_signed_in(&api, &first).await);
    }
    assert!(is_signed_in(&api, &second).await);
    assert_eq!(api.count("sessions").await, 2);
    assert_eq!(api.post("/auth/logout").send().await.code(), "invalid_token");
    let refresh = api.post("/auth/logout").token(&second.refresh_token).send().await;
    assert_eq!(refresh.code(), "invalid_token", "a refresh token is no access token");
    let body = json!({ "refresh_token": first.refresh_token });
    assert_eq!(api.post("/auth/refresh").json(&body).await.code(), "invalid_refresh_token");
}

#[tokio::test]
async fn an_expired_token_logs_out_too() {
    let api = Api::with(dev::api, &[("ACCESS_TOKEN_TTL", "1")]).await;
    let user = api.user("ada").await;
    // Five seconds are allowed for the clocks of two machines.
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    assert!(!is_signed_in(&api, &user).await);
    assert_eq!(api.count("sessions").await, 1);
    assert_eq!(api.post("/auth/logout").by(&user).send().await.status, 204);
    assert_eq!(api.count("sessions").await, 0);
}

#[tokio::test]
async fn one_session_is_ended_by_its_id() {
    let api = Api::new(dev::api).await;
    let [first, second, third] = ada(&api).await;
    let grace = api.user("grace").await;
    let end = async |user: &User, id: &str| {
        let answer = api.delete(&format!("/auth/sessions/{id}")).by(user).send().await;
        (answer.status, answer.code().to_owned())
    };
    let not_found = (404, "session_not_found".to_owned());
    assert_eq!(end(&first, &second.session.to_uppercase()).await, (204, String::new()));
    assert!(!is_signed_in(&api, &second).await);
    assert_eq!(end(&first, &second.session).await, not_found, "it has ended");
    assert_eq!(end(&first, &grace.session).await, not_found, "it is another user's");
    assert_eq!(end(&first, "1").await, not_found);
    assert_eq!(end(&first, &first.session).await, (204, String::new()), "the caller's own");
    assert!(!is_signed_in(&api, &first).await);
    assert!(is_signed_in(&api, &third).await && is_signed_in(&api, &grace).await);
}

#[tokio::test]
async fn every_other_session_is_ended() {
    let api = Api::new(dev::api).await;
    let [first, second, third] = ada(&api).await;
    let grace = api.user("grace").await;
    for _ in 0..2 {
        assert_eq!(api.delete("/auth/sessions").by(&second).send().await.status, 204);
        assert_eq!(listed(&api, &second).await.len(), 1);
    }
    assert!(!is_signed_in(&api, &first).await && !is_signed_in(&api, &third).await);
    assert!(is_signed_in(&api, &second).await && is_signed_in(&api, &grace).await);
}

#[tokio::test]
async fn a_session_that_has_expired_is_none() {
    let api = Api::new(dev::api).await;
    let [first, second, _] = ada(&api).await;
    let sql = api.sql().await;
    let expire = format!("UPDATE sessions SET expires_at = now() WHERE id = '{}'", first.session);
    sql.batch_execute(&expire).await.unwrap();
    for (method, path) in [
        (Method::GET, "/auth/me"),
        (Method::GET, "/auth/sessions"),
        (Method::DELETE, "/auth/sessions"),
        (Method::GET, "/tasks"),
    ] {
        assert_eq!(api.call(method, path).by(&first).send().await.code(), "invalid_token", "{path}");
    }
    assert_eq!(listed(&api, &second).await.len(), 2);
    let end = api.delete(&format!("/auth/sessions/{}", first.session)).by(&second).send().await;
    assert_eq!(end.code(), "session_not_found");
    // The next login of anybody deletes its row.
    assert_eq!(api.count("sessions").await, 3);
    api.user("grace").await;
    assert_eq!(api.count("sessions").await, 3);
}

#[tokio::test]
async fn a_login_beyond_a_hundred_ends_the_least_recently_refreshed() {
    let api = Api::new(dev::api).await;
    let [first, second, _] = ada(&api).await;
    let insert = "INSERT INTO sessions (id, user_id)
                  SELECT gen_random_uuid(), id FROM users, generate_series(1, 97)";
    api.sql().await.execute(insert, &[]).await.unwrap();
    let refresh = json!({ "refresh_token": first.refresh_token });
    let first = User::new(&api.post("/auth/refresh").json(&refresh).await);
    assert_eq!(listed(&api, &first).await.len(), 100);
    log_in(&api, &first.email).await;
    assert_eq!(listed(&api, &first).await.len(), 100);
    assert!(!is_signed_in(&api, &second).await);
}

/// Sends 20 requests a second with one token, to two instances of the functions, while `end` ends its session.
async fn ends_at_once(end: impl AsyncFnOnce(&Api, &User) -> Answer) {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    let path = format!("/tasks/{}", api.task(&user, &json!({ "title": "T" })).await["id"].as_str().unwrap());
    let instances = [api.clone(), Api::on(dev::api, api.url.clone(), &[])];
    let send = async |seconds: u64| {
        let mut calls = Vec::new();
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        for number in 0..20 * seconds {
            interval.tick().await;
            let api = &instances[number as usize / 4 % 2];
            let (method, path, body) = match number % 4 {
                0 => (Method::GET, "/tasks", None),
                1 => (Method::POST, "/tasks", Some(json!({ "title": "T" }))),
                2 => (Method::PUT, path.as_str(), Some(json!({ "title": "U" }))),
                _ => (Method::GET, "/auth/me", None),
            };
            let call = api.call(method, path).by(&user);
            calls.push(tokio::spawn(async move {
                let sent = Instant::now();
                let answer = match body {
                    Some(body) => call.json(&body).await,
                    None => call.send().await,
                };
                (sent, answer.status)
            }));
        }
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        answers
    };
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let started = Instant::now();
        let answer = end(&api, &user).await;
        assert!(answer.status < 300, "{answer:?}");
        (started, Instant::now())
    };
    let (answers, (started, ended)) = tokio::join!(send(3), end);
    let statuses = |sent: &dyn Fn(Instant) -> bool| {
        let chosen = answers.iter().filter(|(at, _)| sent(*at)).map(|(_, status)| *status);
        chosen.collect::<Vec<u16>>()
    };
    let (before, after) = (statuses(&|sent| sent < started), statuses(&|sent| sent > ended));
    assert!(before.len() > 10 && after.len() > 10, "{answers:?}");
    // The last ones may have been under way.
    assert!(before[..before.len() - 2].iter().all(|status| *status < 300), "{before:?}");
    assert!(after.iter().all(|status| *status == 401), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_sent_after_log_out_succeeds() {
    ends_at_once(async |api, user| api.post("/auth/logout").by(user).send().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_sent_after_a_change_of_the_password_succeeds() {
    let body = json!({ "current_password": PASSWORD, "new_password": "another good password" });
    ends_at_once(async |api, user| api.post("/auth/password").by(user).json(&body).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_sent_after_the_deletion_of_the_account_succeeds() {
    let body = json!({ "password": PASSWORD });
    ends_at_once(async |api, user| api.post("/auth/me/delete").by(user).json(&body).await).await;
}
