//! Sends requests to the API in process, and checks the properties that all answers have in common.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Request},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::{Config, config, extract::ClientIp};
use tower::ServiceExt;

use crate::log;

pub const SECRET: &str = "a secret of the tests, 32 bytes and more";
pub const PASSWORD: &str = "correct horse battery staple";

/// A function that makes the routes, such as `dev::api`, which makes those of all functions.
type Build = fn(&Config) -> Result<Router, config::Error>;

/// The API with its own database.
#[derive(Clone)]
pub struct Api {
    pub url: String,
    router: Router,
}

pub struct User {
    pub id: String,
    /// The ID of the session that sign-up started.
    pub session: String,
    pub email: String,
    pub token: String,
    pub refresh_token: String,
}

impl User {
    /// Returns the user of an answer to a sign-up, a login or a refresh.
    pub fn new(answer: &Answer) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let token = text(&answer.body["access_token"]);
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        Self {
            id: text(&answer.body["user"]["id"]),
            session: text(&claims["sid"]),
            email: text(&answer.body["user"]["email"]),
            refresh_token: text(&answer.body["refresh_token"]),
            token,
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON.
    pub body: Value,
}

impl Api {
    /// Returns the routes that `build` makes, with a new database.
    pub async fn new(build: Build) -> Self {
        Self::with(build, &[]).await
    }

    /// Like [`Api::new`], with more variables.
    pub async fn with(build: Build, variables: &[(&str, &str)]) -> Self {
        Self::on(build, crate::database().await, variables)
    }

    /// Like [`Api::with`], with the database at `url`.
    pub fn on(build: Build, url: String, variables: &[(&str, &str)]) -> Self {
        log::watch();
        let prepared_statements = crate::prepared_statements();
        let defaults = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_PREPARED_STATEMENTS", &prepared_statements),
            ("DATABASE_MAX_CONNECTIONS", "4"),
            ("JWT_SECRET", SECRET),
            ("BCRYPT_COST", "4"),
            ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "0"),
            ("LOGIN_LIMIT_PER_ADDRESS", "0"),
            ("SIGNUP_LIMIT_PER_ADDRESS", "0"),
        ];
        let config = Config::from_iter(defaults.into_iter().chain(variables.iter().copied()));
        Self { router: build(&config).unwrap(), url }
    }

    /// Opens a connection to the database.
    pub async fn sql(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub async fn count(&self, table: &str) -> i64 {
        self.sql().await.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
    }

    pub async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let answer = self.post("/auth/signup").json(&json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        User::new(&answer)
    }

    /// Creates a task of `user` with these fields, through the API.
    pub async fn task(&self, user: &User, fields: &Value) -> Value {
        let answer = self.post("/tasks").by(user).json(fields).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Sends an event of API Gateway, parsed as in a function.
    pub async fn event(&self, event: &Value) -> Answer {
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        Call { router: self.router.clone(), request: request.map(Body::new) }.send().await
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Call { router: self.router.clone(), request }
    }
}

pub struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub fn by(self, user: &User) -> Self {
        self.token(&user.token)
    }

    /// Sets the client IP.
    pub fn from(mut self, address: &str) -> Self {
        self.request.extensions_mut().insert(ClientIp(address.parse().unwrap()));
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn header(self, name: &'static str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    pub fn header_bytes(mut self, name: &'static str, value: &[u8]) -> Self {
        self.request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub async fn json(self, body: &Value) -> Answer {
        self.body(body.to_string()).await
    }

    pub fn with_json(mut self, body: &Value) -> Self {
        *self.request.body_mut() = body.to_string().into();
        self.header("content-type", "application/json")
    }

    pub async fn body(self, body: impl Into<Body>) -> Answer {
        self.header("content-type", "application/json").raw(body).await
    }

    /// Sends a body without setting the content type.
    pub async fn raw(mut self, body: impl Into<Body>) -> Answer {
        *self.request.body_mut() = body.into();
        self.send().await
    }

    pub async fn send(self) -> Answer {
        let is_head = self.request.method() == Method::HEAD;
        let (parts, body) = self.router.oneshot(self.request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let is_empty = is_head || matches!(parts.status.as_u16(), 204 | 304);
        assert!(!is_empty || bytes.is_empty(), "{}: {bytes:?}", parts.status);
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: if is_empty { Value::Null } else { parse(&bytes) },
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        answer.assert_common_properties(is_head);
        assert_eq!(log::found(), Vec::<String>::new(), "logged secrets");
        answer
    }
}

fn parse(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Returns the target of the `Link` header (RFC 8288), which is the next page.
    pub fn next(&self) -> Option<String> {
        let link = self.headers.get("link")?.to_str().unwrap();
        let target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        Some(target.to_owned())
    }

    /// Returns the body as text without the request ID.
    pub fn text_without_id(&self) -> String {
        self.text.replace(self.header("x-request-id"), "…")
    }

    /// Returns the sorted locations in a 422 answer, joined with dots.
    pub fn bad_fields(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{self:?}");
        let details = self.body["detail"].as_array().unwrap();
        let location = |detail: &Value| {
            assert!(detail["msg"].is_string() && detail["type"].is_string(), "{detail}");
            let loc = detail["loc"].as_array().unwrap();
            loc.iter()
                .map(|part| part.as_str().map_or(part.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(".")
        };
        let mut fields: Vec<_> = details.iter().map(location).collect();
        fields.sort();
        fields
    }

    fn assert_common_properties(&self, is_head: bool) {
        let content_type =
            if matches!(self.status, 204 | 304) { "" } else { "application/json; charset=utf-8" };
        assert_eq!(self.header("content-type"), content_type, "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(!self.header("x-request-id").is_empty());
        assert_ne!(self.status, 500, "{self:?}");
        if self.status >= 400 && !is_head {
            let mut keys: Vec<_> = self.body.as_object().unwrap().keys().collect();
            keys.sort();
            assert_eq!(keys, ["code", "detail", "request_id"]);
            assert_eq!(self.body["request_id"], self.header("x-request-id"));
        }
        if self.status == 401 {
            assert_eq!(self.header("www-authenticate"), "Bearer");
        }
        if self.status == 503 {
            assert_eq!(self.header("retry-after"), "1");
        }
    }
}
