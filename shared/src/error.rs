//! What a client is told when something goes wrong, in one shape:
//! `{"detail": …, "code": "task_not_found", "request_id": "…"}`.
//!
//! Every text here is our own literal. What the database or a library said goes to the log, under the same
//! request id. A handler returns an [`Error`]; [`http::finish`](crate::http::finish), which knows the request
//! id, turns it into the answer.
//!
//! | status | when |
//! |---|---|
//! | 400 | the request cannot be read, or its body is not JSON |
//! | 401 | the token, or the e-mail and password, are not good |
//! | 404 | no such path, or no such task of the caller |
//! | 405 | the path knows other methods, named in `Allow` |
//! | 409 | e-mail or username is taken |
//! | 413, 415 | the body is over 64 KiB, or is not declared as JSON |
//! | 422 | the body or the query is well formed, but not fit; every bad field is named |
//! | 429 | too many attempts to log in or sign up |
//! | 503 | the database cannot be reached or does not answer in time |
//! | 500 | a fault of ours |

use std::{borrow::Cow, ops::ControlFlow};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};
use serde::Serialize;
use serde_json::json;

use crate::db;

/// Why a request has no better answer.
#[derive(Clone, Debug)]
pub enum Error {
    /// 400: Lambda's event is no request of HTTP.
    MalformedRequest,
    /// 400: a body where one is needed, and there is none.
    EmptyBody,
    /// 400: the body could not be read to its end.
    UnreadableBody,
    /// 400: not JSON, at this line and column.
    MalformedJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// 400: an object of the body has two members of one name.
    DuplicateKey,
    /// 401: no token, or none that is good. One answer for every reason.
    InvalidToken,
    /// 401: e-mail or password is wrong. One answer for both.
    InvalidCredentials,
    /// 404: no such path.
    NotFound,
    /// 404: the caller has no such task.
    TaskNotFound,
    /// 405.
    MethodNotAllowed,
    /// 409.
    EmailTaken,
    /// 409.
    UsernameTaken,
    /// 413.
    BodyTooLarge,
    /// 415.
    NotJson,
    /// 422: the fields that are not fit.
    Invalid(Invalid),
    /// 422: more tasks than one answer can carry.
    ListTooLarge,
    /// 429.
    TooManyAttempts {
        /// In seconds.
        retry_after: i32,
    },
    /// 503: nothing was done.
    Unavailable,
    /// 503: it may have been done.
    OutcomeUnknown,
    /// 500.
    Internal,
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::MalformedRequest
            | Self::EmptyBody
            | Self::UnreadableBody
            | Self::MalformedJson { .. }
            | Self::DuplicateKey => StatusCode::BAD_REQUEST,
            Self::InvalidToken | Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::TaskNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::EmailTaken | Self::UsernameTaken => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::ListTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed_request",
            Self::EmptyBody => "empty_body",
            Self::UnreadableBody => "unreadable_body",
            Self::MalformedJson { .. } => "malformed_json",
            Self::DuplicateKey => "duplicate_key",
            Self::InvalidToken => "invalid_token",
            Self::InvalidCredentials => "invalid_credentials",
            Self::NotFound => "not_found",
            Self::TaskNotFound => "task_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::BodyTooLarge => "body_too_large",
            Self::NotJson => "not_json",
            Self::Invalid(_) => "invalid",
            Self::ListTooLarge => "list_too_large",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::Unavailable => "database_unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal => "internal",
        }
    }

    /// A sentence, or for 422 a list that names every bad field (FastAPI's shape).
    fn detail(&self) -> serde_json::Value {
        match self {
            Self::MalformedRequest => json!("The request could not be read"),
            Self::EmptyBody => json!("The request needs a JSON body"),
            Self::UnreadableBody => json!("The request body could not be read"),
            Self::MalformedJson { line, column } => {
                json!(format!("The request body is not valid JSON (line {line}, column {column})"))
            }
            Self::DuplicateKey => json!("The request body has two members of the same name"),
            Self::InvalidToken => json!("Could not validate credentials"),
            Self::InvalidCredentials => json!("Incorrect email or password"),
            Self::NotFound => json!("Not found"),
            Self::TaskNotFound => json!("Task not found"),
            Self::MethodNotAllowed => json!("Method not allowed"),
            Self::EmailTaken => json!("Email already registered"),
            Self::UsernameTaken => json!("Username already taken"),
            Self::BodyTooLarge => json!("The request body is larger than 64 KiB"),
            Self::NotJson => json!("The request body must be sent as Content-Type: application/json"),
            Self::Invalid(fields) => json!(fields),
            Self::ListTooLarge => json!(Invalid::parameter(
                "limit",
                Rule::new("list_too_large", "The list is too large for one answer: ask for pages with limit")
            )),
            Self::TooManyAttempts { .. } => json!("Too many attempts, please try again later"),
            Self::Unavailable => json!("The database is not available, please try again"),
            Self::OutcomeUnknown => {
                json!(
                    "The database did not answer: the change may have been made, please look before you try again"
                )
            }
            Self::Internal => json!("Internal server error"),
        }
    }

    /// The body of the answer.
    pub(crate) fn body<'a>(&self, request_id: &'a str) -> impl Serialize + use<'a> {
        #[derive(Serialize)]
        struct Body<'a> {
            detail: serde_json::Value,
            code: &'static str,
            request_id: &'a str,
        }
        Body { detail: self.detail(), code: self.code(), request_id }
    }
}

