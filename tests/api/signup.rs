//! `POST /auth/signup`.

use serde_json::{Value, json};

use kit::{Api, PASSWORD};

#[tokio::test]
async fn a_new_user_gets_a_token_that_opens_the_account() {
    let api = Api::new(dev::api).await;
    let user = json!({ "email": "  Ada@Example.COM ", "password": PASSWORD, "username": "Ada_L-1" });
    let answer = api.post("/auth/signup").json(&user).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["token_type"], "bearer");
    assert_eq!(answer.body["expires_in"], 604_800);
    assert_eq!(answer.body["user"]["email"], "ada@example.com");
    assert_eq!(answer.body["user"]["username"], "Ada_L-1");
    assert_eq!(answer.body["user"].as_object().unwrap().len(), 3);

    let me = api.get("/auth/me").token(answer.body["access_token"].as_str().unwrap()).send().await;
    assert_eq!(me.body["id"], answer.body["user"]["id"]);
}

#[tokio::test]
async fn a_username_is_optional_and_a_blank_one_is_none() {
    let api = Api::new(dev::api).await;
    for (email, username) in [
        ("a@example.com", json!({})),
        ("b@example.com", json!({ "username": null })),
        ("c@example.com", json!({ "username": "" })),
        ("d@example.com", json!({ "username": " \t\u{3000}" })),
    ] {
        let mut user = json!({ "email": email, "password": PASSWORD });
        user.as_object_mut().unwrap().extend(username.as_object().unwrap().clone());
        let answer = api.post("/auth/signup").json(&user).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.body["user"]["username"], Value::Null);
    }
}

#[tokio::test]
async fn only_a_bcrypt_hash_of_the_password_is_stored() {
    let api = Api::new(dev::api).await;
    api.user("ada").await;
    let row = api.sql().await.query_one("SELECT users::text, hashed_password FROM users", &[]).await.unwrap();
    assert!(!row.get::<_, &str>(0).contains(PASSWORD));
    assert!(row.get::<_, &str>(1).starts_with("$2b$04$"));
}

#[tokio::test]
async fn an_email_in_another_case_is_taken() {
    let api = Api::new(dev::api).await;
    api.user("ada").await;
    let again = json!({ "email": "ADA@example.com", "password": PASSWORD });
    let answer = api.post("/auth/signup").json(&again).await;
    assert_eq!((answer.status, answer.code()), (409, "email_taken"));
}

#[tokio::test]
async fn a_username_is_stored_without_the_spaces_around_it() {
    let api = Api::new(dev::api).await;
    for (email, username, status) in [
        ("a@example.com", "ada ", 201),
        ("b@example.com", "\tgrace\n", 201),
        ("c@example.com", " ada", 409),
        ("d@example.com", "ada b", 422),
    ] {
        let user = json!({ "email": email, "password": PASSWORD, "username": username });
        let answer = api.post("/auth/signup").json(&user).await;
        assert_eq!(answer.status, status, "{username:?}");
        if status == 201 {
            assert_eq!(answer.body["user"]["username"], username.trim());
        }
    }
}

#[tokio::test]
async fn a_username_in_another_case_is_taken() {
    let api = Api::new(dev::api).await;
    for (email, username, status) in [("a@example.com", "Ada", 201), ("b@example.com", "aDA", 409)] {
        let user = json!({ "email": email, "password": PASSWORD, "username": username });
        let answer = api.post("/auth/signup").json(&user).await;
        assert_eq!(answer.status, status);
        assert!(status == 201 || answer.code() == "username_taken");
    }
    assert_eq!(api.count("users").await, 1);
}

