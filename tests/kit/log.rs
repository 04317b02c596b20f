//! What must never be in a log: every test's is searched for it, at the level that says most.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// Signs of what must not be logged. No test logs an e-mail or a URL with credentials if it logs no `@`.
const SIGNS: [&str; 13] = [
    "@",             // an e-mail, or the password of a URL
    "%40",           // the same, encoded
    "eyJ",           // a token: `{"` in base64
    "$2a$",          // a hash
    "$2b$",          //
    "$2y$",          //
    "correct horse", // the tests' passwords
    "demo-secret",   // the secrets that sign tokens
    "a secret of the tests",
    "access_token", // a body
    "\"password\"",
    "\"title\"",
    "\"email\"",
];

/// How our own sentence says a `DATABASE_URL` should look, and how the AWS SDK shows a pointer.
const HARMLESS: [&str; 2] = ["user:password@host", "PoisonPill@0x"];

/// Those lines of a log that hold a password, a token or its secret, a hash, an e-mail, a URL with credentials, or a body.
pub fn indiscreet(log: &str) -> Vec<&str> {
    let is_indiscreet = |line: &&str| {
        // A string in JSON has its quotes escaped.
        let line = line.replace("\\\"", "\"");
        let line = HARMLESS.iter().fold(line, |line, harmless| line.replace(harmless, ""));
        SIGNS.iter().any(|sign| line.contains(sign))
    };
    log.lines().filter(is_indiscreet).collect()
}

/// What is secret in a variable: the password of a database's URL, or what signs tokens.
pub(crate) fn secret(name: &str, value: &str) -> Option<String> {
    match name {
        "DATABASE_URL" => value.split([':', '@']).nth(2).map(str::to_owned),
        "JWT_SECRET" | "JWT_SECRET_PREVIOUS" | "AWS_SECRET_ACCESS_KEY" => Some(value.to_owned()),
        _ => None,
    }
    .filter(|secret| secret.len() >= 16)
}

/// From now on all that this process logs is searched too. Whatever is found is in [`found`].
///
/// # Panics
/// Something else has set a subscriber.
pub fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Watch)
            .init();
    });
}

/// The lines that this process logged and should not have.
pub fn found() -> Vec<String> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Watch;

impl Write for Watch {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let found = indiscreet(&text).into_iter().map(str::to_owned);
        FOUND.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
