//! openapi.yaml, held to what is answered: its examples, the events of events/, every error.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
    routing::post,
};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use shared::{
    Cors, Error,
    jwt::DEMO_SECRET,
    telemetry,
    validation::{ValidationErrors, Violation},
    with_middleware,
};
use tower::ServiceExt;

use kit::{Answer, Api};

static OPENAPI: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(docs::OPENAPI).unwrap());

/// One method of one path.
struct Operation {
    method: String,
    path: &'static str,
    parameters: Vec<&'static Value>,
    description: &'static Value,
}

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in OPENAPI["paths"].as_object().unwrap() {
        for (method, description) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters")
        {
            let parameters = [&item["parameters"], &description["parameters"]];
            let parameters = parameters.into_iter().filter_map(Value::as_array).flatten().map(resolved);
            operations.push(Operation {
                method: method.to_uppercase(),
                path,
                parameters: parameters.collect(),
                description,
            });
        }
    }
    operations
}

/// What a `$ref` refers to, or the value itself.
fn resolved(value: &'static Value) -> &'static Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    OPENAPI.pointer(reference.strip_prefix('#').unwrap()).unwrap()
}

/// The path of the route that API Gateway matched.
fn route(event: &Value) -> &str {
    event["routeKey"].as_str().unwrap().strip_prefix("ANY ").unwrap()
}

/// Those of a request or an answer, by their names.
fn examples(of: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let examples = of["content"]["application/json"]["examples"].as_object();
    examples.into_iter().flatten().map(|(name, example)| (name.as_str(), &example["value"]))
}

/// What is wrong with a value, by its schema.
fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    // References begin at the root.
    schema["components"] = OPENAPI["components"].clone();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

impl Operation {
    fn of(method: &str, path: &str) -> Option<Self> {
        let path = path.strip_prefix("/api").unwrap_or(path);
        operations().into_iter().find(|operation| operation.method == method && operation.path == path)
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// With the examples of its parameters.
    fn address(&self) -> String {
        let (mut path, mut query) = (self.path.to_owned(), String::new());
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap();
            match (&parameter["in"], &parameter["example"]) {
                (_, Value::Null) => {}
                (of, example) if of == "path" => {
                    path = path.replace(&format!("{{{name}}}"), example.as_str().unwrap());
                }
                (_, example) => {
                    let separator = if query.is_empty() { '?' } else { '&' };
                    query += &format!("{separator}{name}={}", example.to_string().trim_matches('"'));
                }
            }
        }
        path + &query
    }

    fn request(&self) -> &'static Value {
        &self.description["requestBody"]
    }

    /// By status.
    fn responses(&self) -> impl Iterator<Item = (u16, &'static Value)> {
        let responses = self.description["responses"].as_object().unwrap().iter();
        responses.map(|(status, response)| (status.parse().unwrap(), resolved(response)))
    }

    /// Finds that the answer is one that is described.
    fn describes(&self, answer: &Answer) {
        let name = format!("{} {}", self.name(), answer.status);
        let response = self.responses().find(|(status, _)| *status == answer.status);
        let (_, response) = response.unwrap_or_else(|| panic!("{name} is not described: {answer:?}"));
        let schema = &response["content"]["application/json"]["schema"];
        assert_eq!(schema.is_object(), ![204, 304].contains(&answer.status), "{name} is not JSON");
        if schema.is_object() {
            assert_eq!(violations(schema, &answer.body), [""; 0], "{name}: {answer:?}");
        }

        let headers = response["headers"].as_object().into_iter().flatten();
        let headers: Vec<_> = headers.map(|(header, description)| (header, resolved(description))).collect();
        for header in answer.headers.keys().map(|header| header.as_str()) {
            let is_of_the_body = ["content-type", "content-length"].contains(&header);
            let is_described = headers.iter().any(|(described, _)| described.eq_ignore_ascii_case(header));
            assert!(is_of_the_body || is_described, "{name}: {header} is not described");
        }
        for (header, description) in headers {
            let schema = &description["schema"];
            match answer.headers.get(header).map(|value| value.to_str().unwrap()) {
                Some(text) => {
                    let is_number = schema["type"] == "integer";
                    let value = if is_number { text.parse().unwrap() } else { json!(text) };
                    assert_eq!(violations(schema, &value), [""; 0], "{name}: {header}");
                }
                None => assert_ne!(description["required"], true, "{name}: {header} is missing"),
            }
        }
    }
}