/// Status and headers; the error itself travels in the response's extensions to
/// [`http::finish`](crate::http::finish), which writes the body.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        match self {
            Self::InvalidToken | Self::InvalidCredentials => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooManyAttempts { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            }
            Self::Unavailable | Self::OutcomeUnknown => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Unavailable(reason) => {
                tracing::error!(reason, "database unavailable");
                Self::Unavailable
            }
            db::Error::Unanswered(reason) => {
                tracing::error!(reason, "no answer of the database");
                Self::OutcomeUnknown
            }
            db::Error::Statement(_) => {
                tracing::error!(%error, "statement refused");
                Self::Internal
            }
        }
    }
}

/// A column that is not what the code expects: a fault of ours.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        db::Error::Statement(error).into()
    }
}

/// The fields of a body or a query that are not fit. Collected by [`deserr`], which goes on after the first.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Invalid(Vec<FieldError>);

#[derive(Clone, Debug, Serialize)]
struct FieldError {
    loc: Vec<Loc>,
    msg: Cow<'static, str>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Loc {
    Name(Cow<'static, str>),
    Index(usize),
}

/// What a value breaks: a stable name for programs (pydantic's, where it has one) and a sentence for people.
#[derive(Clone, Debug)]
pub struct Rule {
    /// For programs, such as `string_too_long`.
    pub kind: &'static str,
    /// For people: what the value should be.
    pub msg: Cow<'static, str>,
}

impl Rule {
    /// A rule named `kind`, told as `msg`.
    pub fn new(kind: &'static str, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, msg: msg.into() }
    }
}

impl Invalid {
    /// A query parameter that breaks a rule.
    pub fn parameter(name: &'static str, Rule { kind, msg }: Rule) -> Self {
        Self(vec![FieldError { loc: vec![Loc::Name("query".into()), Loc::Name(name.into())], msg, kind }])
    }

    /// Puts "body" or "query" before every location.
    pub(crate) fn within(mut self, part: &'static str) -> Self {
        for field in &mut self.0 {
            field.loc.insert(0, Loc::Name(part.into()));
        }
        self
    }

    fn and(this: Option<Self>, field: FieldError) -> ControlFlow<Self, Self> {
        let mut fields = this.unwrap_or(Self(Vec::new()));
        fields.0.push(field);
        ControlFlow::Continue(fields)
    }
}

impl MergeWithError<Invalid> for Invalid {
    fn merge(this: Option<Self>, other: Self, _: ValuePointerRef) -> ControlFlow<Self, Self> {
        let mut fields = this.unwrap_or(Self(Vec::new()));
        fields.0.extend(other.0);
        ControlFlow::Continue(fields)
    }
}

impl MergeWithError<Rule> for Invalid {
    fn merge(this: Option<Self>, rule: Rule, at: ValuePointerRef) -> ControlFlow<Self, Self> {
        Self::and(this, FieldError { loc: location(at), msg: rule.msg, kind: rule.kind })
    }
}

impl DeserializeError for Invalid {
    fn error<V: IntoValue>(
        this: Option<Self>,
        error: ErrorKind<V>,
        at: ValuePointerRef,
    ) -> ControlFlow<Self, Self> {
        let mut loc = location(at);
        let (kind, msg) = match error {
            ErrorKind::MissingField { field } => {
                loc.push(Loc::Name(field.to_owned().into()));
                ("missing", "Field required")
            }
            ErrorKind::IncorrectValueKind { accepted, .. } => wrong_type(accepted),
            ErrorKind::UnknownKey { .. }
            | ErrorKind::UnknownValue { .. }
            | ErrorKind::BadSequenceLen { .. }
            | ErrorKind::Unexpected { .. } => ("value_error", "Value is not valid"),
        };
        Self::and(this, FieldError { loc, msg: msg.into(), kind })
    }
}

fn wrong_type(accepted: &[ValueKind]) -> (&'static str, &'static str) {
    match accepted {
        [ValueKind::Boolean] => ("bool_type", "Input should be a valid boolean"),
        [ValueKind::Map] => ("model_attributes_type", "Input should be a valid object"),
        [ValueKind::String, ValueKind::Sequence] => {
            ("string_type", "Input should be a string or a list of strings")
        }
        _ => ("string_type", "Input should be a valid string"),
    }
}

fn location(at: ValuePointerRef) -> Vec<Loc> {
    match at {
        ValuePointerRef::Origin => Vec::new(),
        ValuePointerRef::Key { key, prev } => {
            let mut loc = location(*prev);
            loc.push(Loc::Name(key.to_owned().into()));
            loc
        }
        ValuePointerRef::Index { index, prev } => {
            let mut loc = location(*prev);
            loc.push(Loc::Index(index));
            loc
        }
    }
}

#[cfg(test)]
mod tests {
    use deserr::Deserr;
    use proptest::{collection::vec, prelude::*};
    use serde_json::Value;
    use tokio::io::AsyncWriteExt;
    use tokio_postgres::NoTls;

