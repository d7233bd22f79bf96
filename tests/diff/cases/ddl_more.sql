-- What DDL makes of distributed tables on the router: copies of definitions and rows, rules, views; names
-- in other schemas; changes that a transaction may not use yet; several kinds of objects in one DROP.
-- file-modes: simple, extended, prepared
-- setup
CREATE SCHEMA m_schema;
CREATE TYPE m_mood AS ENUM ('low', 'high');
CREATE FUNCTION m_twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TABLE m_ref (code text PRIMARY KEY, label text);
INSERT INTO m_ref SELECT 'c' || i, 'label ' || i FROM generate_series(1, 5) i;
CREATE TABLE m_main (id int PRIMARY KEY, name text NOT NULL DEFAULT 'none' CHECK (name <> ''), v int UNIQUE DEFERRABLE, mood m_mood DEFAULT 'low', ser serial, g int GENERATED ALWAYS AS (m_twice(id)) STORED);
ALTER TABLE m_main DROP CONSTRAINT m_main_v_key;
CREATE INDEX m_name ON m_main (lower(name)) WHERE v > 3;
INSERT INTO m_main (id, name, v) SELECT i, 'name ' || i, i % 7 FROM generate_series(1, 30) i;
CREATE TABLE m_log (id int, what text);
CREATE TABLE m_audit (id int PRIMARY KEY, what text);
CREATE TABLE m_part (id int NOT NULL, at date NOT NULL, v int) PARTITION BY RANGE (at);
-- shardwise: SELECT shardwise.create_reference_table('m_ref')
-- shardwise: SELECT shardwise.distribute_table('m_main', 'id')
-- shardwise: SELECT shardwise.distribute_table('m_part', 'id', colocate_with => 'm_main')
-- shardwise: SELECT shardwise.distribute_table('m_audit', 'id', colocate_with => 'm_main')

