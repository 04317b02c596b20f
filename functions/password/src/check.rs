//! The check of the current password, which is limited like a login: a stolen token cannot be used to guess it.

use shared::{
    Error,
    extract::{Caller, ClientIp},
    user::User,
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::types::Type;

use crate::AppState;

/// A user whose password was right.
pub struct Checked {
    pub user: User,
    /// The hash that it belongs to. It may have been changed since.
    pub hash: String,
}

impl AppState {
    /// Checks the password of the caller, which was sent as `field`.
    pub async fn check(
        &self,
        caller: Caller,
        ClientIp(ip): ClientIp,
        field: &'static str,
        password: String,
    ) -> Result<Checked, Error> {
        let row = self
            .db
            .query_opt(
                "SELECT coalesce(take_attempt('login', $3, u.email, $4), take_attempt('login', $3, '', $5)) AS retry_after, \
                        u.id, u.email, u.username, u.hashed_password \
                 FROM sessions me JOIN users u ON u.id = me.user_id \
                 WHERE me.id = $1 AND me.user_id = $2 AND me.expires_at > now()",
                &[
                    (&caller.session, Type::UUID),
                    (&caller.id, Type::UUID),
                    (&ip, Type::INET),
                    (&self.limits.per_account_and_address, Type::INT4),
                    (&self.limits.per_address, Type::INT4),
                ],
            )
            .await?
            .ok_or(Error::InvalidToken)?;
        if let Some(retry_after) = row.try_get("retry_after")? {
            return Err(Error::TooManyAttempts { retry_after });
        }
        let hash: String = row.try_get("hashed_password")?;
        if self.hasher.verify(password, Some(hash.clone())).await? {
            return Ok(Checked { user: User::try_from(&row)?, hash });
        }
        let violation = Violation::new("wrong_password", "Password is not the current one");
        Err(Error::Invalid(ValidationErrors::field(field, violation)))
    }
}
