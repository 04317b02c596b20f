//! The Lambda function `login`.

use std::process::ExitCode;

use login::{App, SECRETS, router};

fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router))
}
