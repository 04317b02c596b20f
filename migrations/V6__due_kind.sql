-- Due dates of three kinds: a day, a time on the user's clock (local), an instant. `due_date` is what they are sorted and
-- filtered by together: of a day its midnight, of an instant its time in UTC. What was there before is local, and so is what
-- the functions of before write. A day that they give a time reads back as local too.

ALTER TABLE tasks
    ADD COLUMN due_kind text NOT NULL DEFAULT 'local'
    CONSTRAINT tasks_due_kind CHECK (due_kind IN ('day', 'local', 'instant'));
