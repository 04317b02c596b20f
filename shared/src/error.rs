//! The API's errors. Clients get them in one shape: `{"detail": …, "code": "task_not_found", "request_id": "…"}`.
//!
//! Clients see only the literals of this file. The messages of the database and of libraries go to the log, under the same
//! request id. A handler returns an [`Error`]; [`with_middleware`](crate::with_middleware), which knows the request id, turns
//! it into the answer.
//!
//! | status | reason |
//! |---|---|
//! | 400 | the request cannot be read, or its body is not JSON in UTF-8 |
//! | 401 | the token, or the e-mail and password, are not valid |
//! | 403 | a page of another origin sent a form |
//! | 404 | no such path, or the caller has no such task |
//! | 405 | the path has other methods, named in `Allow` |
//! | 408 | the body did not arrive in time (`cargo dev`) |
//! | 409 | the e-mail or username is taken |
//! | 410 | the task of this idempotency key was deleted |
//! | 412 | the task has changed since the client read it |
//! | 413, 415 | the body is over 64 KiB, or is not declared as JSON, or is compressed |
//! | 422 | the body or the query is well formed, but has invalid fields, which are all named |
//! | 429 | too many attempts to log in or sign up |
//! | 503 | the database cannot be reached or does not answer in time |
//! | 500 | a fault of ours |

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    db,
    validation::{ValidationErrors, Violation},
};

/// An error that a client is told.
#[derive(Clone, Debug)]
pub enum Error {
    /// 400: Lambda's event is not an HTTP request.
    MalformedRequest,
    /// 400: the request needs a body and has none.
    EmptyBody,
    /// 400: the body could not be read to its end.
    UnreadableBody,
    /// 400: the body is not UTF-8.
    NotUtf8,
    /// 400: not JSON, at this line and column.
    MalformedJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// 400: an object of the body has two members of one name, or a form two fields.
    DuplicateKey,
    /// 401: no valid token. One answer for every reason.
    InvalidToken,
    /// 401: no refresh token that can be used. One answer for every reason.
    InvalidRefreshToken,
    /// 401: the e-mail or the password is wrong. One answer for both.
    InvalidCredentials,
    /// 403: a page of another origin sent a form.
    ForeignOrigin,
    /// 404: no such path.
    NotFound,
    /// 404: the caller has no such task.
    TaskNotFound,
    /// 404: the caller has no such session.
    SessionNotFound,
    /// 405.
    MethodNotAllowed,
    /// 408: the body did not arrive in time. API Gateway waits for it before it calls a function.
    RequestTimeout,
    /// 409.
    EmailTaken,
    /// 409.
    UsernameTaken,
    /// 410: the task of this idempotency key was deleted.
    TaskDeleted,
    /// 412: the task has another tag than those of `If-Match`.
    ChangedMeanwhile,
    /// 413.
    BodyTooLarge,
    /// 415.
    NotJson,
    /// 415: the body is compressed.
    ContentEncoding,
    /// 422: the invalid fields.
    Invalid(ValidationErrors),
    /// 422: the tasks do not fit in one answer.
    ListTooLarge,
    /// 429.
    TooManyAttempts {
        /// In seconds.
        retry_after: i32,
    },
    /// 503: the request changed nothing.
    Unavailable,
    /// 503: the request may have changed something.
    OutcomeUnknown,
    /// 500.
    Internal,
}

/// The answer that an error becomes.
struct Answer<'a> {
    status: StatusCode,
    /// A stable name for programs.
    code: &'static str,
    detail: Detail<'a>,
}

/// A sentence, or for 422 a list that names every invalid field (FastAPI's shape).
#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Sentence(Cow<'static, str>),
    Fields(Cow<'a, ValidationErrors>),
}

