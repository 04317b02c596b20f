//! `POST /auth/password`: a new password, and a new session in the place of all others.

use axum::extract::State;
use deserr::Deserr;
use jiff::Timestamp;
use shared::{
    Error,
    extract::{Caller, ClientIp, Json, UserAgent},
    jwt::Session,
    password::Password,
    validation::ValidationErrors,
};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{AppState, check::Checked};

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct NewPassword {
    current_password: String,
    new_password: Password,
}

pub async fn change(
    caller: Caller,
    ip: ClientIp,
    UserAgent(user_agent): UserAgent,
    State(app): State<AppState>,
    Json(NewPassword { current_password, new_password }): Json<NewPassword>,
) -> Result<Json<Session>, Error> {
    let ClientIp(address) = ip;
    let Checked { user, hash } = app.check(caller, ip, "current_password", current_password).await?;
    new_password
        .reject_guessable(&user.email, user.username.as_deref())
        .map_err(|violation| Error::Invalid(ValidationErrors::field("new_password", violation)))?;
    let new_hash = app.hasher.hash(new_password).await?;
    let session = Uuid::now_v7();
    let row = app
        .db
        .query_opt(
            // The last session is there already if this statement was sent before and its answer was lost.
            "WITH changed AS ( \
                 UPDATE users SET hashed_password = $3 WHERE id = $1 AND hashed_password = $2 RETURNING id \
             ), ended AS MATERIALIZED (SELECT end_sessions(id) AS id FROM changed), \
             started AS MATERIALIZED ( \
                 SELECT start_session($4, id, make_interval(secs => $5), $6, $7) AS expires_at FROM ended \
             ) \
             SELECT expires_at FROM started \
             UNION ALL SELECT expires_at FROM sessions WHERE id = $4 AND user_id = $1",
            &[
                (&user.id, Type::UUID),
                (&hash, Type::TEXT),
                (&new_hash, Type::TEXT),
                (&session, Type::UUID),
                (&app.lifetimes.of_new(), Type::INT4),
                (&user_agent, Type::TEXT),
                (&address, Type::INET),
            ],
        )
        .await?
        // Another request has changed the password meanwhile, or deleted the user.
        .ok_or(Error::InvalidToken)?;
    app.issuer.session(user, session, 0, row.try_get("expires_at")?, Timestamp::now()).map(Json)
}
