//! Those that are measured beside each other, and what they are asked.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kit::{Function, events};
use serde_json::Value;
use shared::config::DEMO_JWT_SECRET;

use crate::{
    Error,
    binaries::{self, Binaries},
    process,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Ours,
    Floor,
    FastApi,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Ours, Self::Floor, Self::FastApi];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Floor => "floor",
            Self::FastApi => "FastAPI",
        }
    }

    /// Whether it can be asked this.
    pub fn answers(self, request: Request) -> bool {
        self != Self::Floor || matches!(request, Request::List | Request::Create)
    }

    pub fn binary(self, binaries: &Binaries, request: Request) -> Result<PathBuf, Error> {
        match self {
            Self::Ours => binaries.path(request.function()),
            Self::Floor => binaries.path("floor"),
            Self::FastApi => Ok(binaries::peer()),
        }
    }

    /// In MB.
    pub fn zipped(self, binaries: &Binaries) -> Result<f64, Error> {
        match self {
            Self::FastApi => binaries::zipped_peer_mb(),
            _ => binaries::zipped_mb(&self.binary(binaries, Request::List)?),
        }
    }

    /// Starts it as Lambda does, and as it is deployed: logging at INFO.
    pub async fn start(
        self,
        binaries: &Binaries,
        request: Request,
        Database { url, authority }: Database<'_>,
    ) -> Result<Running, Error> {
        let mut variables = vec![
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("JWT_SECRET", DEMO_JWT_SECRET),
            // Out of the way, though not off: counting attempts is part of what is measured.
            ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "1000000"),
            ("LOGIN_LIMIT_PER_ADDRESS", "1000000"),
            ("SIGNUP_LIMIT_PER_ADDRESS", "1000000"),
        ];
        // The floor has a parser of URLs that knows neither the one parameter nor the other's strictest value.
        let plain = url.split("&sslrootcert=").next().unwrap_or_default().replace("verify-full", "require");
        match self {
            Self::Floor => {
                variables.push(("DATABASE_URL", &plain));
                variables.push(("ROOT_CERTIFICATES", authority.to_str().ok_or("a path that is no text")?));
            }
            _ => variables.push(("DATABASE_URL", url)),
        }
        let function = Function::start(self.binary(binaries, request)?, &variables).await;
        Ok(Running { target: self, request, function, event: request.event()?, sent: 0, backend: None })
    }
}

/// A database, and a file with the authority that vouches for it.
#[derive(Clone, Copy)]
pub struct Database<'a> {
    pub url: &'a str,
    pub authority: &'a Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    List,
    Create,
    Login,
    SignUp,
    /// A list, with a token that somebody else has signed.
    BadToken,
}

impl Request {
    pub const ALL: [(&str, Self); 5] = [
        ("list", Self::List),
        ("create", Self::Create),
        ("login", Self::Login),
        ("sign-up", Self::SignUp),
        ("bad token", Self::BadToken),
    ];

    fn file(self) -> &'static str {
        match self {
            Self::List => "tasks-list.json",
            Self::Create => "tasks-create.json",
            Self::Login => "login-ok.json",
            Self::SignUp => "signup-created.json",
            Self::BadToken => "tasks-list-forged-token.json",
        }
    }

    /// The function whose it is.
    pub fn function(self) -> &'static str {
        self.file().split('-').next().unwrap_or_default()
    }

    pub fn event(self) -> Result<String, Error> {
        Ok(events::all().remove(self.file()).ok_or_else(|| format!("there is no events/{}", self.file()))?)
    }

    fn status(self) -> u16 {
        match self {
            Self::List | Self::Login => 200,
            Self::Create | Self::SignUp => 201,
            Self::BadToken => 401,
        }
    }
}

/// A target in a process of its own, to be asked one thing again and again.
pub struct Running {
    pub target: Target,
    request: Request,
    function: Function,
    event: String,
    sent: u32,
    /// The process of the database that answers it, where that is known.
    pub backend: Option<u32>,
}

impl Running {
    /// In ms, from its start until it asks for its first event.
    pub async fn init(&mut self) -> Result<f64, Error> {
        Ok(ms(self.function.init().await?))
    }

    /// In ms, until it answered, which must be as it should.
    pub async fn answer(&mut self) -> Result<f64, Error> {
        self.sent += 1;
        let event = match self.request {
            // Both are taken the next time; this process is the only one that asks.
            Request::SignUp => {
                let (pid, sent) = (self.pid(), self.sent);
                self.event
                    .replace("new@example.com", &format!("new-{pid}-{sent}@example.com"))
                    .replace("new_user", &format!("new_{pid}_{sent}"))
            }
            _ => self.event.clone(),
        };
        Ok(self.answer_to(event, self.request.status()).await?.0)
    }

    /// As [`Running::answer`], to an event of one's own; and what it answered.
    pub async fn answer_to(&mut self, event: String, status: u16) -> Result<(f64, Value), Error> {
        let (answer, took) = self.function.invoke_timed(event).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer["statusCode"] == status {
            true => Ok((ms(took), answer)),
            false => {
                let (request, name, output) = (self.request, self.target.name(), self.function.output());
                Err(format!("{request:?} was answered by {name} with {answer}, and it wrote: {output}")
                    .into())
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.function.pid()
    }

    /// What it has written.
    pub fn output(&self) -> String {
        self.function.output()
    }

    /// In ms, so far.
    pub fn cpu(&self) -> Result<f64, Error> {
        process::cpu_ms(self.pid())
    }

    /// In ms, so far, of the database for this target alone; none where its process is not known.
    pub fn database_cpu(&self) -> Result<f64, Error> {
        self.backend.map_or(Ok(0.0), process::cpu_ms)
    }

    /// In MiB.
    pub fn peak_rss(&self) -> Result<f64, Error> {
        process::peak_rss_mib(self.pid())
    }
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
