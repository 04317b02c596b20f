-- Sessions: one row for each sign-in that has not ended. An access token names its session, and every statement of the
-- functions begins at it, so a token ends with its session at once. An ended session has no row.
--
-- Nothing of a refresh token is stored but its number, `counter`: the token is a JWT that holds it (docs/design.md).

CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The number of the current refresh token.
    counter      int NOT NULL DEFAULT 0 CHECK (counter >= 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '30 days',
    -- At most 200 characters of the header.
    user_agent   text,
    -- The network that limits count by: an IPv4 address, or the first 64 bits of an IPv6 address.
    address      inet
);

-- A user's sessions, the least recently refreshed first. The foreign key's cascade uses it too.
CREATE INDEX sessions_by_user ON sessions (user_id, refreshed_at);
CREATE INDEX sessions_by_expires_at ON sessions (expires_at);

-- Starts a session, or returns the one that a lost answer was about. Of more than 100 the least recently refreshed end.
-- Expired sessions of anybody are deleted a few at a time, without waiting for a lock.
CREATE FUNCTION start_session(
    new_id uuid, of_user uuid, lifetime interval, of_user_agent text, of_address inet
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    expiry timestamptz;
BEGIN
    INSERT INTO sessions (id, user_id, expires_at, user_agent, address)
    VALUES (new_id, of_user, now() + lifetime, of_user_agent, of_address)
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
    RETURNING expires_at INTO expiry;
    DELETE FROM sessions
    WHERE id IN (
        SELECT id FROM sessions WHERE user_id = of_user AND id <> new_id ORDER BY refreshed_at DESC, id OFFSET 99
    );
    DELETE FROM sessions
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
    ));
    RETURN expiry;
END
$$;

-- Advances a session for its refresh token number `sent`. The token before the current one is answered with the current
-- one for an hour: an answer was lost, or several tabs asked at once. An older one was stolen, by whoever uses it or from
-- whoever uses it, so the session ends. Other numbers were never signed; no row is the answer.
--
-- A function, because its statements see what others committed while it waited for the row.
CREATE FUNCTION refresh_session(
    of_id uuid, of_user uuid, sent int, refresh_lifetime interval, session_lifetime interval,
    OUT counter int, OUT expires_at timestamptz, OUT was_reused boolean
) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    session sessions;
BEGIN
    SELECT * INTO session FROM sessions s
    WHERE s.id = of_id AND s.user_id = of_user AND s.expires_at > clock_timestamp()
    FOR NO KEY UPDATE;
    IF NOT found OR sent < 0 OR sent > session.counter THEN
        RETURN;
    ELSIF sent = session.counter THEN
        UPDATE sessions s
        SET counter = s.counter + 1,
            refreshed_at = clock_timestamp(),
            expires_at = least(clock_timestamp() + refresh_lifetime, s.created_at + session_lifetime)
        WHERE s.id = of_id
        RETURNING * INTO session;
    ELSIF sent < session.counter - 1 OR session.refreshed_at < clock_timestamp() - interval '1 hour' THEN
        DELETE FROM sessions s WHERE s.id = of_id;
        was_reused := true;
        RETURN NEXT;
        RETURN;
    END IF;
    counter := session.counter;
    expires_at := session.expires_at;
    was_reused := false;
    RETURN NEXT;
END
$$;

-- Returns the user of a session that has not ended, for `INSERT INTO tasks … VALUES`. As a query in that statement, which is
-- planned anew each time, the look-up would make creating a task dearer.
CREATE FUNCTION caller(of_user uuid, of_session uuid) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM FROM sessions WHERE id = of_session AND user_id = of_user AND expires_at > now();
    IF NOT found THEN
        RAISE foreign_key_violation USING MESSAGE = 'the session has ended', CONSTRAINT = 'caller';
    END IF;
    RETURN of_user;
END
$$;

-- Ends a user's sessions. The statement that changes the password feeds it, so that it sees the session of a login that
-- committed while that statement waited.
CREATE FUNCTION end_sessions(of_user uuid) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sessions WHERE user_id = of_user;
    RETURN of_user;
END
$$;
