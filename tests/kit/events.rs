//! Sends the example events in `events/` to the functions.

use std::{collections::BTreeMap, env, fs, path::Path};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::{Config, Cors, Db, config, db::Database, telemetry};
use tower::ServiceExt;

use crate::{Function, database};

/// The allowed CORS origin, which the events use.
const ORIGIN: &str = "https://todo.example.com";

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// Sends every event whose file is named after the function in three ways: as plain HTTP to its routes, parsed by
/// `lambda_http` to its routes, and to its real binary. Seeds the database before each request.
///
/// # Panics
/// Panics if the answers differ or do not have the status in `events/expected.json`.
pub async fn assert_same_answers(
    function: &str,
    binary: &str,
    routes: impl FnOnce(&Config, Db) -> Result<Router, config::Error>,
) {
    let url = database().await;
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", shared::jwt::DEMO_SECRET),
        ("BCRYPT_COST", "4"),
        ("CORS_ALLOW_ORIGINS", ORIGIN),
    ];
    let config = Config::from_iter(variables);
    let routes = Db::new(&config).and_then(|db| routes(&config, db)).unwrap();
    let routes = shared::with_middleware(routes, Cors::new(&config).unwrap(), telemetry::to_terminal);
    let mut process = Function::start(binary, &variables).await;

    let expected = expected();
    let mut count = 0;
    for (name, text) in all().into_iter().filter(|(name, _)| name.starts_with(&format!("{function}-"))) {
        let event: Value = serde_json::from_str(&text).unwrap();
        seed(&url).await;
        let in_process = normalised(routes.clone().oneshot(plain_http(&event)).await.unwrap()).await;
        seed(&url).await;
        let request = lambda_http::request::from_str(&text).unwrap();
        let as_event = normalised(routes.clone().oneshot(request).await.unwrap()).await;
        seed(&url).await;
        let answer = process.invoke(&event).await.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let by_binary = normalised(from_lambda(&answer)).await;

        assert_eq!(in_process["status"], expected[&name], "{name}: {in_process:#}");
        assert_eq!(in_process, as_event, "{name}");
        assert_eq!(in_process, by_binary, "{name}");
        count += 1;
    }
    assert!(count > 0, "events/ has no event for {function}: add {function}-….json");
}

/// Returns the text of every event in `events/`, by file name.
///
/// # Panics
/// Panics if the folder cannot be read.
pub fn all() -> BTreeMap<String, String> {
    let files = fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .map(|file| {
            (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&file).unwrap())
        })
        .filter(|(name, _)| !["expected.json", "env.example.json"].contains(&name.as_str()))
        .collect()
}

/// Returns the expected status of each event, by file name.
///
/// # Panics
/// Panics if `events/expected.json` cannot be read.
pub fn expected() -> BTreeMap<String, u16> {
    serde_json::from_str(&fs::read_to_string(Path::new(FOLDER).join("expected.json")).unwrap()).unwrap()
}

/// Resets the demo user and tasks, and deletes the rows of earlier events. Keeps other users and their tasks.
///
/// # Panics
/// Panics if the database does not exist or is not migrated.
pub async fn seed(url: &str) {
    crate::execute(url, include_str!("../../events/seed.sql")).await.unwrap();
}

/// Returns the URL of the database, from `DATABASE_URL` or of a temporary one, and the variables for a function: those
/// of this process, the URL, and the secret that signed the events' tokens. If `SSM_PARAMETER_PATH` is set, the
/// function reads URL and secret from there instead.
///
/// # Errors
/// Fails if the database is on another machine (the demo user's password is public), or cannot be used.
pub async fn environment() -> Result<(String, BTreeMap<String, String>), config::Error> {
    let mut variables: BTreeMap<_, _> = env::vars().filter(|(_, value)| !value.is_empty()).collect();
    let url = match variables.remove("DATABASE_URL") {
        Some(url) => url,
        None => database().await,
    };
    if !Database::new(&Config::from_iter([("DATABASE_URL", &url)]))?.is_local() {
        return Err(config::Error::new(
            "DATABASE_URL is a database on another machine, and the demo user's password is public: \
             set it to a database on this machine, or unset it for a temporary one"
                .to_owned(),
        ));
    }
    crate::execute(&url, "SELECT FROM users").await.map_err(|error| {
        config::Error::new(format!(
            "the database in DATABASE_URL cannot be used ({error}): start and migrate it, for example with \
             cargo dev, or unset DATABASE_URL for a temporary one"
        ))
    })?;
    variables.entry("AWS_LAMBDA_LOG_LEVEL".to_owned()).or_insert_with(|| "INFO".to_owned());
    variables.entry("CORS_ALLOW_ORIGINS".to_owned()).or_insert_with(|| ORIGIN.to_owned());
    if !variables.contains_key("SSM_PARAMETER_PATH") {
        variables.insert("DATABASE_URL".to_owned(), url.clone());
        variables.entry("JWT_SECRET".to_owned()).or_insert_with(|| shared::jwt::DEMO_SECRET.to_owned());
    }
    Ok((url, variables))
}

/// Returns the HTTP request of an event.
fn plain_http(event: &Value) -> Request<Body> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let uri = match text(&event["rawQueryString"]) {
        query if query.is_empty() => text(&event["rawPath"]),
        query => format!("{}?{query}", text(&event["rawPath"])),
    };
    let mut request =
        Request::builder().method(event["requestContext"]["http"]["method"].as_str().unwrap()).uri(uri);
    for (name, value) in event["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let body = match event["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(text(&event["body"])).unwrap(),
        _ => text(&event["body"]).into_bytes(),
    };
    request.body(Body::from(body)).unwrap()
}

/// Returns the HTTP response of a function's answer, as API Gateway does.
fn from_lambda(answer: &Value) -> Response<Body> {
    let mut response =
        Response::builder().status(u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap());
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(body).unwrap(),
        _ => body.into(),
    };
    response.body(Body::from(body)).unwrap()
}

/// Returns status, headers and body, with placeholders for the values that change each time.
async fn normalised<B>(response: Response<B>) -> Value
where
    B: axum::body::HttpBody<Data: Send, Error: std::fmt::Debug>,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: BTreeMap<_, _> = parts
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-length")
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let body: Value = match &*body {
        [] => Value::Null,
        compressed if headers.contains_key("content-encoding") => STANDARD.encode(compressed).into(),
        body if headers["content-type"].starts_with("application/json") => {
            serde_json::from_slice(body).unwrap()
        }
        body => str::from_utf8(body).unwrap().into(),
    };
    let mut answer = json!({ "status": parts.status.as_u16(), "headers": headers, "body": body });
    mask(&mut answer);
    answer
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    // In openapi.json these names have schemas, which are objects.
                    _ if value.is_object() => mask(value),
                    "completed_at" if value.is_null() => {}
                    "request_id" | "x-request-id" | "access_token" | "refresh_token" | "completed_at"
                    | "created_at" | "deleted_at" | "refreshed_at" | "updated_at" => {
                        assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{name}");
                        *value = json!(format!("<{name}>"));
                    }
                    // It may differ by a second.
                    "refresh_expires_in" => *value = json!("<refresh_expires_in>"),
                    _ => mask(value),
                }
            }
        }
        Value::String(text) => {
            // Replaces a new ID at the end of a string. The IDs of the seed stay.
            let (rest, last) = text.rsplit_once('/').map_or(("", text.as_str()), |(rest, last)| (rest, last));
            if last.len() == 36 && last.split('-').count() == 5 && !last.starts_with("019bc000-0000-7000") {
                *text = format!("{rest}/<id>");
            }
        }
        _ => {}
    }
}
