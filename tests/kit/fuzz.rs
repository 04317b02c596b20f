//! What the fuzz targets of `fuzz` do with one input, and the tests with each of their corpus.
//!
//! An input that breaks a promise makes these panic.

use std::{collections::BTreeMap, pin::Pin, sync::LazyLock};

use axum::{Router, http::HeaderValue};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use lambda_http::{Context, LambdaEvent, Service};
use ring::hmac;
use serde_json::{Value, json, value::RawValue};
use shared::{
    Config, Cors, config,
    jwt::{DEMO_SECRET, Issuer, Verifier},
    user::User,
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{connect, database};

/// The user of `events/seed.sql`.
const DEMO: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0001);

/// Somebody else, whose task nobody may see or change.
const STRANGER: &str = "
    INSERT INTO users (id, email, hashed_password)
    VALUES ('019bc000-0000-7000-8000-0000000000f1', 'stranger@example.com', 'none');
    INSERT INTO tasks (id, user_id, title)
    VALUES ('019bc000-0000-7000-8000-0000000000f2', '019bc000-0000-7000-8000-0000000000f1', 'A stranger''s')";

type Answer = Pin<Box<dyn Future<Output = Value>>>;

/// All functions' routes as Lambda calls them, on a database with the demo user and a stranger.
pub struct Events {
    function: Box<dyn FnMut(LambdaEvent<Box<RawValue>>) -> Answer>,
    client: Client,
    authorization: String,
}

impl Events {
    /// Of these routes, on a database of their own.
    ///
    /// # Panics
    /// The database cannot be made.
    pub async fn of(routes: impl FnOnce(&Config) -> Result<Router, config::Error>) -> Self {
        let url = database().await;
        let config = Config::from_iter([
            ("DATABASE_URL", url.as_str()),
            ("JWT_SECRET", DEMO_SECRET),
            ("BCRYPT_COST", "4"),
            ("CORS_ALLOW_ORIGINS", "http://localhost:3000"),
            // Counted, and never too many.
            ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "1000000"),
            ("LOGIN_LIMIT_PER_ADDRESS", "1000000"),
            ("SIGNUP_LIMIT_PER_ADDRESS", "1000000"),
        ]);
        let mut function =
            shared::answer_events(routes(&config).unwrap(), Cors::new(&config).unwrap(), |_| {});
        let demo = User { id: DEMO, email: "demo@example.com".to_owned(), username: None };
        let session = Issuer::new(&config).unwrap().session(demo, Timestamp::now()).unwrap();
        let session = serde_json::to_value(session).unwrap();
        let (client, _) = connect(&url).await.unwrap();
        let mut this = Self {
            function: Box::new(move |event| {
                let answer = function.call(event);
                Box::pin(async { serde_json::to_value(answer.await.unwrap()).unwrap() })
            }),
            client,
            authorization: format!("Bearer {}", session["access_token"].as_str().unwrap()),
        };
        this.reset().await;
        this
    }

    async fn reset(&mut self) {
        let all = ["TRUNCATE users, tasks, attempts", include_str!("../../events/seed.sql"), STRANGER];
        self.client.batch_execute(&all.join(";")).await.unwrap();
    }

    /// Sends an event: the input itself where it is JSON, and else the one that API Gateway would make of the
    /// input read as HTTP: `POST /tasks?x=y`, headers, an empty line, a body. A request that says nothing else
    /// is signed in and has JSON.
    ///
    /// # Panics
    /// The answer is not one that a client may get, whatever they send.
    pub async fn send(&mut self, input: &[u8]) {
        let event = match serde_json::from_slice(input) {
            Ok(event) => event,
            Err(_) => serde_json::value::to_raw_value(&self.event(input)).unwrap(),
        };
        let sent: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let answer = (self.function)(LambdaEvent::new(event, Context::default())).await;
        check(&sent, &answer);
        if answer["statusCode"].as_u64() < Some(300) && sent["requestContext"]["http"]["method"] != "GET" {
            let strangers = "SELECT FROM tasks WHERE title = 'A stranger''s' AND NOT completed";
            assert_eq!(self.client.query(strangers, &[]).await.unwrap().len(), 1, "{sent:#}");
            self.reset().await;
        }
    }

    fn event(&self, input: &[u8]) -> Value {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&input[..end], &input[end + 2..]),
            None => (input, &[][..]),
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let (method, target) =
            lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("GET", "/tasks"));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = json!({
            "authorization": self.authorization,
            "content-type": "application/json",
            "host": "localhost",
        });
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers[name.to_ascii_lowercase()] = json!(value.trim());
        }
        let text = str::from_utf8(body);
        json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "http": { "method": method, "path": path, "sourceIp": "203.0.113.7" },
                "requestId": "an id",
                "stage": "$default",
            },
            "body": text.map_or_else(|_| STANDARD.encode(body), str::to_owned),
            "isBase64Encoded": text.is_err(),
        })
    }
}

