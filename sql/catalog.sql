-- The catalog's views, and the cache behind them. Everything is rolled back: the rows are written by
-- hand, and there are no such shards.
BEGIN;
INSERT INTO shardwise.shard VALUES (901, 'north', 1), (902, 'south', 2.5);
CREATE SERVER north FOREIGN DATA WRAPPER shardwise OPTIONS (host '10.1.1.1', port '6543', dbname 'shop');
CREATE USER MAPPING FOR PUBLIC SERVER north OPTIONS (user 'app', password 'secret');

INSERT INTO shardwise.keyspace VALUES (901, 'hash', '{bigint}', '{-}', NULL, NULL),
                                      (902, 'range', '{date,text}', '{-,"\"C\""}', NULL, NULL),
                                      (903, 'list', '{text}', '{"\"default\""}', NULL, 902);
INSERT INTO shardwise.map_entry VALUES
    (901, 0, -9223372036854775808, NULL, 901), (901, 1, 0, NULL, 902),
    (902, 0, NULL, NULL, 901), (902, 1, NULL, '{2020-01-01,m}', 902), (902, 2, NULL, '{2021-01-01,""}', 901),
    (903, 0, NULL, '{de}', 901), (903, 1, NULL, '{fr}', 902);
INSERT INTO shardwise.pin VALUES (901, '{77}', 902);
INSERT INTO shardwise.ghost_range VALUES (901, 902, -9223372036854775808, -1, NULL, NULL),
                                         (902, 901, NULL, NULL, '{2020-01-01,m}', '{2020-01-01,p}'),
                                         (902, 902, NULL, NULL, '{2021-01-01,""}', NULL);

CREATE TABLE by_hash (pad int, id bigint NOT NULL);
CREATE TABLE by_range (name text NOT NULL, day date NOT NULL);
CREATE TABLE by_list (country text NOT NULL);
CREATE TABLE everywhere (id int);
INSERT INTO shardwise.distribution VALUES
    ('by_hash', 901, '{id}'), ('by_range', 902, '{day,name}'), ('by_list', 903, '{country}'), ('everywhere', NULL, NULL);

SELECT * FROM shardwise.shards WHERE shard_id > 900 ORDER BY shard_id;
SELECT * FROM shardwise.tables WHERE relation::text ~ '^(by_|every)' ORDER BY relation::text;
SELECT * FROM shardwise.keyspaces WHERE keyspace_id > 900 ORDER BY keyspace_id;
SELECT * FROM shardwise.ranges WHERE keyspace_id > 900 ORDER BY keyspace_id, position, kind;
SELECT * FROM shardwise.ghost_ranges WHERE keyspace_id > 900 ORDER BY keyspace_id, shard, lower;

-- Owners: hash with a pin; range with composite bounds, whatever the session's settings; list with
-- a default shard and without.
SELECT id, shardwise.locate('by_hash', id) = CASE WHEN id = 77 THEN 'south'
           WHEN hashint8extended(id, 0) < 0 THEN 'north' ELSE 'south' END AS right_shard
  FROM unnest('{0,1,2,77,78,-9223372036854775808}'::bigint[]) id;
SELECT shardwise.key_hash('by_hash', 77) < 0 AS the_pin_matters;
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT day, name, shardwise.locate('by_range', day::date, name)
  FROM (VALUES ('-infinity', 'z'), ('31/12/2019', 'z'), ('01/01/2020', 'l'), ('01/01/2020', 'lz'),
               ('01/01/2020', 'm'), ('02/01/2020', 'a'), ('31/12/2020', 'z'), ('01/01/2021', ''),
               ('01/01/2021', 'a'), ('infinity', 'a')) v (day, name);
SHOW DateStyle;
RESET DateStyle;
RESET TimeZone;
SELECT country, shardwise.locate('by_list', country) FROM unnest('{de,fr,it}'::text[]) country;
UPDATE shardwise.keyspace SET default_shard = NULL WHERE keyspace_id = 903;
SELECT shardwise.locate('by_list', 'fr') AS fr, shardwise.locate('by_list', 'it') IS NULL AS it_has_none;

-- The views are for everybody, and show no password; the tables are written by functions alone.
CREATE ROLE catalog_reader;
SET LOCAL ROLE catalog_reader;
SELECT count(*) FROM shardwise.shards WHERE shard_id > 900;
SELECT count(*) FROM shardwise.tables WHERE keyspace_id > 900;
SELECT count(*) FROM shardwise.keyspaces WHERE keyspace_id > 900;
SELECT count(*) FROM shardwise.ranges WHERE keyspace_id > 900;
SELECT count(*) FROM shardwise.ghost_ranges WHERE keyspace_id > 900;
SELECT bool_or(s::text ~ 'secret') AS shows_password FROM shardwise.shards s;
SELECT shardwise.key_hash_expression('by_hash');
\set ON_ERROR_ROLLBACK on
UPDATE shardwise.map_entry SET shard_id = 901;
DELETE FROM shardwise.pin;
RESET ROLE;

-- The cache follows changes of the rows, and their rollback.
SELECT shardwise.key_hash_expression('by_hash');
SAVEPOINT renamed;
UPDATE shardwise.distribution SET key_columns = '{pad}' WHERE relation = 'by_hash'::regclass;
SELECT shardwise.key_hash_expression('by_hash');
DELETE FROM shardwise.distribution WHERE relation = 'by_hash'::regclass;
SELECT shardwise.key_hash_expression('by_hash');
ROLLBACK TO renamed;
SELECT shardwise.key_hash_expression('by_hash');

-- A key column that has gone.
UPDATE shardwise.distribution SET key_columns = '{gone}' WHERE relation = 'by_hash'::regclass;
SELECT shardwise.key_hash_expression('by_hash');
ROLLBACK TO renamed;

-- Partitions are distributed with their parent, whatever the order of their columns.
CREATE TABLE part (id bigint NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE part_2024 (pad text, day date NOT NULL, id bigint NOT NULL) PARTITION BY RANGE (day);
ALTER TABLE part_2024 DROP COLUMN pad;
CREATE TABLE part_2024_01 PARTITION OF part_2024 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
SELECT shardwise.key_hash_expression('part_2024_01');
ALTER TABLE part ATTACH PARTITION part_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO shardwise.distribution VALUES ('part', 901, '{id}');
SELECT shardwise.key_hash_expression('part_2024_01');
DELETE FROM shardwise.distribution WHERE relation = 'part'::regclass;
SELECT shardwise.key_hash_expression('part_2024_01');

-- A damaged map is refused, not guessed around.
UPDATE shardwise.map_entry SET lower_hash = 5 WHERE keyspace_id = 901 AND entry = 0;
SELECT shardwise.key_hash('by_hash', 1);
ROLLBACK TO renamed;
UPDATE shardwise.map_entry SET lower_key = '{2022-01-01,x}' WHERE keyspace_id = 902 AND entry = 1;
SELECT shardwise.key_hash('by_range', '2020-01-01', 'x');
ROLLBACK TO renamed;
UPDATE shardwise.map_entry SET lower_key = '{2020-01-01}' WHERE keyspace_id = 902 AND entry = 1;
SELECT shardwise.key_hash('by_range', '2020-01-01', 'x');
ROLLBACK;

-- nothing is left in the cache
CREATE TABLE by_hash (id bigint);
SELECT shardwise.key_hash_expression('by_hash');
DROP TABLE by_hash;
SELECT count(*) FROM shardwise.ranges WHERE keyspace_id > 900;
