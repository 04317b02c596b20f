-- E-mails as sign-up stores them and login looks them up. A row with `Ada@Example.com`, brought over by hand, was a
-- user who could not log in, and `ada@example.com` could be signed up beside it.
--
-- The rule is that of sign-up: ASCII in lower case, a local part of atoms with dots between them, and a host name of
-- two labels or more, of which the last is not a number as in an IP address. At most 254 bytes, 64 in the local part
-- and 63 in a label (RFC 5321 §4.5.3.1, RFC 1035 §2.3.4). COLLATE "C" makes it the same in every database.
--
-- If a row breaks the rule, nothing is changed, and the error names the row. It has ids only: e-mails are personal
-- data, and the output of a deployment is often kept. With a million users, other writers wait for some seconds.

DO $$
DECLARE
    rule text := $rule$
        octet_length(email) <= 254
        AND strpos(email, '@') <= 65
        AND email COLLATE "C" ~ '^[a-z0-9!#$%&''*+/=?^_`{|}~-]+([.][a-z0-9!#$%&''*+/=?^_`{|}~-]+)*@[^@]+$'
        AND split_part(email, '@', 2) COLLATE "C" ~ '^[a-z0-9]+(-+[a-z0-9]+)*([.][a-z0-9]+(-+[a-z0-9]+)*)+$'
        AND split_part(email, '@', 2) COLLATE "C" !~ '[^.]{64}|[.][0-9]+$'
    $rule$;
    ids uuid[];
BEGIN
    EXECUTE format('SELECT array_agg(id ORDER BY id) FROM users WHERE NOT (%s)', rule) INTO ids;
    IF cardinality(ids) > 0 THEN
        RAISE check_violation USING
            MESSAGE = format('users whose e-mail is not canonical: %s (%s%s)',
                cardinality(ids), array_to_string(ids[1:5], ', '), CASE WHEN cardinality(ids) > 5 THEN ', ...' END),
            HINT = format('mend them as docs/operations.md#e-mails-that-a-migration-refuses says, and run the '
                'migrations again; to list them: SELECT id, email FROM users WHERE NOT (%s)',
                btrim(regexp_replace(rule, '\s+', ' ', 'g')));
    END IF;
    EXECUTE format('ALTER TABLE users ADD CONSTRAINT users_email_canonical CHECK (%s)', rule);
END
$$;
