//! `POST /auth/login` (also `/auth/signin`): an access token for an e-mail and a password.

use axum::{Router, extract::State, routing::post};
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Config, Db, Error,
    attempts::{self, Buckets, Limit},
    config,
    error::Invalid,
    http::{Json, SourceAddress},
    jwt::{Issuer, Session},
    password::Hasher,
    take_attempt,
    user::{EMAIL_MAX_BYTES, User, canonical_email},
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
    per_account_and_address: Limit,
    per_address: Limit,
}

impl App {
    /// With what `config` says.
    ///
    /// # Errors
    /// When `JWT_SECRET`, `ACCESS_TOKEN_TTL`, `BCRYPT_COST` or a limit of attempts is missing or unfit.
    pub fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            hasher: Hasher::new(config)?,
            per_account_and_address: Limit::new(config, "LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", 30)?,
            per_address: Limit::new(config, "LOGIN_LIMIT_PER_ADDRESS", 300)?,
        })
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
    SourceAddress(address): SourceAddress,
    Json(Credentials { email, password }): Json<Credentials>,
) -> Result<Json<Session>, Error> {
    // What cannot have been registered, and PostgreSQL's text or an index could not hold, is nobody's.
    let email = Some(canonical_email(&email))
        .filter(|email| (1..=EMAIL_MAX_BYTES).contains(&email.len()) && !email.contains('\0'))
        .unwrap_or_else(|| "nobody".to_owned());
    let buckets = Buckets::default().and("", app.per_address).and(&email, app.per_account_and_address);
    let row = app
        .db
        .query_opt(
            concat!(
                "WITH ",
                take_attempt!("login"),
                "SELECT retry_after, u.id, u.email, u.username, u.hashed_password ",
                "FROM refused LEFT JOIN users u ON u.email = $4",
            ),
            &[
                (&address, Type::INET),
                (&buckets.emails, Type::TEXT_ARRAY),
                (&buckets.seconds, Type::FLOAT8_ARRAY),
                (&email, Type::TEXT),
            ],
        )
        .await?
        .ok_or(Error::Internal)?;
    attempts::granted(&row)?;
    if app.hasher.verify(password, row.try_get("hashed_password")?).await? {
        app.issuer.session(User::try_from(&row)?, Timestamp::now()).map(Json)
    } else {
        Err(Error::InvalidCredentials)
    }
}
