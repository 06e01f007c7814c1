-- Further columns for the tenant of nasty.sql: five of each type that a declaration in `attributes` can have, with the same texts, and with
-- days and times at the limits of calendars and at changes of the clocks in America/New_York.
--
-- For psql, after nasty.sql. Each run gives the same rows.

\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
BEGIN;
SET LOCAL ROLE adminexport_owner;

DO $$
BEGIN
    FOR k IN 1..5 LOOP
        EXECUTE format(
            'ALTER TABLE directory.administrator ADD %I %s, ADD %I date, ADD %I timestamptz, ADD %I boolean, ADD %I text[]',
            'text_' || k, CASE WHEN k % 2 = 0 THEN 'varchar' ELSE 'text' END, 'Day ' || k, 'time_' || k, 'flag_' || k, 'list_' || k);
    END LOOP;
END
$$;

-- A table, because PostgreSQL would decompress a large array for each element.
CREATE TEMPORARY TABLE nasty_text (number integer PRIMARY KEY, value text NOT NULL) ON COMMIT DROP;
INSERT INTO nasty_text SELECT row_number() OVER (ORDER BY id) - 1, name FROM directory.administrator;

-- A text for each number, in rotation.
CREATE FUNCTION pg_temp.text(number integer) RETURNS text LANGUAGE sql AS $$
    SELECT value FROM nasty_text WHERE nasty_text.number = mod($1, (SELECT count(*)::int FROM nasty_text))
$$;

CREATE TEMPORARY TABLE further ON COMMIT DROP AS
SELECT
    ARRAY['-infinity', '4713-01-01 BC', '0001-12-31 BC', '0001-01-01', '1899-12-31', '1900-01-01', '1900-02-28', '1900-03-01', '1969-12-31',
        '1970-01-01', '2000-02-29', '2026-12-31', '9999-12-31', '10000-01-01', '5874897-12-31', 'infinity', NULL]::date[] AS days,
    ARRAY['-infinity', '4712-01-01 BC', '1883-11-18 17:00:00+00', '1900-02-28 23:59:59-05', '1900-03-01 00:00-05', '1969-12-31 23:59:59.999999+00',
        '2026-03-08 06:59:59.9+00', '2026-03-08 07:00+00', '2026-11-01 05:30+00', '2026-11-01 06:30+00', '2026-07-01 04:00+00',
        '2026-07-01 16:00+00', '2026-07-01 16:00:00.000001+00', '9999-12-31 23:59:59-05', '10000-01-01 00:00-05', '294276-12-29 23:59:59+00',
        'infinity', NULL]::timestamptz[] AS times;

UPDATE directory.administrator AS a SET
    text_1 = pg_temp.text(n + 11), text_2 = pg_temp.text(n + 101), text_3 = CASE WHEN n % 3 > 0 THEN 'one of ' || n % 5 END,
    text_4 = pg_temp.text(n + 997), text_5 = NULL,
    "Day 1" = days[1 + n % cardinality(days)], "Day 2" = date '1990-01-01' + n, "Day 3" = days[1 + (n * 5) % cardinality(days)],
    "Day 4" = NULL, "Day 5" = date '1900-01-01' + n * 7,
    time_1 = times[1 + n % cardinality(times)], time_2 = timestamptz '2026-03-08 00:00-05' + n * interval '17 minutes 13.7 seconds',
    time_3 = timestamptz '2026-07-01 00:00-04' + n % 86400 * interval '1 second', time_4 = times[1 + (n * 7) % cardinality(times)],
    time_5 = NULL,
    flag_1 = n % 2 = 0, flag_2 = CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END, flag_3 = true, flag_4 = false, flag_5 = NULL,
    list_1 = ARRAY(SELECT pg_temp.text(n + 13 * i) FROM generate_series(1, n % 4) AS i), list_2 = NULL,
    list_3 = ARRAY['a', 'b, c', NULL, 'say "d"', '', E'line\nend'], list_4 = ARRAY[ARRAY['x', 'y'], ARRAY['z', NULL]],
    list_5 = ARRAY['r' || n % 7, 's' || n % 11]
FROM further, (SELECT id AS key, row_number() OVER (ORDER BY id)::int AS n FROM directory.administrator) AS numbered
WHERE a.id = numbered.key;

COMMIT;