/// What holds of every answer.
fn check(sent: &Value, answer: &Value) {
    let said = || format!("{answer:#} to {sent:#}");
    let status = answer["statusCode"].as_u64().unwrap();
    assert!([200, 201, 204, 400, 401, 404, 405, 409, 413, 415, 422, 429].contains(&status), "{}", said());

    let header = |name: &str| answer["headers"][name].as_str();
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{}", said());
    // What the docs page is made of is the same for all.
    if header("content-type").is_some_and(|of| of.starts_with("text/")) {
        let path = sent["rawPath"].as_str().unwrap();
        let is_of_docs = ["/docs", "/api/docs"].iter().any(|docs| path.starts_with(docs));
        return assert!(is_of_docs && status == 200, "{}", said());
    }
    assert_eq!(header("cache-control"), Some("no-store"), "{}", said());
    let content_type = (status != 204).then_some("application/json; charset=utf-8");
    assert_eq!(header("content-type"), content_type, "{}", said());
    for (of, name) in [(401, "www-authenticate"), (429, "retry-after")] {
        assert_eq!(header(name).is_some(), status == of, "{name}: {}", said());
    }
    assert_eq!(answer["isBase64Encoded"], false, "{}", said());

    let request_id = header("x-request-id");
    let request = &sent["requestContext"];
    if request["requestId"].as_str().is_none_or(|id| HeaderValue::from_str(id).is_ok()) {
        assert!(request_id.is_some(), "{}", said());
    }

    let text = answer["body"].as_str().unwrap_or_default();
    if text.is_empty() {
        let method = request["http"]["method"].as_str().unwrap();
        return assert!(method == "HEAD" || method == "OPTIONS" && status == 204, "{}", said());
    }
    let body: Value = serde_json::from_str(text).unwrap();
    if status >= 400 {
        let mut keys: Vec<_> = body.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "detail", "request_id"], "{}", said());
        assert!(body["code"].is_string() && body["request_id"].is_string(), "{}", said());
        assert!(request_id.is_none_or(|id| body["request_id"] == id), "{}", said());
        let of_a_field =
            |field: &Value| field["loc"].is_array() && field["msg"].is_string() && field["type"].is_string();
        match &body["detail"] {
            Value::Array(fields) if status == 422 => assert!(fields.iter().all(of_a_field), "{}", said()),
            detail => assert!(status != 422 && detail.is_string(), "{}", said()),
        }
    }
    let tasks = body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice);
    for owner in tasks.iter().filter_map(|task| task.get("user_id")) {
        assert_eq!(*owner, json!(DEMO), "{}", said());
    }
}

/// When the tokens are verified.
const NOW: i64 = 1_800_000_000;

/// What signs the tokens of [`token`]: the present secret, and the one before.
const SECRETS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

/// Verifies a token: the input itself, or where it has two lines, a token with the first as its header and the
/// rest as its claims, well signed. Whose it is, if it is good.
///
/// # Panics
/// It is taken, and should not be.
pub fn token(input: &[u8]) -> Option<Uuid> {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
        Verifier::new(&Config::from_iter(["JWT_SECRET", "JWT_SECRET_PREVIOUS"].into_iter().zip(SECRETS)))
            .unwrap()
    });
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let token = match (parts.next(), parts.next()) {
        (Some(header), Some(claims)) => {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = sign(SECRETS[claims.len() % 2], &message);
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
        _ => String::from_utf8_lossy(input).into_owned(),
    };
    let user = VERIFIER.verify(&token, Timestamp::from_second(NOW).unwrap());
    if user.is_some() {
        assert_eq!(user, of_good_token(&token), "{token}");
    }
    user
}

fn sign(secret: &str, message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes())
}

/// The rules, read once more: docs/design.md, "What does a token hold, and how is it checked?"
fn of_good_token(token: &str) -> Option<Uuid> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let json = |part| -> Option<Value> {
        // Members that nobody reads may hold what is no text and no number.
        let json = String::from_utf8_lossy(&decode(part)?).into_owned();
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(&json).ok()?;
        let read = |value: &RawValue| serde_json::from_str::<Value>(value.get()).ok();
        Some(members.into_iter().filter_map(|(name, value)| Some((name, read(value)?))).collect())
    };
    let message = format!("{header}.{claims}");
    let signature = decode(signature)?;
    if !SECRETS.iter().any(|secret| sign(secret, &message).as_ref() == signature) {
        return None;
    }
    let (header, claims) = (json(header)?, json(claims)?);
    let typ = &header["typ"];
    let is_ours = header["alg"] == "HS256"
        && header["crit"].is_null()
        && (typ.is_null() || typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt")));
    let time = |name: &str| claims[name].as_i64().map(i128::from);
    let is_in_time = i128::from(NOW) < time("exp")? + 5
        && (claims["nbf"].is_null() || time("nbf")? <= i128::from(NOW) + 5);
    let user = Uuid::parse_str(claims["sub"].as_str()?).ok()?;
    (is_ours && is_in_time).then_some(user)
}
