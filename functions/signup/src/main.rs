//! The Lambda function `signup`.

use std::process::ExitCode;

use signup::{App, SECRETS, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(SECRETS, |config, db| App::new(config, db).map(router)).await
}
