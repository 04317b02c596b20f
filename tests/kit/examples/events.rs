//! Sends every event in `events/` to the binaries of a build, and compares the statuses with `events/expected.json`:
//!
//! ```sh
//! cargo run -p tests --example events -- .aws-sam/build     # or target/lambda, as cargo-lambda builds it
//! ```
//!
//! The functions use the database in `DATABASE_URL`, which must be migrated and on this machine, for example that of
//! `cargo dev`. Without it they use a temporary one. Before each event the demo user is reset, and the user that an
//! event signs up is deleted. The functions inherit the environment.

#![expect(
    clippy::indexing_slicing,
    reason = "a missing JSON member is null, and every event has an expected status"
)]

use std::{collections::BTreeMap, env, error::Error, path::Path, process::ExitCode};

use kit::{Function, events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(wrong) if wrong.is_empty() => {
            println!("{} events have the expected status", events::all().len());
            return ExitCode::SUCCESS;
        }
        Ok(wrong) => println!("{} events failed:\n{}", wrong.len(), wrong.join("\n")),
        Err(error) => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}

/// Returns a line for each event without the expected status.
async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let folder = env::args_os()
        .nth(1)
        .ok_or("the argument is missing: give the folder of the build, for example .aws-sam/build")?;
    let (url, variables) = events::environment().await?;
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();

    let mut functions: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (name, event) in events::all() {
        let function = name.split('-').next().unwrap_or_default().to_owned();
        functions.entry(function).or_default().push((name, event));
    }
    let expected = events::expected();
    let mut wrong = Vec::new();
    for (name, events) in functions {
        let binary = Path::new(&folder).join(&name).join("bootstrap");
        if !binary.exists() {
            return Err(format!("{} does not exist: build it with `sam build`", binary.display()).into());
        }
        let mut function = Function::start(&binary, &variables).await;
        let before = wrong.len();
        for (name, event) in &events {
            events::seed(&url).await;
            match function.invoke(&serde_json::from_str(event)?).await {
                Ok(answer) if answer["statusCode"] == expected[name] => {}
                Ok(answer) => {
                    wrong.push(format!("{name}: {} instead of {}", answer["statusCode"], expected[name]))
                }
                Err(failure) => wrong.push(format!("{name}: {failure}")),
            }
        }
        println!("{name}: {} of {} events succeeded", events.len() - (wrong.len() - before), events.len());
    }
    Ok(wrong)
}
