-- DDL on partitioned tables, odd names, several key columns, by other roles, inside functions, and under
-- unusual search paths; and that the shards have what the router has.
-- file-modes: simple, extended, prepared
-- setup
CREATE SCHEMA "Odd DDL";
CREATE TABLE "Odd DDL"."The ""Table" ("Key Col" int, "select" text, "a;b" int, "Ünï" text DEFAULT 'ü''"', PRIMARY KEY ("Key Col", "select"));
INSERT INTO "Odd DDL"."The ""Table" SELECT i, 's' || i, -i FROM generate_series(1, 12) i;
CREATE TABLE s_root (a int NOT NULL, b text NOT NULL, at date NOT NULL, v int, PRIMARY KEY (a, b, at)) PARTITION BY RANGE (at);
CREATE TABLE s_one PARTITION OF s_root FOR VALUES FROM ('2025-01-01') TO ('2025-07-01') PARTITION BY LIST (a);
CREATE TABLE s_one_x (v int, junk int, at date NOT NULL, b text NOT NULL, a int NOT NULL);
ALTER TABLE s_one_x DROP COLUMN junk;
ALTER TABLE s_one ATTACH PARTITION s_one_x FOR VALUES IN (1, 2);
CREATE TABLE s_one_y PARTITION OF s_one DEFAULT;
CREATE TABLE s_two PARTITION OF s_root FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
INSERT INTO s_root SELECT i % 7, 'b' || i % 3, date '2025-01-01' + i * 5, i % 4 FROM generate_series(1, 70) i;
CREATE TABLE s_ref (v int PRIMARY KEY, parent int REFERENCES s_ref);
INSERT INTO s_ref VALUES (0, NULL), (1, 0), (2, 1), (3, 1);
-- shardwise: SELECT shardwise.create_reference_table('s_ref')
-- shardwise: SELECT shardwise.distribute_table('"Odd DDL"."The ""Table"', 'Key Col')
-- shardwise: SELECT shardwise.distribute_table('s_root', ARRAY['a', 'b'])
CREATE TABLE s_log (tag text);
CREATE FUNCTION s_note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.s_log VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER s_event ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE INDEX') EXECUTE FUNCTION s_note();

