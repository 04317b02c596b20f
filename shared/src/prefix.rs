//! The prefix of a path before the routers' own paths: the mapping key of a custom domain, and `/api`.

use axum::extract::{FromRequestParts, Request};
use axum::http::{Uri, request::Parts, uri::PathAndQuery};
use lambda_http::{RequestExt, request::RequestContext};

use crate::Error;

/// The prefix that the caller used, such as `/api` or `/todo/api`; often empty. `Location` and `Link` start with it.
#[derive(Clone)]
pub struct Prefix(pub String);

impl Prefix {
    /// Removes the prefix from the request's path, before the routes are matched, and stores it for the handlers.
    pub(crate) fn strip(request: &mut Request) {
        let mut prefix = mapping_key(request).unwrap_or_default();
        if let Some(uri) = strip_segments(&prefix, request.uri()) {
            *request.uri_mut() = uri;
        }
        if let Some(uri) = strip_segments("/api", request.uri()) {
            *request.uri_mut() = uri;
            prefix += "/api";
        }
        request.extensions_mut().insert(Self(prefix));
    }
}

impl<S: Sync> FromRequestParts<S> for Prefix {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts.extensions.get().cloned().ok_or(Error::Internal)
    }
}

/// Returns the path segments that a custom domain maps to this API ([mapping keys]). They stay in the path of the event,
/// whose route, such as `ANY /tasks/{id}`, tells where the API's own path begins.
///
/// [mapping keys]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html
fn mapping_key(request: &Request) -> Option<String> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.extensions().get() else { return None };
    let (_method, route) = context.route_key.as_deref()?.split_once(' ')?;
    let parameters = request.path_parameters_ref();
    let parameter = |segment: &str| -> Option<String> {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        parameters.and_then(|parameters| parameters.first(name)).map(str::to_owned)
    };
    let segments = route.split('/').map(|segment| parameter(segment).unwrap_or_else(|| segment.to_owned()));
    let own_path = segments.collect::<Vec<_>>().join("/");
    request.uri().path().strip_suffix(&own_path).map(str::to_owned)
}

/// Returns the URI without these first segments, or `None` if it does not start with them or has no others.
fn strip_segments(segments: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(segments).filter(|rest| rest.starts_with('/'))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
    use proptest::prelude::*;

    use super::*;

    /// Returns the prefix and the URI without it.
    fn stripped(request: &mut Request) -> (String, String) {
        Prefix::strip(request);
        let Prefix(prefix) = request.extensions().get().cloned().unwrap();
        (prefix, request.uri().to_string())
    }

    /// Makes a request as API Gateway sends it.
    fn request(path: &str, route: &str, id: Option<&str>) -> Request {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.route_key = Some(route.to_owned());
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(RequestContext::ApiGatewayV2(context));
        let parameters = id.map(|id| [("id".to_owned(), id.to_owned())]).into_iter().flatten();
        request.with_path_parameters(parameters.collect::<std::collections::HashMap<_, _>>())
    }

    #[test]
    fn only_a_whole_first_segment_is_a_prefix() {
        let strip = |path: &str| stripped(&mut Request::get(path).body(Body::empty()).unwrap());
        let both = |prefix: &str, rest: &str| (prefix.to_owned(), rest.to_owned());
        assert_eq!(strip("/api/tasks?limit=1"), both("/api", "/tasks?limit=1"));
        assert_eq!(strip("https://x.example/api/tasks"), both("/api", "https://x.example/tasks"));
        assert_eq!(strip("/api/api/tasks"), both("/api", "/api/tasks"));
        for path in ["/tasks", "/apis/tasks", "/api", "/api?x=1", "/"] {
            assert_eq!(strip(path), both("", path));
        }
    }

    #[test]
    fn the_mapping_key_of_a_custom_domain_is_the_part_before_the_routes_path() {
        let id = "019bc000-0000-7000-8000-000000000002";
        for (path, route, parameter, prefix, rest) in [
            ("/todo/tasks?limit=1", "ANY /tasks", None, "/todo", "/tasks?limit=1"),
            ("/todo/api/tasks", "ANY /api/tasks", None, "/todo/api", "/tasks"),
            ("/todo/v1/health", "ANY /health", None, "/todo/v1", "/health"),
            ("/api/tasks", "ANY /tasks", None, "/api", "/tasks"),
            ("/api/api/tasks", "ANY /api/tasks", None, "/api/api", "/tasks"),
            ("/tasks/tasks", "ANY /tasks", None, "/tasks", "/tasks"),
            ("/tasks/tasks/1", "ANY /tasks/{id}", Some("1"), "/tasks", "/tasks/1"),
            (&format!("/todo/tasks/{id}"), "ANY /tasks/{id}", Some(id), "/todo", &format!("/tasks/{id}")),
            (
                &format!("/todo/tasks/{id}/complete"),
                "ANY /tasks/{id}/complete",
                Some(id),
                "/todo",
                &format!("/tasks/{id}/complete"),
            ),
            // Without a mapping key.
            ("/tasks", "ANY /tasks", None, "", "/tasks"),
            ("/api/tasks", "ANY /api/tasks", None, "/api", "/tasks"),
            (&format!("/tasks/{id}"), "ANY /tasks/{id}", Some(id), "", &format!("/tasks/{id}")),
            // A parameter with an encoded slash, which API Gateway decodes.
            ("/tasks/tasks/1", "ANY /tasks/{id}", Some("tasks/1"), "", "/tasks/tasks/1"),
            // No route is known.
            ("/todo/tasks", "$default", None, "", "/todo/tasks"),
            ("/todo/tasks", "", None, "", "/todo/tasks"),
        ] {
            let stripped = stripped(&mut request(path, route, parameter));
            assert_eq!(stripped, (prefix.to_owned(), rest.to_owned()), "{path} by {route}");
        }
    }

    proptest! {
        #[test]
        fn the_prefix_is_removed_once_and_nothing_else_changes(
            address in "(https?://[a-z]{1,5}(:[0-9]{1,4})?)?",
            path in "(/(api|[a-z0-9%.~_-]{0,6})){1,4}(\\?[a-z0-9=&%/?-]{0,12})?",
        ) {
            let strip = |path: &str| strip_segments("/api", &format!("{address}{path}").parse().unwrap());
            let rest = strip(&format!("/api{path}")).map(|uri| uri.to_string());
            prop_assert_eq!(rest, Some(format!("{address}{path}")));
            if !path.starts_with("/api/") {
                prop_assert!(strip(&path).is_none());
            }
        }

        #[test]
        fn any_mapping_key_is_a_prefix(
            key in "(/[a-zA-Z0-9$._+!*()-]{1,8}){1,3}",
            api in "(/api)?",
            id in "[0-9a-f-]{1,36}",
        ) {
            let mut request = request(&format!("{key}{api}/tasks/{id}"), &format!("ANY {api}/tasks/{{id}}"), Some(&id));
            prop_assert_eq!(stripped(&mut request), (format!("{key}{api}"), format!("/tasks/{id}")));
        }
    }
}
