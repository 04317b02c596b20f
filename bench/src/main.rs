//! Measures the functions beside `floor`, the least such functions could cost, and beside FastAPI, which they replace,
//! and writes what it measured into docs/benchmarks.md, whose words are people's:
//!
//! ```sh
//! cargo measure              # all but `profiles`, in a quarter of an hour after the builds
//! cargo measure requests     # one part
//! cargo measure --help
//! ```
//!
//! Linux only. The machine should have nothing else to do. As root it also measures with the CPU that a function of
//! less memory has.

#![expect(clippy::indexing_slicing, reason = "a tool for its makers, run by hand")]

mod binaries;
mod cgroup;
mod chart;
mod cost;
mod functions;
mod hashes;
mod http;
mod lists;
mod machine;
mod process;
mod profiles;
mod report;
mod requests;
mod scaling;
mod statistics;
mod target;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use binaries::Binaries;
use clap::{Parser, Subcommand};

type Error = Box<dyn std::error::Error>;

/// What the functions cost, measured; the figures are written into docs/
#[derive(Parser)]
struct Arguments {
    /// One part alone; without, all but `profiles`
    #[command(subcommand)]
    part: Option<Part>,
    /// Measure the functions of this folder, such as .aws-sam/build, instead of building them (`requests` wants the
    /// floor there too)
    #[arg(long, global = true)]
    binaries: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Starts and requests, beside the floor and FastAPI
    Requests,
    /// Each function by itself and what it costs, for docs/operations.md
    Functions {
        /// Only these; their figures are printed, and written nowhere
        names: Vec<String>,
    },
    /// `cargo dev` and uvicorn, by how many connections ask at once; needs wrk
    Http,
    /// Logins by the cost of the hash and by Lambda's memory; needs root
    Hashes,
    /// Pages of 10,000 tasks among 1,000,000
    Lists,
    /// What 10 to 10,000 requests a second need and cost, for docs/scaling.md
    Scaling,
    /// Release profiles, in half an hour or more: each builds `tasks` from nothing
    Profiles,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            // tokio_postgres says only there what PostgreSQL said.
            if let Some(source) = error.source() {
                eprintln!("  {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { part, binaries }: Arguments) -> Result<(), Error> {
    let binaries = || Binaries::ready(binaries);
    match part {
        Some(Part::Requests) => requests::run(&binaries()?).await,
        Some(Part::Functions { names }) => functions::run(&binaries()?, &names).await,
        Some(Part::Hashes) => hashes::run(&binaries()?).await,
        Some(Part::Lists) => lists::run(&binaries()?).await,
        Some(Part::Http) => http::run().await,
        Some(Part::Scaling) => scaling::run(&binaries()?).await,
        Some(Part::Profiles) => profiles::run().await,
        None => {
            let binaries = binaries()?;
            requests::run(&binaries).await?;
            functions::run(&binaries, &[]).await?;
            hashes::run(&binaries).await?;
            lists::run(&binaries).await?;
            scaling::run(&binaries).await?;
            http::run().await
        }
    }
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
