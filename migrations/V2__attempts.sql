-- Attempts to log in and to sign up, which are limited (docs/security.md).
--
-- Each row is a bucket of the attempts that one network has for one account, or for any (an empty e-mail). An attempt
-- takes its share of an hour out of it, and `until` is when all that was taken will be back (the generic cell rate
-- algorithm). A row whose `until` has passed says nothing, and goes when somebody else attempts something.

CREATE TABLE attempts (
    action  text NOT NULL,
    -- An IPv4 address, or the first 64 bits of an IPv6 address.
    address inet NOT NULL,
    email   text NOT NULL DEFAULT '',
    until   timestamptz NOT NULL,
    PRIMARY KEY (action, address, email)
);

CREATE INDEX attempts_by_until ON attempts (until);

-- Takes an attempt out of a bucket that has `an_hour` of them when it is full, any number if that is 0. Null if there
-- was one, else the seconds until there is.
--
-- INSERT … ON CONFLICT locks the row, so attempts that come at once are counted one after the other. For the same reason
-- time is clock_timestamp(): now() is when the transaction began, not when its turn came.
CREATE FUNCTION take_attempt(of_action text, of_address inet, of_email text, an_hour int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    share interval := interval '1 hour' / nullif(an_hour, 0);
    seconds int;
BEGIN
    IF an_hour > 0 THEN
        INSERT INTO attempts AS a (action, address, email, until)
        VALUES (of_action, of_address, of_email, clock_timestamp() + share)
        ON CONFLICT (action, address, email) DO UPDATE
        SET until = greatest(a.until, clock_timestamp()) + share
        WHERE a.until + share <= clock_timestamp() + interval '1 hour';
        IF NOT found THEN
            SELECT greatest(1, ceil(extract(epoch FROM until + share - interval '1 hour' - clock_timestamp())))
            INTO seconds
            FROM attempts
            WHERE action = of_action AND address = of_address AND email = of_email;
        END IF;
    END IF;
    -- Rows that say nothing any more, a few at a time. Only with the bucket that is taken from last, and without waiting
    -- for anyone: who deletes here waits for nothing afterwards, so nobody can wait for each other.
    IF of_email = '' THEN
        DELETE FROM attempts
        WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM attempts WHERE until < now() ORDER BY until LIMIT 10 FOR UPDATE SKIP LOCKED
        ));
    END IF;
    RETURN seconds;
END
$$;
