//! The Lambda function `account`.

use std::process::ExitCode;

use account::{App, SECRETS, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router)).await
}
