-- Types, collations and text search configurations that no table needs are the router's alone.
-- COLLATE that the planner has folded away. What a violation shows to whom.
-- setup
CREATE TABLE words (k int PRIMARY KEY, s text NOT NULL, de text COLLATE "de-x-icu");
INSERT INTO words SELECT i, (ARRAY['red', 'Blue', 'äh', 'a', 'B', 'Zoo', 'zoo'])[1 + i % 7] || i / 7,
                         (ARRAY['b', 'A', 'ä', 'Z'])[1 + i % 4] FROM generate_series(1, 28) i;
CREATE TYPE hue AS ENUM ('red1', 'red0', 'Blue0');
CREATE DOMAIN short AS text CHECK (length(value) < 9);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = int4);
CREATE TABLE home (a int, b text);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2 * $1; END';
CREATE VIEW first_words AS SELECT k, s FROM words WHERE k < 5;
CREATE VIEW words_as_json AS SELECT *, to_json(f) AS j FROM first_words f;
CREATE OR REPLACE VIEW first_words AS SELECT k, s, 2 + k AS more FROM words WHERE k < 5;
CREATE COLLATION own_order (provider = icu, locale = 'sv');
CREATE TEXT SEARCH CONFIGURATION own_search (copy = simple);
CREATE TEXT SEARCH DICTIONARY own_words (template = simple);
CREATE TABLE secrets (k int PRIMARY KEY, a int NOT NULL CHECK (a < 10), hidden text DEFAULT 'x');
CREATE TABLE owners (k int PRIMARY KEY);
CREATE TABLE deeds (k int PRIMARY KEY, owner int REFERENCES owners, hidden text);
CREATE TABLE spans (k int NOT NULL, r int4range, EXCLUDE USING gist (r WITH &&));
CREATE VIEW few_secrets AS SELECT * FROM secrets WHERE a < 5 WITH CHECK OPTION;
CREATE TABLE split (a int NOT NULL, b int) PARTITION BY LIST (b);
INSERT INTO secrets VALUES (1, 1);
INSERT INTO owners VALUES (1), (2);
INSERT INTO deeds VALUES (1, 1, 'y');
INSERT INTO spans VALUES (1, '[1,3]');
CREATE FUNCTION custom_violation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'custom' USING ERRCODE = 'check_violation', DETAIL = 'as written'; END $$;
CREATE TRIGGER custom BEFORE INSERT ON secrets FOR EACH ROW WHEN (NEW.a = 0)
    EXECUTE FUNCTION custom_violation();
DROP ROLE IF EXISTS diff_guest;
CREATE ROLE diff_guest;
GRANT INSERT, UPDATE, DELETE ON secrets, owners, deeds, spans, few_secrets TO diff_guest;
GRANT INSERT, SELECT (b) ON split TO diff_guest;
GRANT SELECT (k) ON deeds, owners, few_secrets TO diff_guest;
-- shardwise: SELECT shardwise.distribute_table('words', 'k')
-- shardwise: SELECT shardwise.distribute_table('secrets', 'k')
-- shardwise: SELECT shardwise.create_reference_table('owners')
-- shardwise: SELECT shardwise.distribute_table('deeds', 'k')
-- shardwise: SELECT shardwise.create_reference_table('spans')
-- shardwise: SELECT shardwise.distribute_table('split', 'a')

