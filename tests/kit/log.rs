//! Finds secrets and personal data in logs. Every test's log is checked, at level TRACE.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

/// Texts that must not be logged. An e-mail address or a URL with credentials always contains `@`.
const FORBIDDEN: [&str; 17] = [
    "@",             // e-mail address or URL with credentials
    "%40",           // the same, percent-encoded
    "eyJ",           // token: `{"` in Base64
    "$2a$",          // bcrypt hashes
    "$2b$",          //
    "$2y$",          //
    "correct horse", // passwords of the tests
    "good password",
    "demo-secret", // JWT secrets
    "a secret of the tests",
    "access_token", // JSON bodies
    "\"refresh_token\":",
    "\"password\":",
    "\"current_password\":",
    "\"new_password\":",
    "\"title\":",
    "\"email\":",
];

/// Allowed texts with `@`: part of an error message about `DATABASE_URL`, and a pointer in logs of the AWS SDK.
const ALLOWED: [&str; 2] = ["user:password@host", "PoisonPill@0x"];

/// Returns the lines that contain a password, a token or its secret, a hash, an e-mail address, a URL with credentials,
/// or a request or response body.
pub fn lines_with_secrets(log: &str) -> Vec<&str> {
    let has_secret = |line: &&str| {
        // Quotes in a JSON string are escaped.
        let line = line.replace("\\\"", "\"");
        let line = ALLOWED.iter().fold(line, |line, allowed| line.replace(allowed, ""));
        FORBIDDEN.iter().any(|text| line.contains(text))
    };
    log.lines().filter(has_secret).collect()
}

/// Returns the secret in an environment variable, if it is long enough to be searched for.
pub(crate) fn secret_in(name: &str, value: &str) -> Option<String> {
    match name {
        "DATABASE_URL" => value.split([':', '@']).nth(2).map(str::to_owned),
        "JWT_SECRET" | "JWT_SECRET_PREVIOUS" | "AWS_SECRET_ACCESS_KEY" => Some(value.to_owned()),
        _ => None,
    }
    .filter(|secret| secret.len() >= 16)
}

/// Checks everything that this process logs from now on. [`found`] returns the lines with secrets.
///
/// # Panics
/// Panics if another subscriber is set.
pub fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| LogChecker)
            .init();
    });
}

/// Returns the lines with secrets that this process has logged.
pub fn found() -> Vec<String> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct LogChecker;

impl Write for LogChecker {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let found = lines_with_secrets(&text).into_iter().map(str::to_owned);
        FOUND.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
