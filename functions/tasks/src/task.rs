//! A task, and what a caller does to one.

use axum::{
    extract::{FromRequestParts, RawPathParams, State},
    http::{HeaderName, StatusCode, header, request::Parts},
};
use deserr::Deserr;
use jiff::{Timestamp, civil::DateTime};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    Db, Error, Prefix,
    db::Param,
    extract::{Caller, Json},
    validation::ValidationErrors,
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::fields::{Description, DueDate, Priority, Sent, Tags, Title};

/// A task as the API shows it.
#[derive(Serialize)]
pub struct Task {
    pub id: Uuid,
    user_id: Uuid,
    pub title: String,
    description: Option<String>,
    completed: bool,
    pub priority: String,
    tags: Option<String>,
    pub due_date: Option<DateTime>,
    pub created_at: Timestamp,
    updated_at: Timestamp,
}

/// The columns of a [`Task`]. The priority goes out as text: for an enum the driver would first ask the server
/// what it is, in four more round trips.
macro_rules! columns {
    () => {
        "t.id, t.user_id, t.title, t.description, t.completed, t.priority::text AS priority, t.tags, \
         t.due_date, t.created_at, t.updated_at"
    };
}
pub(crate) use columns;

impl Task {
    /// The task of a row, or `None` of a row of nulls.
    pub fn from_row(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(id) = row.try_get("id")? else { return Ok(None) };
        Ok(Some(Self {
            id,
            user_id: row.try_get("user_id")?,
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            completed: row.try_get("completed")?,
            priority: row.try_get("priority")?,
            tags: row.try_get("tags")?,
            due_date: row.try_get("due_date")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        }))
    }

    /// The task of a statement that begins at the caller: no row, no user; a row of nulls, no task.
    fn of_caller(row: Option<Row>) -> Result<Json<Self>, Error> {
        let row = row.ok_or(Error::InvalidToken)?;
        Self::from_row(&row)?.map(Json).ok_or(Error::TaskNotFound)
    }
}

/// The `{id}` of the path, a UUID in its canonical form (RFC 9562 §4); anything else is no task's id.
pub struct TaskId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TaskId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(|_| Error::TaskNotFound)?;
        let (_, id) = params.iter().next().ok_or(Error::Internal)?;
        match Uuid::try_parse(id) {
            Ok(uuid) if uuid.to_string() == id => Ok(Self(uuid)),
            _ => Err(Error::TaskNotFound),
        }
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
    prefix: Prefix,
    State(db): State<Db>,
    Json(new): Json<NewTask>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Task>), Error> {
    let id = Uuid::now_v7();
    let row = db
        .query_opt(
            concat!(
                "INSERT INTO tasks AS t (user_id, id, title, description, completed, priority, tags, due_date) ",
                "VALUES ($1, $2, $3, $4, $5, $6::task_priority, $7, $8::timestamp) ",
                // The id is ours: if it is there already, this was sent before and the answer was lost.
                "ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING ", columns!(),
            ),
            &[
                (&caller.id, Type::UUID),
                (&id, Type::UUID),
                (&new.title.0, Type::TEXT),
                (&new.description.0, Type::TEXT),
                (&new.completed, Type::BOOL),
                (&new.priority.as_str(), Type::TEXT),
                (&new.tags.0, Type::TEXT),
                (&new.due_date.text(), Type::TEXT),
            ],
        )
        .await
        .map_err(|error| match error.constraint() {
            // There is no such user any more.
            Some("tasks_user_id_fkey") => Error::InvalidToken,
            _ => error.into(),
        })?;
    let location = [(header::LOCATION, format!("{}/tasks/{id}", prefix.0))];
    Ok((StatusCode::CREATED, location, Task::of_caller(row)?))
}

