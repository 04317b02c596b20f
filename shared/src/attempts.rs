//! Limits on attempts to log in and to sign up: buckets of attempts that refill evenly over an hour (the [generic cell
//! rate algorithm][gcra]), in PostgreSQL, because functions share no memory.
//!
//! [gcra]: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm

use tokio_postgres::Row;

use crate::{Config, Error, config};

/// Seconds.
const HOUR: f64 = 3600.0;

/// How many attempts an hour, at most. 0 means any number.
#[derive(Clone, Copy)]
pub struct Limit(u32);

impl Limit {
    /// The limit that a variable sets, 0 to 1,000,000 an hour.
    ///
    /// # Errors
    /// When it is no number in that range.
    pub fn new(config: &Config, name: &str, default: u32) -> Result<Self, config::Error> {
        config.number(name, default, 0..=1_000_000).map(Self)
    }
}

/// The buckets that one attempt takes from, as the two arrays that [`take_attempt!`] reads.
#[derive(Default)]
pub struct Buckets {
    /// Whose each is; empty for that of a network as a whole.
    pub emails: Vec<String>,
    /// The seconds after which one attempt is back.
    pub seconds: Vec<f64>,
}

impl Buckets {
    /// As these, and one more, unless its limit is off.
    pub fn and(mut self, email: &str, Limit(an_hour): Limit) -> Self {
        if an_hour > 0 {
            self.emails.push(email.to_owned());
            self.seconds.push(HOUR / f64::from(an_hour));
        }
        self
    }
}

/// Whether the attempt was granted, by the `retry_after` of [`take_attempt!`].
///
/// # Errors
/// [`Error::TooManyAttempts`] when a bucket was empty.
pub fn granted(row: &Row) -> Result<(), Error> {
    match row.try_get("retry_after")? {
        Some(retry_after) => Err(Error::TooManyAttempts { retry_after }),
        None => Ok(()),
    }
}

/// The `WITH` of a statement that takes an attempt out of each bucket: `$1` is the address, `$2` and `$3` are those of
/// [`Buckets`]. Its `refused` is one row, whose `retry_after` is null or the seconds to wait.
///
/// An `INSERT … ON CONFLICT` locks the row, so attempts that come at once are counted one after the other; the second on
/// top of the hour is for `now()`, which is when a statement began, not when its turn came. Rows of others that say nothing
/// any more are deleted ten at a time, never waiting for one, and never one that the same statement takes from.
#[macro_export]
macro_rules! take_attempt {
    ($action:literal) => {
        concat!(
            "bucket AS (",
            "SELECT email, make_interval(secs => seconds) AS every ",
            "FROM unnest($2::text[], $3::float8[]) AS b (email, seconds)), ",
            "taken AS (INSERT INTO attempts AS a (action, address, email, until) ",
            "SELECT '",
            $action,
            "', $1, email, now() + every FROM bucket ",
            "ON CONFLICT (action, address, email) DO UPDATE ",
            "SET until = greatest(a.until, now()) + (excluded.until - now()) ",
            "WHERE a.until + (excluded.until - now()) <= now() + interval '1 hour 1 second' ",
            "RETURNING email), ",
            "passed AS (DELETE FROM attempts WHERE ctid = ANY (ARRAY(",
            "SELECT ctid FROM attempts WHERE until < now() ",
            "AND NOT (action = '",
            $action,
            "' AND address = $1 AND email = ANY ($2)) ",
            "ORDER BY until LIMIT 10 FOR UPDATE SKIP LOCKED))), ",
            "refused AS (",
            "SELECT max(ceil(extract(epoch FROM every)))::int AS retry_after ",
            "FROM bucket WHERE email NOT IN (SELECT email FROM taken)) ",
        )
    };
}
