//! Runs other programs.

use std::process::{Command, Stdio};

use crate::Error;

/// Runs a command and returns its standard output. Its standard error is shown.
pub fn output(command: &mut Command) -> Result<String, Error> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{command:?} cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        false => Err(format!("{command:?} failed ({})", output.status).into()),
    }
}
