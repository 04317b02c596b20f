//! `POST /auth/login` (also `/auth/signin`): an access token for an e-mail and a password.

use axum::{Router, extract::State, routing::post};
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Config, Db, Error, config,
    error::Invalid,
    http::Json,
    jwt::{Issuer, Session},
    password::Hasher,
    user::{User, canonical_email},
};
use tokio_postgres::types::Type;

/// The variables that may come from SSM Parameter Store, and that template.yaml lets the function read there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "JWT_SECRET"];

/// What this function works with.
#[derive(Clone)]
pub struct App {
    db: Db,
    issuer: Issuer,
    hasher: Hasher,
}

impl App {
    /// With what `config` says.
    ///
    /// # Errors
    /// When `JWT_SECRET`, `ACCESS_TOKEN_TTL` or `BCRYPT_COST` is missing or unfit.
    pub fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self { db, issuer: Issuer::new(config)?, hasher: Hasher::new(config)? })
    }
}

/// The routes of this function.
pub fn router(app: App) -> Router {
    Router::new().route("/auth/login", post(login)).route("/auth/signin", post(login)).with_state(app)
}

/// Presence and type are all that is checked: what could never have been registered is answered as any wrong
/// e-mail or password is.
#[derive(Deserr)]
#[deserr(error = Invalid)]
struct Credentials {
    email: String,
    password: String,
}

async fn login(
    State(app): State<App>,
    Json(Credentials { email, password }): Json<Credentials>,
) -> Result<Json<Session>, Error> {
    // PostgreSQL's text cannot hold a NUL; no stored e-mail is empty.
    let email = if email.contains('\0') { String::new() } else { canonical_email(&email) };
    let row = app
        .db
        .query_opt(
            "SELECT id, email, username, hashed_password FROM users WHERE email = $1",
            &[(&email, Type::TEXT)],
        )
        .await?;
    let hash = row.as_ref().map(|row| row.try_get("hashed_password")).transpose()?;
    let verified = app.hasher.verify(password, hash).await?;
    match row {
        Some(row) if verified => app.issuer.session(User::try_from(&row)?, Timestamp::now()).map(Json),
        _ => Err(Error::InvalidCredentials),
    }
}
