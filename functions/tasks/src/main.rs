//! The Lambda function `tasks`.

use std::process::ExitCode;

use tasks::{App, SECRETS, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router)).await
}
