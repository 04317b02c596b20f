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

const NFC: &str = "Caf\u{e9} M\u{fc}ller";
const NFD: &str = "Cafe\u{301} Mu\u{308}ller";

/// Compares the times of logins with the password `sent` for users with these hashes, and for none, all with this status.
async fn assert_same_time_whatever_is_stored<const N: usize>(
    status: u16,
    sent: &str,
    stored: [(&str, Option<String>); N],
) {
    // A cost at which the hash is most of the time, as at the default cost.
    let api = Api::with(dev::api, &[("BCRYPT_COST", "6")]).await;
    let sql = api.sql().await;
    for (kind, hash) in &stored {
        let Some(hash) = hash else { continue };
        let insert = "INSERT INTO users (id, email, hashed_password) VALUES (gen_random_uuid(), $1, $2)";
        sql.execute(insert, &[&format!("{kind}@example.com"), hash]).await.unwrap();
    }
    let kinds = stored.map(|(kind, _)| kind);
    let call = async |kind: usize| {
        let body = json!({ "email": format!("{}@example.com", kinds[kind]), "password": sent });
        let started = Instant::now();
        let answer = api.post("/auth/login").json(&body).await;
        let took = started.elapsed();
        assert_eq!(answer.status, status, "{}", kinds[kind]);
        took
    };
    assert_same_time("login", 200, kinds, call).await;
}

fn hash(password: &str, cost: u32) -> Option<String> {
    Some(bcrypt::hash(password, cost).unwrap())
}

#[tokio::test]
async fn a_refused_login_takes_the_same_time_whatever_is_stored() {
    for sent in [NFC, NFD] {
        let stored = [
            ("wrong", hash(PASSWORD, 6)),
            ("unknown", None),
            ("cheap", hash(PASSWORD, 4)),
            ("no-hash", Some("none".to_owned())),
        ];
        assert_same_time_whatever_is_stored(401, sent, stored).await;
    }
}

#[tokio::test]
async fn a_login_takes_the_same_time_whichever_form_of_the_password_is_stored() {
    let stored = [("nfc", hash(NFC, 6)), ("nfd", hash(NFD, 6)), ("cheap", hash(NFC, 4))];
    assert_same_time_whatever_is_stored(200, NFD, stored).await;
}

const FORM: &str = "application/x-www-form-urlencoded";