/// The API as the demo user finds it, and their token.
async fn demo() -> (Api, String) {
    let api = Api::with(dev::api, &[("JWT_SECRET", DEMO_SECRET)]).await;
    kit::events::seed(&api.url).await;
    // The token of the session in events/seed.sql, which is there anew after each seed.
    let event: Value = serde_json::from_str(&kit::events::all()["account-me.json"]).unwrap();
    let token = event["headers"]["authorization"].as_str().unwrap().strip_prefix("Bearer ").unwrap();
    (api, token.to_owned())
}

/// Without what is new each time, except for whether a task was changed since it was made.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(lasting).collect(),
        Value::Object(members) => {
            let mut lasting: Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), lasting(value))).collect();
            lasting.insert(
                "is changed".to_owned(),
                json!(members.get("created_at") != members.get("updated_at")),
            );
            if members.get("completed_at").is_some_and(Value::is_string) {
                lasting["completed_at"] = json!("a time");
            }
            for name in [
                "access_token",
                "refresh_token",
                "refresh_expires_in",
                "request_id",
                "created_at",
                "updated_at",
                "deleted_at",
                "refreshed_at",
            ] {
                lasting.remove(name);
            }
            if !members
                .get("id")
                .is_some_and(|id| id.as_str().unwrap().starts_with("019bc000-0000-7000-8000-"))
            {
                lasting.remove("id");
            }
            lasting.into()
        }
        value => value.clone(),
    }
}

