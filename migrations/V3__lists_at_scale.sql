-- A page of few tasks among many, such as what is still open after years: the indexes now end in what lists are filtered
-- by, so that a task that does not fit is passed over where the index stands and never read.
--
-- Where there are many tasks already, the new indexes are better made beforehand, CONCURRENTLY (docs/operations.md).

CREATE INDEX IF NOT EXISTS tasks_list_due_date
    ON tasks (user_id, coalesce(due_date, 'infinity'), id, completed, priority);
CREATE INDEX IF NOT EXISTS tasks_list_due_date_desc
    ON tasks (user_id, coalesce(due_date, '-infinity'), id, completed, priority);
CREATE INDEX IF NOT EXISTS tasks_list_priority
    ON tasks (user_id, priority, id, completed);
CREATE INDEX IF NOT EXISTS tasks_list_title
    ON tasks (user_id, lower(title) COLLATE "C", id, completed, priority);
CREATE INDEX IF NOT EXISTS tasks_list_created_at
    ON tasks (user_id, created_at, id, completed, priority);

DROP INDEX tasks_by_due_date, tasks_by_due_date_desc, tasks_by_priority, tasks_by_title, tasks_by_created_at;
