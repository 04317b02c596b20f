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
    extract::{ClientIp, Form, Json, UserAgent, is_form},
    jwt::{Issuer, Session},
    limits::LoginLimits,
    password::Hasher,
    session::Lifetimes,
    user::{EMAIL_MAX_BYTES, User, canonical_email},
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET"];

#[derive(Clone)]
struct AppState {
    db: Db,
    issuer: Issuer,
    hasher: Hasher,
    lifetimes: Lifetimes,
    /// The origins whose pages may send the form.
    cors: Cors,
    limits: LoginLimits,
}

impl AppState {
    fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            hasher: Hasher::new(config)?,
            lifetimes: Lifetimes::new(config)?,
            cors: Cors::new(config)?,
            limits: LoginLimits::new(config)?,
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
    UserAgent(user_agent): UserAgent,
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
                (&app.limits.per_account_and_address, Type::INT4),
                (&app.limits.per_address, Type::INT4),
            ],
        )
        .await?
        .ok_or(Error::Internal)?;
    if let Some(retry_after) = row.try_get("retry_after")? {
        return Err(Error::TooManyAttempts { retry_after });
    }
    let hash: Option<String> = row.try_get("hashed_password")?;
    if !app.hasher.verify(password, hash.clone()).await? {
        return Err(Error::InvalidCredentials);
    }
    let user = User::try_from(&row)?;
    let session = Uuid::now_v7();
    let row = app
        .db
        .query_opt(
            // The lock keeps the password from being changed until the session is there to be ended with the others.
            "WITH me AS MATERIALIZED (SELECT id FROM users WHERE id = $1 AND hashed_password = $2 FOR SHARE) \
             SELECT start_session($3, id, make_interval(secs => $4), $5, $6) AS expires_at FROM me",
            &[
                (&user.id, Type::UUID),
                (&hash, Type::TEXT),
                (&session, Type::UUID),
                (&app.lifetimes.of_new(), Type::INT4),
                (&user_agent, Type::TEXT),
                (&ip, Type::INET),
            ],
        )
        .await?
        // The password was changed meanwhile.
        .ok_or(Error::InvalidCredentials)?;
    let expires_at = row.try_get("expires_at")?;
    app.issuer.session(user, session, 0, expires_at, Timestamp::now()).map(Json)
}
