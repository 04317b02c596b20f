-- The demo user, session, task and deleted task that the events in this folder speak of, as new, and without the user
-- that the events of signup make; and the attempts they made, which are limited. Run by `cargo dev --seed` and the tests.
-- The password is `correct horse battery staple`. It is public, as is the secret that signed the events' tokens, so the
-- hash is a cheap one.

DELETE FROM users
WHERE id = '019bc000-0000-7000-8000-000000000001'
   OR email IN ('demo@example.com', 'new@example.com') OR lower(username) IN ('demo', 'new_user');

DELETE FROM attempts WHERE address = '203.0.113.7';

INSERT INTO users (id, email, username, hashed_password, revision)
VALUES ('019bc000-0000-7000-8000-000000000001', 'demo@example.com', 'demo',
        '$2b$04$ZoJkhplr2i62luI.3ErPtuZ8zOTL1Rv9pmdmRPUEHS83QcezgUNDK', 3);

INSERT INTO sessions (id, user_id, expires_at, user_agent, address)
VALUES ('019bc000-0000-7000-8000-000000000004', '019bc000-0000-7000-8000-000000000001', '2100-01-01 00:00Z',
        'Mozilla/5.0 (X11; Linux x86_64)', '203.0.113.7');

INSERT INTO tasks (id, user_id, title, description, tags, due_date, revision)
VALUES ('019bc000-0000-7000-8000-000000000002', '019bc000-0000-7000-8000-000000000001', 'Buy milk',
        'Two litres', 'errands,home', '2026-12-01 09:00', 1);

-- Its id is that of the Idempotency-Key 8d0e0a5c-2f3b-4f6e-9f60-5a1d7c4e2b90.
INSERT INTO deleted_tasks (id, user_id, revision, title, completed, priority, due_kind, created_at, updated_at)
VALUES ('600c0786-a980-8cde-8690-99db7abda339', '019bc000-0000-7000-8000-000000000001', 3, 'Call Ada', false, 'medium',
        'local', now(), now());
