-- Several devices of one user: what a client has is still the newest or not, a create that is sent again makes no second
-- task, and a deleted task can be restored.

-- The number of the last change of the user's tasks. A statement that changes some takes the next number while it holds the
-- lock of the user's row, so the order of the numbers is the order of the commits.
ALTER TABLE users ADD COLUMN revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0);

ALTER TABLE tasks
    -- The number of the task's last change.
    ADD COLUMN revision bigint NOT NULL DEFAULT 0,
    -- Null too for what was completed before this migration.
    ADD COLUMN completed_at timestamptz;

-- Deleted tasks, which can be restored until they expire. Of a task that can no longer be restored every column that may be
-- null is null.
CREATE TABLE deleted_tasks (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The number of the deletion.
    revision     bigint NOT NULL,
    deleted_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '30 days',
    -- The columns of tasks, which checks them.
    title        text,
    description  text,
    completed    boolean,
    completed_at timestamptz,
    priority     task_priority,
    tags         text,
    due_date     timestamp,
    due_kind     text,
    created_at   timestamptz,
    updated_at   timestamptz
);

-- A user's deleted tasks in the order of their deletion. The foreign key's cascade uses it too.
CREATE INDEX deleted_tasks_by_user ON deleted_tasks (user_id, revision, id);
CREATE INDEX deleted_tasks_by_expires_at ON deleted_tasks (expires_at);

-- True if the user deleted this task and it has not expired. Also removes expired tasks of anybody, a few at a time and
-- without waiting for a lock.
--
-- A function, because its statements see what others committed while the caller's statement waited for the user's row.
CREATE FUNCTION is_deleted(of_user uuid, of_task uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM deleted_tasks WHERE id = of_task AND expires_at <= now();
    DELETE FROM deleted_tasks
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM deleted_tasks WHERE expires_at <= now() ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
    ));
    RETURN EXISTS (SELECT FROM deleted_tasks WHERE id = of_task AND user_id = of_user);
END
$$;
