//! The Lambda function `signup`.

use std::process::ExitCode;

use signup::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
