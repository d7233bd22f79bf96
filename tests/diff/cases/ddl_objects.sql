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

-- Operator classes, whose operators and functions come along.
CREATE FUNCTION o_abs_less(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) < abs($2)';
CREATE FUNCTION o_abs_more(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) > abs($2)';
CREATE FUNCTION o_abs_equal(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) = abs($2)';
CREATE FUNCTION o_abs_compare(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT sign(abs($1) - abs($2))::int';
CREATE OPERATOR |<| (FUNCTION = o_abs_less, LEFTARG = int, RIGHTARG = int, COMMUTATOR = |>|);
CREATE OPERATOR |>| (FUNCTION = o_abs_more, LEFTARG = int, RIGHTARG = int, COMMUTATOR = |<|);
CREATE OPERATOR |=| (FUNCTION = o_abs_equal, LEFTARG = int, RIGHTARG = int, COMMUTATOR = |=|);
CREATE OPERATOR CLASS o_abs FOR TYPE int USING btree AS OPERATOR 1 |<|, OPERATOR 3 |=|, OPERATOR 5 |>|, FUNCTION 1 o_abs_compare(int, int);
CREATE OPERATOR FAMILY o_hashed USING hash;
ALTER OPERATOR FAMILY o_hashed USING hash ADD OPERATOR 1 =(int8, int8), FUNCTION 1 hashint8(int8);
CREATE OPERATOR CLASS o_hash FOR TYPE int USING hash FAMILY o_hashed AS OPERATOR 1 =, FUNCTION 1 hashint4(int);
CREATE UNIQUE INDEX o_table_abs ON o_table (id, a o_abs);
CREATE INDEX o_table_hash ON o_table USING hash (a o_hash);
-- Members of families that the shards have.
CREATE FUNCTION o_mixed_equal(int, bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT abs($1) = abs($2)';
CREATE FUNCTION o_mixed_compare(int, bigint) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT sign(abs($1) - abs($2))::int';
CREATE OPERATOR |=| (FUNCTION = o_mixed_equal, LEFTARG = int, RIGHTARG = bigint);
ALTER OPERATOR FAMILY o_abs USING btree ADD OPERATOR 3 |=| (int, bigint), FUNCTION 1 (int, bigint) o_mixed_compare(int, bigint);
ALTER OPERATOR FAMILY o_hashed USING hash DROP FUNCTION 1 (int8, int8);
ALTER OPERATOR FAMILY o_hashed USING hash DROP FUNCTION 1 (int8, int8);
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.run_on_shards('SELECT concat((SELECT string_agg(amopopr::regoperator::text, '' '' ORDER BY amopstrategy, amoprighttype) FROM pg_amop JOIN pg_opfamily f ON f.oid = amopfamily WHERE opfname = ''o_abs''), (SELECT count(*) FROM pg_amproc JOIN pg_opfamily f ON f.oid = amprocfamily WHERE opfname LIKE ''o\_%''))') WHERE result <> '|<|(integer,integer) |=|(integer,bigint) |=|(integer,integer) |>|(integer,integer)3') THEN RAISE 'families differ: %', (SELECT string_agg(result, ' ') FROM shardwise.run_on_shards('SELECT concat((SELECT string_agg(amopopr::regoperator::text, '' '' ORDER BY amopstrategy, amoprighttype) FROM pg_amop JOIN pg_opfamily f ON f.oid = amopfamily WHERE opfname = ''o_abs''), (SELECT count(*) FROM pg_amproc JOIN pg_opfamily f ON f.oid = amprocfamily WHERE opfname LIKE ''o\_%''))')); END IF; END $$
ALTER OPERATOR FAMILY o_abs USING btree DROP OPERATOR 3 (int, bigint), FUNCTION 1 (int, bigint);
DROP OPERATOR |=| (int, bigint);
DROP FUNCTION o_mixed_equal(int, bigint), o_mixed_compare(int, bigint);
INSERT INTO o_table (id, a) VALUES (40, 5);
INSERT INTO o_table (id, a) VALUES (40, -5);
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
CREATE SCHEMA o_other;
ALTER OPERATOR CLASS o_abs USING btree RENAME TO o_absolute;
ALTER OPERATOR CLASS o_absolute USING btree SET SCHEMA o_other;
ALTER OPERATOR FAMILY o_hashed USING hash RENAME TO o_hashes;
COMMENT ON OPERATOR CLASS o_other.o_absolute USING btree IS 'without sign';
CREATE INDEX o_table_again ON o_table (a o_other.o_absolute);
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
DROP OPERATOR CLASS o_other.o_absolute USING btree;
DROP OPERATOR CLASS o_other.o_absolute USING btree CASCADE;
DROP OPERATOR FAMILY o_hashes USING hash CASCADE;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.run_on_shards('SELECT count(*) FROM pg_opclass WHERE opcname IN (''o_abs'', ''o_absolute'', ''o_hash'')') WHERE result <> '0') THEN RAISE 'operator classes are left on the shards'; END IF; END $$

