//! The Lambda function `account`.

use std::process::ExitCode;

use account::{App, SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router))
}
