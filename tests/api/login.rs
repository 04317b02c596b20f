//! `POST /auth/login`.

use std::time::Instant;

use serde_json::{Value, json};

use kit::{Api, PASSWORD, assert_same_time};

#[tokio::test]
async fn the_right_password_gets_a_token() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    for path in ["/auth/login", "/auth/signin", "/api/auth/login", "/api/auth/signin"] {
        let credentials = json!({ "email": " ADA@example.com", "password": PASSWORD });
        let answer = api.post(path).json(&credentials).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body["token_type"], "bearer");
        assert_eq!(answer.body["expires_in"], 604_800);
        let shown = json!({ "id": user.id, "email": user.email, "username": null });
        assert_eq!(answer.body["user"], shown);
        let token = answer.body["access_token"].as_str().unwrap();
        assert_eq!(api.get("/tasks").token(token).send().await.body, json!([]));
    }
}

#[tokio::test]
async fn every_wrong_email_or_password_is_answered_alike() {
    let api = Api::new(dev::api).await;
    let long = json!({ "email": "long@example.com", "password": "x".repeat(72) });
    assert_eq!(api.post("/auth/signup").json(&long).await.status, 201);
    api.user("ada").await;
    for (email, password) in [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", ""),
        ("ada@example.com", &PASSWORD.to_uppercase()),
        ("ada@example.com", &format!("{PASSWORD} ")),
        ("ada@example.com", &format!("{PASSWORD}\0")),
        ("long@example.com", &"x".repeat(73)),
        ("long@example.com", &"x".repeat(71)),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        ("not an e-mail", PASSWORD),
        ("ada@example.com\0", PASSWORD),
        ("\u{212a}ada@example.com", PASSWORD),
        (&format!("{}@example.com", "a".repeat(9_000)), PASSWORD),
    ] {
        let mut answer = api.post("/auth/login").json(&json!({ "email": email, "password": password })).await;
        assert_eq!(answer.status, 401, "{email:?} {password:?}");
        answer.body["request_id"] = Value::Null;
        let expected = json!({ "detail": "Incorrect email or password", "code": "invalid_credentials", "request_id": null });
        assert_eq!(answer.body, expected);
    }
}

#[tokio::test]
async fn presence_and_type_of_the_fields_are_checked() {
    let api = Api::new(dev::api).await;
    for body in
        [json!({}), json!({ "email": null, "password": 1 }), json!({ "email": ["a"], "password": {} })]
    {
        let answer = api.post("/auth/login").json(&body).await;
        assert_eq!(answer.bad_fields(), ["body.email", "body.password"], "{body}");
    }
}

#[tokio::test]
async fn a_hash_that_passlib_made_logs_in() {
    let api = Api::new(dev::api).await;
    // bcrypt.using(rounds=4, ident="2a").hash("correct horse battery")
    let hash = "$2a$04$jewtRygHXI9F7kHXnjLL2.UF7.0KognaG1v1Ogl6sGicop0z3bWMS";
    let insert =
        "INSERT INTO users (id, email, hashed_password) VALUES (gen_random_uuid(), 'old@example.com', $1)";
    api.sql().await.execute(insert, &[&hash]).await.unwrap();
    let credentials = json!({ "email": "old@example.com", "password": "correct horse battery" });
    assert_eq!(api.post("/auth/login").json(&credentials).await.status, 200);
}

#[tokio::test]
async fn an_unknown_email_takes_as_long_as_a_wrong_password() {
    // A cost at which the hash is most of the time, as at the default cost.
    let api = Api::with(dev::api, &[("BCRYPT_COST", "6")]).await;
    api.user("ada").await;
    let call = async |kind: usize| {
        let email = ["ada@example.com", "nobody@example.com"][kind];
        let started = Instant::now();
        let credentials = json!({ "email": email, "password": "wrong password" });
        assert_eq!(api.post("/auth/login").json(&credentials).await.status, 401);
        started.elapsed()
    };
    assert_same_time("login", 200, ["wrong password", "unknown email"], call).await;
}
