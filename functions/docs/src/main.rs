//! The Lambda function `docs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::run_without_database(docs::router())
}
