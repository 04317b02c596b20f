//! What came of the requests that met a fault.

use std::time::{Duration, Instant};

use crate::Answer;

/// What came of the requests that met a fault: a line of the table in docs/faults.md.
#[derive(Debug, Default)]
pub struct Outcome {
    pub fault: String,
    pub requests: usize,
    /// 2xx.
    pub succeeded: usize,
    /// 4xx.
    pub refused: usize,
    /// 503.
    pub unavailable: usize,
    /// How long the slowest answer took.
    pub slowest: Duration,
    /// How many more statements were sent than the requests need.
    pub resent: u64,
    /// How many requests were answered 2xx, and what they wrote is not in the database.
    pub lost: usize,
    /// How many requests wrote what they wrote more than once.
    pub doubled: usize,
}

impl Outcome {
    pub fn of(fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), ..Self::default() }
    }

    /// Waits for an answer, whose status `status` tells, and counts it.
    pub async fn count<T>(&mut self, answering: impl Future<Output = T>, status: impl Fn(&T) -> u16) -> T {
        let started = Instant::now();
        let answer = answering.await;
        self.note(status(&answer), started.elapsed());
        answer
    }

    /// Waits for an answer, and counts it.
    pub async fn answer(&mut self, answering: impl Future<Output = Answer>) -> Answer {
        self.count(answering, |answer| answer.status).await
    }

    /// Counts that one request wrote its rows so many times, as far as the database has them.
    pub fn found(&mut self, times: i64) {
        self.lost += usize::from(times < 1);
        self.doubled += usize::from(times > 1);
    }

    /// Counts an answer.
    pub fn note(&mut self, status: u16, took: Duration) {
        self.requests += 1;
        self.slowest = self.slowest.max(took);
        match status {
            200..300 => self.succeeded += 1,
            400..500 => self.refused += 1,
            503 => self.unavailable += 1,
            _ => panic!("{}: answered {status}", self.fault),
        }
    }

    /// Everything was answered 2xx, and is in the database once.
    #[track_caller]
    pub fn all_succeeded(self) -> Self {
        assert_eq!(self.succeeded, self.requests, "{self:?}");
        self.nothing_was_lost_or_doubled()
    }

    #[track_caller]
    pub fn nothing_was_lost_or_doubled(self) -> Self {
        assert!(self.requests > 0 && self.lost == 0 && self.doubled == 0, "{self:?}");
        self
    }

    /// The outcome of both.
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
            doubled: self.doubled + other.doubled,
        }
    }
}
