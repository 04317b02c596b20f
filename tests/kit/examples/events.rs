//! Sends every event of `events/` to the binaries of a build, and compares the statuses of their answers with those
//! that `events/expected.json` has:
//!
//! ```sh
//! cargo run -p tests --example events -- .aws-sam/build     # or target/lambda, as cargo-lambda builds it
//! ```
//!
//! They work on the database that `DATABASE_URL` names, which must be migrated and on this machine, such as that of
//! `cargo dev`, or else on a temporary one. Before each event the demo user is made anew, and the user that events sign
//! up is deleted; others are left alone.
//! The functions get the rest of the environment too.

#![expect(
    clippy::indexing_slicing,
    reason = "a name that JSON lacks gives null, and every event has a status to expect"
)]

use std::{collections::BTreeMap, env, error::Error, path::Path, process::ExitCode};

use kit::{Function, events};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(wrong) if wrong.is_empty() => {
            println!("{} events answered as expected", events::all().len());
            return ExitCode::SUCCESS;
        }
        Ok(wrong) => println!("{} events answered otherwise:\n{}", wrong.len(), wrong.join("\n")),
        Err(error) => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}

/// The events that were not answered as expected, and how they were.
async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("name the folder of the build, for example .aws-sam/build")?;
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
            return Err(format!("there is no {}: build it first, with `sam build`", binary.display()).into());
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
        println!("{name}: {} of {} events", events.len() - (wrong.len() - before), events.len());
    }
    Ok(wrong)
}
