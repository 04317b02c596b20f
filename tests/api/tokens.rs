//! Forged, stale and broken tokens: each is refused on every route that wants one, with one and the same 401.

use std::{net::TcpListener, time::Duration};

use axum::http::Method;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use nix::time::ClockId;
use ring::hmac;
use serde_json::{Value, json};

use kit::{Answer, Api, Call, PASSWORD, SECRET, User};

const REFUSED: &str =
    r#"{"detail":"Could not validate credentials","code":"invalid_token","request_id":"…"}"#;

/// Every route that needs a token, with a body that would do, about this task.
fn routes(api: &Api, id: &str) -> Vec<(String, Call, Option<Value>)> {
    let task = format!("/tasks/{id}");
    let complete = format!("{task}/complete");
    let routes = [
        (Method::GET, "/auth/me", None),
        (Method::HEAD, "/auth/me", None),
        (Method::PATCH, "/auth/me", Some(json!({ "username": "forged" }))),
        (Method::PATCH, "/auth/me", Some(json!({}))),
        (
            Method::POST,
            "/auth/password",
            Some(json!({ "current_password": PASSWORD, "new_password": "a forged password" })),
        ),
        (Method::POST, "/auth/me/delete", Some(json!({ "password": PASSWORD }))),
        (Method::GET, "/auth/sessions", None),
        (Method::DELETE, "/auth/sessions", None),
        (Method::DELETE, "/auth/sessions/019bc000-0000-7000-8000-000000000004", None),
        (Method::GET, "/tasks", None),
        (Method::GET, "/tasks?search=x&limit=1", None),
        (Method::POST, "/tasks", Some(json!({ "title": "forged" }))),
        (Method::GET, &task, None),
        (Method::PUT, &task, Some(json!({ "title": "forged" }))),
        (Method::PUT, &task, Some(json!({}))),
        (Method::DELETE, &task, None),
        (Method::PATCH, &complete, None),
        (Method::PATCH, &complete, Some(json!({ "completed": true }))),
    ];
    let with_call =
        |(method, path, body): (Method, &str, _)| (format!("{method} {path}"), api.call(method, path), body);
    routes.into_iter().map(with_call).collect()
}

async fn answer(call: Call, body: Option<Value>) -> Answer {
    match body {
        Some(body) => call.json(&body).await,
        None => call.send().await,
    }
}

/// Ada, and a task of hers.
async fn ada(api: &Api) -> (User, String) {
    let user = api.user("ada").await;
    let task = api.task(&user, &json!({ "title": "as it was" })).await;
    (user, task["id"].as_str().unwrap().to_owned())
}

