-- UPDATE that moves rows to which others refer by foreign keys.
-- setup
CREATE TABLE ref_kind (kind int PRIMARY KEY, name text);
INSERT INTO ref_kind VALUES (1, 'one'), (2, 'two');
CREATE TABLE ref_parent (tenant int, id int, name text, kind int REFERENCES ref_kind ON DELETE CASCADE, PRIMARY KEY (tenant, id), UNIQUE (tenant, name));
CREATE TABLE ref_child (tenant int, id int, parent int, name text, PRIMARY KEY (tenant, id),
    CONSTRAINT child_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE ref_grandchild (tenant int, id int, child int, parent_name text, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, child) REFERENCES ref_child ON UPDATE CASCADE,
    FOREIGN KEY (tenant, parent_name) REFERENCES ref_parent (tenant, name) ON UPDATE CASCADE ON DELETE SET NULL (parent_name)
        DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE ref_strict (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT strict_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent ON DELETE CASCADE);
CREATE TABLE ref_nullable (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT nullable_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent ON UPDATE SET NULL ON DELETE CASCADE);
CREATE TABLE ref_plain (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT plain_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent DEFERRABLE);
CREATE TABLE ref_late (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT late_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent ON DELETE CASCADE DEFERRABLE);
CREATE TABLE ref_held (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT held_parent FOREIGN KEY (tenant, parent) REFERENCES ref_parent ON DELETE RESTRICT DEFERRABLE);
CREATE TABLE ref_tree (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    CONSTRAINT tree FOREIGN KEY (tenant, parent) REFERENCES ref_tree);
CREATE TABLE ref_own (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_own ON UPDATE CASCADE);
CREATE TABLE ref_cascade (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_cascade ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE ref_gone (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_gone ON DELETE CASCADE);
CREATE TABLE ref_null (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_null ON UPDATE CASCADE ON DELETE SET NULL (parent));
CREATE TABLE ref_own_parts (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_own_parts ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE ref_own_part_1 PARTITION OF ref_own_parts FOR VALUES FROM (0) TO (30);
CREATE TABLE ref_own_part_2 PARTITION OF ref_own_parts DEFAULT;
CREATE TABLE ref_own_halves (parent int, id int, tenant int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_own_halves ON UPDATE CASCADE ON DELETE SET NULL (parent)) PARTITION BY HASH (id);
CREATE TABLE ref_own_half_1 PARTITION OF ref_own_halves FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ref_own_half_2 (tenant int NOT NULL, id int NOT NULL, parent int);
ALTER TABLE ref_own_halves ATTACH PARTITION ref_own_half_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE ref_parts (tenant int, id int, PRIMARY KEY (tenant, id)) PARTITION BY RANGE (id);
CREATE TABLE ref_part_1 PARTITION OF ref_parts FOR VALUES FROM (0) TO (10);
CREATE TABLE ref_part_2 (id int NOT NULL, tenant int NOT NULL, PRIMARY KEY (tenant, id));
ALTER TABLE ref_parts ATTACH PARTITION ref_part_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE ref_parts_child (tenant int, id int, parent int, PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, parent) REFERENCES ref_parts ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE ref_parts_child_1 PARTITION OF ref_parts_child DEFAULT;
CREATE TABLE ref_log (tenant int NOT NULL, told text);
CREATE FUNCTION ref_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ref_log SELECT NEW.tenant, concat_ws(' ', TG_TABLE_NAME, TG_WHEN, OLD, NEW, CASE TG_TABLE_NAME WHEN 'ref_parent' THEN (SELECT count(*) FROM ref_parent WHERE tenant = OLD.tenant) END);
    RETURN NEW;
END $$;
CREATE TRIGGER log AFTER UPDATE ON ref_parent FOR EACH ROW EXECUTE FUNCTION ref_log();
CREATE TRIGGER log AFTER UPDATE ON ref_child FOR EACH ROW EXECUTE FUNCTION ref_log();
CREATE TRIGGER stay BEFORE UPDATE ON ref_grandchild FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION suppress_redundant_updates_trigger();
INSERT INTO ref_parent SELECT i % 8, i, 'parent ' || i, 1 FROM generate_series(1, 40) i;
INSERT INTO ref_child SELECT i % 8, i * 10 + j, i, 'child' FROM generate_series(1, 40) i, generate_series(1, i % 3) j;
INSERT INTO ref_grandchild SELECT tenant, id * 10 + j, id, CASE j WHEN 1 THEN 'parent ' || parent END FROM ref_child, generate_series(1, 2) j WHERE parent < 30;
INSERT INTO ref_strict SELECT i % 8, i, i FROM generate_series(31, 32) i;
INSERT INTO ref_nullable SELECT i % 8, i, i FROM generate_series(33, 34) i;
INSERT INTO ref_plain SELECT i % 8, i, i FROM generate_series(35, 36) i;
INSERT INTO ref_late SELECT i % 8, i, i FROM generate_series(37, 38) i;
INSERT INTO ref_held SELECT i % 8, i, i FROM generate_series(39, 40) i;
INSERT INTO ref_tree SELECT i / 10, i, nullif(i / 2, 0) FROM generate_series(0, 1) i;
INSERT INTO ref_tree SELECT 2, 20 + i, nullif(20 + i / 2, 20) FROM generate_series(1, 9) i;
INSERT INTO ref_own SELECT i, i, i FROM generate_series(1, 9) i;
INSERT INTO ref_cascade SELECT t, t * 10 + i, CASE WHEN i > 1 THEN t * 10 + i / 2 END FROM generate_series(0, 4) t, generate_series(1, 9) i;
INSERT INTO ref_gone SELECT * FROM ref_cascade;
INSERT INTO ref_null SELECT * FROM ref_cascade;
INSERT INTO ref_own_parts SELECT * FROM ref_cascade;
INSERT INTO ref_own_halves SELECT parent, id, tenant FROM ref_cascade;
CREATE TRIGGER log AFTER UPDATE ON ref_own_halves FOR EACH ROW EXECUTE FUNCTION ref_log();
CREATE TRIGGER log AFTER UPDATE ON ref_cascade FOR EACH ROW EXECUTE FUNCTION ref_log();
INSERT INTO ref_parts SELECT i, i FROM generate_series(1, 19) i;
INSERT INTO ref_parts_child SELECT i, i, i FROM generate_series(1, 19) i;
-- shardwise: SELECT shardwise.create_reference_table('ref_kind')
-- shardwise: SELECT shardwise.distribute_table('ref_parent', 'tenant')
-- shardwise: SELECT shardwise.distribute_table(t, 'tenant', colocate_with => 'ref_parent') FROM unnest('{ref_child,ref_grandchild,ref_strict,ref_nullable,ref_plain,ref_late,ref_held,ref_log}'::regclass[]) t
-- shardwise: SELECT shardwise.distribute_table(t, 'tenant') FROM unnest('{ref_tree,ref_own,ref_cascade,ref_gone,ref_null,ref_own_parts,ref_own_halves,ref_parts}'::regclass[]) t
-- shardwise: SELECT shardwise.distribute_table('ref_parts_child', 'tenant', colocate_with => 'ref_parts')

-- test
-- unordered
UPDATE ref_parent SET tenant = tenant + 100 WHERE id <= 9 RETURNING *;
SELECT * FROM ref_child ORDER BY tenant, id;
SELECT told FROM ref_log ORDER BY 1;
UPDATE ref_parent SET tenant = 200, id = id + 1000, name = 'new ' || name WHERE id = 11 RETURNING *;
-- params: 201, 12
UPDATE ref_parent SET tenant = $1 WHERE id = $2;
MERGE INTO ref_parent p USING (VALUES (13, 202), (14, 203), (16, 204)) v (id, tenant) ON p.id = v.id
    WHEN MATCHED AND p.id = 14 THEN DELETE WHEN MATCHED THEN UPDATE SET tenant = v.tenant;
WITH moved AS (UPDATE ref_parent SET tenant = tenant + 100 WHERE id IN (17, 18) RETURNING id, tenant) SELECT * FROM moved;
-- Children of another one, and rows that have nowhere to go.
UPDATE ref_child SET tenant = tenant + 1 WHERE id = 201;
UPDATE ref_child SET tenant = 100, parent = 8 WHERE id = 201 RETURNING *;
UPDATE ref_parent SET tenant = tenant + 100, kind = 3 WHERE id = 22;
UPDATE ref_parent SET tenant = tenant + 100, kind = 2 WHERE id = 22 RETURNING *;
-- Unique, where the row arrives.
UPDATE ref_parent SET tenant = 1, id = 25 WHERE id = 26;
UPDATE ref_parent SET tenant = tenant + 100 WHERE id = 31;
UPDATE ref_parent SET tenant = tenant + 100 WHERE id = 33;
UPDATE ref_parent SET tenant = tenant + 100 WHERE id = 35;
UPDATE ref_parent SET tenant = tenant + 300 WHERE id = 37;
BEGIN;
SET CONSTRAINTS late_parent DEFERRED;
-- modes: simple
-- expect-refused: may be deferred and acts on DELETE
UPDATE ref_parent SET tenant = tenant + 300 WHERE id = 37;
ROLLBACK;
UPDATE ref_parent SET tenant = tenant + 600 WHERE id = 39;
BEGIN;
SET CONSTRAINTS held_parent DEFERRED;
-- modes: simple
-- expect-refused: may be deferred and acts on DELETE
UPDATE ref_parent SET tenant = tenant + 600 WHERE id = 39;
ROLLBACK;
DELETE FROM ref_held WHERE id = 40;
UPDATE ref_parent SET tenant = tenant + 400 WHERE id = 40;
DELETE FROM ref_late WHERE id = 38;
UPDATE ref_parent SET tenant = tenant + 100 WHERE id = 38;
BEGIN;
SET CONSTRAINTS plain_parent DEFERRED;
UPDATE ref_parent SET tenant = tenant + 100 WHERE id = 35;
UPDATE ref_plain SET tenant = tenant + 100 WHERE id = 35 RETURNING *;
COMMIT;
BEGIN;
UPDATE ref_parent SET tenant = tenant + 300 WHERE id IN (27, 28);
SAVEPOINT one;
UPDATE ref_parent SET tenant = tenant + 1 WHERE id IN (27, 28);
ROLLBACK TO one;
SELECT p.tenant, p.id, c.id, g.id FROM ref_parent p JOIN ref_child c ON (c.tenant, c.parent) = (p.tenant, p.id) JOIN ref_grandchild g ON (g.tenant, g.child) = (c.tenant, c.id) WHERE p.tenant > 300;
COMMIT;

UPDATE ref_tree SET tenant = 50 WHERE tenant = 2;
UPDATE ref_tree SET tenant = 51 WHERE id = 21;
UPDATE ref_tree SET tenant = 52 WHERE id IN (25, 26);
SELECT * FROM ref_tree ORDER BY id;
UPDATE ref_own SET tenant = tenant + 10 RETURNING *;
-- Children before their parents.
INSERT INTO ref_tree SELECT 3, i, nullif(i + 1, 310) FROM generate_series(300, 309) i ORDER BY i DESC;
UPDATE ref_tree SET parent = parent WHERE id = 309;
UPDATE ref_tree SET tenant = 53 WHERE tenant = 3 RETURNING *;
UPDATE ref_tree t SET tenant = 54, id = id + n FROM (VALUES (0)) v (n) WHERE tenant = 53 RETURNING t.*, id + 1;
-- Trees whose foreign key acts: rows of the statement, and others that follow or stay.
UPDATE ref_cascade SET tenant = tenant + 10 WHERE id <= 9;
SELECT * FROM ref_cascade ORDER BY tenant, id;
UPDATE ref_cascade SET tenant = 60 WHERE tenant = 2 AND id = 21;
UPDATE ref_cascade SET tenant = 61 WHERE id IN (31, 32, 35);
UPDATE ref_cascade SET tenant = 62, id = id + 1000 WHERE id = 42;
SELECT * FROM ref_cascade ORDER BY tenant, id;
UPDATE ref_gone SET tenant = 50 WHERE tenant = 2;
UPDATE ref_gone SET tenant = 51 WHERE id = 31;
UPDATE ref_gone SET tenant = 52 WHERE id IN (34, 38, 39);
UPDATE ref_gone SET tenant = 53, parent = NULL WHERE id IN (34, 38, 39);
DELETE FROM ref_gone WHERE id = 32;
SELECT * FROM ref_gone ORDER BY tenant, id;
UPDATE ref_null SET tenant = 70 WHERE id IN (21, 22);
SELECT * FROM ref_null ORDER BY tenant, id;
-- The same in partitions, whose rows may be at the same places.
UPDATE ref_own_parts SET tenant = tenant + 10;
UPDATE ref_own_parts SET tenant = 51 WHERE id = 31;
UPDATE ref_own_parts SET tenant = 52 WHERE id IN (34, 38, 39);
UPDATE ref_own_parts SET tenant = 53, parent = NULL WHERE id IN (24, 28, 29);
UPDATE ref_own_parts SET tenant = 54, id = id + 100, parent = parent + 100 WHERE tenant = 12;
UPDATE ref_own_parts SET tenant = 54, id = id + 100, parent = parent + 100 WHERE tenant = 11 AND parent IS NOT NULL;
UPDATE ref_own_part_1 SET tenant = 55 WHERE tenant = 10;
DELETE FROM ref_own_parts WHERE id = 2;
SELECT *, tableoid::regclass FROM ref_own_parts ORDER BY tenant, id;
UPDATE ref_own_halves SET tenant = tenant + 70, id = id + 10, parent = parent + 10 WHERE tenant < 2 RETURNING *;
UPDATE ref_own_halves SET tenant = 60 WHERE tenant = 2 AND id = 21;
UPDATE ref_own_halves SET tenant = 61 WHERE id IN (31, 32, 35);
UPDATE ref_own_halves SET tenant = 62, id = id + 1001 WHERE id = 42;
-- compare: sqlstate
UPDATE ref_own_half_1 SET tenant = tenant + 63;
UPDATE ref_own_half_2 SET tenant = 64 WHERE id IN (SELECT min(id) FROM ref_own_half_2 GROUP BY tenant);
SELECT *, tableoid::regclass FROM ref_own_halves ORDER BY tenant, id;

UPDATE ref_parts SET tenant = tenant + 100 WHERE id IN (1, 2, 11, 12) RETURNING *, tableoid::regclass;
UPDATE ref_part_2 SET tenant = tenant + 100 WHERE id IN (13, 14) RETURNING *;
UPDATE ref_parts SET tenant = tenant + 100, id = id + 2 WHERE id = 19;
SELECT * FROM ref_parts_child ORDER BY id;

-- teardown
DROP TABLE ref_cascade, ref_gone, ref_null, ref_own_parts, ref_own_halves, ref_parent, ref_child, ref_grandchild, ref_strict, ref_nullable, ref_plain, ref_late, ref_held, ref_tree, ref_own, ref_parts, ref_parts_child, ref_kind, ref_log;
DROP FUNCTION ref_log();