-- Base types with their functions, casts, and text search parsers and templates.
CREATE TYPE o_code;
CREATE FUNCTION o_code_out(o_code) RETURNS cstring STRICT IMMUTABLE LANGUAGE internal AS 'textout';
CREATE FUNCTION o_code_in(cstring) RETURNS o_code STRICT IMMUTABLE LANGUAGE internal AS 'textin';
CREATE FUNCTION o_code_recv(internal) RETURNS o_code STRICT IMMUTABLE LANGUAGE internal AS 'textrecv';
CREATE FUNCTION o_code_send(o_code) RETURNS bytea STRICT IMMUTABLE LANGUAGE internal AS 'textsend';
CREATE TYPE o_code (INPUT = o_code_in, OUTPUT = o_code_out, DEFAULT = 'none', STORAGE = main, DELIMITER = ';');
CREATE FUNCTION o_code_length(o_code) RETURNS int STRICT IMMUTABLE LANGUAGE internal AS 'textlen';
CREATE CAST (o_code AS int) WITH FUNCTION o_code_length(o_code);
CREATE CAST (o_code AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION o_parse_start(internal, int) RETURNS internal LANGUAGE internal AS 'prsd_start';
CREATE FUNCTION o_parse_token(internal, internal, internal) RETURNS internal LANGUAGE internal AS 'prsd_nexttoken';
CREATE FUNCTION o_parse_end(internal) RETURNS void LANGUAGE internal AS 'prsd_end';
CREATE FUNCTION o_parse_types(internal) RETURNS internal LANGUAGE internal AS 'prsd_lextype';
CREATE FUNCTION o_words_lexize(internal, internal, internal, internal) RETURNS internal LANGUAGE internal AS 'dsimple_lexize';
CREATE FUNCTION o_words_init(internal) RETURNS internal LANGUAGE internal AS 'dsimple_init';
CREATE TEXT SEARCH PARSER o_parser (START = o_parse_start, GETTOKEN = o_parse_token, END = o_parse_end, LEXTYPES = o_parse_types);
CREATE TEXT SEARCH TEMPLATE o_template (INIT = o_words_init, LEXIZE = o_words_lexize);
CREATE TEXT SEARCH DICTIONARY o_plain (TEMPLATE = o_template);
CREATE TEXT SEARCH CONFIGURATION o_parsed (PARSER = o_parser);
ALTER TEXT SEARCH CONFIGURATION o_parsed ADD MAPPING FOR asciiword, word WITH o_plain;
CREATE TABLE o_base (id int NOT NULL, code o_code DEFAULT 'abc', codes o_code[], size int GENERATED ALWAYS AS (code::int) STORED,
    words tsvector GENERATED ALWAYS AS (to_tsvector('o_parsed', code::text)) STORED, CHECK (code::int < 10));
-- shardwise: SELECT shardwise.distribute_table('o_base', 'id')
INSERT INTO o_base (id) SELECT generate_series(1, 6);
INSERT INTO o_base (id, code, codes) VALUES (7, 'The cat', '{a;b}'), (8, NULL, NULL);
INSERT INTO o_base (id, code) VALUES (9, 'much too long');
SELECT id, code, codes, size, words, code::int + 1, upper(code) FROM o_base WHERE code::int > 2 OR code IS NULL ORDER BY id;
ALTER TYPE o_code SET (STORAGE = extended, RECEIVE = o_code_recv, SEND = o_code_send);
CREATE TEMP TABLE o_copy AS SELECT * FROM o_base;
ALTER TYPE o_code SET (RECEIVE = NONE, SEND = NONE);
ALTER TYPE o_code RENAME TO o_short;
ALTER TYPE o_short SET SCHEMA o_other;
ALTER TEXT SEARCH PARSER o_parser RENAME TO o_reader;
ALTER TEXT SEARCH TEMPLATE o_template SET SCHEMA o_other;
COMMENT ON TEXT SEARCH PARSER o_reader IS 'reads';
COMMENT ON CAST (o_other.o_short AS int) IS 'length';
COMMENT ON TYPE o_other.o_short IS 'short';
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
DROP CAST (o_other.o_short AS int);
DROP CAST (o_other.o_short AS int) CASCADE;
SELECT * FROM o_base ORDER BY id;
CREATE CAST (o_other.o_short AS int) WITH FUNCTION o_code_length(o_other.o_short);
SELECT id, code::int FROM o_base ORDER BY id;
DROP TEXT SEARCH PARSER o_reader CASCADE;
DROP TEXT SEARCH TEMPLATE o_other.o_template CASCADE;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
SELECT id, code FROM o_base ORDER BY id;
DROP TYPE o_other.o_short;
DROP TYPE o_other.o_short CASCADE;
SELECT * FROM o_base ORDER BY id;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.run_on_shards('SELECT concat((SELECT count(*) FROM pg_type WHERE typname IN (''o_code'', ''o_short'')), (SELECT count(*) FROM pg_proc WHERE proname LIKE ''o\_code\_%''), (SELECT count(*) FROM pg_ts_parser), (SELECT count(*) FROM pg_ts_template WHERE tmplname LIKE ''o\_%''))') WHERE result <> '0010') THEN RAISE 'types, functions, parsers or templates are left on the shards'; END IF; END $$

-- teardown
DROP TABLE o_table, o_base;
DROP FUNCTION o_parse_start, o_parse_token, o_parse_end, o_parse_types, o_words_lexize, o_words_init;
DROP SCHEMA o_other CASCADE;
DROP OPERATOR FAMILY o_abs USING btree;
DROP OPERATOR |<| (int, int);
DROP OPERATOR |>| (int, int);
DROP OPERATOR |=| (int, int);
DROP FUNCTION o_abs_less, o_abs_more, o_abs_equal, o_abs_compare;
DROP OPERATOR |+| (int, int);
DROP OPERATOR IF EXISTS |>> (int, int);
DROP FUNCTION o_less, o_add CASCADE;
