//! A process of a target, which is sent one event of `events/` again and again.

use std::{path::Path, time::Duration};

use kit::{Function, events};
use serde_json::Value;

use crate::{Error, procfs::cpu_ms, samples::Samples};

pub const LIST: &str = "tasks-list";
pub const CREATE: &str = "tasks-create";
pub const LOGIN: &str = "login-ok";
pub const SIGN_UP: &str = "signup-created";
/// A list with a token that somebody else has signed.
pub const BAD_TOKEN: &str = "tasks-list-forged-token";

/// Raises the limits on attempts. They are not off, as counting attempts is a part of what is measured.
pub const RAISED_LIMITS: [(&str, &str); 3] = [
    ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "1000000"),
    ("LOGIN_LIMIT_PER_ADDRESS", "1000000"),
    ("SIGNUP_LIMIT_PER_ADDRESS", "1000000"),
];

pub struct Process {
    pub function: Function,
    event: String,
    status: u16,
    sent: u32,
    /// PostgreSQL's process for its connection; its CPU time is counted where it is known.
    pub backend: Option<u32>,
}

impl Process {
    /// Starts a binary as Lambda does, and waits until it asks for its first event.
    pub async fn start(binary: &Path, variables: &[(&str, &str)], event: &str) -> Result<Self, Error> {
        let (status, event) = (events::expected()[&format!("{event}.json")], event_json(event)?);
        let mut function = Function::start(binary, variables).await;
        function.init().await?;
        Ok(Self { function, event, status, sent: 0, backend: None })
    }

    /// Returns the time from the process's start until it asked for its first event, in ms.
    pub async fn init(&mut self) -> Result<f64, Error> {
        Ok(ms(self.function.init().await?))
    }

    /// Sends the event and returns the time until the answer, in ms. The answer must have the status of
    /// events/expected.json.
    pub async fn answer(&mut self) -> Result<f64, Error> {
        self.sent += 1;
        // A sign-up needs an e-mail and a username that nobody has.
        let suffix = format!("{}-{}", self.function.pid(), self.sent);
        let event = self.event.replace("new@example.com", &format!("new-{suffix}@example.com"));
        let event = event.replace("new_user", &format!("new_{}", suffix.replace('-', "_")));
        Ok(self.answer_to(event, self.status).await?.0)
    }

    /// Like [`Process::answer`], to another event; returns the answer too.
    pub async fn answer_to(&mut self, event: String, status: u16) -> Result<(f64, Value), Error> {
        let (answer, took) = self.function.invoke_timed(event).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer["statusCode"] != status {
            let (event, output) = (&self.event, self.function.output());
            return Err(format!("{event} was answered with {answer}; the function wrote: {output}").into());
        }
        Ok((ms(took), answer))
    }

    /// Sends the event `count` times and adds the samples.
    pub async fn measure(&mut self, count: usize, samples: &mut Samples) -> Result<(), Error> {
        let before = self.cpu()?;
        for _ in 0..count {
            samples.durations.push(self.answer().await?);
        }
        let after = self.cpu()?;
        samples.total_cpu += after.0 - before.0;
        samples.total_database_cpu += after.1 - before.1;
        Ok(())
    }

    /// Returns the CPU time of the process and of its backend so far, in ms.
    fn cpu(&self) -> Result<(f64, f64), Error> {
        Ok((cpu_ms(self.function.pid())?, self.backend.map_or(Ok(0.0), cpu_ms)?))
    }
}

/// Returns an event of `events/`.
pub fn event_json(name: &str) -> Result<String, Error> {
    let event = events::all().remove(&format!("{name}.json"));
    Ok(event.ok_or_else(|| format!("there is no events/{name}.json"))?)
}

/// Returns the function that an event of `events/` is for.
pub fn function_of(event: &str) -> &str {
    event.split('-').next().unwrap_or_default()
}

/// Returns true if the event's answer needs a hash, which takes a fifth of a second.
pub fn is_hashing(event: &str) -> bool {
    [LOGIN, SIGN_UP].contains(&event)
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