-- test
-- Names that need quotes.
ALTER TABLE "Odd DDL"."The ""Table" ADD COLUMN "New ""Col" int DEFAULT 5, ADD CONSTRAINT "a ""check" CHECK ("a;b" < 0), ADD UNIQUE ("Key Col", "a;b");
ALTER TABLE "Odd DDL"."The ""Table" RENAME COLUMN "Key Col" TO "Key ""Col";
ALTER TABLE "Odd DDL"."The ""Table" RENAME "select" TO "from", ALTER "from" TYPE varchar(10);
ALTER TABLE "Odd DDL"."The ""Table" RENAME "select" TO "from";
ALTER TABLE "Odd DDL"."The ""Table" ALTER "from" TYPE varchar(10) USING "from" || '"''', ALTER "a;b" SET DEFAULT 1;
CREATE INDEX "An ""index" ON "Odd DDL"."The ""Table" ("a;b" DESC NULLS LAST) INCLUDE ("from");
COMMENT ON INDEX "Odd DDL"."An ""index" IS E'a\\b ''c''';
ALTER SCHEMA "Odd DDL" RENAME TO "Odder; DDL";
INSERT INTO "Odder; DDL"."The ""Table" ("Key ""Col", "from") VALUES (99, 'x');
INSERT INTO "Odder; DDL"."The ""Table" ("Key ""Col", "from", "a;b") VALUES (99, 'x', -1) RETURNING *;
SELECT * FROM "Odder; DDL"."The ""Table" ORDER BY 1;
DROP INDEX "Odder; DDL"."An ""index";
ALTER TABLE "Odder; DDL"."The ""Table" DROP "New ""Col", DROP CONSTRAINT "a ""check";
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
-- Partitions of partitions, with columns in another order.
ALTER TABLE s_root ADD COLUMN w numeric DEFAULT 1.5, ADD CHECK (v >= 0), ADD CONSTRAINT s_fk FOREIGN KEY (v) REFERENCES s_ref;
ALTER TABLE s_root ADD CONSTRAINT s_self FOREIGN KEY (a, b, at) REFERENCES s_root;
INSERT INTO s_root VALUES (1, 'b1', '2025-03-01', 9);
INSERT INTO s_root VALUES (1, 'b1', '2025-12-30', 9);
ALTER TABLE s_root DROP CONSTRAINT s_self;
CREATE INDEX ON s_root (w, v);
CREATE INDEX s_part ON s_one (v);
CREATE INDEX s_leaf ON s_one_x (v) WHERE v > 1;
CREATE INDEX s_only ON ONLY s_root (at);
CREATE INDEX s_two_at ON s_two (at);
ALTER INDEX s_only ATTACH PARTITION s_two_at;
ALTER TABLE s_root RENAME COLUMN b TO name;
ALTER TABLE s_root RENAME COLUMN a TO tenant;
SELECT tenant, name, count(*), sum(w) FROM s_root GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM s_one_x WHERE tenant = 2 AND name = 'b1' ORDER BY at;
ALTER TABLE ONLY s_root ALTER v SET DEFAULT 2;
ALTER TABLE s_one ALTER v SET DEFAULT 3;
-- A default that has no cast to the new type goes before and another one comes after.
ALTER TABLE s_root ADD COLUMN kind text DEFAULT 'one';
ALTER TABLE s_root ALTER kind DROP DEFAULT, ALTER kind TYPE point USING point(length(kind), 1), ALTER kind SET DEFAULT '(5,6)';
ALTER TABLE s_root DROP COLUMN kind;
INSERT INTO s_root (tenant, name, at) VALUES (50, 'x', '2025-02-02') RETURNING v;
ALTER TABLE s_one_x ADD CONSTRAINT s_leaf_check CHECK (w > 0);
ALTER TABLE s_one_x ADD CHECK (v = 1);
ALTER TABLE s_root ALTER w TYPE int, ALTER v TYPE bigint;
ALTER TABLE s_root ALTER w TYPE int;
SELECT count(*), sum(w), sum(v) FROM s_root;
ALTER TABLE s_one_x DROP COLUMN w;
ALTER TABLE ONLY s_root DROP COLUMN w;
ALTER TABLE s_one DETACH PARTITION s_one_x;
SELECT count(*) FROM s_root;
SELECT count(*), min(tenant) FROM s_one_x;
ALTER TABLE s_one_x RENAME TO s_free;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
ALTER TABLE s_one ATTACH PARTITION s_free FOR VALUES IN (1, 2);
CREATE TABLE s_tree (tenant int NOT NULL, name text NOT NULL, at date NOT NULL, v bigint, w int, CONSTRAINT s_root_v_check CHECK (v >= 0)) PARTITION BY LIST (tenant);
CREATE TABLE s_tree_1 PARTITION OF s_tree FOR VALUES IN (1, 2, 3);
CREATE TABLE s_tree_2 PARTITION OF s_tree DEFAULT;
CREATE INDEX ON s_tree (v);
INSERT INTO s_tree SELECT i, 't' || i, '2026-02-01', i % 4, i FROM generate_series(1, 9) i;
ALTER TABLE s_root ATTACH PARTITION s_tree FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT count(*), sum(w) FROM s_root;
SELECT tableoid::regclass, * FROM s_root WHERE tenant = 2 AND name = 't2';
CREATE TRIGGER s_trigger BEFORE UPDATE ON s_root FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE s_tree_1 DISABLE TRIGGER s_trigger;
DROP TRIGGER s_trigger ON s_tree_1;
DROP TRIGGER s_trigger ON s_root;
ALTER TABLE s_root DROP CONSTRAINT s_fk;
ALTER TABLE s_two DROP CONSTRAINT s_root_v_check;
ALTER TABLE s_root DROP CONSTRAINT s_root_v_check;
DROP TABLE s_tree_2;
DROP INDEX s_part, s_only;
REINDEX TABLE s_two;
REINDEX INDEX s_root_pkey;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$
-- Search paths.
SET search_path = "Odder; DDL", public;
ALTER TABLE "The ""Table" ADD COLUMN here int DEFAULT length('abc');
CREATE INDEX ON "The ""Table" (here);
SET search_path = pg_temp, "Odder; DDL", pg_catalog;
CREATE FUNCTION "Odder; DDL".length(text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 77';
ALTER TABLE "The ""Table" ADD COLUMN there int DEFAULT length('abc'), ADD COLUMN gen int GENERATED ALWAYS AS (length("from")) STORED;
ALTER TABLE "The ""Table" ALTER here TYPE int USING length('x') + here + pg_catalog.length('x');
RESET search_path;
SELECT here, there, gen FROM "Odder; DDL"."The ""Table" WHERE "Key ""Col" = 3;
-- Roles and functions.
CREATE FUNCTION s_change() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    ALTER TABLE s_root ADD COLUMN by_function int DEFAULT 8;
    EXECUTE format('CREATE INDEX ON %I (by_function)', 's_root');
END $$;
SET ROLE diff_reader;
ALTER TABLE s_root ADD COLUMN denied int;
ALTER TABLE s_root RENAME TO s_denied;
TRUNCATE s_root;
REINDEX TABLE s_two;
VACUUM s_two;
COMMENT ON TABLE s_root IS 'denied';
SELECT s_change();
CREATE TABLE s_mine (k int PRIMARY KEY, v int);
-- shardwise: SELECT shardwise.distribute_table('s_mine', 'k')
INSERT INTO s_mine VALUES (1, 1);
ALTER TABLE s_mine ADD COLUMN w serial, ADD CHECK (v > 0);
CREATE INDEX ON s_mine (v);
ALTER TABLE s_mine RENAME k TO key;
SELECT * FROM s_mine;
DROP TABLE s_mine;
RESET ROLE;
SELECT sum(by_function) FROM s_root;
SELECT tag, count(*) FROM s_log GROUP BY tag ORDER BY tag;
BEGIN;
SET LOCAL lock_timeout = '5s';
ALTER TABLE s_ref ADD COLUMN note text DEFAULT 'n';
UPDATE s_ref SET note = note || v WHERE v = 2;
ALTER TABLE s_ref ALTER note SET NOT NULL, ADD UNIQUE (note, v);
SELECT * FROM s_ref ORDER BY v;
COMMIT;
ALTER TABLE s_ref DROP COLUMN parent, ALTER v TYPE bigint;
SELECT * FROM s_ref ORDER BY v;
DROP OWNED BY diff_reader;
GRANT CREATE, USAGE ON SCHEMA public TO diff_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO diff_reader;
GRANT SELECT ON totals TO diff_reader;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$

-- Local tables cannot be relatives of distributed ones.
CREATE TABLE s_single (id int PRIMARY KEY, note text);
-- shardwise: SELECT shardwise.distribute_table('s_single', 'id')
CREATE TABLE s_local (id int NOT NULL, note text);
CREATE TABLE s_parts (id int NOT NULL, note text) PARTITION BY LIST (note);
-- expect-refused: inherit
ALTER TABLE s_local INHERIT s_single;
-- expect-refused: attach
ALTER TABLE s_parts ATTACH PARTITION s_single DEFAULT;
ALTER TABLE s_parts ATTACH PARTITION s_local DEFAULT;
ALTER TABLE s_parts ATTACH PARTITION s_nowhere FOR VALUES IN ('a');
CREATE FOREIGN DATA WRAPPER s_wrapper;
CREATE SERVER s_server FOREIGN DATA WRAPPER s_wrapper;
-- expect-refused: inherit
CREATE FOREIGN TABLE s_foreign () INHERITS (s_single) SERVER s_server;
DROP FOREIGN DATA WRAPPER s_wrapper CASCADE;
DROP TABLE s_single, s_parts;
-- An index of the partitioned table alone.
CREATE TABLE s_parts (id int NOT NULL) PARTITION BY LIST (id);
-- shardwise: SELECT shardwise.distribute_table('s_parts', 'id')
CREATE TABLE s_part PARTITION OF s_parts FOR VALUES IN (1);
ALTER TABLE ONLY s_parts ADD CONSTRAINT s_parts_key PRIMARY KEY (id);
ALTER TABLE ONLY s_part ADD CONSTRAINT s_part_key PRIMARY KEY (id);
ALTER INDEX s_parts_key ATTACH PARTITION s_part_key;
INSERT INTO s_parts VALUES (1), (1);
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ'; END IF; END $$
DROP TABLE s_parts;

-- teardown
DROP EVENT TRIGGER s_event;
DROP TABLE s_root, s_ref, s_log CASCADE;
DROP SCHEMA "Odder; DDL" CASCADE;
DROP FUNCTION s_note();
DROP FUNCTION s_change();
