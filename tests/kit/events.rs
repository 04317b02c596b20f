//! The events of `events/`, which a person sends with `sam local invoke` and `cargo lambda invoke`.

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

/// The origin in the events, whose pages may call the functions.
const ORIGIN: &str = "https://todo.example.com";

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// Sends every event of `events/` that is named after the function three ways — as plain HTTP to its routes, through
/// `lambda_http`'s parsing to its routes, and to its real binary — each time to a database that was just seeded, and
/// checks that the answers are the same and have the status that `events/expected.json` says.
///
/// # Panics
/// They do not.
pub async fn are_answered_alike(
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
        let in_process = shown(routes.clone().oneshot(plain_http(&event)).await.unwrap()).await;
        seed(&url).await;
        let request = lambda_http::request::from_str(&text).unwrap();
        let as_event = shown(routes.clone().oneshot(request).await.unwrap()).await;
        seed(&url).await;
        let answer = process.invoke(&event).await.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let by_binary = shown(from_lambda(&answer)).await;

        assert_eq!(in_process["status"], expected[&name], "{name}: {in_process:#}");
        assert_eq!(in_process, as_event, "{name}");
        assert_eq!(in_process, by_binary, "{name}");
        count += 1;
    }
    assert!(count > 0, "no event is named after {function}");
}

/// Every event of `events/` by the name of its file.
///
/// # Panics
/// The folder cannot be read.
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

/// The status of each event's answer, by the name of its file.
///
/// # Panics
/// `events/expected.json` cannot be read.
pub fn expected() -> BTreeMap<String, u16> {
    serde_json::from_str(&fs::read_to_string(Path::new(FOLDER).join("expected.json")).unwrap()).unwrap()
}

/// Makes the demo user and task anew, and deletes what earlier events made. Other users and their tasks stay.
///
/// # Panics
/// The database is not there, or not migrated.
pub async fn seed(url: &str) {
    crate::execute(url, include_str!("../../events/seed.sql")).await.unwrap();
}

/// The database that this process's `DATABASE_URL` names, or else a temporary one, and the variables of a function that
/// is sent events there: the process's own, and the secret that signed the events' tokens. With `SSM_PARAMETER_PATH`
/// the function is told neither, but to look there.
///
/// # Errors
/// The database is not on this machine (the demo user's password is public), or not there, or not migrated.
pub async fn environment() -> Result<(String, BTreeMap<String, String>), config::Error> {
    let mut variables: BTreeMap<_, _> = env::vars().filter(|(_, value)| !value.is_empty()).collect();
    let url = match variables.remove("DATABASE_URL") {
        Some(url) => url,
        None => database().await,
    };
    if !Database::new(&Config::from_iter([("DATABASE_URL", &url)]))?.is_local() {
        return Err(config::Error::new(
            "DATABASE_URL names a database on another machine, and the demo user's password is public: \
             name one on this machine, or none for a temporary one"
                .to_owned(),
        ));
    }
    crate::execute(&url, "SELECT FROM users").await.map_err(|error| {
        config::Error::new(format!(
            "the database that DATABASE_URL names cannot be used ({error}): start it and migrate it, as cargo dev \
             does, or unset DATABASE_URL for a temporary one"
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

/// The request that made API Gateway send this event.
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

/// The response that API Gateway makes of a function's answer.
fn from_lambda(answer: &Value) -> Response<Body> {
    let mut response =
        Response::builder().status(u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap());
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    response.body(Body::from(answer["body"].as_str().unwrap_or_default().to_owned())).unwrap()
}

/// Status, headers and body, with a sign in the place of what is new each time.
async fn shown<B>(response: Response<B>) -> Value
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
        body if headers["content-type"].starts_with("application/json") => {
            serde_json::from_slice(body).unwrap()
        }
        body => str::from_utf8(body).unwrap().into(),
    };
    let mut shown = json!({ "status": parts.status.as_u16(), "headers": headers, "body": body });
    mask(&mut shown);
    shown
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    // openapi.json says of the same names what they are.
                    _ if value.is_object() => mask(value),
                    "request_id" | "x-request-id" | "access_token" | "created_at" | "updated_at" => {
                        assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{name}");
                        *value = json!(format!("<{name}>"));
                    }
                    _ => mask(value),
                }
            }
        }
        Value::String(text) => {
            // Ids of the seed are known; one that was made for this answer stands last in what holds it.
            let (rest, last) = text.rsplit_once('/').map_or(("", text.as_str()), |(rest, last)| (rest, last));
            if last.len() == 36 && last.split('-').count() == 5 && !last.starts_with("019bc000-0000-7000") {
                *text = format!("{rest}/<id>");
            }
        }
        _ => {}
    }
}
