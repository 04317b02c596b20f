//! `GET` and `PATCH /auth/me`: the caller's account.

use axum::extract::State;
use deserr::Deserr;
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Db, Error,
    extract::{Caller, Json},
    timestamp,
    user::{User, Username},
    validation::{Patch, ValidationErrors},
};
use tokio_postgres::{Row, types::Type};

#[derive(Serialize)]
pub struct Account {
    #[serde(flatten)]
    user: User,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: Timestamp,
}

impl Account {
    /// Answers with the account of a statement that begins at the caller's session: no row means that it has ended.
    fn answer(row: Option<Row>) -> Result<Json<Self>, Error> {
        let row = row.ok_or(Error::InvalidToken)?;
        Ok(Json(Self { user: User::try_from(&row)?, created_at: row.try_get("created_at")? }))
    }
}

pub async fn read(caller: Caller, State(db): State<Db>) -> Result<Json<Account>, Error> {
    let row = db
        .query_opt(
            "SELECT u.id, u.email, u.username, u.created_at \
             FROM sessions me JOIN users u ON u.id = me.user_id \
             WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now()",
            &[(&caller.session, Type::UUID), (&caller.id, Type::UUID)],
        )
        .await?;
    Account::answer(row)
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Changes {
    #[deserr(default)]
    username: Patch<Username>,
}

pub async fn update(
    caller: Caller,
    State(db): State<Db>,
    Json(Changes { username }): Json<Changes>,
) -> Result<Json<Account>, Error> {
    let Some(Username(username)) = username.0 else { return read(caller, State(db)).await };
    let row = db
        .query_opt(
            "UPDATE users u SET username = $3 FROM sessions me \
             WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now() AND u.id = me.user_id \
             RETURNING u.id, u.email, u.username, u.created_at",
            &[(&caller.session, Type::UUID), (&caller.id, Type::UUID), (&username, Type::TEXT)],
        )
        .await
        .map_err(|error| match error.constraint() {
            Some("users_username_key") => Error::UsernameTaken,
            _ => error.into(),
        })?;
    Account::answer(row)
}
