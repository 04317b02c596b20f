//! The settings of `cargo dev`, from the environment, `.env` and defaults.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use shared::{Config, Cors, jwt::DEMO_SECRET};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::Error;

/// Reads the environment, then `.env` in the current folder. The default CORS origin is the usual address of a front
/// end's development server.
pub fn config() -> Result<Config, Error> {
    let mut config = Config::from_env();
    match dotenvy::from_path_iter(".env") {
        Ok(variables) => {
            for variable in variables {
                // The error contains the line, which may contain a secret.
                let (name, value) = variable.map_err(|_| {
                    ".env cannot be read: a line is not NAME=value; put a value with spaces, $ or # in single \
                     quotes"
                })?;
                config.set_default(&name, &value);
            }
        }
        Err(error) if error.not_found() => {}
        Err(error) => return Err(format!(".env cannot be read: {error}").into()),
    }
    config.set_default("CORS_ALLOW_ORIGINS", "http://localhost:3000");
    Ok(config)
}

/// Sets defaults: a generated JWT secret, stored in `folder` so that tokens stay valid after a restart, and a pool of
/// 10 connections instead of the one that a Lambda function uses.
pub fn set_defaults(config: &mut Config, folder: &Path) -> Result<(), Error> {
    config.set_default("DATABASE_MAX_CONNECTIONS", "10");
    if config.get("JWT_SECRET").is_none() {
        let file = dev_postgres::prepare(folder)?.join("jwt_secret");
        let secret = stored_secret(&file).map_err(|error| {
            format!(
                "the generated JWT_SECRET cannot be stored in {} ({error}): set JWT_SECRET, \
                 or choose another folder with --data",
                file.display()
            )
        })?;
        config.set_default("JWT_SECRET", &secret);
    }
    Ok(())
}

/// Reads the secret, or generates and stores one.
fn stored_secret(file: &Path) -> std::io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system's random number generator failed"))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write(file, &secret)?;
    Ok(secret)
}

/// Writes the file atomically. Only its owner may read it.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut new = NamedTempFile::new_in(file.parent().unwrap_or(file))?;
    new.write_all(text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

/// Writes `env.json` for `sam local --env-vars` and returns its path. It has the local database's URL with the host
/// name that containers use, and the secret that signed the tokens in `events/`.
pub fn write_env_json(folder: &Path, local_url: &str) -> Result<PathBuf, Error> {
    let variables = json!({
        "DATABASE_URL": local_url.replace("@127.0.0.1:", "@host.docker.internal:"),
        "DATABASE_PREPARED_STATEMENTS": "on",
        "JWT_SECRET": DEMO_SECRET,
        // Empty, so that the functions do not read parameters from SSM.
        "SSM_PARAMETER_PATH": "",
    });
    let file = folder.join("env.json");
    let text = format!("{:#}\n", json!({ "Parameters": variables }));
    write(&file, &text).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    Ok(file)
}

/// The address that `cargo dev` listens on, and the CORS settings.
pub struct Settings {
    host: String,
    port: u16,
    pub cors: Cors,
}

impl Settings {
    /// Reads `HOST` (default 127.0.0.1), `PORT` (default 8000; 0 selects a free port) and `CORS_ALLOW_ORIGINS`.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            host: config.get("HOST").unwrap_or("127.0.0.1").to_owned(),
            port: config.number("PORT", 8000, 0..=u16::MAX)?,
            cors: Cors::new(config)?,
        })
    }

    /// Binds the port.
    pub async fn listen(&self) -> Result<TcpListener, Error> {
        let Self { host, port, .. } = self;
        TcpListener::bind((host.as_str(), *port)).await.map_err(|error| {
            match error.kind() {
                ErrorKind::AddrInUse => format!(
                    "port {port} of {host} is in use: stop the program that uses it, or choose another port: \
                     PORT=8001 cargo dev"
                ),
                _ => format!(
                    "cannot listen on port {port} of {host} ({error}): \
                     set HOST to an address of this machine and PORT to a free port"
                ),
            }
            .into()
        })
    }
}
