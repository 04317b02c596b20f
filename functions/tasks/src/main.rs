//! The Lambda function `tasks`.

use std::process::ExitCode;

use tasks::{App, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(|config, db| App::new(config, db).map(router)).await
}
