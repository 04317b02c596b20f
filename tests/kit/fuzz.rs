//! The checks of the fuzz targets in `fuzz/`. They panic if a result is wrong. `tests/fuzz.rs` also runs them.

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

/// The ID of the user in `events/seed.sql`.
const DEMO: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0001);

/// The ID of their session in `events/seed.sql`.
const SESSION: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0004);

/// Another user, whose session must not be returned or ended and whose tasks must not be returned or changed.
const OTHER_USER: &str = "
    INSERT INTO users (id, email, hashed_password)
    VALUES ('019bc000-0000-7000-8000-0000000000f1', 'stranger@example.com', 'none');
    INSERT INTO sessions (id, user_id)
    VALUES ('019bc000-0000-7000-8000-0000000000f4', '019bc000-0000-7000-8000-0000000000f1');
    INSERT INTO tasks (id, user_id, title)
    VALUES ('019bc000-0000-7000-8000-0000000000f2', '019bc000-0000-7000-8000-0000000000f1', 'A stranger''s');
    INSERT INTO deleted_tasks (id, user_id, revision, title, completed, priority, due_kind, created_at, updated_at)
    VALUES ('019bc000-0000-7000-8000-0000000000f3', '019bc000-0000-7000-8000-0000000000f1', 1, 'A stranger''s', false,
            'medium', 'local', now(), now())";

type Answer = Pin<Box<dyn Future<Output = Value>>>;

/// All functions' routes as Lambda calls them, and a database with the demo user and another one.
pub struct Events {
    function: Box<dyn FnMut(LambdaEvent<Box<RawValue>>) -> Answer>,
    client: Client,
    authorization: String,
}

impl Events {
    /// Creates a database for these routes.
    ///
    /// # Panics
    /// Panics if the database cannot be created.
    pub async fn new(routes: impl FnOnce(&Config) -> Result<Router, config::Error>) -> Self {
        let url = database().await;
        let config = Config::from_iter([
            ("DATABASE_URL", url.as_str()),
            ("JWT_SECRET", DEMO_SECRET),
            ("BCRYPT_COST", "4"),
            ("CORS_ALLOW_ORIGINS", "http://localhost:3000"),
            // Attempts are counted, but the limits are never reached.
            ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "1000000"),
            ("LOGIN_LIMIT_PER_ADDRESS", "1000000"),
            ("SIGNUP_LIMIT_PER_ADDRESS", "1000000"),
        ]);
        let mut function =
            shared::answer_events(routes(&config).unwrap(), Cors::new(&config).unwrap(), |_| {});
        let demo = User { id: DEMO, email: "demo@example.com".to_owned(), username: None };
        // The expiry is that of the session in events/seed.sql.
        let expires_at = "2100-01-01T00:00:00Z".parse().unwrap();
        let issuer = Issuer::new(&config).unwrap();
        let session = issuer.session(demo, SESSION, 0, expires_at, Timestamp::now()).unwrap();
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
        let all = [
            "TRUNCATE users, sessions, tasks, deleted_tasks, attempts",
            include_str!("../../events/seed.sql"),
            OTHER_USER,
        ];
        self.client.batch_execute(&all.join(";")).await.unwrap();
    }

    /// Sends an event. JSON input is the event itself. Other input is an HTTP request (`POST /tasks?x=y`, headers, an
    /// empty line, a body), which is converted as API Gateway does. By default it has the demo user's token and the
    /// content type of JSON.
    ///
    /// # Panics
    /// Panics if the answer is wrong for any input, or another user's session was ended or task changed.
    pub async fn send(&mut self, input: &[u8]) {
        let event = match serde_json::from_slice(input) {
            Ok(event) => event,
            Err(_) => serde_json::value::to_raw_value(&self.event(input)).unwrap(),
        };
        let sent: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let answer = (self.function)(LambdaEvent::new(event, Context::default())).await;
        check_answer(&sent, &answer);
        if answer["statusCode"].as_u64() < Some(300) && sent["requestContext"]["http"]["method"] != "GET" {
            let others = "SELECT FROM tasks t JOIN deleted_tasks d USING (user_id) JOIN sessions s USING (user_id) \
                          WHERE t.title = 'A stranger''s' AND NOT t.completed AND d.title = t.title AND s.counter = 0";
            assert_eq!(self.client.query(others, &[]).await.unwrap().len(), 1, "{sent:#}");
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

/// Checks the properties of every answer.
fn check_answer(sent: &Value, answer: &Value) {
    let context = || format!("{answer:#} to {sent:#}");
    let status = answer["statusCode"].as_u64().unwrap();
    assert!(
        [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 429].contains(&status),
        "{}",
        context()
    );

    let header = |name: &str| answer["headers"][name].as_str();
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{}", context());
    // The files of the docs page may be cached.
    if header("content-type").is_some_and(|kind| kind.starts_with("text/")) {
        let path = sent["rawPath"].as_str().unwrap();
        let is_docs = ["/docs", "/api/docs"].iter().any(|docs| path.starts_with(docs));
        return assert!(is_docs && status == 200, "{}", context());
    }
    assert_eq!(header("cache-control"), Some("no-store"), "{}", context());
    let has_no_body = [204, 304].contains(&status);
    let content_type = (!has_no_body).then_some("application/json; charset=utf-8");
    assert_eq!(header("content-type"), content_type, "{}", context());
    for (only_status, name) in [(401, "www-authenticate"), (429, "retry-after")] {
        assert_eq!(header(name).is_some(), status == only_status, "{name}: {}", context());
    }
    // The description of the API may be compressed.
    if header("content-encoding").is_some() {
        let path = sent["rawPath"].as_str().unwrap();
        let is_openapi = ["/openapi.json", "/api/openapi.json"].contains(&path);
        return assert!(is_openapi && status == 200, "{}", context());
    }
    assert_eq!(answer["isBase64Encoded"], false, "{}", context());

    let request_id = header("x-request-id");
    let request = &sent["requestContext"];
    if request["requestId"].as_str().is_none_or(|id| HeaderValue::from_str(id).is_ok()) {
        assert!(request_id.is_some(), "{}", context());
    }

    let text = answer["body"].as_str().unwrap_or_default();
    if text.is_empty() {
        let method = request["http"]["method"].as_str().unwrap();
        return assert!(method == "HEAD" || has_no_body, "{}", context());
    }
    let body: Value = serde_json::from_str(text).unwrap();
    if status >= 400 {
        let mut keys: Vec<_> = body.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "detail", "request_id"], "{}", context());
        assert!(body["code"].is_string() && body["request_id"].is_string(), "{}", context());
        assert!(request_id.is_none_or(|id| body["request_id"] == id), "{}", context());
        let is_field_error =
            |field: &Value| field["loc"].is_array() && field["msg"].is_string() && field["type"].is_string();
        match &body["detail"] {
            Value::Array(fields) if status == 422 => {
                assert!(fields.iter().all(is_field_error), "{}", context())
            }
            detail => assert!(status != 422 && detail.is_string(), "{}", context()),
        }
    }
    let items = body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice);
    for owner in items.iter().filter_map(|task| task.get("user_id")) {
        assert_eq!(*owner, json!(DEMO), "{}", context());
    }
    for session in items.iter().filter(|item| item.get("current").is_some()) {
        assert_eq!(session["id"], json!(SESSION), "{}", context());
    }
}

