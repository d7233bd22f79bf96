-- Operators, aggregates, collations, text search configurations and functions that tables on the shards
-- use are created there, and followed when they change.
-- file-modes: simple, extended, prepared
-- setup
CREATE SCHEMA o_schema;
CREATE FUNCTION o_add(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 3 * coalesce($2, 0)';
CREATE AGGREGATE o_sum(int) (SFUNC = o_add, STYPE = int, INITCOND = '0');
CREATE FUNCTION o_sums(int[]) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT o_sum(x) FROM unnest($1) x; END;
CREATE OPERATOR |+| (FUNCTION = o_add, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION o_less(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) < abs($2)';
CREATE OPERATOR <<| (FUNCTION = o_less, LEFTARG = int, RIGHTARG = int, COMMUTATOR = |>>);
CREATE COLLATION o_german (PROVIDER = icu, LOCALE = 'de');
CREATE TEXT SEARCH DICTIONARY o_words (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION o_search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION o_search ALTER MAPPING FOR asciiword WITH o_words;
CREATE TABLE o_table (id int PRIMARY KEY, a int DEFAULT 1 |+| 2 CHECK (a <<| 1000), list int[],
    total int GENERATED ALWAYS AS (o_sums(list)) STORED, body text COLLATE o_german,
    found tsvector GENERATED ALWAYS AS (to_tsvector('o_search', body)) STORED);
-- shardwise: SELECT shardwise.distribute_table('o_table', 'id')

-- test
INSERT INTO o_table (id, list, body) SELECT i, ARRAY[i, 2], 'The cats Äpfel' || i FROM generate_series(1, 8) i;
SELECT id, a, total, found FROM o_table ORDER BY body, id;
INSERT INTO o_table (id, a) VALUES (20, -2000);
SELECT o_sum(a), sum(a |+| id) FROM o_table WHERE a <<| 100;
ALTER TABLE o_table ADD COLUMN less boolean GENERATED ALWAYS AS (id <<| 5) STORED;
CREATE OR REPLACE AGGREGATE o_sum(int) (SFUNC = o_add, STYPE = int, INITCOND = '1000');
INSERT INTO o_table (id, list) VALUES (9, '{1}') RETURNING total, less;
ALTER AGGREGATE o_sum(int) RENAME TO o_total;
ALTER AGGREGATE o_total(int) SET SCHEMA o_schema;
ALTER OPERATOR |+| (int, int) SET SCHEMA o_schema;
ALTER OPERATOR <<| (int, int) SET (RESTRICT = scalarltsel);
ALTER COLLATION o_german RENAME TO o_deutsch;
ALTER COLLATION o_deutsch SET SCHEMA o_schema;
-- once
ALTER COLLATION o_schema.o_deutsch REFRESH VERSION;
ALTER TEXT SEARCH DICTIONARY o_words (STOPWORDS = english);
INSERT INTO o_table (id, body) VALUES (10, 'the cats') RETURNING a, found;
ALTER TEXT SEARCH CONFIGURATION o_search ALTER MAPPING FOR asciiword WITH simple;
ALTER TEXT SEARCH CONFIGURATION o_search DROP MAPPING FOR word, numword;
INSERT INTO o_table (id, body) VALUES (11, 'the cats Äpfel') RETURNING a, found;
ALTER TEXT SEARCH CONFIGURATION o_search RENAME TO o_finding;
ALTER TEXT SEARCH DICTIONARY o_words SET SCHEMA o_schema;
COMMENT ON OPERATOR o_schema.|+| (int, int) IS 'adds';
COMMENT ON AGGREGATE o_schema.o_total(int) IS 'totals';
COMMENT ON COLLATION o_schema.o_deutsch IS 'German';
COMMENT ON TEXT SEARCH CONFIGURATION o_finding IS 'finds';
ALTER OPERATOR o_schema.|+| (int, int) SET (RESTRICT = eqsel);
SELECT id FROM o_table WHERE found @@ to_tsquery('o_finding', 'cats') ORDER BY id;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
DROP OPERATOR <<| (int, int);
DROP OPERATOR <<| (int, int) CASCADE;
DROP TEXT SEARCH CONFIGURATION o_finding CASCADE;
INSERT INTO o_table (id, a) VALUES (30, -2000) RETURNING id, a;
DROP SCHEMA o_schema CASCADE;
INSERT INTO o_table (id) VALUES (31) RETURNING *;
CREATE OPERATOR |+| (FUNCTION = o_less, LEFTARG = int, RIGHTARG = int);
ALTER TABLE o_table ADD COLUMN again boolean DEFAULT 1 |+| 2;
SELECT DISTINCT again FROM o_table;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$

-- teardown
DROP TABLE o_table;
DROP OPERATOR |+| (int, int);
DROP OPERATOR IF EXISTS |>> (int, int);
DROP FUNCTION o_less, o_add CASCADE;
