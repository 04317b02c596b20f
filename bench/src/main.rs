//! `cargo measure`: measures the functions, the floor, Node and FastAPI, and writes the figures into docs/.
//!
//! It needs Linux and an otherwise idle machine, and root to limit CPU.

#![expect(clippy::indexing_slicing, reason = "a tool for its makers, run by hand")]

mod bench;
mod binaries;
mod cgroup;
mod chart;
mod command;
mod cost;
mod database;
mod devices;
mod fastapi;
mod figures;
mod functions;
mod goals;
mod hashes;
mod http;
mod instructions;
mod lists;
mod machine;
mod node;
mod plans;
mod process;
mod procfs;
mod report;
mod requests;
mod samples;
mod scaling;
mod target;
mod upload;

use std::{path::PathBuf, process::ExitCode};

use binaries::Binaries;
use clap::{Parser, Subcommand};

type Error = Box<dyn std::error::Error>;

/// Measures what the functions cost, and writes the figures into docs/
#[derive(Parser)]
struct Arguments {
    /// The part to measure; all parts without it
    #[command(subcommand)]
    part: Option<Part>,
    /// Measure the functions of this folder, such as .aws-sam/build, instead of building them (`requests` needs the
    /// floor there too)
    #[arg(long, global = true)]
    binaries: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Starts and requests of the functions, the floor, a Node function and FastAPI
    Requests,
    /// Each function by itself and what it costs, for docs/operations.md
    Functions {
        /// Measure only these, and print their figures instead of writing them
        names: Vec<String>,
    },
    /// Logins by the cost of the hash and by Lambda's memory; needs root
    Hashes,
    /// Pages of 10,000 tasks among 1,000,000
    Lists,
    /// Lists that the client has, and changes beside those of before
    Devices {
        /// A folder with the `tasks` of before; without it only lists are measured
        #[arg(long)]
        before: Option<PathBuf>,
    },
    /// Needs and costs of 10 to 10,000 requests a second, for docs/scaling.md
    Scaling,
    /// `cargo dev` and uvicorn, by the number of connections; needs wrk
    Http,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            // tokio_postgres has PostgreSQL's message only there.
            if let Some(source) = error.source() {
                eprintln!("  {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { part, binaries }: Arguments) -> Result<(), Error> {
    let all = || {
        let functions = Part::Functions { names: Vec::new() };
        let devices = Part::Devices { before: None };
        vec![Part::Requests, functions, Part::Hashes, Part::Lists, devices, Part::Scaling, Part::Http]
    };
    fastapi::install()?;
    for part in part.map_or_else(all, |part| vec![part]) {
        let binaries = || Binaries::ready(binaries.as_deref());
        match part {
            Part::Requests => requests::run(binaries()?).await?,
            Part::Functions { names } => functions::run(&binaries()?, &names).await?,
            Part::Hashes => hashes::run(binaries()?).await?,
            Part::Lists => lists::run(binaries()?).await?,
            Part::Devices { before } => devices::run(binaries()?, before.as_deref()).await?,
            Part::Scaling => scaling::run(binaries()?).await?,
            Part::Http => http::run().await?,
        }
    }
    Ok(())
}
