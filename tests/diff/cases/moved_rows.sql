-- UPDATE that moves rows to other shards, and triggers that act on it without writing.
-- setup
CREATE ROLE diff_mover;
GRANT USAGE ON SCHEMA public TO diff_mover;
-- shardwise: CREATE USER MAPPING FOR diff_mover SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_mover SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_mover SERVER s3 OPTIONS (user 'postgres', password_required 'false');
CREATE FUNCTION touch() RETURNS trigger STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body = 'stays' THEN
        RETURN NULL;
    ELSIF NEW.body = 'jumps' THEN
        NEW.tenant := NEW.tenant + 1;
    END IF;
    NEW.changes := OLD.changes + 1;
    NEW.body := format('%s (from %s to %s)', NEW.body, OLD.tenant, NEW.tenant);
    RETURN NEW;
END $$;
CREATE FUNCTION look() RETURNS trigger STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body LIKE 'fails%' THEN
        RAISE EXCEPTION 'seen after: %', NEW.body;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION touch_and_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE DOMAIN moving_rank AS int NOT NULL CHECK (value > 0);
CREATE TYPE moving_pair AS (a int, b text);
CREATE TABLE moving (
    tenant int, gone text, id int, body text, changes int DEFAULT 0,
    number int GENERATED ALWAYS AS IDENTITY, length int GENERATED ALWAYS AS (length(body)) STORED,
    tags text[], rank moving_rank DEFAULT 1, pair moving_pair DEFAULT (1, '"'), PRIMARY KEY (tenant, id), CHECK (changes < 4)
);
ALTER TABLE moving DROP COLUMN gone;
CREATE TRIGGER touch BEFORE UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER look AFTER UPDATE OF tenant ON moving FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION look();
CREATE TRIGGER redundant BEFORE UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
INSERT INTO moving (tenant, id, body, tags) SELECT i % 6, i, 'row ' || i, ARRAY['a', NULL, i::text] FROM generate_series(1, 30) i;
ALTER TABLE moving ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON moving TO diff_mover USING (tenant < 20) WITH CHECK (tenant < 20 AND body NOT LIKE '%forbidden%' AND length < 40);
GRANT SELECT, UPDATE ON moving TO diff_mover;

CREATE TABLE moving_writer (tenant int, id int, PRIMARY KEY (tenant, id));
CREATE TRIGGER touch BEFORE UPDATE ON moving_writer FOR EACH ROW EXECUTE FUNCTION touch_and_write();
CREATE TABLE moving_late (tenant int, id int, PRIMARY KEY (tenant, id));
CREATE CONSTRAINT TRIGGER look AFTER UPDATE ON moving_late DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touch_and_write();
CREATE TABLE moving_both (tenant int, id int, body text, changes int, PRIMARY KEY (tenant, id));
CREATE TRIGGER touch BEFORE UPDATE ON moving_both FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER look AFTER INSERT ON moving_both FOR EACH ROW EXECUTE FUNCTION look();
CREATE TABLE moving_child (tenant int, id int, body text, changes int, PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, id) REFERENCES moving_both);
CREATE TRIGGER touch BEFORE UPDATE ON moving_child FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE moving_parts (tenant int, id int, body text, changes int, PRIMARY KEY (tenant, id)) PARTITION BY RANGE (id);
CREATE TABLE moving_part PARTITION OF moving_parts FOR VALUES FROM (0) TO (100);
CREATE TRIGGER touch BEFORE UPDATE ON moving_parts FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO moving_writer SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO moving_late SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO moving_both SELECT i + j, i, 'x', 0 FROM generate_series(1, 9) i, unnest(ARRAY[0, 10]) j;
INSERT INTO moving_child SELECT i, i, 'x', 0 FROM generate_series(1, 9) i;
INSERT INTO moving_parts SELECT i, i, 'x', 0 FROM generate_series(1, 9) i;
-- shardwise: SELECT shardwise.distribute_table(t, 'tenant') FROM unnest('{moving,moving_writer,moving_late,moving_both,moving_parts}'::regclass[]) t
-- shardwise: SELECT shardwise.distribute_table('moving_child', 'tenant', colocate_with => 'moving_both')

