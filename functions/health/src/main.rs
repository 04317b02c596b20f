//! The Lambda function `health`.

use std::process::ExitCode;

use health::{SECRETS, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(SECRETS, |_, db| Ok(router(db))).await
}
