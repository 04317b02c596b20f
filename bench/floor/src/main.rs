//! The floor: a Lambda function on the same crates that answers the same events with the same bytes, and does nothing else.
//! It checks no token and no input, knows one user, and never retries.

use std::{env, error::Error, sync::Arc};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use jiff::{Timestamp, civil::DateTime};
use lambda_http::{Body, Request, Response, http::Method, service_fn};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

/// The demo user of `events/`.
const USER: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0001);

#[derive(Serialize)]
struct Task {
    id: Uuid,
    user_id: Uuid,
    title: String,
    description: Option<String>,
    completed: bool,
    completed_at: Option<Timestamp>,
    priority: String,
    tags: Option<String>,
    due_date: Option<DateTime>,
    revision: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct NewTask {
    title: String,
    description: Option<String>,
}

const COLUMNS: &str = "id, user_id, title, description, completed, completed_at, priority::text, tags, due_date, \
                       revision, created_at, updated_at";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let pool = pool()?;
    drop(pool.get().await?);
    lambda_http::run(service_fn(async |request: Request| match *request.method() {
        Method::POST => create(&pool, request.body()).await,
        _ => list(&pool).await,
    }))
    .await
}

async fn list(pool: &Pool) -> Result<Response<Body>, lambda_http::Error> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE user_id = $1 ORDER BY due_date, id");
    let rows = pool.get().await?.query_typed(&sql, &[(&USER, Type::UUID)]).await?;
    let tasks = rows.iter().map(task).collect::<Result<Vec<_>, _>>()?;
    answer(200, &tasks)
}

async fn create(pool: &Pool, body: &[u8]) -> Result<Response<Body>, lambda_http::Error> {
    let new: NewTask = serde_json::from_slice(body)?;
    let sql = format!(
        "INSERT INTO tasks (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&Uuid::now_v7(), Type::UUID),
        (&USER, Type::UUID),
        (&new.title, Type::TEXT),
        (&new.description, Type::TEXT),
    ];
    let rows = pool.get().await?.query_typed(&sql, &parameters).await?;
    let row = rows.first().ok_or("no row")?;
    answer(201, &task(row)?)
}

fn task(row: &tokio_postgres::Row) -> Result<Task, tokio_postgres::Error> {
    Ok(Task {
        id: row.try_get(0)?,
        user_id: row.try_get(1)?,
        title: row.try_get(2)?,
        description: row.try_get(3)?,
        completed: row.try_get(4)?,
        completed_at: row.try_get(5)?,
        priority: row.try_get(6)?,
        tags: row.try_get(7)?,
        due_date: row.try_get(8)?,
        revision: row.try_get(9)?,
        created_at: row.try_get(10)?,
        updated_at: row.try_get(11)?,
    })
}

fn answer(status: u16, body: &impl Serialize) -> Result<Response<Body>, lambda_http::Error> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(serde_json::to_string(body)?.into())?)
}

/// Returns a pool of one connection to `DATABASE_URL`. `ROOT_CERTIFICATES` is a file of authorities to trust instead of the
/// web's.
fn pool() -> Result<Pool, Box<dyn Error + Send + Sync>> {
    let postgres: tokio_postgres::Config = env::var("DATABASE_URL")?.parse()?;
    let mut roots = RootCertStore::empty();
    match env::var("ROOT_CERTIFICATES") {
        Ok(file) => _ = roots.add_parsable_certificates(CertificateDer::pem_file_iter(file)?.flatten()),
        Err(_) => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(postgres, MakeRustlsConnect::new(tls), config);
    Ok(Pool::builder(manager).max_size(1).build()?)
}
