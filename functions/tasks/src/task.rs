//! One task: its JSON, and the handlers that create, read, update, complete and delete it.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use jiff::{Timestamp, civil::DateTime};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    Db, Error, Prefix,
    db::Param,
    extract::{Caller, Json, PathId},
    timestamp,
    validation::{Patch, ValidationErrors},
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    due::Due,
    etag::{IfMatch, IfNoneMatch, etag},
    fields::{Description, DueDate, Priority, Tags, Title},
    idempotency_key::{IDEMPOTENT_REPLAYED, IdempotencyKey},
    sql::{columns, is_caller, kept_columns, locked_caller, taken_revision},
};

/// A task as the API shows it.
#[derive(Serialize)]
pub struct Task {
    pub id: Uuid,
    user_id: Uuid,
    pub title: String,
    description: Option<String>,
    completed: bool,
    #[serde(serialize_with = "timestamp::serialize_option")]
    completed_at: Option<Timestamp>,
    pub priority: String,
    tags: Option<String>,
    pub due_date: Option<Due>,
    pub revision: i64,
    #[serde(serialize_with = "timestamp::serialize")]
    pub created_at: Timestamp,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: Timestamp,
}

/// The number of columns that [`Task::from_row`] reads, and so the index of the next.
pub const COLUMNS: usize = 13;

impl Task {
    /// Returns the task of a row, or `None` for a row of nulls.
    pub fn from_row(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(id) = row.try_get(0)? else { return Ok(None) };
        let (due_date, due_kind): (Option<DateTime>, &str) = (row.try_get(8)?, row.try_get(9)?);
        Ok(Some(Self {
            id,
            user_id: row.try_get(1)?,
            title: row.try_get(2)?,
            description: row.try_get(3)?,
            completed: row.try_get(4)?,
            completed_at: row.try_get(5)?,
            priority: row.try_get(6)?,
            tags: row.try_get(7)?,
            due_date: due_date.map(|at| Due::of_columns(at, due_kind)),
            revision: row.try_get(10)?,
            created_at: row.try_get(11)?,
            updated_at: row.try_get(12)?,
        }))
    }

    /// Returns the task of a statement that begins at the caller: no row means no session, a row of nulls no task.
    pub fn of(row: Option<Row>) -> Result<Self, Error> {
        Self::from_row(&row.ok_or(Error::InvalidToken)?)?.ok_or(Error::TaskNotFound)
    }

    /// Returns the changed task of a statement whose last column is true if the task exists and has another tag than those of
    /// `If-Match`.
    fn changed(row: Option<Row>) -> Result<Self, Error> {
        let row = row.ok_or(Error::InvalidToken)?;
        match Self::from_row(&row)? {
            Some(task) => Ok(task),
            None if row.try_get(COLUMNS)? => Err(Error::ChangedMeanwhile),
            None => Err(Error::TaskNotFound),
        }
    }

    fn tag(&self) -> String {
        self.revision.to_string()
    }
}

impl IntoResponse for Task {
    fn into_response(self) -> Response {
        ([etag(&self.tag())], Json(self)).into_response()
    }
}

/// True if task `$3` has one of the tags `$4`, or every task will do.
macro_rules! is_expected {
    () => {
        "coalesce(tasks.revision::text = ANY ($4), true)"
    };
}

/// True if a task `$3` that was not changed exists: it has none of the tags `$4`.
macro_rules! is_another {
    () => {
        "$4 IS NOT NULL AND EXISTS (SELECT FROM tasks WHERE id = $3 AND user_id = $1)"
    };
}

/// Sets or clears the time of completion of a task that gets this `completed`. One that stays completed keeps it.
macro_rules! completed_at {
    ($completed:literal) => {
        concat!(
            "CASE WHEN NOT ",
            $completed,
            " THEN NULL WHEN tasks.completed THEN tasks.completed_at ELSE now() END",
        )
    };
}

/// The `{id}` of the path.
pub struct TaskId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TaskId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let PathId(id) = PathId::from_request_parts(parts, state).await?;
        id.map(Self).ok_or(Error::TaskNotFound)
    }
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct NewTask {
    title: Title,
    #[deserr(default)]
    description: Description,
    #[deserr(default)]
    completed: bool,
    #[deserr(default)]
    priority: Priority,
    #[deserr(default)]
    tags: Tags,
    #[deserr(default)]
    due_date: DueDate,
}

