//! Walks through all pages of a long list, in each order, while it is left alone and while it changes.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use kit::{Api, User};

const TASKS: i32 = 5_000;

/// Every fifth task is changed during a walk. The others are left alone.
const IS_CHANGED: &str = "title LIKE '%5' OR title LIKE '%0'";

/// Titles in Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Thai, Georgian, Hangul, Japanese and Chinese. Each
/// order has ties; one due date in four is null.
async fn user_with_tasks(api: &Api) -> User {
    let ada = api.user("ada").await;
    let insert = format!(
        "INSERT INTO tasks (id, user_id, title, priority, due_date, due_kind, created_at)
         SELECT gen_random_uuid(), '{}',
                (ARRAY['Äpfel', 'ΟΔΟΣ', 'Ёлка', 'Գիրք', 'שָׁלוֹם', 'مُحَمَّد', 'नमस्ते', 'สวัสดี', 'დედა', '한국어', 'カタカナ', '買い物'])
                    [1 + n * 7 % 12] || ' ' || n * 11 % 1000,
                (enum_range(NULL::task_priority))[1 + n * 5 % 3],
                CASE WHEN n % 4 > 0 THEN timestamp '2026-01-01' + n * 13 % 90 * interval '8 hours' END,
                CASE WHEN n * 13 % 90 % 3 = 0 THEN 'day' ELSE (ARRAY['local', 'instant'])[1 + n % 2] END,
                timestamptz '2026-01-01' + n * 17 % 800 * interval '1 hour'
         FROM generate_series(1, {TASKS}) n",
        ada.id
    );
    api.sql().await.batch_execute(&insert).await.unwrap();
    ada
}

async fn list(api: &Api, user: &User, path: &str) -> (Vec<Value>, Option<String>) {
    let answer = api.get(path).by(user).send().await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    (answer.body.as_array().unwrap().clone(), answer.next())
}

async fn walk(api: &Api, user: &User, query: &str) -> Vec<Value> {
    let mut next = Some(format!("/tasks?{query}&limit=200"));
    let mut tasks = Vec::new();
    while let Some(path) = next {
        let (page, after) = list(api, user, &path).await;
        tasks.extend(page);
        next = after;
    }
    tasks
}

fn orders() -> impl Iterator<Item = String> {
    ["due_date", "priority", "title", "created_at"]
        .into_iter()
        .flat_map(|sort_by| ["asc", "desc"].map(|order| format!("sort_by={sort_by}&order={order}")))
}

#[tokio::test]
async fn the_pages_of_5000_tasks_in_12_scripts_are_the_whole_list_in_every_order() {
    let api = Api::new(dev::api).await;
    let ada = user_with_tasks(&api).await;
    for query in orders() {
        let (whole, _) = list(&api, &ada, &format!("/tasks?{query}")).await;
        assert_eq!(whole.len(), TASKS as usize);
        assert!(walk(&api, &ada, &query).await == whole, "{query}");
    }
}

#[tokio::test]
async fn unchanged_tasks_are_neither_skipped_nor_repeated_while_others_change() {
    let api = Api::new(dev::api).await;
    let ada = user_with_tasks(&api).await;
    let is_left_alone = |task: &Value| !task["title"].as_str().unwrap().ends_with(['0', '5']);
    // Moves tasks to another place of each order, deletes some, and adds them anew.
    let change = format!(
        "UPDATE tasks SET priority = (enum_range(NULL::task_priority))[1 + (random() * 2)::int], due_kind = 'local',
                title = translate(left(title, 1), 'ÄΟЁԳשمनสდ한カ買', '買カ한დสनمשԳЁΟÄ') || substr(title, 2),
                due_date = timestamp '2026-01-01' + random() * interval '30 days',
                created_at = timestamptz '2026-01-01' + random() * interval '800 hours'
         WHERE ({IS_CHANGED}) AND random() < 0.1;
         WITH gone AS (DELETE FROM tasks WHERE ({IS_CHANGED}) AND random() < 0.02 RETURNING *)
         INSERT INTO tasks (id, user_id, title, priority, due_date, created_at)
         SELECT gen_random_uuid(), user_id, title, priority, due_date, created_at FROM gone"
    );
    for query in orders() {
        let (whole, _) = list(&api, &ada, &format!("/tasks?{query}")).await;
        let expected: Vec<_> = whole.into_iter().filter(is_left_alone).collect();
        assert!(expected.len() > 3_000);
        let is_over = AtomicBool::new(false);
        let sql = api.sql().await;
        let changes = async {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                sql.batch_execute(&change).await.unwrap();
                count += 1;
            }
            count
        };
        let walking = async {
            let tasks = walk(&api, &ada, &query).await;
            is_over.store(true, Ordering::Relaxed);
            tasks
        };
        let (count, mut tasks) = tokio::join!(changes, walking);
        assert!(count > 1);
        tasks.retain(is_left_alone);
        assert!(tasks == expected, "{query}");
    }
}