-- test
SELECT s::hue FROM words WHERE s IN ('red1', 'red0', 'Blue0') ORDER BY 1;
SELECT count(*) FROM words WHERE s IN ('red1', 'red0') AND s::hue > 'red1';
SELECT max(s::hue), min(s::hue) FROM words WHERE s IN ('red1', 'red0', 'Blue0');
SELECT s::short, count(*) FROM words GROUP BY 1 ORDER BY 1, 2;
SELECT s::short || 'z' FROM words WHERE k = 3;
SELECT ROW(k, s)::pair FROM words ORDER BY 1;
SELECT (ROW(k, s)::pair).b, ARRAY[ROW(k, s)::pair] FROM words ORDER BY k;
SELECT count(*) FROM words WHERE ROW(k, s)::pair = ROW(1, 'Blue0')::pair;
SELECT k FROM words WHERE '(1,Blue0)'::pair = ROW(k, s) ORDER BY k;
-- params: '(2,x)'
SELECT k FROM words WHERE k = 1 AND NOT ($1::pair = '(1,x)'::pair);
-- params: '(2,x)'
SELECT k, NOT ($1::pair = '(1,x)'::pair) FROM words WHERE k = 1;
SELECT ROW(k, s)::home FROM words WHERE k < 4 ORDER BY 1;
SELECT ROW(k, s, de)::words FROM words WHERE k < 4 ORDER BY 1;
SELECT NULL::pair, span(k, k + 1), spanmultirange(span(k, k + 2)) FROM words WHERE k < 4 ORDER BY k;
SELECT k FROM words WHERE span(k, k + 3) @> 3 ORDER BY k;
SELECT 'red1'::hue, k FROM words WHERE k = 1;
-- params: 'red1'::hue
SELECT k FROM words WHERE s = $1::text ORDER BY k;
SELECT x.k, (SELECT count(*) FROM words y WHERE y.s::short > x.s::short) FROM words x ORDER BY 1;
UPDATE words SET s = s::hue::text WHERE k IN (1, 8);
UPDATE words SET s = s::short WHERE k = 2 RETURNING k, s::short;
UPDATE words SET s = 'far too long for it'::short WHERE k = 2;
INSERT INTO words SELECT k + 100, s::short FROM words;
DELETE FROM words WHERE k > 100 AND s::short = s;

-- Values of such types: in expressions without a cast, and as all that RETURNING shows.
SELECT coalesce('red1', 'red0'::hue), k FROM words ORDER BY k;
SELECT greatest('red1', 'red0'::hue), ARRAY['red1'::hue, 'red0'], nullif('red1'::hue, 'red0') FROM words WHERE k = 3;
SELECT CASE WHEN k > 3 THEN 'red1'::hue ELSE 'red0' END FROM words WHERE k = 3 FOR UPDATE;
SELECT coalesce('red1', 'red0'::hue), k FROM words ORDER BY k FOR UPDATE;
SELECT k FROM words WHERE CASE WHEN k > 20 THEN 'red1'::hue ELSE 'red0' END = 'red1' ORDER BY k;
SELECT max(CASE WHEN k > 3 THEN 'red1'::hue ELSE 'red0' END), count(DISTINCT coalesce('red1', 'red0'::hue)) FROM words;
INSERT INTO words VALUES (201, 'x') RETURNING 'red1'::hue;
INSERT INTO words VALUES (202, 'x'), (203, 'x') RETURNING 'red1'::hue;
INSERT INTO words SELECT k + 10, s FROM words WHERE k > 200 RETURNING 'red1'::hue AS a, 'red0'::hue AS b;
UPDATE words SET s = 'y' WHERE k = 201 RETURNING 'red1'::hue;
UPDATE words SET s = 'y' WHERE k > 200 RETURNING 'red1'::hue;
UPDATE words SET k = k + 20 WHERE k > 200 RETURNING 'red1'::hue;
WITH w AS (DELETE FROM words WHERE k = 221 RETURNING 'red1'::hue AS h) SELECT count(*), max(h) FROM w;
DELETE FROM words WHERE k > 200 RETURNING 'red1'::hue;
DELETE FROM words WHERE k = 200 RETURNING 'red1'::hue;

