-- Attempts to log in and to sign up, which are limited (docs/security.md).
--
-- Each row is a bucket of the attempts that one network has for one account, or for any (an empty e-mail). An attempt
-- takes its share of an hour, and `until` is when all that was taken will be back: a limit of 30 an hour lets an attempt
-- pass if `until` is at most 1 hour less 2 minutes ahead, and puts it 2 minutes further. A row whose `until` has passed
-- says nothing, and goes when somebody else attempts something.

CREATE TABLE attempts (
    action  text NOT NULL,
    -- An IPv4 address, or the first 64 bits of an IPv6 address.
    address inet NOT NULL,
    email   text NOT NULL DEFAULT '',
    until   timestamptz NOT NULL,
    PRIMARY KEY (action, address, email)
);

CREATE INDEX attempts_by_until ON attempts (until);