#[tokio::test]
async fn fifty_simultaneous_sign_ups_with_one_email_make_one_user() {
    let api = Api::new(dev::api).await;
    let user = json!({ "email": "ada@example.com", "password": PASSWORD });
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (call, user) = (api.post("/auth/signup"), user.clone());
            tokio::spawn(async move { call.json(&user).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap());
    }
    statuses.sort();
    assert_eq!(statuses, [vec![201], vec![409; 49]].concat());
    assert_eq!(api.count("users").await, 1);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once_and_nothing_is_written() {
    let api = Api::new(dev::api).await;
    let all = ["body.email", "body.password", "body.username"];
    for (body, fields) in [
        (json!({ "email": "ada", "password": "short", "username": "a b" }), &all[..]),
        (json!({ "email": 1, "password": [], "username": {} }), &all[..]),
        (json!({ "email": null, "password": null, "username": "a b" }), &all[..]),
        (json!({}), &all[..2]),
        (json!({ "email": "a@example.com", "password": "x".repeat(73) }), &all[1..2]),
        (json!({ "email": "a@example.com", "password": "12345678\0" }), &all[1..2]),
        (json!({ "email": "a\0@example.com", "password": PASSWORD }), &all[..1]),
        (json!({ "email": "a@example.com", "password": PASSWORD, "username": "x".repeat(51) }), &all[2..]),
    ] {
        assert_eq!(api.post("/auth/signup").json(&body).await.bad_fields(), fields, "{body}");
    }
    assert_eq!(api.count("users").await, 0);
}

#[tokio::test]
async fn a_password_that_is_guessed_first_is_refused_with_the_reason() {
    let api = Api::new(dev::api).await;
    let common = "Password should not be one of the most common, which are guessed first";
    let name = "Password should not be the email or the username";
    for (password, msg) in [
        ("password", common),
        ("Qwertyuiop", common),
        ("ada@example.com", name),
        ("ADA@EXAMPLE.COM", name),
        ("ADA_lovelace", name),
    ] {
        let user = json!({ "email": "Ada@example.com", "password": password, "username": "Ada_Lovelace" });
        let answer = api.post("/auth/signup").json(&user).await;
        let refused = json!([{ "loc": ["body", "password"], "msg": msg, "type": "value_error" }]);
        assert_eq!((answer.status, &answer.body["detail"]), (422, &refused), "{password}");
    }
    assert_eq!(api.count("users").await, 0);
    // Who chose one before it was refused gets in.
    let insert =
        "INSERT INTO users (id, email, hashed_password) VALUES (gen_random_uuid(), 'old@example.com', $1)";
    // bcrypt.using(rounds=4).hash("password")
    let hash = "$2b$04$a1x/LFFjO1sZOH/Gxa/DI.c5nanTdA5GW965Iaf8lKrtAf7tLfcMi";
    api.sql().await.execute(insert, &[&hash]).await.unwrap();
    let credentials = json!({ "email": "old@example.com", "password": "password" });
    assert_eq!(api.post("/auth/login").json(&credentials).await.status, 200);
}

#[tokio::test]
async fn a_missing_field_is_told_as_fastapi_tells_it() {
    let api = Api::new(dev::api).await;
    let answer = api.post("/auth/signup").json(&json!({ "email": "a@example.com" })).await;
    let missing = json!([{ "loc": ["body", "password"], "msg": "Field required", "type": "missing" }]);
    assert_eq!(answer.body["detail"], missing);
}

#[tokio::test]
async fn a_password_of_72_bytes_and_spaces_is_taken_as_sent() {
    let api = Api::new(dev::api).await;
    for (email, password) in [("a@example.com", "x".repeat(72)), ("b@example.com", "  ééé 😀 ".to_owned())]
    {
        let user = json!({ "email": email, "password": password });
        assert_eq!(api.post("/auth/signup").json(&user).await.status, 201);
        assert_eq!(api.post("/auth/login").json(&user).await.status, 200);
        let trimmed = json!({ "email": email, "password": password.trim_matches([' ', 'x']) });
        assert_eq!(api.post("/auth/login").json(&trimmed).await.status, 401);
    }
}

#[tokio::test]
async fn what_the_client_may_not_choose_is_ignored() {
    let api = Api::new(dev::api).await;
    let id = "019bc000-0000-7000-8000-00000000000f";
    let user = json!({ "email": "a@example.com", "password": PASSWORD, "id": id, "created_at": "2000-01-01T00:00:00Z", "hashed_password": "x" });
    let answer = api.post("/auth/signup").json(&user).await;
    assert_eq!(answer.status, 201);
    assert_ne!(answer.body["user"]["id"], id);
}
