//! One task: its JSON, and the handlers that create, read, update, complete and delete it.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderName, StatusCode, header, request::Parts},
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
    fields::{Description, DueDate, Priority, Tags, Title},
};

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
    pub due_date: Option<Due>,
    #[serde(serialize_with = "timestamp::serialize")]
    pub created_at: Timestamp,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: Timestamp,
}

/// The columns of a [`Task`], in the order in which [`Task::from_row`] reads them. The priority is selected as text: for an enum the driver asks the server about the type, in
/// four more round trips.
macro_rules! columns {
    () => {
        "t.id, t.user_id, t.title, t.description, t.completed, t.priority::text AS priority, t.tags, \
         t.due_date, t.due_kind, t.created_at, t.updated_at"
    };
}
pub(crate) use columns;

/// The session `me` of the caller, who is `$1` and whose session is `$2`. It has no row if it has ended.
macro_rules! is_caller {
    () => {
        "me.user_id = $1 AND me.id = $2 AND me.expires_at > now()"
    };
}
pub(crate) use is_caller;

impl Task {
    /// Returns the task of a row, or `None` for a row of nulls.
    pub fn from_row(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(id) = row.try_get(0)? else { return Ok(None) };
        let (due_date, due_kind): (Option<DateTime>, &str) = (row.try_get(7)?, row.try_get(8)?);
        Ok(Some(Self {
            id,
            user_id: row.try_get(1)?,
            title: row.try_get(2)?,
            description: row.try_get(3)?,
            completed: row.try_get(4)?,
            priority: row.try_get(5)?,
            tags: row.try_get(6)?,
            due_date: due_date.map(|at| Due::of_columns(at, due_kind)),
            created_at: row.try_get(9)?,
            updated_at: row.try_get(10)?,
        }))
    }

    /// Answers with the task of a statement that begins at the caller: no row means no session, a row of nulls no task.
    fn answer(row: Option<Row>) -> Result<Json<Self>, Error> {
        let row = row.ok_or(Error::InvalidToken)?;
        Self::from_row(&row)?.map(Json).ok_or(Error::TaskNotFound)
    }
}

/// The `{id}` of the path.
pub struct TaskId(Uuid);

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
    prefix: Prefix,
    State(db): State<Db>,
    Json(new): Json<NewTask>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Task>), Error> {
    let id = Uuid::now_v7();
    let (due_date, due_kind) = new.due_date.columns();
    let row = db
        .query_opt(
            concat!(
                "INSERT INTO tasks AS t ",
                "(user_id, id, title, description, completed, priority, tags, due_date, due_kind) ",
                "VALUES (caller($1, $2), $3, $4, $5, $6, $7::task_priority, $8, $9::timestamp, $10) ",
                // If the id exists already, this statement was sent before and its answer was lost.
                "ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING ",
                columns!(),
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
        .await
        .map_err(|error| match error.constraint() {
            // The session has ended, or the user is being deleted.
            Some("caller" | "tasks_user_id_fkey") => Error::InvalidToken,
            _ => error.into(),
        })?;
    let location = [(header::LOCATION, format!("{}/tasks/{id}", prefix.0))];
    Ok((StatusCode::CREATED, location, Task::answer(row)?))
}

pub async fn read(caller: Caller, TaskId(id): TaskId, State(db): State<Db>) -> Result<Json<Task>, Error> {
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
    Task::answer(row)
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
    State(db): State<Db>,
    Json(changes): Json<Changes>,
) -> Result<Json<Task>, Error> {
    let title = changes.title.0.map(|Title(title)| title);
    let description = changes.description.0.map(|Description(description)| description);
    let completed = changes.completed.0;
    let priority = changes.priority.0.map(Priority::as_str);
    let tags = changes.tags.0.map(|Tags(tags)| tags);
    let (due_date, due_kind) = changes.due_date.0.map(|due_date| due_date.columns()).unzip();

    let fields = [
        ("title", "", as_param(&title, Type::TEXT)),
        ("description", "", as_param(&description, Type::TEXT)),
        ("completed", "", as_param(&completed, Type::BOOL)),
        ("priority", "::task_priority", as_param(&priority, Type::TEXT)),
        ("tags", "", as_param(&tags, Type::TEXT)),
        ("due_date", "::timestamp", as_param(&due_date, Type::TEXT)),
        ("due_kind", "", as_param(&due_kind, Type::TEXT)),
    ];
    let mut params: Vec<Param> =
        vec![(&caller.id, Type::UUID), (&caller.session, Type::UUID), (&id, Type::UUID)];
    let mut assignments = "updated_at = now()".to_owned();
    for (column, cast, param) in fields {
        let Some(param) = param else { continue };
        params.push(param);
        assignments += &format!(", {column} = ${}{cast}", params.len());
    }
    if params.len() == 3 {
        return read(caller, TaskId(id), State(db)).await;
    }
    let sql = format!(
        concat!(
            "WITH t AS (UPDATE tasks SET {} FROM sessions me WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
            is_caller!(),
            " RETURNING tasks.*) SELECT ",
            columns!(),
            " FROM sessions me LEFT JOIN t ON true WHERE ",
            is_caller!(),
        ),
        assignments,
    );
    Task::answer(db.query_opt(&sql, &params).await?)
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
    State(db): State<Db>,
    body: Option<Json<Option<Completion>>>,
) -> Result<Json<Task>, Error> {
    let completed = body.and_then(|Json(completion)| completion?.completed);
    let sql = concat!(
        "WITH t AS (UPDATE tasks SET completed = coalesce($4, NOT completed), updated_at = now() ",
        "FROM sessions me WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
        is_caller!(),
        " RETURNING tasks.*) SELECT ",
        columns!(),
        " FROM sessions me LEFT JOIN t ON true WHERE ",
        is_caller!(),
    );
    let params: [Param; 4] = [
        (&caller.id, Type::UUID),
        (&caller.session, Type::UUID),
        (&id, Type::UUID),
        (&completed, Type::BOOL),
    ];
    let row = match completed {
        Some(_) => db.query_opt(sql, &params).await?,
        // A second toggle would undo the first.
        None => db.query_opt_once(sql, &params).await?,
    };
    Task::answer(row)
}

pub async fn delete(caller: Caller, TaskId(id): TaskId, State(db): State<Db>) -> Result<Json<Value>, Error> {
    let (row, was_resent) = db
        .query_opt_resent(
            concat!(
                "WITH t AS (DELETE FROM tasks USING sessions me WHERE tasks.id = $3 AND tasks.user_id = $1 AND ",
                is_caller!(),
                " RETURNING tasks.id) SELECT t.id FROM sessions me LEFT JOIN t ON true WHERE ",
                is_caller!(),
            ),
            &[(&caller.id, Type::UUID), (&caller.session, Type::UUID), (&id, Type::UUID)],
        )
        .await?;
    let deleted: Option<Uuid> = row.ok_or(Error::InvalidToken)?.try_get("id")?;
    // A statement that was sent again may have deleted the task the first time.
    if deleted.is_none() && !was_resent {
        return Err(Error::TaskNotFound);
    }
    Ok(Json(json!({ "message": "Task deleted successfully" })))
}
