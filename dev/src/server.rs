//! The HTTP server of `cargo dev`. It stands in for API Gateway: a request is read to its end before the routes see it, so
//! that they answer as in Lambda, and a connection outlives each refusal.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Uri, header},
    response::Response,
    serve::Listener,
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use shared::{Cors, Error, extract::ClientIp, telemetry, with_middleware};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt;

/// The largest body in bytes, as of [API Gateway].
///
/// [API Gateway]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The longest wait for the next part of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The routes with their middleware, and the origins, for the requests that do not get that far.
#[derive(Clone)]
pub struct Server {
    api: Router,
    cors: Cors,
}

impl Server {
    pub fn new(routes: Router, cors: Cors) -> Self {
        Self { api: with_middleware(routes, cors.clone(), telemetry::to_terminal), cors }
    }

    /// Serves connections until it is dropped.
    pub async fn serve(self, mut listener: TcpListener) -> Infallible {
        loop {
            let (stream, peer) = Listener::accept(&mut listener).await;
            tokio::spawn(self.clone().serve_connection(stream, peer));
        }
    }

    async fn serve_connection(self, stream: TcpStream, peer: SocketAddr) {
        let service = service_fn(|request| self.answer(request, peer.ip()));
        let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        // hyper answers it by itself, with an empty body or none, and shows it to no service.
        if let Err(error) = served
            && error.is_parse()
        {
            tracing::warn!("a request cannot be parsed, so its answer is empty: {error}");
        }
    }

    async fn answer(&self, request: hyper::Request<Incoming>, ip: IpAddr) -> Result<Response, Infallible> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ClientIp(ip));
        let error = match read(body).await {
            // Only `OPTIONS *` and CONNECT have targets without a slash (RFC 9112 §3.2), and API Gateway takes neither.
            Ok(_) if !parts.uri.path().starts_with('/') => Error::MalformedRequest,
            Ok(body) => return self.api.clone().oneshot(Request::from_parts(parts, Body::from(body))).await,
            Err(error) => error,
        };
        // The rest of such a body would be taken for the next request.
        let is_last = matches!(error, Error::RequestTimeout | Error::UnreadableBody);
        parts.uri = Uri::from_static("/");
        let refused = Router::new().fallback(async || error);
        let mut response = with_middleware(refused, self.cors.clone(), telemetry::to_terminal)
            .oneshot(Request::from_parts(parts, Body::empty()))
            .await?;
        if is_last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// Reads a body to its end, also one over the limit: hyper would close the connection of a client that is still sending.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = timeout(BODY_TIMEOUT, body.frame()).await.map_err(|_| Error::RequestTimeout)? {
        let frame = frame.map_err(|_| Error::UnreadableBody)?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= BODY_LIMIT {
            bytes.extend_from_slice(&data);
        }
    }
    if length > BODY_LIMIT { Err(Error::BodyTooLarge) } else { Ok(bytes) }
}
