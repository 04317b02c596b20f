//! A function for this crate's own tests: does what the event's `do` says.

#![expect(clippy::indexing_slicing, reason = "a name that JSON lacks gives null")]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("GREETING").is_err() {
        eprintln!("GREETING is not set");
        std::process::exit(1);
    }
    run(service_fn(handle)).await
}

async fn handle(LambdaEvent { payload, context }: LambdaEvent<Value>) -> Result<Value, Error> {
    match payload["do"].as_str() {
        Some("fail") => Err("as asked".into()),
        Some("exit") => {
            println!("going");
            std::process::exit(3)
        }
        Some("log") => {
            println!("{}", payload["text"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        Some("env") => Ok(std::env::vars().collect()),
        _ => Ok(json!({ "echo": payload, "id": context.request_id })),
    }
}