-- test
-- unordered
UPDATE moving SET tenant = 11 WHERE tenant = 1 AND id = 7 RETURNING *;
UPDATE moving SET tenant = tenant + 10, body = 'moved' WHERE id BETWEEN 8 AND 13 RETURNING *;
-- params: 12, 'by parameter', 14
UPDATE moving SET tenant = $1, body = $2 WHERE id = $3 RETURNING tenant, body, changes, number, length, tags;
UPDATE moving SET tenant = tenant + 10, rank = rank + 1 WHERE id = 15;
UPDATE moving SET tenant = tenant + 10, rank = nullif(tenant, 10 + id) WHERE id IN (14, 15);
UPDATE moving m SET tenant = v.tenant, body = v.body FROM (VALUES (16, 3, 'joined'), (17, 5, 'stays'), (18, 7, 'jumps'), (16, 9, 'twice')) v (id, tenant, body) WHERE m.id = v.id AND v.tenant < 9 RETURNING m.*, v.tenant, v.body, m.tableoid::regclass;
UPDATE moving SET tenant = 30, body = 'jumps' WHERE tenant = 1 RETURNING *;
UPDATE moving SET tenant = tenant + id - id, body = 'jumps' WHERE id IN (6, 23, 24) RETURNING *, (SELECT count(*) FROM customers);
UPDATE moving SET tenant = tenant + 1, body = 'stays';
UPDATE moving SET tenant = tenant + 1, body = 'fails' WHERE id = 20;
UPDATE moving SET tenant = tenant + 1, id = -id WHERE id IN (20, 21) RETURNING *;
UPDATE moving SET tenant = tenant, body = body WHERE id = 22 RETURNING *;
-- A unique key, and a constraint, where the row arrives.
UPDATE moving SET tenant = 3, id = 9 WHERE id = 28;
UPDATE moving SET tenant = 2, id = 26 WHERE id = 28;
UPDATE moving SET tenant = tenant + 1, changes = 7 WHERE id = 28;
UPDATE moving SET tenant = NULL WHERE id = 28;
UPDATE moving SET tenant = tenant + 1 WHERE id = 28;
UPDATE moving SET tenant = tenant + 1 WHERE id = 28;
UPDATE moving SET tenant = tenant + 1 WHERE id = 28;
UPDATE moving SET tenant = tenant + 1 WHERE id = 28;
WITH moved AS (UPDATE moving SET tenant = tenant + 100 WHERE id IN (29, 30) RETURNING *) SELECT m.id, m.tenant, m.body FROM moved m;
BEGIN;
SAVEPOINT one;
UPDATE moving SET tenant = tenant + 1 WHERE id IN (2, 3) RETURNING *;
ROLLBACK TO one;
UPDATE moving SET tenant = tenant + 2 WHERE id IN (2, 3) RETURNING *;
COMMIT;

-- The policy looks at the row as the triggers leave it.
SET ROLE diff_mover;
UPDATE moving SET tenant = tenant + 1, body = 'mine' WHERE id IN (4, 5) RETURNING *;
UPDATE moving SET tenant = tenant + 1, body = 'forbidden' WHERE id IN (4, 5);
UPDATE moving SET tenant = 19, body = 'jumps' WHERE id = 5;
UPDATE moving SET tenant = 7, body = 'this becomes longer than forty' WHERE id = 5;
UPDATE moving SET tenant = 8 WHERE tenant > 20 RETURNING *;
RESET ROLE;

UPDATE moving_writer SET tenant = tenant + 10;
UPDATE moving_late SET tenant = tenant + 10;
UPDATE moving_both SET tenant = tenant + 10 WHERE tenant > 10;
UPDATE moving_child SET tenant = tenant + 10;
UPDATE moving_parts SET tenant = tenant + 10;
MERGE INTO moving m USING generate_series(1, 19) v (id) ON m.id = v.id WHEN MATCHED THEN UPDATE SET tenant = m.tenant + 50;
SELECT * FROM moving ORDER BY id, tenant;

-- teardown
DROP TABLE moving, moving_writer, moving_late, moving_child, moving_both, moving_parts;
DROP FUNCTION touch(), look(), touch_and_write();
DROP DOMAIN moving_rank;
DROP TYPE moving_pair;
-- shardwise: DROP USER MAPPING FOR diff_mover SERVER s1; DROP USER MAPPING FOR diff_mover SERVER s2; DROP USER MAPPING FOR diff_mover SERVER s3;
REVOKE ALL ON SCHEMA public FROM diff_mover;
DROP ROLE diff_mover;
