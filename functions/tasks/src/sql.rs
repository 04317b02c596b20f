//! Parts that several statements have in common. `$1` is always the caller and `$2` the caller's session.

/// The columns of a [`Task`](crate::task::Task), in the order in which `Task::from_row` reads them. The priority is selected
/// as text: for an enum the driver asks the server about the type, in four more round trips.
macro_rules! columns {
    () => {
        "t.id, t.user_id, t.title, t.description, t.completed, t.completed_at, t.priority::text AS priority, t.tags, \
         t.due_date, t.due_kind, t.revision, t.created_at, t.updated_at"
    };
}
pub(crate) use columns;

/// The session `me` of the caller. It has no row if it has ended.
macro_rules! is_caller {
    () => {
        "me.user_id = $1 AND me.id = $2 AND me.expires_at > now()"
    };
}
pub(crate) use is_caller;

/// The caller `me` of a statement that changes something, and the revision `next` that the change takes. It has no row if
/// the session has ended. The lock of the user's row makes the order of revisions that of the commits.
macro_rules! locked_caller {
    () => {
        "me AS MATERIALIZED (SELECT u.id, u.revision + 1 AS next FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE s.user_id = $1 AND s.id = $2 AND s.expires_at > now() FOR NO KEY UPDATE OF u)"
    };
}
pub(crate) use locked_caller;

/// Gives the user the revision of `t`, which is what was changed. Without a row of `t` it takes none.
macro_rules! taken_revision {
    () => {
        "taken AS (UPDATE users SET revision = t.revision FROM t WHERE users.id = t.user_id)"
    };
}
pub(crate) use taken_revision;

/// The columns that a deleted task keeps and a restored one gets back.
macro_rules! kept_columns {
    () => {
        "id, user_id, title, description, completed, completed_at, priority, tags, due_date, due_kind, created_at"
    };
}
pub(crate) use kept_columns;
