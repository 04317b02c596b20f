//! The binaries and the database of one part of `cargo measure`.

use std::path::{Path, PathBuf};

use kit::Tls;
use shared::jwt::DEMO_SECRET;

use crate::{
    Error,
    binaries::Binaries,
    database::newest_backend,
    fastapi, node,
    process::{LIST, Process, RAISED_LIMITS, function_of, is_hashing},
    target::Target,
    upload,
};

pub struct Bench {
    binaries: Binaries,
    /// A PostgreSQL of its own, with TLS, SCRAM and verified certificates as a hosted one has them.
    pub tls: Tls,
    pub url: String,
}

impl Bench {
    pub async fn new(binaries: Binaries) -> Self {
        let tls = kit::tls().await;
        Self { binaries, url: tls.secure_url(), tls }
    }

    /// Starts a target for an event of `events/`, on the database at `url`, logging at INFO as deployed.
    pub async fn start(&self, url: &str, target: Target, event: &str) -> Result<Process, Error> {
        self.start_binary(&self.binary(target, event)?, url, target, event).await
    }

    /// Like [`Bench::start`], with another binary, which runs the target's.
    pub async fn start_binary(
        &self,
        binary: &Path,
        url: &str,
        target: Target,
        event: &str,
    ) -> Result<Process, Error> {
        let authority = self.tls.authority().to_string_lossy();
        // The floor's URL parser knows neither `verify-full` nor `sslrootcert`; it reads `ROOT_CERTIFICATES`.
        let floor_url =
            url.split("&sslrootcert=").next().unwrap_or_default().replace("verify-full", "require");
        let mut variables = vec![("AWS_LAMBDA_LOG_LEVEL", "INFO"), ("JWT_SECRET", DEMO_SECRET)];
        variables.extend(RAISED_LIMITS);
        variables.push(("DATABASE_URL", if target == Target::Floor { &floor_url } else { url }));
        variables.push(("ROOT_CERTIFICATES", &authority));
        let prepared_statements = if target == Target::Unprepared { "off" } else { "on" };
        variables.push(("DATABASE_PREPARED_STATEMENTS", prepared_statements));
        Process::start(binary, &variables, event).await
    }

    /// Like [`Bench::start`], and sends the event some times, so that only warm requests are measured.
    pub async fn start_warm(&self, url: &str, target: Target, event: &str) -> Result<Process, Error> {
        let mut process = self.start(url, target, event).await?;
        for _ in 0..if is_hashing(event) { 2 } else { 50 } {
            process.answer().await?;
        }
        process.backend = Some(newest_backend(self.tls.plain_url()).await?);
        Ok(process)
    }

    /// Returns the size of what is uploaded of a target, in MB.
    pub fn zipped_mb(&self, target: Target) -> Result<f64, Error> {
        match target {
            Target::Node => node::zipped_mb(),
            Target::FastApi => fastapi::zipped_mb(),
            _ => upload::function_mb(self.binary(target, LIST)?),
        }
    }

    pub fn binary(&self, target: Target, event: &str) -> Result<PathBuf, Error> {
        match target {
            Target::Ours | Target::Unprepared => self.binaries.path(function_of(event)),
            Target::Floor => self.binaries.path("floor"),
            Target::Node => Ok(node::bootstrap()),
            Target::FastApi => Ok(fastapi::bootstrap()),
        }
    }
}
