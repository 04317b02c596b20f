//! The answer of a list, all at once or in pages: JSON that grows row by row, and the link to the next page.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use shared::{Error, extract::json_response, validation::Violation};

/// The largest answer, in bytes. Lambda's limit is 6 MB (AWS Lambda quotas, "invocation payload"), of which the headers and
/// the envelope need a part.
const MAX_BYTES: usize = 5_500_000;

/// The number of rows that are read at most: more tasks than fit in [`MAX_BYTES`], however small.
const MAX_TASKS: u16 = 20_000;

/// The number of tasks that the client wants at most.
#[derive(Clone, Copy, Default)]
pub struct Limit(pub Option<u8>);

impl Limit {
    pub fn new(sent: String) -> Result<Self, Violation> {
        match sent.parse() {
            Ok(limit @ 1..=200) => Ok(Self(Some(limit))),
            _ => Err(Violation::new("int_parsing", "limit should be a whole number from 1 to 200")),
        }
    }

    fn tasks(self) -> u16 {
        self.0.map_or(MAX_TASKS, u16::from)
    }

    /// The number of rows to ask for. One row more tells whether there is a next page.
    pub fn rows(self) -> i64 {
        i64::from(self.tasks()) + 1
    }
}

/// The answer's JSON, to which each task is added as it arrives: rows, tasks and JSON of all of them would take three times
/// the memory.
pub struct Page<T> {
    session_exists: bool,
    json: Vec<u8>,
    count: u16,
    last: Option<T>,
    has_next: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { session_exists: false, json: Vec::new(), count: 0, last: None, has_next: false }
    }
}

impl<T: Serialize> Page<T> {
    /// Adds the task of a row. No row means that the session has ended, and a row of nulls that there are no tasks.
    pub fn push(&mut self, task: Option<T>, limit: Limit) -> Result<(), Error> {
        self.session_exists = true;
        let Some(task) = task else { return Ok(()) };
        self.has_next = self.count == limit.tasks();
        if self.has_next {
            return Ok(());
        }
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, &task)?;
        if self.json.len() > MAX_BYTES {
            return Err(Error::ListTooLarge);
        }
        self.count += 1;
        self.last = Some(task);
        Ok(())
    }

    /// Makes the answer. If there is a next page, it has a link to it, which is the path and query of this request with the
    /// cursor that `after` makes of the last task (RFC 8288).
    pub fn answer(
        mut self,
        path: &str,
        query: Option<&str>,
        after: impl FnOnce(&T) -> Result<String, Error>,
    ) -> Result<Response, Error> {
        if !self.session_exists {
            return Err(Error::InvalidToken);
        }
        if self.json.is_empty() {
            self.json.push(b'[');
        }
        self.json.push(b']');
        // It at most doubles.
        if self.json.len() > MAX_BYTES / 2 && size_in_lambda(&self.json) > MAX_BYTES {
            return Err(Error::ListTooLarge);
        }
        let mut response = json_response(self.json);
        if let Some(last) = self.last.filter(|_| self.has_next) {
            response.headers_mut().insert(header::LINK, next_link(path, query, &after(&last)?)?);
        }
        Ok(response)
    }
}

/// Returns the size of a body in the JSON that carries it to API Gateway, where it is a string: a quote or backslash takes two
/// bytes.
fn size_in_lambda(body: &[u8]) -> usize {
    body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// Makes the link to the same request with the cursor of the next page.
fn next_link(path: &str, query: Option<&str>, cursor: &str) -> Result<HeaderValue, Error> {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query.filter(|(name, _)| name != "cursor"))
        .append_pair("cursor", cursor)
        .finish();
    HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\"")).map_err(|_| Error::Internal)
}

/// Writes a cursor as clients see it: base64url of JSON, which they take as opaque. It gives access to nothing more, so it is
/// not signed; its content is checked like any other input.
pub fn encode_cursor(cursor: &impl Serialize) -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor)?))
}

/// Reads a cursor that is valid.
pub fn decode_cursor<T: DeserializeOwned>(
    sent: String,
    is_valid: impl FnOnce(&T) -> bool,
) -> Result<T, Violation> {
    URL_SAFE_NO_PAD
        .decode(sent)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .filter(is_valid)
        .ok_or_else(|| Violation::new("value_error", "Cursor should be one that a Link header gave"))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn an_accepted_limit_is_from_1_to_200(sent in "\\PC{0,3}|[+-]?(0|200|201|[0-9]{1,4})") {
            if let Ok(Limit(limit)) = Limit::new(sent.clone()) {
                prop_assert!(limit.is_some_and(|limit| (1..=200).contains(&limit) && sent.parse() == Ok(limit)));
            }
        }

        #[test]
        fn the_link_to_the_next_page_has_the_same_parameters_and_the_cursor(
            sent in vec(
                ("(limit|search|tag|cursor|%[0-9a-f]{0,2}|\\PC{0,5})", "\\PC{0,9}|%[0-9a-fA-F]{0,2}|[\r\n\0>;\"]"),
                0..6,
            ),
        ) {
            let pairs: Vec<_> = sent.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let query = pairs.join("&");
            let link = next_link("/api/tasks", Some(&query), "a cursor").unwrap();
            let link = link.to_str().unwrap().strip_prefix("</api/tasks?").unwrap();
            let (next, relation) = link.split_once('>').unwrap();
            prop_assert_eq!(relation, "; rel=\"next\"");

            let pairs = |query: &str| -> Vec<(String, String)> {
                form_urlencoded::parse(query.as_bytes()).into_owned().collect()
            };
            let mut asked = pairs(&query);
            asked.retain(|(name, _)| name != "cursor");
            asked.push(("cursor".to_owned(), "a cursor".to_owned()));
            prop_assert_eq!(pairs(next), asked);
        }
    }
}
