//! The Lambda function `signup`.

use std::process::ExitCode;

use signup::{App, SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router))
}
