//! `POST /auth/logout`, `GET` and `DELETE /auth/sessions`, `DELETE /auth/sessions/{id}`: the caller's sessions.

use axum::{extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Db, Error,
    extract::{Caller, FormerCaller, Json, PathId},
    timestamp,
};
use tokio_postgres::types::Type;
use uuid::Uuid;

#[derive(Serialize)]
pub struct Listed {
    id: Uuid,
    /// True for the session of the request.
    current: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: Timestamp,
    #[serde(serialize_with = "timestamp::serialize")]
    refreshed_at: Timestamp,
    #[serde(serialize_with = "timestamp::serialize")]
    expires_at: Timestamp,
    user_agent: Option<String>,
    address: Option<String>,
}

pub async fn list(caller: Caller, State(db): State<Db>) -> Result<Json<Vec<Listed>>, Error> {
    let sessions = db
        .query_each(
            "SELECT s.id, s.id = me.id AS current, s.created_at, s.refreshed_at, s.expires_at, s.user_agent, \
                    host(s.address) AS address \
             FROM sessions me JOIN sessions s ON s.user_id = me.user_id AND s.expires_at > now() \
             WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now() \
             ORDER BY s.created_at DESC, s.id DESC",
            &[(&caller.session, Type::UUID), (&caller.id, Type::UUID)],
            |sessions: &mut Vec<Listed>, row| {
                sessions.push(Listed {
                    id: row.try_get("id")?,
                    current: row.try_get("current")?,
                    created_at: row.try_get("created_at")?,
                    refreshed_at: row.try_get("refreshed_at")?,
                    expires_at: row.try_get("expires_at")?,
                    user_agent: row.try_get("user_agent")?,
                    address: row.try_get("address")?,
                });
                Ok::<_, Error>(())
            },
        )
        .await?;
    // The caller's own is one of them.
    if sessions.is_empty() { Err(Error::InvalidToken) } else { Ok(Json(sessions)) }
}

pub async fn end(caller: Caller, PathId(id): PathId, State(db): State<Db>) -> Result<StatusCode, Error> {
    let id = id.ok_or(Error::SessionNotFound)?;
    let (row, was_resent) = db
        .query_opt_resent(
            "WITH ended AS ( \
                 DELETE FROM sessions s USING sessions me \
                 WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now() \
                   AND s.id = $3 AND s.user_id = me.user_id AND s.expires_at > now() RETURNING s.id \
             ) \
             SELECT ended.id FROM sessions me LEFT JOIN ended ON true \
             WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now()",
            &[(&caller.session, Type::UUID), (&caller.id, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    let ended: Option<Uuid> = match row {
        Some(row) => row.try_get("id")?,
        // A statement that was sent again may have ended the caller's own session the first time.
        None if was_resent && id == caller.session => return Ok(StatusCode::NO_CONTENT),
        None => return Err(Error::InvalidToken),
    };
    if ended.is_none() && !was_resent {
        return Err(Error::SessionNotFound);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub async fn end_others(caller: Caller, State(db): State<Db>) -> Result<StatusCode, Error> {
    db.query_opt(
        "WITH ended AS ( \
             DELETE FROM sessions s USING sessions me \
             WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now() \
               AND s.user_id = me.user_id AND s.id <> me.id \
         ) \
         SELECT FROM sessions me WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now()",
        &[(&caller.session, Type::UUID), (&caller.id, Type::UUID)],
    )
    .await?
    .ok_or(Error::InvalidToken)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the session of a token, which may have expired. A session that has ended already is no error.
pub async fn log_out(FormerCaller(caller): FormerCaller, State(db): State<Db>) -> Result<StatusCode, Error> {
    db.query_opt(
        "DELETE FROM sessions WHERE id = $1 AND user_id = $2",
        &[(&caller.session, Type::UUID), (&caller.id, Type::UUID)],
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
