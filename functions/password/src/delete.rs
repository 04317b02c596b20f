//! `POST /auth/me/delete`: the end of the account, with all that is the user's.

use axum::{extract::State, http::StatusCode};
use deserr::Deserr;
use shared::{
    Error,
    extract::{Caller, ClientIp, Json},
    validation::ValidationErrors,
};
use tokio_postgres::types::Type;

use crate::{AppState, check::Checked};

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Deletion {
    password: String,
}

pub async fn delete(
    caller: Caller,
    ip: ClientIp,
    State(app): State<AppState>,
    Json(Deletion { password }): Json<Deletion>,
) -> Result<StatusCode, Error> {
    let Checked { user, hash } = app.check(caller, ip, "password", password).await?;
    let (row, was_resent) = app
        .db
        .query_opt_resent(
            "WITH deleted AS (DELETE FROM users WHERE id = $1 AND hashed_password = $2 RETURNING email), \
             forgotten AS (DELETE FROM attempts USING deleted WHERE attempts.email = deleted.email) \
             SELECT EXISTS (SELECT FROM deleted) AS is_deleted, EXISTS (SELECT FROM users WHERE id = $1) AS was_there",
            &[(&user.id, Type::UUID), (&hash, Type::TEXT)],
        )
        .await?;
    let row = row.ok_or(Error::Internal)?;
    let is_deleted: bool = row.try_get("is_deleted")?;
    let was_there: bool = row.try_get("was_there")?;
    // A statement that was sent again may have deleted the user the first time.
    if is_deleted || was_resent && !was_there {
        return Ok(StatusCode::NO_CONTENT);
    }
    // Another request has changed the password meanwhile, or deleted the user.
    Err(Error::InvalidToken)
}
