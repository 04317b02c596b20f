//! `POST /auth/refresh`: new tokens for a refresh token.

use axum::extract::State;
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Db, Error,
    extract::Json,
    jwt::{Issuer, RefreshClaims, Session, Verifier},
    session::Lifetimes,
    telemetry,
    user::User,
    validation::ValidationErrors,
};
use tokio_postgres::types::Type;

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct RefreshRequest {
    refresh_token: String,
}

/// A token that we have not signed never reaches the database, so there is no rate limit.
pub async fn refresh(
    State(db): State<Db>,
    State(issuer): State<Issuer>,
    State(verifier): State<Verifier>,
    State(lifetimes): State<Lifetimes>,
    Json(RefreshRequest { refresh_token }): Json<RefreshRequest>,
) -> Result<Json<Session>, Error> {
    let now = Timestamp::now();
    let RefreshClaims { sub, sid, n, .. } =
        verifier.refresh(&refresh_token, now).ok_or(Error::InvalidRefreshToken)?;
    let row = db
        .query_opt(
            "SELECT s.counter, s.expires_at, s.was_reused, u.id, u.email, u.username \
             FROM refresh_session($1, $2, $3, make_interval(secs => $4), make_interval(secs => $5)) s \
             JOIN users u ON u.id = $2",
            &[
                (&sid, Type::UUID),
                (&sub, Type::UUID),
                (&n, Type::INT4),
                (&lifetimes.refresh, Type::INT4),
                (&lifetimes.session, Type::INT4),
            ],
        )
        .await?
        .ok_or(Error::InvalidRefreshToken)?;
    if row.try_get("was_reused")? {
        telemetry::refresh_token_reused(sub);
        return Err(Error::InvalidRefreshToken);
    }
    let (counter, expires_at) = (row.try_get("counter")?, row.try_get("expires_at")?);
    issuer.session(User::try_from(&row)?, sid, counter, expires_at, now).map(Json)
}
