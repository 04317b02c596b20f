//! `POST /auth/login` (also `/auth/signin`): an access token for an e-mail and a password.

use axum::{Router, extract::State, routing::post};
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Config, Db, Error, config,
    extract::{ClientIp, Json},
    jwt::{Issuer, Session},
    password::Hasher,
    user::{EMAIL_MAX_BYTES, User, canonical_email},
    validation::ValidationErrors,
};
use tokio_postgres::types::Type;

/// The variables that may come from SSM Parameter Store, and that template.yaml lets the function read there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET"];

#[derive(Clone)]
struct AppState {
    db: Db,
    issuer: Issuer,
    hasher: Hasher,
    /// Attempts an hour; 0 means any number.
    per_account_and_address: i32,
    per_address: i32,
}

impl AppState {
    fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            hasher: Hasher::new(config)?,
            per_account_and_address: config.number(
                "LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS",
                30,
                0..=1_000_000,
            )?,
            per_address: config.number("LOGIN_LIMIT_PER_ADDRESS", 300, 0..=1_000_000)?,
        })
    }
}

/// The routes of this function.
///
/// # Errors
/// When `JWT_SECRET`, `ACCESS_TOKEN_TTL`, `BCRYPT_COST` or a limit of attempts is missing or unfit.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    let routes = Router::new().route("/auth/login", post(login)).route("/auth/signin", post(login));
    Ok(routes.with_state(AppState::new(config, db)?))
}

/// Presence and type are all that is checked: what could never have been registered is answered as any wrong
/// e-mail or password is.
#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
struct Credentials {
    email: String,
    password: String,
}

async fn login(
    State(app): State<AppState>,
    ClientIp(address): ClientIp,
    Json(Credentials { email, password }): Json<Credentials>,
) -> Result<Json<Session>, Error> {
    // What cannot have been registered is nobody's: PostgreSQL could not hold it, or it is a password in the wrong place,
    // which should not be held.
    let email = Some(canonical_email(&email))
        .filter(|email| email.contains('@') && email.len() <= EMAIL_MAX_BYTES && !email.contains('\0'))
        .unwrap_or_else(|| "nobody".to_owned());
    let row = app
        .db
        .query_opt(
            // What the first limit refuses is not counted by the second.
            "SELECT retry_after, u.id, u.email, u.username, u.hashed_password \
             FROM coalesce(take_attempt('login', $1, $2, $3), take_attempt('login', $1, '', $4)) AS retry_after \
             LEFT JOIN users u ON u.email = $2",
            &[
                (&address, Type::INET),
                (&email, Type::TEXT),
                (&app.per_account_and_address, Type::INT4),
                (&app.per_address, Type::INT4),
            ],
        )
        .await?
        .ok_or(Error::Internal)?;
    if let Some(retry_after) = row.try_get("retry_after")? {
        return Err(Error::TooManyAttempts { retry_after });
    }
    if app.hasher.verify(password, row.try_get("hashed_password")?).await? {
        app.issuer.session(User::try_from(&row)?, Timestamp::now()).map(Json)
    } else {
        Err(Error::InvalidCredentials)
    }
}
