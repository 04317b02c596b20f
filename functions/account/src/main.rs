//! The Lambda function `account`.

use std::process::ExitCode;

use account::{App, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(|config, db| App::new(config, db).map(router)).await
}
