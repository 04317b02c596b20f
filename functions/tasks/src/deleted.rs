//! Deleted tasks, which are kept for 30 days: `GET` and `DELETE /tasks/deleted`, `POST /tasks/{id}/restore`.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use deserr::Deserr;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::{
    Db, Error, Prefix,
    extract::{Caller, Query},
    timestamp,
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    page::{Limit, Page, decode_cursor, encode_cursor},
    sql::{columns, is_caller, kept_columns, locked_caller, taken_revision},
    task::{COLUMNS, Task, TaskId, find},
};

#[derive(Serialize)]
struct DeletedTask {
    #[serde(flatten)]
    task: Task,
    #[serde(serialize_with = "timestamp::serialize")]
    deleted_at: Timestamp,
}

impl DeletedTask {
    fn from_row(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(task) = Task::from_row(row)? else { return Ok(None) };
        Ok(Some(Self { task, deleted_at: row.try_get(COLUMNS)? }))
    }
}

/// The page that is wanted. Both parameters are optional.
#[derive(Default, Deserr)]
#[deserr(error = ValidationErrors)]
pub struct PageQuery {
    #[deserr(default, try_from(String) = Limit::new -> Violation)]
    limit: Limit,
    #[deserr(default, try_from(String) = parse_cursor -> Violation)]
    cursor: Option<Cursor>,
}

/// The place of a page's last task.
#[derive(Serialize, Deserialize)]
struct Cursor {
    revision: i64,
    id: Uuid,
}

fn parse_cursor(sent: String) -> Result<Option<Cursor>, Violation> {
    decode_cursor(sent, |_| true).map(Some)
}

/// Lists them, the last deleted first.
pub async fn list(
    caller: Caller,
    Prefix(prefix): Prefix,
    RawQuery(raw_query): RawQuery,
    Query(PageQuery { limit, cursor }): Query<PageQuery>,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let (revision, id) = cursor.map_or((i64::MAX, Uuid::max()), |cursor| (cursor.revision, cursor.id));
    let page = db
        .query_each(
            concat!(
                "SELECT ",
                columns!(),
                ", t.deleted_at FROM sessions me LEFT JOIN (SELECT * FROM deleted_tasks WHERE user_id = $1 ",
                "AND (revision, id) < ($3, $4) AND expires_at > now() AND title IS NOT NULL ",
                "ORDER BY revision DESC, id DESC LIMIT $5) t ON true WHERE ",
                is_caller!(),
                " ORDER BY t.revision DESC, t.id DESC",
            ),
            &[
                (&caller.id, Type::UUID),
                (&caller.session, Type::UUID),
                (&revision, Type::INT8),
                (&id, Type::UUID),
                (&limit.rows(), Type::INT8),
            ],
            |page: &mut Page<DeletedTask>, row| page.push(DeletedTask::from_row(&row)?, limit),
        )
        .await?;
    page.answer(&format!("{prefix}/tasks/deleted"), raw_query.as_deref(), |DeletedTask { task, .. }| {
        encode_cursor(&Cursor { revision: task.revision, id: task.id })
    })
}

/// Moves a deleted task back.
pub async fn restore(caller: Caller, TaskId(id): TaskId, State(db): State<Db>) -> Result<Task, Error> {
    let (row, was_resent) = db
        .query_opt_resent(
            concat!(
                "WITH ",
                locked_caller!(),
                ", restored AS (DELETE FROM deleted_tasks USING me ",
                "WHERE deleted_tasks.id = $3 AND user_id = $1 AND expires_at > now() AND title IS NOT NULL ",
                "RETURNING deleted_tasks.*, me.next), ",
                "t AS (INSERT INTO tasks AS t (",
                kept_columns!(),
                ", revision) SELECT ",
                kept_columns!(),
                ", next FROM restored RETURNING t.*), ",
                taken_revision!(),
                " SELECT ",
                columns!(),
                " FROM me LEFT JOIN t ON true",
            ),
            &[(&caller.id, Type::UUID), (&caller.session, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    match Task::of(row) {
        // A statement that was sent again may have restored the task the first time.
        Err(Error::TaskNotFound) if was_resent => find(caller, id, &db).await,
        restored => restored,
    }
}

/// Clears them: they are no longer listed and cannot be restored. Their ids stay until they expire, so that an idempotency
/// key does not create its task again.
pub async fn clear(caller: Caller, State(db): State<Db>) -> Result<StatusCode, Error> {
    db.query_opt(
        concat!(
            "WITH ",
            locked_caller!(),
            ", cleared AS (UPDATE deleted_tasks SET title = NULL, description = NULL, completed = NULL, ",
            "completed_at = NULL, priority = NULL, tags = NULL, due_date = NULL, due_kind = NULL, created_at = NULL, ",
            "updated_at = NULL FROM me WHERE user_id = $1 AND title IS NOT NULL) ",
            "SELECT me.id FROM me",
        ),
        &[(&caller.id, Type::UUID), (&caller.session, Type::UUID)],
    )
    .await?
    .ok_or(Error::InvalidToken)?;
    Ok(StatusCode::NO_CONTENT)
}