/// The time at which tokens are verified.
const NOW: i64 = 1_800_000_000;

/// The current and the previous secret that sign tokens.
const SECRETS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

/// The kinds of tokens, by `typ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Access,
    Refresh,
}

/// Verifies a token and returns its kind if it is valid. Input with two lines or more is signed: the first line is the
/// header and the rest are the claims. Other input is the token itself.
///
/// # Panics
/// Panics if an invalid token is accepted.
pub fn token(input: &[u8]) -> Option<Kind> {
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
    let now = Timestamp::from_second(NOW).unwrap();
    let access = VERIFIER.access(&token, now).map(|claims| (Kind::Access, claims.sub));
    let refresh = VERIFIER.refresh(&token, now).map(|claims| (Kind::Refresh, claims.sub));
    assert!(access.is_none() || refresh.is_none(), "{token}");
    let accepted = access.or(refresh);
    if accepted.is_some() {
        assert_eq!(accepted, expected(&token), "{token}");
    }
    accepted.map(|(kind, _)| kind)
}

fn sign(secret: &str, message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes())
}

/// A second implementation of the rules in docs/design.md, "What does a token hold, and how is it checked?"
fn expected(token: &str) -> Option<(Kind, Uuid)> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let json = |part| -> Option<Value> {
        // Unused members may have invalid strings or numbers.
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
    let kind = match header["typ"].as_str().map(str::to_ascii_lowercase).as_deref() {
        None if !header["typ"].is_null() => return None,
        None | Some("jwt") => Kind::Access,
        Some("refresh+jwt") if i32::try_from(claims["n"].as_i64()?).is_ok() => Kind::Refresh,
        Some(_) => return None,
    };
    let is_valid_header = header["alg"] == "HS256" && header["crit"].is_null();
    let time = |name: &str| claims[name].as_i64().map(i128::from);
    let is_valid_now = i128::from(NOW) < time("exp")? + 5
        && (claims["nbf"].is_null() || time("nbf")? <= i128::from(NOW) + 5);
    let uuid = |name: &str| Uuid::parse_str(claims[name].as_str()?).ok();
    let user = uuid("sub")?;
    uuid("sid")?;
    (is_valid_header && is_valid_now).then_some((kind, user))
}
