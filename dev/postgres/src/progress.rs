//! Says on standard error what a wait is for, and how far a download is.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, IsTerminal, Stderr, Write};
use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::time::timeout;

/// The time after which a wait is told.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The shortest time between two updates of the line on a terminal.
const UPDATE_INTERVAL: Duration = Duration::from_millis(100);

/// Writes a line to standard error. Tests show it too, because they capture only what `eprintln!` writes.
pub(crate) fn say(line: impl Display) {
    // A single write, so that the line is not mixed with those of other threads.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Waits for the future, and says so if that takes longer than 2 s. Tests start many servers, so each line is written
/// once in a process.
pub(crate) async fn waiting<T>(line: &'static str, future: impl Future<Output = T>) -> T {
    static TOLD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut future = pin!(future);
    match timeout(PATIENCE, &mut future).await {
        Ok(done) => done,
        Err(_) => {
            if TOLD.lock().is_ok_and(|mut told| told.insert(line)) {
                say(line);
            }
            future.await
        }
    }
}

/// A line on a terminal that counts the bytes of a download. Elsewhere, such as in CI, it writes nothing.
pub(crate) struct Counter<W: Write> {
    terminal: Option<W>,
    total: Option<u64>,
    updated: Option<Instant>,
}

impl Counter<Stderr> {
    /// Counts on standard error, unless it is to be quiet. `total` is unknown if the server does not say it.
    pub(crate) fn new(total: Option<u64>, quiet: bool) -> Self {
        let stderr = io::stderr();
        let is_shown = !quiet && stderr.is_terminal();
        Self { terminal: is_shown.then_some(stderr), total, updated: None }
    }
}

impl<W: Write> Counter<W> {
    /// Shows that this many bytes are there.
    pub(crate) fn update(&mut self, bytes: u64) {
        let is_last = Some(bytes) == self.total;
        if !is_last && self.updated.is_some_and(|updated| updated.elapsed() < UPDATE_INTERVAL) {
            return;
        }
        self.updated = Some(Instant::now());
        if let Some(terminal) = &mut self.terminal {
            let _ = write!(terminal, "\r{} ", amount(bytes, self.total)).and_then(|()| terminal.flush());
        }
    }
}

impl<W: Write> Drop for Counter<W> {
    /// Ends the line.
    fn drop(&mut self) {
        if let (Some(terminal), Some(_)) = (&mut self.terminal, self.updated) {
            let _ = writeln!(terminal);
        }
    }
}

/// Returns `3.1 of 23.7 MB`, or `3.1 MB` if the total is unknown.
pub(crate) fn amount(bytes: u64, total: Option<u64>) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    match total {
        Some(total) => format!("{:.1} of {:.1} MB", megabytes(bytes), megabytes(total)),
        None => format!("{:.1} MB", megabytes(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_the_bytes_of_the_total_in_one_line() {
        let mut screen = Vec::new();
        let mut counter = Counter { terminal: Some(&mut screen), total: Some(23_732_346), updated: None };
        counter.update(3_100_000);
        counter.update(3_100_001); // too soon
        counter.update(23_732_346);
        drop(counter);
        assert_eq!(String::from_utf8(screen).unwrap(), "\r3.1 of 23.7 MB \r23.7 of 23.7 MB \n");
    }

    #[test]
    fn without_a_total_only_the_bytes_are_shown() {
        let mut screen = Vec::new();
        let mut counter = Counter { terminal: Some(&mut screen), total: None, updated: None };
        counter.update(3_100_000);
        drop(counter);
        assert_eq!(String::from_utf8(screen).unwrap(), "\r3.1 MB \n");
    }
}
