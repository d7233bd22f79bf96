-- DDL that shards could not keep is refused before anything changes; what is left says check_schema().
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('d1'), shardwise.add_local_shard('d2');
RESET client_min_messages;
CREATE TABLE ref (code text PRIMARY KEY);
CREATE TABLE parent (id int, part int, name varchar(10), PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE parent_1 PARTITION OF parent FOR VALUES IN (1);
CREATE TABLE child (id int NOT NULL, other int, code text, v text);
CREATE TABLE stranger (id varchar(20) NOT NULL, part int NOT NULL, name varchar(10));
CREATE TABLE home (k int PRIMARY KEY);
SELECT shardwise.create_reference_table('ref');
SELECT shardwise.distribute_table('parent', 'id');
SELECT shardwise.distribute_table('child', 'id', colocate_with => 'parent');
SELECT shardwise.distribute_table('stranger', 'id');

-- The shard key.
ALTER TABLE child DROP COLUMN id;
ALTER TABLE child ALTER id DROP NOT NULL;
ALTER TABLE child ADD COLUMN x int, ALTER id TYPE bigint;
ALTER TABLE stranger ALTER id TYPE varchar(3);
ALTER TABLE stranger ALTER id TYPE varchar USING lower(id);
-- Constraints off the key.
ALTER TABLE child ADD UNIQUE (other);
ALTER TABLE child ADD COLUMN u int UNIQUE;
CREATE UNIQUE INDEX child_other ON child (other);
CREATE UNIQUE INDEX CONCURRENTLY child_other ON child (lower(v));
ALTER TABLE child ADD EXCLUDE USING btree (other WITH =);
ALTER TABLE child ADD FOREIGN KEY (other, id) REFERENCES parent;
ALTER TABLE child ADD COLUMN k int REFERENCES home;
ALTER TABLE ref ADD FOREIGN KEY (code) REFERENCES stranger;
-- Kinds of tables.
ALTER TABLE child SET UNLOGGED;
ALTER TABLE child INHERIT home;
CREATE TABLE heir () INHERITS (child);
CREATE UNLOGGED TABLE parent_2 PARTITION OF parent FOR VALUES IN (2);
CREATE TABLE parent_2 PARTITION OF parent (UNIQUE (name)) FOR VALUES IN (2);
ALTER TABLE parent ATTACH PARTITION stranger FOR VALUES IN (2);
-- Moves.
INSERT INTO shardwise.move (plan_id, position, keyspace_id, source_shard, target_shard, state, estimated_rows, estimated_bytes)
    SELECT 1, 1, keyspace_id, 1, 2, 'copying', 0, 0 FROM shardwise.distribution WHERE relation = 'child'::regclass;
ALTER TABLE child ADD COLUMN x int;
DROP TABLE parent, home;
CREATE INDEX ON parent_1 (name);
COMMENT ON TABLE child IS 'of parents';
ALTER TABLE stranger ADD COLUMN x int;
UPDATE shardwise.move SET state = 'done';
ALTER TABLE child ADD COLUMN x int;
DELETE FROM shardwise.move;

SELECT shard, difference, object FROM shardwise.check_schema();

-- Text keys may grow.
ALTER TABLE stranger ALTER id TYPE varchar(30);
ALTER TABLE stranger ALTER id TYPE text;
ALTER TABLE stranger ALTER id TYPE varchar(40);
-- A function or type that nothing needs stays at home; one that a table needs follows.
CREATE FUNCTION shout(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)';
CREATE TYPE unused AS ENUM ('a');
ALTER TABLE child ADD COLUMN loud text GENERATED ALWAYS AS (shout(v)) STORED;
SELECT function FROM shardwise.shipped_function;
SELECT type FROM shardwise.shipped_type;
ALTER FUNCTION shout(text) PARALLEL SAFE;
SELECT shard, difference, object FROM shardwise.check_schema('d2');
-- Detached partitions are tables of their own.
ALTER TABLE parent DETACH PARTITION parent_1;
SELECT relation, kind FROM (SELECT relation, CASE WHEN keyspace_id IS NULL THEN 'reference' ELSE 'distributed' END FROM shardwise.distribution) d(relation, kind) ORDER BY relation::text;
SELECT shard, object FROM shardwise.check_schema();
SELECT * FROM shardwise.check_schema('d9');
DROP TABLE child, parent, parent_1, stranger, ref, home;
DROP FUNCTION shout(text);
DROP TYPE unused;
SELECT * FROM shardwise.shipped_function;
SELECT result FROM shardwise.run_on_shards('SELECT count(*) FROM pg_class c WHERE c.oid >= 16384 AND relkind IN (''r'', ''p'')');
SELECT shardwise.remove_shard('d1'), shardwise.remove_shard('d2');
