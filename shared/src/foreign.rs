//! Events that are no requests of an HTTP API: what they are, in our own words, for the log.

use serde_json::{Value, value::RawValue};

/// Says what an event is that cannot be read as a request of an HTTP API with payload version 2.0, and what to do. `None`
/// when it is such a request all the same, of which something is not as it should be.
pub(crate) fn what_came(event: &RawValue) -> Option<&'static str> {
    let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
    let has = |pointer: &str| event.pointer(pointer).is_some_and(|value| !value.is_null());
    if has("/requestContext/http") {
        return None;
    }
    Some(if has("/requestContext/elb") {
        "a request of an Application Load Balancer: put an HTTP API in front of the function, as template.yaml does"
    } else if has("/methodArn") || has("/routeArn") {
        "a request for authorization: the functions verify tokens themselves, remove the authorizer"
    } else if has("/requestContext/connectionId") {
        "a message of a WebSocket API: put an HTTP API in front of the function, as template.yaml does"
    } else if has("/httpMethod") || has("/requestContext/httpMethod") {
        "a request with payload version 1.0, of a REST API or an HTTP API: set the integration's PayloadFormatVersion to \
         2.0, which only HTTP APIs have"
    } else if has("/Records") || has("/records") {
        "records of a queue, a topic, a stream or a bucket: remove the event source"
    } else if has("/detail-type") {
        "an event of EventBridge, such as a schedule that keeps functions warm: remove the rule, a cold start takes \
         milliseconds"
    } else {
        "something that is not known, such as a warm-up ping or a test event of the console: send it one of the repository's events/"
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_event_is_named_and_nothing_of_it_is_repeated() {
        for (event, part) in [
            (
                json!({ "version": "1.0", "httpMethod": "GET", "path": "/tasks", "requestContext": {} }),
                "payload version 1.0",
            ),
            (
                json!({ "resource": "/tasks", "requestContext": { "httpMethod": "GET" } }),
                "payload version 1.0",
            ),
            (
                json!({ "httpMethod": "GET", "requestContext": { "elb": { "targetGroupArn": "a" } } }),
                "Load Balancer",
            ),
            (json!({ "requestContext": { "connectionId": "a", "eventType": "CONNECT" } }), "WebSocket"),
            (json!({ "type": "TOKEN", "methodArn": "a" }), "authorizer"),
            (
                json!({ "version": "2.0", "type": "REQUEST", "routeArn": "a", "requestContext": {} }),
                "authorizer",
            ),
            (json!({ "Records": [{ "eventSource": "aws:sqs" }] }), "queue"),
            (json!({ "source": "aws.events", "detail-type": "Scheduled Event" }), "EventBridge"),
            (json!({ "source": "serverless-plugin-warmup" }), "warm-up ping"),
            (json!({ "warmer": true, "concurrency": 3 }), "warm-up ping"),
            (json!({ "key1": "value1" }), "test event"),
            (json!({}), "not known"),
            (json!(null), "not known"),
            (json!([1, 2]), "not known"),
            (json!("ping"), "not known"),
        ] {
            let raw = serde_json::value::to_raw_value(&event).unwrap();
            let said = what_came(&raw).unwrap();
            assert!(said.contains(part), "{event}: {said}");
        }
    }

    #[test]
    fn a_request_of_an_http_api_that_cannot_be_read_is_none_of_them() {
        let event =
            json!({ "version": "2.0", "headers": "none", "requestContext": { "http": { "method": "GET" } } });
        assert_eq!(what_came(&serde_json::value::to_raw_value(&event).unwrap()), None);
    }
}
