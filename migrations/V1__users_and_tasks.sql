-- Users, and the tasks each of them has.
--
-- Ids are UUIDv7 and made by the functions before the INSERT: they begin with the time, so new rows stand together
-- at the end of each index. Limits are checked by the functions, which can tell a person what is
-- wrong; the CHECKs here are for everything else that writes.

CREATE TABLE users (
    id              uuid PRIMARY KEY,
    -- Trimmed and lower case: one mailbox, one user.
    email           text NOT NULL CONSTRAINT users_email_key UNIQUE,
    username        text,
    -- bcrypt, 60 characters.
    hashed_password text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- `Ada` and `ada` are one name, shown as its owner wrote it.
CREATE UNIQUE INDEX users_username_key ON users (lower(username));

-- An enum sorts by the order in which its values are declared: low < medium < high.
CREATE TYPE task_priority AS ENUM ('low', 'medium', 'high');

-- A row needs no more than an id and a user: every other column has a default.
CREATE TABLE tasks (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL CONSTRAINT tasks_user_id_fkey REFERENCES users ON DELETE CASCADE,
    title       text NOT NULL DEFAULT 'Untitled' CHECK (char_length(title) BETWEEN 1 AND 255),
    description text CHECK (char_length(description) BETWEEN 1 AND 1000),
    completed   boolean NOT NULL DEFAULT false,
    priority    task_priority NOT NULL DEFAULT 'medium',
    -- Comma-separated, as on the wire.
    tags        text CHECK (char_length(tags) BETWEEN 1 AND 500),
    -- A time on the user's clock, whatever zone they are in: no time zone.
    due_date    timestamp CHECK (due_date >= '0001-01-01' AND due_date < '10000-01-01'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- One index per sort order of the list, so that a page is read in order from where the cursor points and
-- nothing is sorted. Each begins with the user, so any of them also finds all of one user's tasks; that serves
-- the foreign key's cascade too. An index is read backwards for `desc`. Only due_date has nulls, which come
-- last both ways: that takes two indexes, on the value that a null stands for.
CREATE INDEX tasks_by_due_date      ON tasks (user_id, coalesce(due_date, 'infinity'), id);
CREATE INDEX tasks_by_due_date_desc ON tasks (user_id, coalesce(due_date, '-infinity'), id);
CREATE INDEX tasks_by_priority      ON tasks (user_id, priority, id);
CREATE INDEX tasks_by_title         ON tasks (user_id, lower(title) COLLATE "C", id);
CREATE INDEX tasks_by_created_at    ON tasks (user_id, created_at, id);