/// Sends each list of `Authorization` headers to every route and finds them refused alike, and nothing changed.
async fn are_refused(api: &Api, user: &User, id: &str, corpus: &[(String, Vec<String>)]) {
    for (name, headers) in corpus {
        for (route, mut call, body) in routes(api, id) {
            for header in headers {
                call = call.header("authorization", header);
            }
            let answer = answer(call, body).await;
            assert_eq!(answer.status, 401, "{route}: {name}");
            if !route.starts_with("HEAD") {
                assert_eq!(answer.text_without_id(), REFUSED, "{route}: {name}");
            }
        }
    }
    let tasks = api.get("/tasks").by(user).send().await;
    assert_eq!(tasks.body.as_array().unwrap().len(), 1);
    assert_eq!(tasks.body[0]["title"], "as it was");
    assert_eq!(tasks.body[0]["completed"], false);
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn base64(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token of these parts, signed by HMAC with `secret`.
fn signed(header: &str, claims: &str, algorithm: hmac::Algorithm, secret: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Signed as a good one is.
fn well_signed(header: &Value, claims: &str) -> String {
    signed(&header.to_string(), claims, hmac::HMAC_SHA256, SECRET)
}

fn header() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

fn claims(user: &User) -> String {
    json!({ "sub": user.id, "sid": user.session, "exp": now() + 600 }).to_string()
}

/// A good header with something added or changed.
fn header_with(more: Value) -> Value {
    let mut header = header();
    header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    header
}

fn bearer(name: impl Into<String>, token: impl AsRef<str>) -> (String, Vec<String>) {
    (name.into(), vec![format!("Bearer {}", token.as_ref())])
}

#[tokio::test]
async fn a_good_token_is_taken_in_any_case_of_the_scheme_and_after_any_number_of_spaces() {
    let api = Api::new(dev::api).await;
    let (user, _) = ada(&api).await;
    let own = well_signed(&header(), &claims(&user));
    for token in [&user.token, &own] {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer ", "bearer   "] {
            let answer = api.get("/tasks").header("authorization", &format!("{scheme} {token}")).send().await;
            assert_eq!(answer.status, 200, "{scheme}");
        }
    }
}

#[tokio::test]
async fn a_header_that_is_missing_empty_bare_of_another_scheme_or_sent_twice_is_refused() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let token = &user.token;
    let corpus = [
        ("none", vec![]),
        ("empty", vec![String::new()]),
        ("bare", vec!["Bearer".to_owned()]),
        ("bare, a space", vec!["Bearer ".to_owned()]),
        ("bare, two spaces", vec!["Bearer  ".to_owned()]),
        ("no scheme", vec![token.clone()]),
        ("Basic", vec![format!("Basic {token}")]),
        ("Token", vec![format!("Token {token}")]),
        ("a tab after a space", vec![format!("Bearer \t{token}")]),
        ("a tab", vec![format!("Bearer\t{token}")]),
        ("Bearer twice", vec![format!("Bearer Bearer {token}")]),
        ("a space after", vec![format!("Bearer {token} ")]),
        ("quoted", vec![format!("Bearer \"{token}\"")]),
        ("a parameter", vec![format!("Bearer token={token}")]),
        ("two headers joined", vec![format!("Bearer {token}, Bearer {token}")]),
        ("two headers joined, an empty one", vec![format!("Bearer {token},")]),
        ("two headers", vec![format!("Bearer {token}"); 2]),
        ("two headers, a bad one first", vec!["Bearer x".to_owned(), format!("Bearer {token}")]),
        ("two headers, a bad one last", vec![format!("Bearer {token}"), "Basic x".to_owned()]),
    ]
    .map(|(name, headers)| (name.to_owned(), headers));
    are_refused(&api, &user, &id, &corpus).await;

    // Where others look for a token too, none is found.
    let cookie = api.get("/tasks").header("cookie", &format!("access_token={token}; session={token}"));
    assert_eq!(cookie.send().await.text_without_id(), REFUSED);
    let query = api.get(&format!("/tasks?access_token={token}&token={token}"));
    assert_eq!(query.send().await.text_without_id(), REFUSED);
    // Nor is a header that no text can be.
    let bytes = api.get("/tasks").header_bytes("authorization", b"Bearer \xff\xfe");
    assert_eq!(bytes.send().await.text_without_id(), REFUSED);
}

#[tokio::test]
async fn an_algorithm_other_than_hs256_is_refused_even_when_the_secret_is_right() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let claims = claims(&user);
    let mut corpus = Vec::new();
    for alg in
        ["none", "None", "nOnE", "NONE", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256", ""]
    {
        let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
        let token = signed(&header, &claims, hmac::HMAC_SHA256, SECRET);
        let (message, _) = token.rsplit_once('.').unwrap();
        corpus.push(bearer(format!("{alg} without a signature"), format!("{message}.")));
        corpus.push(bearer(format!("{alg} without a third part"), message));
        corpus.push(bearer(format!("{alg} over HS256"), token));
    }
    for (alg, algorithm) in [("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
        for declared in [alg, "HS256"] {
            let header = json!({ "alg": declared, "typ": "JWT" }).to_string();
            let token = signed(&header, &claims, algorithm, SECRET);
            corpus.push(bearer(format!("{alg} declared as {declared}"), token));
        }
    }
    for alg in [json!(null), json!(["HS256"]), json!({}), json!(256)] {
        corpus.push(bearer(format!("alg {alg}"), well_signed(&header_with(json!({ "alg": alg })), &claims)));
    }
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        "[]",
        "{",
        "",
    ] {
        let token = signed(header, &claims, hmac::HMAC_SHA256, SECRET);
        corpus.push(bearer(format!("the header {header}"), token));
    }
    are_refused(&api, &user, &id, &corpus).await;
}

#[tokio::test]
async fn a_key_that_the_token_brings_or_points_to_is_neither_used_nor_fetched() {
    const MINE: &str = "a key of the attacker's, 32 bytes and more";
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", server.local_addr().unwrap());
    let claims = claims(&user);
    let hints = [
        json!({ "kid": "../../../../dev/null" }),
        json!({ "kid": "x' UNION SELECT 'a key of the attacker''s, 32 bytes and more" }),
        json!({ "jwk": { "kty": "oct", "k": base64(MINE), "alg": "HS256" } }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": [base64(MINE)] }),
    ];
    let mut corpus = Vec::new();
    for hint in hints {
        let header = header_with(hint).to_string();
        for secret in [MINE, "", "\0", "secret"] {
            let token = signed(&header, &claims, hmac::HMAC_SHA256, secret);
            corpus.push(bearer(format!("{header} signed with {secret:?}"), token));
        }
    }
    are_refused(&api, &user, &id, &corpus).await;
    assert_eq!(server.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nothing was fetched");
}

#[tokio::test]
async fn a_header_that_must_be_understood_or_is_of_another_use_is_refused() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let corpus: Vec<_> = [
        json!({ "crit": ["evil"], "evil": true }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "crit": "exp" }),
        json!({ "crit": ["b64"], "b64": false }),
        json!({ "typ": "at+jwt" }),
        json!({ "typ": "dpop+jwt" }),
        json!({ "typ": "" }),
        json!({ "typ": 1 }),
    ]
    .into_iter()
    .map(|more| bearer(more.to_string(), well_signed(&header_with(more), &claims(&user))))
    .collect();
    are_refused(&api, &user, &id, &corpus).await;
}

#[tokio::test]
async fn a_token_with_a_bit_flipped_or_of_another_shape_is_refused() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let token = &user.token;
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{} parts", parts.len()) };
    let mut corpus = Vec::new();
    // One bit of the first, the middle and the last symbol of each part. A last symbol has spare bits, which say
    // nothing: another token with the same bytes is another token.
    for (part, name) in parts.iter().zip(["header", "claims", "signature"]) {
        for place in [0, part.len() / 2, part.len() - 1] {
            for bit in [1, 2, 4, 8, 16, 32] {
                let mut changed = part.as_bytes().to_vec();
                let value = ALPHABET.iter().position(|symbol| *symbol == changed[place]).unwrap();
                changed[place] = ALPHABET[value ^ bit];
                let changed = String::from_utf8(changed).unwrap();
                corpus.push(bearer(format!("{name} {place} {bit}"), token.replacen(*part, &changed, 1)));
            }
        }
    }
    corpus.extend(
        [
            ("no part", String::new()),
            ("empty parts", "..".to_owned()),
            ("one part", header.to_owned()),
            ("two parts", format!("{header}.{claims}")),
            ("four parts", format!("{token}.{signature}")),
            ("five parts, as if encrypted", format!("{token}.{claims}.{signature}")),
            ("an empty part at the end", format!("{token}.")),
            ("an empty part at the start", format!(".{token}")),
            ("padding", format!("{token}=")),
            ("padding of each part", format!("{header}=.{claims}=.{signature}=")),
            (
                "the other alphabet",
                format!("{header}.{claims}.{}", signature.replace('-', "+").replace('_', "/")),
            ),
            ("a space within", format!("{header}. {claims}.{signature}")),
            ("the signature of another", {
                let other = well_signed(&self::header(), &self::claims(&user));
                format!("{header}.{claims}.{}", other.rsplit_once('.').unwrap().1)
            }),
            ("the signature cut short", format!("{header}.{claims}.{}", signature.get(..22).unwrap())),
            ("JSON and no base64", json!({ "alg": "HS256" }).to_string().replace(',', "")),
        ]
        // Two of them are the token itself where its signature has none of what they change.
        .into_iter()
        .filter(|(_, changed)| changed != token)
        .map(|(name, token)| bearer(name, token)),
    );
    are_refused(&api, &user, &id, &corpus).await;
}