-- The same of rows that the write is joined with.
INSERT INTO words SELECT 300 + i, 'x' FROM generate_series(1, 4) i;
UPDATE words SET s = x.h::text FROM (VALUES (301, 'red1'::hue), (302, 'red0')) x (a, h) WHERE k = x.a RETURNING k, x.h, s, x.h > 'red1';
UPDATE words SET s = x.p::text FROM (VALUES (301, ROW(1, 'red')::pair, 'abc'::short), (303, NULL, NULL)) x (a, p, t) WHERE k = x.a RETURNING x.p, x.t, (x.p).b, k;
MERGE INTO words USING (VALUES (301, 'red1'::hue), (305, 'red0')) x (a, h) ON k = x.a WHEN MATCHED THEN UPDATE SET s = x.h WHEN NOT MATCHED THEN INSERT VALUES (x.a, x.h);
DELETE FROM words USING (VALUES (302, ARRAY['red1'::hue, NULL], '[1,3]'::span), (304, '{red0}', NULL)) x (a, h, r) WHERE k = x.a RETURNING x.h, x.r, x.h[1], upper(x.r);
DELETE FROM words WHERE k > 300 RETURNING k, s;

-- Functions of the router in a CASE.
SELECT CASE WHEN k > 3 THEN twice(k) ELSE 7 END, CASE k WHEN 3 THEN twice(k) ELSE 7 END FROM words WHERE k = 3;
SELECT CASE twice(k) WHEN 6 THEN k ELSE 7 END, CASE twice(k) WHEN length(s) + 2 * k - 4 THEN s END FROM words WHERE k = 3;
SELECT CASE length(s) WHEN twice(2) THEN twice(k) WHEN k THEN 3 ELSE k END, ARRAY[twice(k), k]::text[] FROM words WHERE k = 3;
SELECT k, CASE k % 3 WHEN twice(1) THEN s WHEN length(s) % 3 THEN 'length' END FROM words ORDER BY k;
UPDATE words SET de = 'x' WHERE k = 3 RETURNING CASE k WHEN 3 THEN twice(k) ELSE 7 END, CASE WHEN twice(k) > 3 THEN 'red1'::hue END;

SELECT s, k FROM words ORDER BY s COLLATE own_order, k;
SELECT count(*), min(s COLLATE own_order), max(de COLLATE own_order) FROM words WHERE s > 'b' COLLATE own_order;
SELECT k FROM words WHERE lower(s COLLATE own_order) > 'z' ORDER BY k;
SELECT to_tsvector('own_search', s) FROM words ORDER BY k;
SELECT count(*) FROM words WHERE to_tsvector('own_search', s) @@ to_tsquery('own_search', 'red1');
SELECT k, ts_headline('own_search', s, to_tsquery('own_search'::regconfig, 'red1')) FROM words ORDER BY k;

SELECT k, ts_lexize('own_words', s) FROM words WHERE ts_lexize('own_words'::regdictionary, s) <> '{zoo0}' ORDER BY k;
SELECT w.k, x.a FROM words w, xmltable('/r' PASSING xmlelement(NAME r, w.s) COLUMNS a short PATH '.') x WHERE w.k < 5 ORDER BY 1;
SELECT w.k, x.a FROM words w, json_to_recordset(json_build_array(json_build_object('a', w.s))) AS x (a short) WHERE w.k < 5 ORDER BY 1;
SELECT w.k, x.* FROM words w, json_populate_record(NULL::pair, json_build_object('b', w.s)) x ORDER BY 1;

-- Rows of views are of a type of the router; one has got a column since it was used.
SELECT * FROM words_as_json ORDER BY k;
SELECT to_json(w) FROM words_as_json w WHERE k = 2;
SELECT f FROM first_words f ORDER BY 1;
SELECT f, k FROM first_words f WHERE k = 3;
SELECT x.f, ROW(x.f), (SELECT g FROM first_words g WHERE g.k = x.k) FROM (SELECT f, k FROM first_words f) x ORDER BY k;
SELECT array_agg(f ORDER BY k), max(f::text) FROM first_words f;
SELECT f, count(*) FROM first_words f GROUP BY 1 ORDER BY 1;
UPDATE first_words f SET s = s RETURNING f;

