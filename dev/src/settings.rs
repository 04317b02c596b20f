//! What `cargo dev` reads from the environment and `.env`, and what it makes up where they are silent.

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

/// The environment, below it `.env` in the current folder, and below both the origin where a front end's own server is
/// most often.
pub fn config() -> Result<Config, Error> {
    let mut config = Config::from_env();
    match dotenvy::from_path_iter(".env") {
        Ok(variables) => {
            for variable in variables {
                // The error quotes the line, which may hold a secret.
                let (name, value) = variable.map_err(|_| {
                    ".env cannot be read: a line is not NAME=value, where a value with spaces, $ or # stands in \
                     single quotes"
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

/// Fills in what a developer need not say: a secret of their own, which is kept in `folder` so that tokens outlive a
/// restart, and more than the one connection that a Lambda function uses.
pub fn complete(config: &mut Config, folder: &Path) -> Result<(), Error> {
    config.set_default("DATABASE_MAX_CONNECTIONS", "10");
    if config.get("JWT_SECRET").is_none() {
        let file = dev_postgres::prepare(folder)?.join("jwt_secret");
        let secret = kept_secret(&file).map_err(|error| {
            format!("the generated JWT_SECRET cannot be kept in {}: {error}", file.display())
        })?;
        config.set_default("JWT_SECRET", &secret);
    }
    Ok(())
}

fn kept_secret(file: &Path) -> std::io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write(file, &secret)?;
    Ok(secret)
}

/// Whole or not at all, and for its owner's eyes only.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut new = NamedTempFile::new_in(file.parent().unwrap_or(file))?;
    new.write_all(text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}

/// Writes `env.json` for `sam local --env-vars`, with cargo dev's own database under the name by which a container
/// knows its host and the secret that signed the tokens in `events/`, and tells where it is.
pub fn write_env_json(folder: &Path, own_url: &str) -> Result<PathBuf, Error> {
    let variables = json!({
        "DATABASE_URL": own_url.replace("@127.0.0.1:", "@host.docker.internal:"),
        "JWT_SECRET": DEMO_SECRET,
        // Or the functions would look there for what else they may read.
        "SSM_PARAMETER_PATH": "",
    });
    let file = folder.join("env.json");
    let text = format!("{:#}\n", json!({ "Parameters": variables }));
    write(&file, &text).map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    Ok(file)
}

/// Where `cargo dev` answers, and to whose pages.
pub struct Settings {
    host: String,
    port: u16,
    pub cors: Cors,
}

impl Settings {
    /// `HOST` (127.0.0.1), `PORT` (8000; 0 takes a free one) and `CORS_ALLOW_ORIGINS`.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            host: config.get("HOST").unwrap_or("127.0.0.1").to_owned(),
            port: config.number("PORT", 8000, 0..=u16::MAX)?,
            cors: Cors::new(config)?,
        })
    }

    /// Takes the port.
    pub async fn listen(&self) -> Result<TcpListener, Error> {
        let Self { host, port, .. } = self;
        TcpListener::bind((host.as_str(), *port)).await.map_err(|error| {
            match error.kind() {
                ErrorKind::AddrInUse => format!(
                    "port {port} of {host} is in use: stop the program that has it, or choose another, as in \
                     PORT=8001 cargo dev"
                ),
                _ => format!("cannot listen on port {port} of {host} ({error}): set HOST and PORT to what this machine has"),
            }
            .into()
        })
    }
}