#[tokio::test]
async fn claims_that_are_missing_of_another_type_or_out_of_time_are_refused() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let (sub, sid, now) = (&user.id, &user.session, now());
    let later = now + 600;
    let claims = [
        // Five seconds are allowed for the clocks of two machines; the test may take some more.
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{}}}"#, now - 6),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":0}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}"}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":null}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":"{later}"}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later}.5}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later}.0}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":-{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":1e300}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":1e400}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":9223372036854775808}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":true}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later},"exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later},"nbf":{}}}"#, now + 300),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later},"nbf":"{now}"}}"#),
        format!(r#"{{"sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":null,"sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":1,"sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"{}","sid":"{sid}","exp":{later}}}"#, user.email),
        format!(r#"{{"sub":"{sub}\u0000","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":["{sub}"],"sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":{{"id":"{sub}"}},"sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sub":"{sub}","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"00000000-0000-0000-0000-000000000000","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"user_id":"{sub}","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","exp":{later}}} x"#),
        format!(r#"{{"sub":"{sub}","exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":null,"exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"","exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":["{sid}"],"exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sid}","sid":"{sid}","exp":{later}}}"#),
        format!(r#"{{"sub":"{sub}","sid":"{sub}","exp":{later}}}"#),
        format!(r#"{{"sub":"{sid}","sid":"{sid}","exp":{later}}}"#),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
    ];
    let corpus: Vec<_> =
        claims.iter().map(|claims| bearer(claims.as_str(), well_signed(&header(), claims))).collect();
    are_refused(&api, &user, &id, &corpus).await;
}

/// Returns the time that a processor has worked for this thread. The work of others does not lengthen it.
fn cpu_time() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

#[tokio::test]
async fn a_token_of_9_kilobytes_or_a_megabyte_is_refused_at_once() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    for size in [9_000, 1_000_000] {
        let filler = "a".repeat(size);
        let dots = "a.".repeat(size / 2);
        let corpus = [
            bearer("no dot", &filler),
            bearer("dots", dots),
            bearer("a long header", format!("{filler}.{}", user.token)),
            bearer("a long signature", format!("{}{filler}", user.token)),
            bearer("long claims", {
                let claims =
                    json!({ "sub": user.id, "sid": user.session, "exp": now() + 600, "filler": filler })
                        .to_string();
                signed(
                    &header().to_string(),
                    &claims,
                    hmac::HMAC_SHA256,
                    "another secret of 32 bytes and more",
                )
            }),
        ];
        let before = cpu_time();
        are_refused(&api, &user, &id, &corpus).await;
        let took = cpu_time() - before;
        assert!(took < Duration::from_secs(5), "{size}: {took:?}");
    }
}

#[tokio::test]
async fn a_token_whose_user_is_gone_is_refused_for_reads_and_writes() {
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    api.sql().await.execute("DELETE FROM users", &[]).await.unwrap();
    for (route, call, body) in routes(&api, &id) {
        let answer = answer(call.by(&user), body).await;
        assert_eq!(answer.status, 401, "{route}");
        assert!(route.starts_with("HEAD") || answer.text_without_id() == REFUSED, "{route}: {answer:?}");
    }
    assert_eq!(api.count("tasks").await, 0);
}

#[tokio::test]
async fn after_a_rotation_the_tokens_of_the_secret_before_are_good_while_it_is_configured() {
    const NEW: &str = "a secret of the tests that came later, long";
    let api = Api::new(dev::api).await;
    let (user, id) = ada(&api).await;
    let both = Api::on(dev::api, api.url.clone(), &[("JWT_SECRET", NEW), ("JWT_SECRET_PREVIOUS", SECRET)]);
    assert_eq!(both.get("/tasks").by(&user).send().await.status, 200);

    let new_only = Api::on(dev::api, api.url.clone(), &[("JWT_SECRET", NEW)]);
    for (route, call, body) in routes(&new_only, &id) {
        let answer = answer(call.by(&user), body).await;
        assert_eq!(answer.status, 401, "{route}");
        assert!(route.starts_with("HEAD") || answer.text_without_id() == REFUSED, "{route}: {answer:?}");
    }
    let grace = both.user("grace").await;
    assert_eq!(new_only.get("/tasks").by(&grace).send().await.status, 200, "new tokens are of the new one");
    are_refused(&api, &user, &id, &[bearer("of the new secret", &grace.token)]).await;
}