#[tokio::test]
async fn every_example_of_a_request_is_answered_with_the_example_of_its_name() {
    let (api, token) = demo().await;
    let mut count = 0;
    for operation in operations() {
        for (name, request) in examples(operation.request()) {
            let answers = operation.responses().filter_map(|(status, response)| {
                examples(response).find(|(answer, _)| *answer == name).map(|(_, example)| (status, example))
            });
            let answers: Vec<_> = answers.collect();
            let name = format!("{}, {name}", operation.name());
            let [(status, example)] = answers[..] else {
                panic!("{name}: {} answers have its name", answers.len())
            };
            if status < 400 {
                let schema = &operation.request()["content"]["application/json"]["schema"];
                assert_eq!(violations(schema, request), [""; 0], "{name}");
            }

            kit::events::seed(&api.url).await;
            let method = Method::try_from(operation.method.as_str()).unwrap();
            let answer = api.call(method, &operation.address()).token(&token).json(request).await;
            assert_eq!(answer.status, status, "{name}: {answer:?}");
            assert_eq!(lasting(&answer.body), lasting(example), "{name}");
            operation.describes(&answer);
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[tokio::test]
async fn a_request_without_a_body_is_answered_with_the_example() {
    let (api, token) = demo().await;
    let mut count = 0;
    for operation in operations().iter().filter(|operation| operation.request().is_null()) {
        for (status, response) in operation.responses().filter(|(status, _)| *status < 400) {
            for (_, example) in examples(response) {
                kit::events::seed(&api.url).await;
                let method = Method::try_from(operation.method.as_str()).unwrap();
                let answer = api.call(method, &operation.address()).token(&token).send().await;
                let name = operation.name();
                assert_eq!(answer.status, status, "{name}: {answer:?}");
                assert_eq!(lasting(&answer.body), lasting(example), "{name}");
                operation.describes(&answer);
                count += 1;
            }
        }
    }
    assert_eq!(count, 8);
}

#[test]
fn every_example_of_an_answer_fits_its_schema() {
    for operation in operations() {
        for (status, response) in operation.responses() {
            for (name, example) in examples(response) {
                let schema = &response["content"]["application/json"]["schema"];
                assert_eq!(violations(schema, example), [""; 0], "{} {status}, {name}", operation.name());
            }
        }
    }
}

#[tokio::test]
async fn every_event_is_answered_as_described() {
    let (api, _) = demo().await;
    // Which are no JSON: functions/docs has its own tests.
    let is_page =
        |name: &str| ["docs-page", "docs-file", "docs-head"].iter().any(|page| name.starts_with(page));
    for (name, event) in kit::events::all().iter().filter(|(name, _)| !is_page(name)) {
        let event: Value = serde_json::from_str(event).unwrap();
        kit::events::seed(&api.url).await;
        let answer = api.event(&event).await;
        let method = event["requestContext"]["http"]["method"].as_str().unwrap();
        match Operation::of(method, route(&event)) {
            Some(operation) => operation.describes(&answer),
            // Neither has a body.
            None if ["HEAD", "OPTIONS"].contains(&method) => {
                assert_eq!(answer.status, kit::events::expected()[name], "{name}")
            }
            None => assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"), "{name}"),
        }
    }
}

/// Each as it is answered.
async fn errors() -> Vec<(u16, Value)> {
    let rule = Violation::new("a_rule", "A sentence");
    let errors = [
        Error::MalformedRequest,
        Error::EmptyBody,
        Error::UnreadableBody,
        Error::NotUtf8,
        Error::MalformedJson { line: 1, column: 2 },
        Error::DuplicateKey,
        Error::InvalidToken,
        Error::InvalidRefreshToken,
        Error::InvalidCredentials,
        Error::ForeignOrigin,
        Error::NotFound,
        Error::TaskNotFound,
        Error::SessionNotFound,
        Error::MethodNotAllowed,
        Error::RequestTimeout,
        Error::EmailTaken,
        Error::UsernameTaken,
        Error::TaskDeleted,
        Error::ChangedMeanwhile,
        Error::BodyTooLarge,
        Error::NotJson,
        Error::ContentEncoding,
        Error::Invalid(ValidationErrors::parameter("limit", rule)),
        Error::ListTooLarge,
        Error::TooManyAttempts { retry_after: 1 },
        Error::Unavailable,
        Error::OutcomeUnknown,
        Error::Internal,
    ];
    let mut answers = Vec::new();
    for error in errors {
        let routes = Router::new().route("/", post(async move || error.clone()));
        let request = Request::post("/").body(Body::empty()).unwrap();
        let answer =
            with_middleware(routes, Cors::default(), telemetry::to_terminal).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        answers.push((status, serde_json::from_slice(&body).unwrap()));
    }
    answers
}

#[tokio::test]
async fn every_code_is_described_and_every_example_of_an_error_is_true() {
    let errors = errors().await;
    let code = |error: &Value| error["code"].as_str().unwrap().to_owned();
    let schemas = &OPENAPI["components"]["schemas"];
    let described = ["Error", "ValidationError"].map(|schema| &schemas[schema]["properties"]["code"]["enum"]);
    let described = described.into_iter().flat_map(|codes| codes.as_array().unwrap());
    let described: BTreeSet<_> = described.map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(described, errors.iter().map(|(_, error)| code(error)).collect());

    let mut shown = BTreeSet::new();
    for operation in operations() {
        for (status, response) in operation.responses().filter(|(status, _)| *status >= 400) {
            // What API Gateway says itself has no code.
            for (_, example) in examples(response).filter(|(_, example)| example["code"].is_string()) {
                let (of_code, error) =
                    errors.iter().find(|(_, error)| error["code"] == example["code"]).unwrap();
                assert_eq!(status, *of_code, "{}: {example}", operation.name());
                // What is not valid differs from one request to the next.
                if error["code"] != "invalid" {
                    assert_eq!(error["detail"], example["detail"], "{}", operation.name());
                }
                shown.insert(code(example));
            }
        }
    }
    // Which no operation that is described is answered with.
    let elsewhere = BTreeSet::from(["method_not_allowed", "request_timeout"].map(str::to_owned));
    assert_eq!(described.difference(&shown).cloned().collect::<BTreeSet<_>>(), elsewhere);
}

#[test]
fn every_status_of_an_operation_is_shown_but_for_those_of_any_bad_body_a_fault_or_a_crowd() {
    let expected = kit::events::expected();
    let events = kit::events::all().into_iter().filter_map(|(name, event)| {
        let event: Value = serde_json::from_str(&event).unwrap();
        let method = event["requestContext"]["http"]["method"].as_str().unwrap();
        let operation = Operation::of(method, route(&event))?;
        Some((operation.name(), expected[&name]))
    });
    let by_events: BTreeSet<_> = events.collect();
    let mut not_shown = Vec::new();
    for operation in operations() {
        let requests: BTreeSet<_> = examples(operation.request()).map(|(name, _)| name).collect();
        for (status, response) in operation.responses() {
            let by_examples = examples(response).any(|(name, _)| requests.contains(name));
            let is_shown = by_examples || by_events.contains(&(operation.name(), status));
            // It takes a second user: `a_username_that_is_taken_or_not_fit_changes_nothing`.
            let is_shown = is_shown || (operation.name() == "PATCH /auth/me" && status == 409);
            if !is_shown && ![400, 413, 415, 429, 500, 503].contains(&status) {
                not_shown.push(format!("{} {status}", operation.name()));
            }
        }
    }
    assert_eq!(not_shown, [""; 0]);
}
