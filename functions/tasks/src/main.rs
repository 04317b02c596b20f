//! The Lambda function `tasks`.

use std::process::ExitCode;

use tasks::{App, SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router))
}
