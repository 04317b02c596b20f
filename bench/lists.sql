-- The tasks of `cargo measure lists`: those of the five users that it lists, and a million of a thousand others.

INSERT INTO users (id, email, hashed_password)
SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@example.com', 'x' FROM generate_series(1, 2000) n;

INSERT INTO sessions (id, user_id) SELECT id, id FROM users;

WITH tasks_of (owner, n, is_open, is_high) AS (
    SELECT owner, n, n / 2 % 2 = 0, n % 3 = 0
    FROM (VALUES (1, 10), (2, 100), (3, 10000), (5, 20001)) users (owner, count), generate_series(0, count - 1) n
    UNION ALL
    SELECT 4, n, n >= 9900, n >= 9900 FROM generate_series(0, 9999) n
    UNION ALL
    SELECT 1001 + n % 1000, n, n / 2 % 2 = 0, n % 3 = 0 FROM generate_series(0, 999999) n
)
INSERT INTO tasks (id, user_id, title, description, completed, priority, tags, due_date, created_at)
SELECT gen_random_uuid(), lpad(to_hex(owner), 32, '0')::uuid, md5(n::text), 'about ' || n, NOT is_open,
       (CASE WHEN is_high THEN 'high' WHEN n % 2 = 0 THEN 'low' ELSE 'medium' END)::task_priority,
       'home,tag' || n % 7, CASE WHEN n % 4 > 0 THEN timestamp '2026-01-01' + n * interval '1 hour' END,
       timestamptz '2026-01-01' + n * interval '1 minute'
FROM tasks_of;
