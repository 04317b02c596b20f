//! The Lambda function `health`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    shared::run(|_, db| Ok(health::router(db))).await
}
