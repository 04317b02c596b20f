//! The Lambda function `health`.

use std::process::ExitCode;

use health::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
