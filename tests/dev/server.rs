//! The HTTP server of `cargo dev`, byte by byte.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Dev, ada, folder};

/// A client with one connection.
struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: String,
}

impl Client {
    fn new(url: &str) -> Self {
        let writer = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        writer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { reader: BufReader::new(writer.try_clone().unwrap()), writer }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
    }

    /// Reads an answer with a `Content-Length` or without a body.
    fn answer(&mut self, is_head: bool) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.reader.read_line(&mut head).unwrap(),
                0,
                "the connection is closed after {head:?}"
            );
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).filter(|_| !is_head);
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.reader.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    fn assert_closed(&mut self) {
        assert_eq!(self.reader.read_line(&mut String::new()).unwrap(), 0, "the connection is closed");
    }
}

impl Answer {
    fn is_last(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let id = body["request_id"].as_str().unwrap_or_default();
        assert!(self.head.contains(&format!("\r\nx-request-id: {id}\r\n")), "{}", self.head);
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Kinds of refusal: the request line, headers, body, and the code of the answer.
const REFUSALS: [(&str, &str, &[u8], &str); 20] = [
    ("POST /tasks", JSON, b"{\"title\": \"x\"}", "invalid_token"),
    ("POST /tasks", "Content-Type: application/json\r\nAuthorization: Bearer x.y.z", b"{}", "invalid_token"),
    ("PUT /tasks/019bc000-0000-7000-8000-000000000002", JSON, b"{}", "invalid_token"),
    ("DELETE /tasks/1", "", b"a body", "invalid_token"),
    ("GET /auth/me", "", b"a body", "invalid_token"),
    ("POST /nowhere", JSON, b"{}", "not_found"),
    ("POST /app.js", JSON, b"{}", "not_found"),
    ("GET /no-such-file", "", b"a body", "not_found"),
    ("PATCH /health", JSON, b"{}", "method_not_allowed"),
    ("GET /auth/login", JSON, b"{}", "method_not_allowed"),
    ("POST tasks", JSON, b"{}", "malformed_request"),
    ("POST /auth/login", "", b"{}", "not_json"),
    ("POST /auth/login", GZIP, b"\x1f\x8b\x08", "content_encoding"),
    ("POST /auth/login", FOREIGN_FORM, b"username=ada%40example.com&password=x", "foreign_origin"),
    ("POST /auth/login", JSON, b"{", "malformed_json"),
    ("POST /auth/login", JSON, b"\xff\xfe{\0}\0", "not_utf8"),
    ("POST /auth/login", JSON, b"{}", "invalid"),
    ("POST /auth/login", JSON, ADA, "too_many_attempts"),
    ("POST /auth/signup", JSON, ADA, "email_taken"),
    ("POST /auth/signup", JSON, &[b' '; 70_000], "body_too_large"),
];

const JSON: &str = "Content-Type: application/json";
const GZIP: &str = "Content-Type: application/json\r\nContent-Encoding: gzip";
const FOREIGN_FORM: &str =
    "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://evil.example.com";
const ADA: &[u8] = br#"{"email": "ada@example.com", "password": "correct horse battery staple"}"#;

/// Sends a request whose body comes 50 ms after its head.
fn send_late(client: &mut Client, line: &str, headers: &str, body: &[u8], is_chunked: bool) {
    let framing = match is_chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", body.len()),
    };
    let lines = [&format!("{line} HTTP/1.1"), "Host: localhost", headers, &framing];
    let lines = lines.into_iter().filter(|line| !line.is_empty());
    client.write((lines.collect::<Vec<_>>().join("\r\n") + "\r\n\r\n").as_bytes());
    thread::sleep(Duration::from_millis(50));
    if is_chunked {
        client.write(format!("{:x}\r\n", body.len()).as_bytes());
    }
    client.write(body);
    if is_chunked {
        client.write(b"\r\n0\r\n\r\n");
    }
}

#[test]
fn a_connection_outlives_1_000_refusals_whose_bodies_come_late() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "1")]);
    assert_eq!(dev.post("/auth/signup", &ada()).0, 201);
    assert_eq!(dev.post("/auth/login", &ada()).0, 200);
    let url = dev.url.as_str();
    let client = || {
        let mut client = Client::new(url);
        for turn in 0..100 {
            let (line, headers, body, code) = REFUSALS[turn % REFUSALS.len()];
            send_late(&mut client, line, headers, body, turn / REFUSALS.len() % 2 == 1);
            let answer = client.answer(false);
            assert_eq!(answer.code(), code, "{line} {headers}");
            assert!(!answer.is_last(), "{line} {headers}");
        }
    };
    thread::scope(|scope| (0..10).for_each(|_| drop(scope.spawn(client))));
}