pub async fn create(
    caller: Caller,
    Prefix(prefix): Prefix,
    key: IdempotencyKey,
    State(db): State<Db>,
    Json(new): Json<NewTask>,
) -> Result<Response, Error> {
    let id = key.task_id(caller.id);
    let (due_date, due_kind) = new.due_date.columns();
    let row = db
        .query_opt(
            concat!(
                "WITH ",
                locked_caller!(),
                ", deleted AS MATERIALIZED (SELECT is_deleted($1, $3) AS is_deleted FROM me), ",
                "t AS (INSERT INTO tasks AS t (user_id, id, title, description, completed, completed_at, priority, ",
                "tags, due_date, due_kind, revision) ",
                "SELECT me.id, $3, $4, $5, $6, CASE WHEN $6 THEN now() END, $7::task_priority, $8, $9::timestamp, $10, ",
                "me.next FROM me, deleted WHERE NOT is_deleted ",
                // An id that exists was sent before: with the same key, or in this statement, whose answer was lost.
                "ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING t.*, xmax = 0 AS is_new), ",
                "taken AS (UPDATE users SET revision = t.revision FROM t WHERE is_new AND users.id = t.user_id) ",
                "SELECT ",
                columns!(),
                ", is_new FROM me LEFT JOIN t ON true",
            ),
            &[
                (&caller.id, Type::UUID),
                (&caller.session, Type::UUID),
                (&id, Type::UUID),
                (&new.title.0, Type::TEXT),
                (&new.description.0, Type::TEXT),
                (&new.completed, Type::BOOL),
                (&new.priority.as_str(), Type::TEXT),
                (&new.tags.0, Type::TEXT),
                (&due_date, Type::TEXT),
                (&due_kind, Type::TEXT),
            ],
        )
        .await?
        .ok_or(Error::InvalidToken)?;
    let task = Task::from_row(&row)?.ok_or(Error::TaskDeleted)?;
    let is_new: bool = row.try_get(COLUMNS)?;
    let location = [(header::LOCATION, format!("{prefix}/tasks/{id}"))];
    let mut response = (StatusCode::CREATED, location, task).into_response();
    if key.is_some() && !is_new {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

pub async fn read(
    caller: Caller,
    TaskId(id): TaskId,
    if_none_match: IfNoneMatch,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let task = find(caller, id, &db).await?;
    if if_none_match.has(&task.tag()) {
        return Ok((StatusCode::NOT_MODIFIED, [etag(&task.tag())]).into_response());
    }
    Ok(task.into_response())
}

/// Reads a task of the caller.
pub async fn find(caller: Caller, id: Uuid, db: &Db) -> Result<Task, Error> {
    let row = db
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM sessions me LEFT JOIN tasks t ON t.id = $3 AND t.user_id = $1 WHERE ",
                is_caller!(),
            ),
            &[(&caller.id, Type::UUID), (&caller.session, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    Task::of(row)
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Changes {
    #[deserr(default)]
    title: Patch<Title>,
    #[deserr(default)]
    description: Patch<Description>,
    #[deserr(default)]
    completed: Patch<bool>,
    #[deserr(default)]
    priority: Patch<Priority>,
    #[deserr(default)]
    tags: Patch<Tags>,
    #[deserr(default)]
    due_date: Patch<DueDate>,
}

pub async fn update(
    caller: Caller,
    TaskId(id): TaskId,
    if_match: IfMatch,
    State(db): State<Db>,
    Json(changes): Json<Changes>,
) -> Result<Task, Error> {
    let title = changes.title.0.map(|Title(title)| title);
    let description = changes.description.0.map(|Description(description)| description);
    let completed = changes.completed.0;
    let priority = changes.priority.0.map(Priority::as_str);
    let tags = changes.tags.0.map(|Tags(tags)| tags);
    let (due_date, due_kind) = changes.due_date.0.map(|due_date| due_date.columns()).unzip();
    let expected = if_match.tags();

    // A $ is the field's parameter.
    let fields = [
        ("title = $", as_param(&title, Type::TEXT)),
        ("description = $", as_param(&description, Type::TEXT)),
        (concat!("completed = $, completed_at = ", completed_at!("$")), as_param(&completed, Type::BOOL)),
        ("priority = $::task_priority", as_param(&priority, Type::TEXT)),
        ("tags = $", as_param(&tags, Type::TEXT)),
        ("due_date = $::timestamp", as_param(&due_date, Type::TEXT)),
        ("due_kind = $", as_param(&due_kind, Type::TEXT)),
    ];
    let mut params: Vec<Param> = vec![
        (&caller.id, Type::UUID),
        (&caller.session, Type::UUID),
        (&id, Type::UUID),
        (&expected, Type::TEXT_ARRAY),
    ];
    let mut assignments = String::new();
    for (assignment, param) in fields {
        let Some(param) = param else { continue };
        params.push(param);
        assignments += &assignment.replace('$', &format!("${}", params.len()));
        assignments += ", ";
    }
    if assignments.is_empty() {
        let task = find(caller, id, &db).await?;
        return if if_match.allows(&task.tag()) { Ok(task) } else { Err(Error::ChangedMeanwhile) };
    }
    let sql = format!(
        concat!(
            "WITH ",
            locked_caller!(),
            ", t AS (UPDATE tasks SET {} revision = me.next, updated_at = now() FROM me ",
            "WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
            is_expected!(),
            " RETURNING tasks.*), ",
            taken_revision!(),
            " SELECT ",
            columns!(),
            ", ",
            is_another!(),
            " FROM me LEFT JOIN t ON true",
        ),
        assignments,
    );
    let row = match expected {
        None => db.query_opt(&sql, &params).await?,
        // Sent again, it would be refused after it was carried out.
        Some(_) => db.query_opt_once(&sql, &params).await?,
    };
    Task::changed(row)
}

/// Makes a parameter of a field, if it was sent.
fn as_param<T: ToSql + Sync>(field: &Option<T>, of: Type) -> Option<Param<'_>> {
    field.as_ref().map(|value| (value as _, of))
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Completion {
    #[deserr(default)]
    completed: Option<bool>,
}

/// Sets `completed` if it was sent, and toggles it otherwise. Null is sent by clients that have no value to send.
pub async fn complete(
    caller: Caller,
    TaskId(id): TaskId,
    if_match: IfMatch,
    State(db): State<Db>,
    body: Option<Json<Option<Completion>>>,
) -> Result<Task, Error> {
    let completed = body.and_then(|Json(completion)| completion?.completed);
    let expected = if_match.tags();
    let sql = concat!(
        "WITH ",
        locked_caller!(),
        ", t AS (UPDATE tasks SET completed = coalesce($5, NOT completed), completed_at = ",
        completed_at!("coalesce($5, NOT completed)"),
        ", revision = me.next, updated_at = now() FROM me WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
        is_expected!(),
        " RETURNING tasks.*), ",
        taken_revision!(),
        " SELECT ",
        columns!(),
        ", ",
        is_another!(),
        " FROM me LEFT JOIN t ON true",
    );
    let params: [Param; 5] = [
        (&caller.id, Type::UUID),
        (&caller.session, Type::UUID),
        (&id, Type::UUID),
        (&expected, Type::TEXT_ARRAY),
        (&completed, Type::BOOL),
    ];
    let row = match (completed, expected) {
        (Some(_), None) => db.query_opt(sql, &params).await?,
        // A second toggle would undo the first, and a condition be refused.
        _ => db.query_opt_once(sql, &params).await?,
    };
    Task::changed(row)
}

/// Moves the task to the deleted ones.
pub async fn delete(
    caller: Caller,
    TaskId(id): TaskId,
    if_match: IfMatch,
    State(db): State<Db>,
) -> Result<Json<Value>, Error> {
    let expected = if_match.tags();
    let sql = concat!(
        "WITH ",
        locked_caller!(),
        ", deleted AS (DELETE FROM tasks USING me WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
        is_expected!(),
        " RETURNING tasks.*, me.next), ",
        "t AS (INSERT INTO deleted_tasks (",
        kept_columns!(),
        ", updated_at, revision) SELECT ",
        kept_columns!(),
        ", updated_at, next FROM deleted RETURNING id, user_id, revision), ",
        taken_revision!(),
        " SELECT t.id IS NOT NULL AS is_done, is_deleted($1, $3) AS is_deleted, ",
        is_another!(),
        " AS is_another FROM me LEFT JOIN t ON true",
    );
    let params: [Param; 4] = [
        (&caller.id, Type::UUID),
        (&caller.session, Type::UUID),
        (&id, Type::UUID),
        (&expected, Type::TEXT_ARRAY),
    ];
    let (row, was_resent) = match expected {
        None => db.query_opt_resent(sql, &params).await?,
        Some(_) => (db.query_opt_once(sql, &params).await?, false),
    };
    let row = row.ok_or(Error::InvalidToken)?;
    // A statement that was sent again may have deleted the task the first time.
    if row.try_get("is_done")? || was_resent && row.try_get("is_deleted")? {
        return Ok(Json(json!({ "message": "Task deleted successfully" })));
    }
    Err(if row.try_get("is_another")? { Error::ChangedMeanwhile } else { Error::TaskNotFound })
}
