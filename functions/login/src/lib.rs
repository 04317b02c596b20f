//! `POST /auth/login` (also `/auth/signin`): an access token for an e-mail and a password.

use axum::{
    Router,
    extract::{FromRef, FromRequest, Request, State},
    routing::post,
};
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Config, Cors, Db, Error, config,
    extract::{ClientIp, Form, Json, is_form},
    jwt::{Issuer, Session},
    password::Hasher,
    user::{EMAIL_MAX_BYTES, User, canonical_email},
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::types::Type;

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET"];

#[derive(Clone)]
struct AppState {
    db: Db,
    issuer: Issuer,
    hasher: Hasher,
    /// The origins whose pages may send the form.
    cors: Cors,
    /// Attempts per hour and client IP with one e-mail. 0 means no limit.
    account_limit: i32,
    /// Attempts per hour and client IP. 0 means no limit.
    ip_limit: i32,
}

impl AppState {
    fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            hasher: Hasher::new(config)?,
            cors: Cors::new(config)?,
            account_limit: config.number("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", 30, 0..=1_000_000)?,
            ip_limit: config.number("LOGIN_LIMIT_PER_ADDRESS", 300, 0..=1_000_000)?,
        })
    }
}

impl FromRef<AppState> for Cors {
    fn from_ref(app: &AppState) -> Self {
        app.cors.clone()
    }
}

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    let routes = Router::new().route("/auth/login", post(login)).route("/auth/signin", post(login));
    Ok(routes.with_state(AppState::new(config, db)?))
}

/// Only presence and type are checked: an e-mail or password that cannot have been registered gets the same answer as a
/// wrong one.
#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
struct Credentials {
    email: String,
    password: String,
}

/// The form of OAuth 2's password grant ([RFC 6749 §4.3.2]), which Swagger UI sends. `scope` and the client's credentials
/// mean nothing here.
///
/// [RFC 6749 §4.3.2]: https://www.rfc-editor.org/rfc/rfc6749#section-4.3.2
#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
struct PasswordGrant {
    #[deserr(default = GrantType, try_from(String) = GrantType::new -> Violation)]
    grant_type: GrantType,
    username: String,
    password: String,
}

/// `password`.
struct GrantType;

impl GrantType {
    fn new(sent: String) -> Result<Self, Violation> {
        match sent.as_str() {
            "password" => Ok(Self),
            _ => Err(Violation::new("enum", "Grant type should be password")),
        }
    }
}

impl FromRequest<AppState> for Credentials {
    type Rejection = Error;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Error> {
        if is_form(request.headers()) {
            let Form(PasswordGrant { grant_type: GrantType, username, password }) =
                Form::from_request(request, app).await?;
            return Ok(Self { email: username, password });
        }
        let Json(credentials) = Json::from_request(request, app).await?;
        Ok(credentials)
    }
}

async fn login(
    State(app): State<AppState>,
    ClientIp(ip): ClientIp,
    Credentials { email, password }: Credentials,
) -> Result<Json<Session>, Error> {
    // An e-mail that cannot have been registered is not sent to the database: PostgreSQL cannot hold it, or it is a password
    // that was typed in the wrong field.
    let email = Some(canonical_email(&email))
        .filter(|email| email.contains('@') && email.len() <= EMAIL_MAX_BYTES && !email.contains('\0'))
        .unwrap_or_else(|| "nobody".to_owned());
    let row = app
        .db
        .query_opt(
            // An attempt that the first limit refuses does not count for the second.
            "SELECT retry_after, u.id, u.email, u.username, u.hashed_password \
             FROM coalesce(take_attempt('login', $1, $2, $3), take_attempt('login', $1, '', $4)) AS retry_after \
             LEFT JOIN users u ON u.email = $2",
            &[
                (&ip, Type::INET),
                (&email, Type::TEXT),
                (&app.account_limit, Type::INT4),
                (&app.ip_limit, Type::INT4),
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
