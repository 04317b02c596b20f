//! The Lambda function `account`.

use std::process::ExitCode;

use account::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