#[test]
fn a_body_over_10_mb_is_read_and_refused() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let mut client = Client::new(&dev.url);
    for is_chunked in [false, true] {
        for (size, code) in [(10 << 20, "invalid_token"), ((10 << 20) + 1, "body_too_large")] {
            // Without a token no route reads it.
            send_late(&mut client, "GET /tasks", "", &vec![b'x'; size], is_chunked);
            let answer = client.answer(false);
            assert_eq!(answer.code(), code, "{size}");
            assert!(!answer.is_last());
        }
    }
}

#[test]
fn a_client_that_waits_for_100_continue_may_send_its_body() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let mut client = Client::new(&dev.url);
    client.write(
        b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(client.answer(false).status, 100);
    client.write(b"{}");
    assert_eq!(client.answer(false).code(), "invalid_token");
}

#[test]
fn a_body_that_stalls_is_408_and_closes_the_connection_with_notice() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let mut client = Client::new(&dev.url);
    client.write(b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    let started = Instant::now();
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    assert!((9..15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(answer.is_last(), "{}", answer.head);
    client.assert_closed();
    let line = dev.log.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(line.contains("POST (no route) 408 request_timeout in "), "{line}");
}

#[test]
fn every_answer_has_the_apis_shape_and_a_line_in_the_log() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let mut client = Client::new(&dev.url);
    let long = format!("GET /{}", "a".repeat(256));
    let deep = format!("GET /{}", "a/".repeat(3000));
    for (request, line) in [
        (long.as_str(), "404 not_found"),
        (&deep, "404 not_found"),
        ("GET /%00", "404 not_found"),
        ("GET /%ff", "404 not_found"),
        ("GET /app.js/x", "404 not_found"),
        ("GET /%2e%2e/README.md", "404 not_found"),
        ("DELETE /app.js", "404 not_found"),
        ("TRACE /tasks", "405 method_not_allowed"),
        ("GET tasks", "400 malformed_request"),
        ("OPTIONS *", "400 malformed_request"),
        ("CONNECT example.com:443", "400 malformed_request"),
        ("GET http://localhost/tasks", "401 invalid_token"),
        ("GET /tasks?%", "401 invalid_token"),
    ] {
        client.write(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let answer = client.answer(false);
        assert_eq!(format!("{} {}", answer.status, answer.code()), line, "{request}");
        assert!(answer.head.contains("\r\nx-content-type-options: nosniff\r\n"), "{}", answer.head);
        assert!(!answer.is_last(), "{request}");
        let logged = dev.log.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(logged.contains(&format!(" {line} in ")), "{request}: {logged}");
    }
    for (header, status) in [
        ("Range: bytes=99999999-", 200),
        ("If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT", 200),
        ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 304),
    ] {
        client.write(format!("GET /app.js HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n").as_bytes());
        assert_eq!(client.answer(false).status, status, "{header}");
        let logged = dev.log.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(logged.contains(&format!(" {status} ok in ")), "{header}: {logged}");
    }
}

#[test]
fn a_body_that_is_cut_or_not_chunked_as_it_says_is_400_and_the_last() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    for (body, is_cut) in [
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n{", true),
        ("Content-Length: 2\r\n\r\n{", true),
    ] {
        let mut client = Client::new(&dev.url);
        client.write(format!("POST /tasks HTTP/1.1\r\nHost: localhost\r\n{body}").as_bytes());
        if is_cut {
            client.writer.shutdown(Shutdown::Write).unwrap();
        }
        let answer = client.answer(false);
        assert_eq!((answer.status, answer.code().as_str()), (400, "unreadable_body"), "{body}");
        assert!(answer.is_last(), "{}", answer.head);
        client.assert_closed();
    }
}

#[test]
fn a_request_that_cannot_be_parsed_has_a_line_in_the_log() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let headers = "X: y\r\n".repeat(200);
    for (request, status) in [
        // TLS, as a browser sends it to https://localhost:8000.
        ("\u{16}\u{3}\u{1}\u{2}\0\r\n\r\n", 400),
        ("GET tasks/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (&format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(70_000)), 414),
        (&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), 431),
    ] {
        let mut client = Client::new(&dev.url);
        client.write(request.as_bytes());
        let answer = client.answer(false);
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{request:?}");
        assert!(answer.is_last(), "{}", answer.head);
        let logged = dev.log.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(logged.contains("a request cannot be parsed, so its answer is empty: "), "{logged}");
    }
}
