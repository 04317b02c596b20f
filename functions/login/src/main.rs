//! The Lambda function `login`.

use std::process::ExitCode;

use login::{SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, router)
}