-- test
-- Copies.
CREATE TABLE m_like (LIKE m_main INCLUDING ALL);
INSERT INTO m_like (id, name) VALUES (1, 'one') RETURNING *;
CREATE TABLE m_like_2 (LIKE m_main INCLUDING DEFAULTS EXCLUDING GENERATED, extra int);
INSERT INTO m_like_2 (id) VALUES (1) RETURNING id, name, v, mood, g, extra;
CREATE TABLE m_as AS SELECT id, name, count(*) OVER () FROM m_main WHERE id < 5;
SELECT * FROM m_as ORDER BY id;
CREATE TABLE m_as_2 (a, b) AS TABLE m_ref WITH NO DATA;
SELECT count(*) FROM m_as_2;
SELECT id, sum(v) AS total INTO m_into FROM m_main GROUP BY id HAVING id % 5 = 0;
SELECT * FROM m_into ORDER BY id;
CREATE TABLE IF NOT EXISTS m_as AS SELECT 1;
PREPARE m_prepared AS SELECT id, name FROM m_main WHERE id = $1;
CREATE TABLE m_execute AS EXECUTE m_prepared(7);
SELECT * FROM m_execute;
DEALLOCATE m_prepared;
CREATE TEMP TABLE m_temp ON COMMIT DROP AS SELECT * FROM m_main;
CREATE MATERIALIZED VIEW m_mat AS SELECT mood, count(*) FROM m_main GROUP BY mood;
CREATE UNIQUE INDEX m_mat_mood ON m_mat (mood);
UPDATE m_main SET mood = 'high' WHERE id = 3;
REFRESH MATERIALIZED VIEW CONCURRENTLY m_mat;
SELECT * FROM m_mat ORDER BY mood;
DROP TABLE m_like, m_like_2, m_as, m_as_2, m_into, m_execute;
-- Views, replaced and altered.
CREATE VIEW m_view AS SELECT id, name FROM m_main WHERE v > 2;
CREATE OR REPLACE VIEW m_view AS SELECT id, name, v FROM m_main WHERE v > 3;
ALTER VIEW m_view RENAME COLUMN name TO title;
ALTER VIEW m_view ALTER title SET DEFAULT 'by view';
INSERT INTO m_view (id, v) VALUES (40, 5) RETURNING *;
ALTER VIEW m_view SET (check_option = local);
INSERT INTO m_view (id, v) VALUES (41, 1);
ALTER TABLE m_main RENAME COLUMN name TO called;
SELECT * FROM m_view WHERE id = 40;
ALTER TABLE m_main ALTER called TYPE varchar(50);
DROP VIEW m_view;
ALTER TABLE m_main ALTER called TYPE varchar(50);
-- Rules: the router rewrites.
CREATE RULE m_also AS ON UPDATE TO m_main WHERE NEW.v <> OLD.v DO ALSO INSERT INTO m_log VALUES (OLD.id, OLD.v || '->' || NEW.v);
UPDATE m_main SET v = 100 WHERE id = 4;
UPDATE m_main SET v = v + 1 WHERE id IN (5, 6, 7);
SELECT * FROM m_log ORDER BY id, what;
CREATE RULE m_instead AS ON DELETE TO m_main DO INSTEAD UPDATE m_main SET v = -1 WHERE id = OLD.id;
DELETE FROM m_main WHERE id = 8;
SELECT id, v FROM m_main WHERE id = 8;
ALTER TABLE m_main DISABLE RULE m_also;
UPDATE m_main SET v = 101 WHERE id = 4;
ALTER TABLE m_main ENABLE RULE m_also;
ALTER RULE m_also ON m_main RENAME TO m_logged;
COMMENT ON RULE m_logged ON m_main IS 'logs';
DELETE FROM m_log;
DROP RULE m_instead ON m_main;
DROP RULE m_logged ON m_main;
CREATE RULE m_nothing AS ON INSERT TO m_main WHERE NEW.id > 1000 DO INSTEAD NOTHING;
INSERT INTO m_main (id) VALUES (1001), (50);
SELECT id FROM m_main WHERE id >= 50;
DROP RULE m_nothing ON m_main;
CREATE RULE m_ref_rule AS ON UPDATE TO m_ref DO ALSO INSERT INTO m_log SELECT length(NEW.label), NEW.code;
UPDATE m_ref SET label = 'new' WHERE code = 'c2';
SELECT * FROM m_log;
DROP RULE m_ref_rule ON m_ref;
INSERT INTO m_audit VALUES (14, 'before');
CREATE RULE m_audited AS ON UPDATE TO m_main DO ALSO INSERT INTO m_audit VALUES (NEW.id, OLD.v || ' ' || NEW.called) ON CONFLICT (id) DO UPDATE SET what = m_audit.what || ', ' || excluded.what;
CREATE RULE m_kept AS ON DELETE TO m_main WHERE OLD.v = 3 DO INSTEAD NOTHING;
CREATE RULE m_small AS ON INSERT TO m_main WHERE NEW.v > 500 DO INSTEAD INSERT INTO m_audit SELECT NEW.id, 'too big' || count(*) FROM m_ref;
UPDATE m_main SET v = v + 2, called = 'changed' WHERE id IN (11, 14);
UPDATE m_main SET called = upper(called) WHERE id = 11;
DELETE FROM m_main WHERE id IN (3, 10);
INSERT INTO m_main (id, v) VALUES (60, 600), (61, 1);
INSERT INTO m_main (id, v) VALUES (62, 600);
INSERT INTO m_main (id, v) VALUES (63, 6);
INSERT INTO m_main (id, v) SELECT 70 + id, 499 + id FROM m_main WHERE id < 4 ORDER BY id;
SELECT * FROM m_audit ORDER BY id;
SELECT id, called, v FROM m_main WHERE id > 40 OR id IN (3, 10, 11, 14) ORDER BY id;
DROP RULE m_audited ON m_main;
DROP RULE m_kept ON m_main;
DROP RULE m_small ON m_main;
-- Enums: a new value may not be used in its transaction.
BEGIN;
ALTER TYPE m_mood ADD VALUE 'middle' AFTER 'low';
UPDATE m_main SET mood = 'middle' WHERE id = 1;
ROLLBACK;
ALTER TYPE m_mood ADD VALUE 'middle' AFTER 'low';
ALTER TYPE m_mood ADD VALUE IF NOT EXISTS 'middle';
ALTER TYPE m_mood ADD VALUE 'middle';
UPDATE m_main SET mood = 'middle' WHERE id = 1;
SELECT mood, count(*) FROM m_main GROUP BY mood ORDER BY mood;
-- Statements that were planned before, under the old names.
INSERT INTO m_main (id, v) VALUES (100001, 1001) RETURNING mood;
-- once
PREPARE m_put (int) AS INSERT INTO m_main (id, v) VALUES ($1, $1) RETURNING mood;
EXECUTE m_put (100002);
ALTER TYPE m_mood RENAME VALUE 'low' TO 'down';
INSERT INTO m_main (id, v) VALUES (100003, 1003) RETURNING mood;
EXECUTE m_put (100004);
ALTER TYPE m_mood RENAME TO m_humour;
INSERT INTO m_main (id, v) VALUES (100005, 1005) RETURNING mood;
EXECUTE m_put (100006);
ALTER TYPE m_humour SET SCHEMA m_schema;
INSERT INTO m_main (id, v) VALUES (100007, 1007) RETURNING mood;
EXECUTE m_put (100008);
ALTER TYPE m_schema.m_humour SET SCHEMA public;
ALTER TYPE m_humour RENAME TO m_mood;
ALTER TYPE m_mood RENAME VALUE 'down' TO 'low';
DELETE FROM m_main WHERE id > 100000;
DEALLOCATE m_put;
-- Partitions in other schemas; tablespaces.
CREATE TABLE m_schema.m_part_1 PARTITION OF m_part (v DEFAULT 5, CHECK (v > 0)) FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE m_part_2 PARTITION OF m_part FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') PARTITION BY LIST (v);
CREATE TABLE m_part_2_a PARTITION OF m_part_2 FOR VALUES IN (1, 2);
CREATE TABLE m_bad PARTITION OF m_part FOR VALUES FROM ('2025-01-15') TO ('2025-02-05');
INSERT INTO m_part (id, at) VALUES (1, '2025-01-05');
INSERT INTO m_schema.m_part_1 (id, at) VALUES (1, '2025-01-05') RETURNING v;
INSERT INTO m_part (id, at, v) VALUES (2, '2025-02-05', 1), (3, '2025-01-05', 7), (4, '2025-02-05', 3);
ALTER TABLE m_schema.m_part_1 SET SCHEMA public;
ALTER SCHEMA m_schema RENAME TO m_other;
ALTER TABLE m_part SET SCHEMA m_other;
SELECT tableoid::regclass, * FROM m_other.m_part ORDER BY id;
ALTER TABLE m_other.m_part SET TABLESPACE pg_default;
ALTER TABLE ALL IN TABLESPACE pg_default OWNED BY CURRENT_USER SET TABLESPACE pg_default;
ALTER INDEX m_name SET TABLESPACE pg_default;
ALTER TABLE m_other.m_part RENAME TO m_parted;
ALTER TABLE m_other.m_parted ADD CONSTRAINT m_check CHECK (v < 100) NOT VALID;
ALTER TABLE m_other.m_parted RENAME CONSTRAINT m_check TO m_checked;
ALTER TABLE m_part_1 DROP CONSTRAINT m_checked;
ALTER TABLE m_other.m_parted VALIDATE CONSTRAINT m_checked;
-- Several kinds in one DROP, by CASCADE.
CREATE FUNCTION m_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := m_twice(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER m_before BEFORE INSERT ON m_main FOR EACH ROW EXECUTE FUNCTION m_trigger();
CREATE POLICY m_policy ON m_main USING (m_twice(id) > 0);
CREATE STATISTICS m_stats ON (m_twice(v)), id FROM m_main;
CREATE INDEX m_twice_index ON m_main (m_twice(v));
ALTER TABLE m_main ADD CONSTRAINT m_twice_check CHECK (m_twice(id) < 100000);
DROP FUNCTION m_twice(int);
DROP FUNCTION m_twice(int), m_trigger() CASCADE;
INSERT INTO m_main (id, v) VALUES (200000, 7) RETURNING id, v, mood;
DROP TYPE m_mood CASCADE;
SELECT * FROM m_main WHERE id = 200000;
DROP SCHEMA m_other;
DROP SCHEMA m_other CASCADE;
SELECT count(*) FROM m_part_1;
-- shardwise: DO $$ BEGIN IF EXISTS (SELECT FROM shardwise.check_schema()) THEN RAISE 'schemas differ: %', (SELECT string_agg(concat_ws(' ', shard, difference, object, router_definition, shard_definition), E'\n') FROM shardwise.check_schema()); END IF; END $$

-- teardown
DROP TABLE m_main, m_ref, m_log, m_audit CASCADE;
DROP TABLE IF EXISTS m_part_1;