/// OAuth 2's password grant (RFC 6749 §4.3.2), as Swagger UI, curl and OAuth clients send it.
#[tokio::test]
async fn the_form_of_the_password_grant_logs_in() {
    let api = Api::new(dev::api).await;
    let user = json!({ "email": "ada+1@example.com", "password": "p&ss=w\u{f6}rd +%" });
    let id = api.post("/auth/signup").json(&user).await.body["user"]["id"].clone();
    let own = "username=ADA%2B1%40example.com&password=p%26ss%3Dw%C3%B6rd+%2B%25";
    for form in [
        own.to_owned(),
        format!("grant_type=password&{own}"),
        format!("grant_type=password&{own}&scope=&client_id=&client_secret="),
        format!("&&{own}&"),
    ] {
        for path in ["/auth/login", "/auth/signin", "/api/auth/login"] {
            for kind in [FORM, "application/x-www-form-urlencoded; charset=UTF-8"] {
                let call = api.post(path).header("content-type", kind).header("authorization", "Basic Og==");
                let answer = call.raw(form.clone()).await;
                assert_eq!(answer.status, 200, "{form}");
                assert_eq!(answer.body["token_type"], "bearer");
                assert_eq!(answer.body["user"]["id"], id);
            }
        }
    }
    let form =
        async |form: &[u8]| api.post("/auth/login").header("content-type", FORM).raw(form.to_vec()).await;
    for wrong in
        ["username=ada%2B1@example.com&password=x", "username=&password=", "username=nobody&password=x"]
    {
        let answer = form(wrong.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_credentials"), "{wrong}");
    }
    for (bad, fields) in [
        ("x=y", &["body.password", "body.username"][..]),
        ("username=a", &["body.password"]),
        ("email=ada@example.com&password=x", &["body.username"]),
        ("grant_type=client_credentials&username=a&password=x", &["body.grant_type"]),
        ("grant_type=&username=a&password=x", &["body.grant_type"]),
    ] {
        assert_eq!(form(bad.as_bytes()).await.bad_fields(), fields, "{bad}");
    }
    for (bad, code) in [
        (&b""[..], "empty_body"),
        (b"username=a&password=x&password=y", "duplicate_key"),
        (b"username=a&password=%ff", "not_utf8"),
        (b"username=a&password=\xff", "not_utf8"),
    ] {
        let answer = form(bad).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{bad:?}");
    }
    assert_eq!(form(&[b'x'; 64 * 1024 + 1]).await.status, 413);
    let gzip =
        api.post("/auth/login").header("content-type", FORM).header("content-encoding", "gzip").raw(own);
    assert_eq!(gzip.await.code(), "content_encoding");
    // Only login takes a form.
    let signup = api.post("/auth/signup").header("content-type", FORM).raw("email=b@example.com&password=x");
    assert_eq!(signup.await.code(), "not_json");
}

/// A browser sends a form to any origin without a preflight.
#[tokio::test]
async fn a_form_is_taken_from_pages_of_the_own_host_and_of_the_allowed_origins() {
    let api = Api::with(dev::api, &[("CORS_ALLOW_ORIGINS", "https://todo.example.com")]).await;
    api.user("ada").await;
    let own = "username=ada%40example.com&password=correct+horse+battery+staple";
    let call = |host: &str| api.post("/auth/login").header("host", host).header("content-type", FORM);
    let from = async |origin: &str, host: &str| call(host).header("origin", origin).raw(own).await;
    for (origin, host, status) in [
        ("https://todo.example.com", "api.example.com", 200),
        ("https://api.example.com", "api.example.com", 200),
        ("https://API.example.com", "api.example.com", 200),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", 200),
        ("null", "api.example.com", 403),
        ("null", "null", 403),
        ("", "api.example.com", 403),
        ("https://evil.example.com", "api.example.com", 403),
        ("http://todo.example.com", "api.example.com", 403),
        ("https://todo.example.com:8443", "api.example.com", 403),
        ("https://todo.example.com.evil.example", "api.example.com", 403),
        ("https://todo.example.com, https://api.example.com", "api.example.com", 403),
        ("http://127.0.0.1:3000", "127.0.0.1:8000", 403),
        ("http://127.0.0.1", "127.0.0.1:8000", 403),
        ("api.example.com", "api.example.com", 403),
        ("file://api.example.com", "api.example.com", 403),
        ("https://api.example.com/", "api.example.com", 403),
    ] {
        let answer = from(origin, host).await;
        assert_eq!(answer.status, status, "{origin} {host}");
        assert_eq!(answer.code(), if status == 403 { "foreign_origin" } else { "" });
        let is_allowed = origin == "https://todo.example.com";
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), is_allowed, "{origin}");
    }
    assert_eq!(call("api.example.com").raw(own).await.status, 200, "a program has no origin");
    let twice = call("api.example.com").header("origin", "https://api.example.com");
    assert_eq!(twice.header("origin", "https://evil.example.com").raw(own).await.status, 403);
    // JSON needs a preflight, so its answer depends on no origin.
    let json = api.post("/auth/login").header("origin", "https://evil.example.com");
    assert_eq!(json.json(&json!({ "email": "ada@example.com", "password": PASSWORD })).await.status, 200);

    let any = Api::with(dev::api, &[("CORS_ALLOW_ORIGINS", "*")]).await;
    let call = |origin: &str| any.post("/auth/login").header("content-type", FORM).header("origin", origin);
    assert_eq!(call("https://evil.example.com").raw(own).await.status, 401, "any origin is allowed");
    assert_eq!(call("null").raw(own).await.status, 403, "null is nobody's");
}