impl Error {
    fn answer(&self) -> Answer<'_> {
        let (status, code, sentence) = match self {
            Self::MalformedRequest => {
                (StatusCode::BAD_REQUEST, "malformed_request", "The request could not be read")
            }
            Self::EmptyBody => (StatusCode::BAD_REQUEST, "empty_body", "The request needs a body"),
            Self::UnreadableBody => {
                (StatusCode::BAD_REQUEST, "unreadable_body", "The request body could not be read")
            }
            Self::NotUtf8 => (StatusCode::BAD_REQUEST, "not_utf8", "The request body is not in UTF-8"),
            Self::MalformedJson { line, column } => {
                let sentence = format!("The request body is not valid JSON (line {line}, column {column})");
                let detail = Detail::Sentence(sentence.into());
                return Answer { status: StatusCode::BAD_REQUEST, code: "malformed_json", detail };
            }
            Self::DuplicateKey => (
                StatusCode::BAD_REQUEST,
                "duplicate_key",
                "The request body has two members of the same name",
            ),
            Self::InvalidToken => {
                (StatusCode::UNAUTHORIZED, "invalid_token", "Could not validate credentials")
            }
            Self::InvalidRefreshToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_refresh_token",
                "The session has ended, please sign in again",
            ),
            Self::InvalidCredentials => {
                (StatusCode::UNAUTHORIZED, "invalid_credentials", "Incorrect email or password")
            }
            Self::ForeignOrigin => (
                StatusCode::FORBIDDEN,
                "foreign_origin",
                "Pages of this origin may not send forms: send JSON, or have the origin allowed",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::TaskNotFound => (StatusCode::NOT_FOUND, "task_not_found", "Task not found"),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, "session_not_found", "Session not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::RequestTimeout => (
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "The request body did not arrive in time, please try again",
            ),
            Self::EmailTaken => (StatusCode::CONFLICT, "email_taken", "Email already registered"),
            Self::UsernameTaken => (StatusCode::CONFLICT, "username_taken", "Username already taken"),
            Self::TaskDeleted => (
                StatusCode::GONE,
                "task_deleted",
                "The task of this Idempotency-Key was deleted: restore it, or send another key",
            ),
            Self::ChangedMeanwhile => (
                StatusCode::PRECONDITION_FAILED,
                "changed_meanwhile",
                "The task has changed since it was read: read it again, and send the change with its new ETag",
            ),
            Self::BodyTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The request body is larger than 64 KiB")
            }
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The request body must be sent as Content-Type: application/json",
            ),
            Self::ContentEncoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_encoding",
                "The request body must be sent without Content-Encoding (gzip, deflate, br and others)",
            ),
            Self::Invalid(fields) => {
                let detail = Detail::Fields(Cow::Borrowed(fields));
                return Answer { status: StatusCode::UNPROCESSABLE_ENTITY, code: "invalid", detail };
            }
            Self::ListTooLarge => {
                let violation = Violation::new(
                    "list_too_large",
                    "The list is too large for one answer: ask for pages with limit",
                );
                let detail = Detail::Fields(Cow::Owned(ValidationErrors::parameter("limit", violation)));
                return Answer { status: StatusCode::UNPROCESSABLE_ENTITY, code: "list_too_large", detail };
            }
            Self::TooManyAttempts { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "Too many attempts, please try again later",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database is not available, please try again",
            ),
            Self::OutcomeUnknown => (
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "The database did not answer: the change may have been made, please look before you try again",
            ),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error"),
        };
        Answer { status, code, detail: Detail::Sentence(sentence.into()) }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.answer().code
    }

    /// The body of the answer.
    pub(crate) fn body<'a>(&'a self, request_id: &'a str) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Body<'a> {
            detail: Detail<'a>,
            code: &'static str,
            request_id: &'a str,
        }
        let Answer { detail, code, .. } = self.answer();
        Body { detail, code, request_id }
    }
}

/// Status and headers; the error itself travels in the response's extensions to
/// [`with_middleware`](crate::with_middleware), which writes the body.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.answer().status.into_response();
        let headers = response.headers_mut();
        match self {
            Self::InvalidToken | Self::InvalidRefreshToken | Self::InvalidCredentials => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // RFC 9110 §12.5.3: what would have been accepted.
            Self::ContentEncoding => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
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
                tracing::error!(reason, "the database did not answer");
                Self::OutcomeUnknown
            }
            db::Error::Statement(_) => {
                tracing::error!(%error, "statement refused");
                Self::Internal
            }
        }
    }
}

/// A column is not what the code expects: a fault of ours.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        db::Error::Statement(error).into()
    }
}

/// An answer cannot be written as JSON: a fault of ours.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Self::Internal
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use tokio::io::AsyncWriteExt;
    use tokio_postgres::NoTls;

    use super::*;

    fn body(error: &Error) -> Value {
        serde_json::to_value(error.body("an id")).unwrap()
    }

    proptest! {
        #[test]
        fn clients_never_see_the_text_of_postgresql(
            state in "[0-9A-Z]{5}|(08|23|40|42|53|57|XX)[0-9P]{3}",
            text in "[^\\x00]{8,40}",
        ) {
            let error = Error::from(db::Error::Statement(refusal(&state, &text)));
            prop_assert!(error.answer().status.is_server_error());
            let body = body(&error);
            prop_assert!(["Internal server error", "The database is not available, please try again"]
                .contains(&body["detail"].as_str().unwrap()));
            let answer = format!("{body} {:?}", error.into_response().headers());
            prop_assert!(!answer.contains(&text) && !answer.contains(&state), "{}", answer);
        }

        #[test]
        fn the_log_has_the_sqlstate_and_the_constraint_but_no_value(text in "[a-z]{8}", state in "[0-9A-Z]{5}") {
            let logged = db::Error::Statement(refusal(&state, &text)).to_string();
            prop_assert_eq!(logged, format!("SQLSTATE {state}, a_constraint"));
        }
    }

    /// Makes the driver's error for an ErrorResponse with these texts (PostgreSQL's docs, "Message Formats").
    fn refusal(state: &str, message: &str) -> tokio_postgres::Error {
        let fields = [
            ('S', "ERROR"),
            ('V', "ERROR"),
            ('C', state),
            ('M', message),
            ('D', message),
            ('H', message),
            ('n', "a_constraint"),
        ];
        let mut text = String::new();
        for (kind, value) in fields {
            text.extend([kind.to_string().as_str(), value, "\0"]);
        }
        text.push('\0');
        let length = u32::try_from(text.len() + 4).unwrap();
        let response = [b"E".as_slice(), &length.to_be_bytes(), text.as_bytes()].concat();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (client, mut server) = tokio::io::duplex(4096);
            server.write_all(&response).await.unwrap();
            let config: tokio_postgres::Config = "user=todo".parse().unwrap();
            config.connect_raw(client, NoTls).await.map(|_| ()).unwrap_err()
        })
    }
}
