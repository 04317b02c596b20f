-- Titles in the order people read, and a search that ignores case, accents and how a letter is composed, the same in every
-- locale of a database.
--
-- The new columns rewrite the table, so everybody else waits (docs/operations.md).

-- Unicode's order without the rules of any language, and 2 before 10.
DO $$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        RAISE feature_not_supported USING
            MESSAGE = format('the encoding of this database is %s', getdatabaseencoding()),
            HINT = 'create it anew with ENCODING ''UTF8'', which search and the order of titles need';
    ELSIF EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') THEN
        CREATE COLLATION natural_order (provider = icu, locale = 'und-u-kn-true');
    ELSE
        CREATE COLLATION natural_order FROM "C";
        RAISE WARNING USING
            MESSAGE = 'this PostgreSQL was built without ICU: titles are sorted by their characters'' numbers, and search '
                'ignores the case of ASCII letters and of those that are ASCII letters with accents',
            HINT = 'to change that later, see docs/operations.md#without-icu';
    END IF;
END
$$;

-- Folds text for comparisons. Compatibility forms become plain (ﬁ, full width), accents and invisible characters go, letters
-- become capitals (lower case first, as capital ẞ alone does not become SS), and those with a stroke, which Unicode does not
-- decompose, lose it. The commas of other scripts stay what they are, because ours separates tags. ASCII, which has nothing
-- of this but case, has a shorter way.
CREATE FUNCTION fold(written text) RETURNS text IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(written) = char_length(written) THEN upper(written COLLATE "C")
ELSE normalize(
    translate(
        upper(lower(
            regexp_replace(
                normalize(translate(written, '，﹐︐', '、、、'), NFKD),
                -- Combining marks of Latin, Greek and Cyrillic, points of Hebrew and Arabic; soft hyphen, zero widths.
                '[\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f'
                '\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670'
                '\u00ad\u200b-\u200f\u2060\ufeff]',
                '', 'g'
            ) COLLATE natural_order
        )),
        'ĐĦŁØŦ’', 'DHLOT'''
    ),
    NFC
) COLLATE "C"
END;

DROP INDEX IF EXISTS tasks_list_title;

ALTER TABLE tasks
    -- No word of a search has a line break.
    ADD COLUMN folded_text text COLLATE "C"
        GENERATED ALWAYS AS (fold(title || E'\n' || coalesce(description, ''))) STORED,
    ADD COLUMN folded_tags text COLLATE "C"
        GENERATED ALWAYS AS (fold(',' || tags || ',')) STORED;

CREATE INDEX tasks_list_title ON tasks (user_id, title COLLATE natural_order, id, completed, priority);