    use super::*;

    /// One field of each kind that the API has, and of those that it may get.
    #[derive(Deserr)]
    #[deserr(error = Invalid)]
    #[allow(dead_code, reason = "only whether it can be read matters")]
    struct Form {
        text: String,
        flag: bool,
        #[deserr(try_from(String) = short -> Rule)]
        ruled: String,
        #[deserr(default)]
        optional: Option<String>,
        #[deserr(default)]
        each: Vec<String>,
        #[deserr(default)]
        inner: Option<Inner>,
    }

    #[derive(Deserr)]
    #[deserr(error = Invalid)]
    #[allow(dead_code, reason = "only whether it can be read matters")]
    struct Inner {
        text: String,
        deep: Vec<Option<bool>>,
    }

    fn short(sent: String) -> Result<String, Rule> {
        if sent.len() < 3 { Ok(sent) } else { Err(Rule::new("string_too_long", "Text should be short")) }
    }

    /// Any JSON, with the names that a [`Form`] has now and then.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let name = "text|flag|ruled|optional|each|inner|deep|\\PC{0,3}";
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                vec((name, inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn body(error: &Error) -> Value {
        serde_json::to_value(error.body("an id")).unwrap()
    }

    proptest! {
        #[test]
        fn every_bad_field_is_named_by_where_it_stands_in_fastapis_shape(sent in any_json()) {
            if let Err(invalid) = deserr::deserialize::<Form, _, Invalid>(sent.clone()) {
                let body = body(&Error::Invalid(invalid.within("body")));
                let fields = body["detail"].as_array().unwrap();
                prop_assert!(!fields.is_empty());
                for field in fields {
                    prop_assert_eq!(field.as_object().unwrap().len(), 3);
                    let says = |name: &str| field[name].as_str().is_some_and(|text| !text.is_empty());
                    prop_assert!(says("msg") && says("type"), "{}", field);
                    let (part, path) = field["loc"].as_array().unwrap().split_first().unwrap();
                    prop_assert_eq!(part, "body");
                    let path = if field["type"] == "missing" { &path[..path.len() - 1] } else { path };
                    let mut at = Some(&sent);
                    for step in path {
                        at = match step {
                            Value::String(name) => at.and_then(|at| at.get(name)),
                            step => at.and_then(|at| at.get(step.as_u64().unwrap() as usize)),
                        };
                    }
                    prop_assert!(at.is_some(), "{} is not in {}", field["loc"], sent);
                }
            }
        }

        #[test]
        fn whatever_postgresql_says_the_client_reads_our_own_words(
            state in "[0-9A-Z]{5}|(08|23|40|42|53|57|XX)[0-9P]{3}",
            said in "[^\\x00]{8,40}",
        ) {
            let error = Error::from(db::Error::Statement(refusal(&state, &said)));
            prop_assert!(error.status().is_server_error());
            let body = body(&error);
            prop_assert!(["Internal server error", "The database is not available, please try again"]
                .contains(&body["detail"].as_str().unwrap()));
            let told = format!("{body} {:?}", error.into_response().headers());
            prop_assert!(!told.contains(&said) && !told.contains(&state), "{}", told);
        }

        #[test]
        fn the_log_has_the_state_and_the_constraint_and_no_value(said in "[a-z]{8}", state in "[0-9A-Z]{5}") {
            let logged = db::Error::Statement(refusal(&state, &said)).to_string();
            prop_assert_eq!(logged, format!("SQLSTATE {state}, a_constraint"));
        }
    }

    /// The driver's error for an ErrorResponse of these texts (PostgreSQL's docs, "Message Formats").
    fn refusal(state: &str, said: &str) -> tokio_postgres::Error {
        let fields = [
            ('S', "ERROR"),
            ('V', "ERROR"),
            ('C', state),
            ('M', said),
            ('D', said),
            ('H', said),
            ('n', "a_constraint"),
        ];
        let mut text = String::new();
        for (kind, value) in fields {
            text.extend([kind.to_string().as_str(), value, "\0"]);
        }
        text.push('\0');
        let length = u32::try_from(text.len() + 4).unwrap();
        let message = [b"E".as_slice(), &length.to_be_bytes(), text.as_bytes()].concat();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (client, mut server) = tokio::io::duplex(4096);
            server.write_all(&message).await.unwrap();
            let config: tokio_postgres::Config = "user=todo".parse().unwrap();
            config.connect_raw(client, NoTls).await.map(|_| ()).unwrap_err()
        })
    }
}
