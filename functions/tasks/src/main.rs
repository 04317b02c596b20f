//! The Lambda function `tasks`.

use std::process::ExitCode;

use tasks::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
