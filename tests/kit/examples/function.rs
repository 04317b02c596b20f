//! A function for the kit's own tests. The event's `do` selects its behaviour.

#![expect(clippy::indexing_slicing, reason = "a missing JSON member is null")]

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
        Some("fail") => Err("as requested".into()),
        Some("exit") => {
            println!("exiting");
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