pub async fn read(caller: Caller, TaskId(id): TaskId, State(db): State<Db>) -> Result<Json<Task>, Error> {
    let row = db
        .query_opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM users me ",
                "LEFT JOIN tasks t ON t.id = $2 AND t.user_id = $1 WHERE me.id = $1",
            ),
            &[(&caller.id, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    Task::of_caller(row)
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Changes {
    #[deserr(default)]
    title: Sent<Title>,
    #[deserr(default)]
    description: Sent<Description>,
    #[deserr(default)]
    completed: Sent<bool>,
    #[deserr(default)]
    priority: Sent<Priority>,
    #[deserr(default)]
    tags: Sent<Tags>,
    #[deserr(default)]
    due_date: Sent<DueDate>,
}

pub async fn update(
    caller: Caller,
    TaskId(id): TaskId,
    State(db): State<Db>,
    Json(changes): Json<Changes>,
) -> Result<Json<Task>, Error> {
    let title = changes.title.0.map(|title| title.0);
    let description = changes.description.0.map(|description| description.0);
    let completed = changes.completed.0;
    let priority = changes.priority.0.map(Priority::as_str);
    let tags = changes.tags.0.map(|tags| tags.0);
    let due_date = changes.due_date.0.map(DueDate::text);
    let changes_something = title.is_some()
        || description.is_some()
        || completed.is_some()
        || priority.is_some()
        || tags.is_some()
        || due_date.is_some();
    let row = db
        .query_opt(
            // A column that may be null takes two parameters: whether it was sent, and its value.
            concat!(
                "WITH t AS (UPDATE tasks SET ",
                "title = coalesce($3, title), ",
                "description = CASE WHEN $4 THEN $5 ELSE description END, ",
                "completed = coalesce($6, completed), ",
                "priority = coalesce($7::task_priority, priority), ",
                "tags = CASE WHEN $8 THEN $9 ELSE tags END, ",
                "due_date = CASE WHEN $10 THEN $11::timestamp ELSE due_date END, ",
                "updated_at = CASE WHEN $12 THEN now() ELSE updated_at END ",
                "WHERE id = $2 AND user_id = $1 RETURNING *) ",
                "SELECT ",
                columns!(),
                " FROM users me LEFT JOIN t ON true WHERE me.id = $1",
            ),
            &[
                (&caller.id, Type::UUID),
                (&id, Type::UUID),
                (&title, Type::TEXT),
                (&description.is_some(), Type::BOOL),
                (&description.flatten(), Type::TEXT),
                (&completed, Type::BOOL),
                (&priority, Type::TEXT),
                (&tags.is_some(), Type::BOOL),
                (&tags.flatten(), Type::TEXT),
                (&due_date.is_some(), Type::BOOL),
                (&due_date.flatten(), Type::TEXT),
                (&changes_something, Type::BOOL),
            ],
        )
        .await?;
    Task::of_caller(row)
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors)]
pub struct Completion {
    #[deserr(default)]
    completed: Sent<bool>,
}

/// Sets what is sent; without a body, or without `completed` in it, toggles.
pub async fn complete(
    caller: Caller,
    TaskId(id): TaskId,
    State(db): State<Db>,
    body: Option<Json<Completion>>,
) -> Result<Json<Task>, Error> {
    let completed = body.and_then(|Json(completion)| completion.completed.0);
    let sql = concat!(
        "WITH t AS (UPDATE tasks SET completed = coalesce($3, NOT completed), updated_at = now() ",
        "WHERE id = $2 AND user_id = $1 RETURNING *) ",
        "SELECT ",
        columns!(),
        " FROM users me LEFT JOIN t ON true WHERE me.id = $1",
    );
    let params: [Param; 3] = [(&caller.id, Type::UUID), (&id, Type::UUID), (&completed, Type::BOOL)];
    let row = match completed {
        Some(_) => db.query_opt(sql, &params).await?,
        // Toggled twice is not toggled.
        None => db.query_opt_once(sql, &params).await?,
    };
    Task::of_caller(row)
}

pub async fn delete(caller: Caller, TaskId(id): TaskId, State(db): State<Db>) -> Result<Json<Value>, Error> {
    let (row, may_be_done) = db
        .query_opt_again(
            "WITH t AS (DELETE FROM tasks WHERE id = $2 AND user_id = $1 RETURNING id) \
             SELECT t.id FROM users me LEFT JOIN t ON true WHERE me.id = $1",
            &[(&caller.id, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    let deleted: Option<Uuid> = row.ok_or(Error::InvalidToken)?.try_get("id")?;
    // What is gone when it is sent again was deleted the first time.
    if deleted.is_none() && !may_be_done {
        return Err(Error::TaskNotFound);
    }
    Ok(Json(json!({ "message": "Task deleted successfully" })))
}