-- The collation that was asked for, also where rows are fetched.
SELECT x.k, (SELECT min(y.s COLLATE "C") FROM words y WHERE y.k <> x.k AND y.s COLLATE "C" > 'b') FROM words x ORDER BY 1;
SELECT count(*) FROM words x JOIN words y ON x.de = y.de AND x.s < 'b' COLLATE "C";
SELECT count(*) FROM words x JOIN words y ON x.de = y.de AND x.de < 'b' COLLATE "C" AND y.s < 'b' COLLATE "POSIX";
SELECT count(*) FROM words x LEFT JOIN words y ON x.de = y.de AND y.s < y.de AND y.de::varchar > 'B' COLLATE "C";
SELECT count(*) FROM words x JOIN words y ON x.de = y.de
    WHERE x.s || 'x' COLLATE "C" < 'b' AND (y.s BETWEEN 'A' COLLATE "C" AND 'b' OR y.s IN ('zoo0', 'B' COLLATE "C"));
SELECT count(*) FROM words x JOIN words y ON x.de = y.de WHERE (x.s, x.k) < ('b' COLLATE "C", 5);
SELECT x.k, (SELECT count(*) FROM words y WHERE y.s < x.de AND y.k <> x.k) FROM words x ORDER BY 1;
SELECT x.k, (SELECT count(*) FROM words y WHERE y.s COLLATE "C" < x.de AND y.k <> x.k) FROM words x ORDER BY 1;
SELECT greatest(s, 'b' COLLATE "C") AS g, count(*) FROM words GROUP BY 1 ORDER BY 1;
UPDATE words x SET s = greatest(x.s, 'b' COLLATE "C") FROM words y
    WHERE y.k = x.k + 1 AND x.s < 'b' COLLATE "C" RETURNING x.k, x.s;
DO $$
DECLARE v text COLLATE "C" := 'b'; n int[];
BEGIN
    SELECT ARRAY[count(*), count(*) FILTER (WHERE de COLLATE "de-x-icu" < v)] INTO n FROM words WHERE s < v;
    RAISE NOTICE '%', n;
    SELECT ARRAY[count(*), min(x.k)] INTO n FROM words x JOIN words y ON x.de = y.de
        WHERE x.s < v AND y.s COLLATE "de-x-icu" < v AND y.s < lower(v);
    RAISE NOTICE '%', n;
END $$;

-- Where PostgreSQL shows the columns alone that a user may read, nothing is shown.
SET ROLE diff_guest;
INSERT INTO secrets (k, a) VALUES (1, 2);
INSERT INTO secrets (k, a) VALUES (5, 0);
-- compare: sqlstate
INSERT INTO secrets (k, a) VALUES (2, 12);
-- compare: sqlstate
UPDATE secrets SET a = 20;
-- compare: sqlstate
INSERT INTO few_secrets (k, a) VALUES (9, 7);
INSERT INTO spans VALUES (1, '[2,4]');
INSERT INTO split VALUES (1, 2);
INSERT INTO deeds VALUES (1, 1, 'z');
INSERT INTO deeds VALUES (2, 5, 'z');
DELETE FROM owners WHERE true;
RESET ROLE;
DO $$
DECLARE shown text;
BEGIN
    SET LOCAL ROLE diff_guest;
    INSERT INTO secrets (k, a) VALUES (2, 12);
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS shown = PG_EXCEPTION_DETAIL;
    RAISE NOTICE 'shows the hidden column: %', shown LIKE '%x%' AND shown NOT LIKE '%(k, a)%';
END $$;
INSERT INTO secrets (k, a) VALUES (2, 12);
INSERT INTO few_secrets (k, a) VALUES (9, 7);
INSERT INTO deeds VALUES (2, 5, 'z');

-- teardown
DROP VIEW few_secrets, words_as_json, first_words;
DROP TABLE words, home, secrets, deeds, owners, spans, split;
DROP TYPE hue, pair, span;
DROP DOMAIN short;
DROP COLLATION own_order;
DROP TEXT SEARCH CONFIGURATION own_search;
DROP TEXT SEARCH DICTIONARY own_words;
DROP FUNCTION custom_violation, twice;
DROP ROLE diff_guest;
