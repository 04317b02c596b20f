-- Nine more tasks for the demo user of events/seed.sql, and none of the users that `cargo measure` signed up before.

DELETE FROM users WHERE email ~ '^new-\d+-\d+@example\.com$';

INSERT INTO tasks (id, user_id, title, description, priority, tags, due_date)
SELECT gen_random_uuid(), id, 'Call the dentist', 'Ask about Tuesday — or any morning', 'high', 'health,calls',
       timestamp '2026-03-20 09:30' + n * interval '1 day'
FROM users, generate_series(1, 9) n
WHERE email = 'demo@example.com';

ANALYZE;
