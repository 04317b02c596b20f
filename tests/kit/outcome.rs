//! The results of the requests in a fault test.

use std::time::{Duration, Instant};

use crate::Answer;

/// The results of the requests during a fault: a row of the table in docs/faults.md.
#[derive(Debug, Default)]
pub struct Outcome {
    pub fault: String,
    pub requests: usize,
    /// The number of 2xx answers.
    pub succeeded: usize,
    /// The number of 4xx answers.
    pub refused: usize,
    /// The number of 503 answers.
    pub unavailable: usize,
    /// The duration of the slowest request.
    pub slowest: Duration,
    /// The number of resent statements.
    pub resent: u64,
    /// The number of requests with a 2xx answer whose rows are not in the database.
    pub lost: usize,
    /// The number of requests whose rows are in the database more than once.
    pub duplicated: usize,
}

impl Outcome {
    pub fn new(fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), ..Self::default() }
    }

    /// Waits for an answer and records its status, which `status` returns.
    pub async fn count<T>(&mut self, answer: impl Future<Output = T>, status: impl Fn(&T) -> u16) -> T {
        let started = Instant::now();
        let answer = answer.await;
        self.record(status(&answer), started.elapsed());
        answer
    }

    /// Waits for an answer and records it.
    pub async fn answer(&mut self, answer: impl Future<Output = Answer>) -> Answer {
        self.count(answer, |answer| answer.status).await
    }

    /// Records how many times the database has the rows of one request.
    pub fn record_writes(&mut self, times: i64) {
        self.lost += usize::from(times < 1);
        self.duplicated += usize::from(times > 1);
    }

    /// Records an answer.
    pub fn record(&mut self, status: u16, took: Duration) {
        self.requests += 1;
        self.slowest = self.slowest.max(took);
        match status {
            200..300 => self.succeeded += 1,
            400..500 => self.refused += 1,
            503 => self.unavailable += 1,
            _ => panic!("{}: answered {status}", self.fault),
        }
    }

    /// Asserts that every request got a 2xx answer and has its rows in the database once.
    #[track_caller]
    pub fn assert_all_succeeded(self) -> Self {
        assert_eq!(self.succeeded, self.requests, "{self:?}");
        self.assert_no_loss_or_duplicates()
    }

    /// Asserts that there were requests, and that no rows are lost or duplicated.
    #[track_caller]
    pub fn assert_no_loss_or_duplicates(self) -> Self {
        assert!(self.requests > 0 && self.lost == 0 && self.duplicated == 0, "{self:?}");
        self
    }

    /// Adds both outcomes, with the fault of the first.
    pub fn and(self, other: Self) -> Self {
        Self {
            fault: self.fault,
            requests: self.requests + other.requests,
            succeeded: self.succeeded + other.succeeded,
            refused: self.refused + other.refused,
            unavailable: self.unavailable + other.unavailable,
            slowest: self.slowest.max(other.slowest),
            resent: self.resent + other.resent,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
        }
    }
}
