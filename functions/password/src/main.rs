//! The Lambda function `password`.

use std::process::ExitCode;

use password::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
