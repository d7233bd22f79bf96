-- UPDATE that moves rows to other shards, and triggers that write.
-- setup
CREATE TABLE trig_log (
    tenant int NOT NULL, name text, place text, told text, old_row text, new_row text, depth int, rows bigint
);
CREATE TABLE trig_total (tenant int PRIMARY KEY, rows int, value int);
CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trig_log VALUES (
        CASE WHEN TG_OP = 'DELETE' OR (TG_ARGV[0] = 'old' AND TG_OP <> 'INSERT') THEN OLD.tenant ELSE NEW.tenant END, TG_NAME, TG_TABLE_NAME,
        concat_ws(' ', TG_OP, TG_WHEN, TG_LEVEL, TG_NARGS, TG_ARGV[0]),
        CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END,
        pg_trigger_depth());
    IF TG_WHEN = 'AFTER' THEN
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN OLD.body NOT LIKE 'stays%' THEN OLD END;
    ELSIF TG_OP = 'INSERT' THEN
        RETURN CASE WHEN NEW.body NOT LIKE 'vanishes%' THEN NEW END;
    END IF;
    IF NEW.body LIKE 'jumps%' THEN
        NEW.tenant := NEW.tenant + 1;
    END IF;
    NEW.body := NEW.body || '+';
    RETURN NEW;
END $$;
CREATE FUNCTION keep_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE trig_total SET rows = rows - 1, value = value - OLD.value WHERE tenant = OLD.tenant;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE trig_total SET rows = rows + 1, value = value + NEW.value WHERE tenant = NEW.tenant;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION see_earlier() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.seen := (SELECT count(*) FROM trig_seen WHERE tenant > 100);
    RETURN NEW;
END $$;
CREATE FUNCTION see_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trig_log (tenant, name, place, told, old_row, new_row, depth, rows)
    SELECT n.tenant, TG_NAME, TG_TABLE_NAME, concat_ws(' ', TG_OP, TG_WHEN, TG_LEVEL), o::text, n::text, pg_trigger_depth(), n.value - o.value
    FROM old_rows o JOIN new_rows n USING (id);
    RETURN NULL;
END $$;
CREATE TABLE trig (tenant int, id int, body text, value int, length int GENERATED ALWAYS AS (length(body)) STORED, PRIMARY KEY (tenant, id));
CREATE TRIGGER b_log BEFORE UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION log_row('old');
CREATE TRIGGER a_log AFTER UPDATE OF tenant, value ON trig FOR EACH ROW WHEN (OLD.value < 30) EXECUTE FUNCTION log_row('new');
CREATE TRIGGER b_totals AFTER UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION keep_totals();
CREATE TRIGGER c_changes AFTER UPDATE ON trig REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION see_changes();
CREATE TRIGGER d_off AFTER UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION log_row('off');
ALTER TABLE trig DISABLE TRIGGER d_off;
INSERT INTO trig SELECT i % 6, i, 'row ' || i, i FROM generate_series(1, 40) i;
CREATE TABLE trig_seen (tenant int NOT NULL, id int, seen int);
CREATE TRIGGER see BEFORE UPDATE OF tenant ON trig_seen FOR EACH ROW WHEN (OLD.tenant IS DISTINCT FROM NEW.tenant) EXECUTE FUNCTION see_earlier();
INSERT INTO trig_seen SELECT i, i, 0 FROM generate_series(1, 9) i;
INSERT INTO trig_total SELECT i, count(id), coalesce(sum(value), 0) FROM generate_series(0, 120) i LEFT JOIN trig ON tenant = i GROUP BY i;

-- Partitions by something else than the key, one with its columns in another order.
CREATE TABLE trig_parts (tenant int, id int, body text, value int, part int, PRIMARY KEY (tenant, id, part)) PARTITION BY LIST (part);
CREATE TABLE trig_part_1 PARTITION OF trig_parts FOR VALUES IN (1);
CREATE TABLE trig_part_2 (part int NOT NULL, gone int, value int, body text, id int NOT NULL, tenant int NOT NULL, PRIMARY KEY (tenant, id, part));
ALTER TABLE trig_part_2 DROP COLUMN gone;
ALTER TABLE trig_parts ATTACH PARTITION trig_part_2 FOR VALUES IN (2);
CREATE TRIGGER b_log BEFORE UPDATE ON trig_parts FOR EACH ROW EXECUTE FUNCTION log_row('old');
CREATE TRIGGER a_log AFTER UPDATE ON trig_parts FOR EACH ROW EXECUTE FUNCTION log_row('new');
CREATE TRIGGER own_log AFTER UPDATE ON trig_part_2 FOR EACH ROW WHEN (NEW.value > OLD.part) EXECUTE FUNCTION log_row('part');
INSERT INTO trig_parts SELECT i, i, 'row', i, 1 + i % 2 FROM generate_series(1, 20) i;

-- Triggers for everything: of a row that moves, those on UPDATE fire alone.
CREATE TABLE trig_all (tenant int, id int, body text, value int, PRIMARY KEY (tenant, id));
CREATE TABLE trig_all_log (tenant int NOT NULL, told text, old_row text, new_row text);
CREATE TABLE trig_all_total (tenant int PRIMARY KEY, rows int, value int);
CREATE FUNCTION log_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        INSERT INTO trig_all_log SELECT tenant, 'statement', NULL, id::text FROM new_rows;
        RETURN NULL;
    END IF;
    INSERT INTO trig_all_log VALUES (
        CASE WHEN TG_OP = 'DELETE' OR TG_OP || TG_WHEN = 'UPDATEBEFORE' THEN OLD.tenant ELSE NEW.tenant END, concat_ws(' ', TG_NAME, TG_OP, TG_WHEN),
        CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END);
    IF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN OLD.body NOT LIKE '%sticks%' THEN OLD END;
    ELSIF TG_OP = 'INSERT' AND NEW.body LIKE '%vanishes%' THEN
        RETURN NULL;
    END IF;
    IF TG_WHEN = 'BEFORE' THEN
        NEW.body := NEW.body || '/' || lower(left(TG_OP, 1));
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION all_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE trig_all_total SET rows = rows - 1, value = value - OLD.value WHERE tenant = OLD.tenant;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE trig_all_total SET rows = rows + 1, value = value + NEW.value WHERE tenant = NEW.tenant;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION log_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO trig_all_log VALUES (1, concat_ws(' ', TG_NAME, TG_OP, TG_WHEN, TG_ARGV[0], TG_ARGV[1]));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION log_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trig_log (tenant, name, told, old_row, new_row, rows) SELECT coalesce(NEW.tenant, OLD.tenant), TG_NAME, TG_OP, OLD::text, NEW::text,
        CASE TG_OP WHEN 'UPDATE' THEN (SELECT sum(value) FROM trig_late WHERE tenant IN (OLD.tenant, NEW.tenant)) END;
    IF NEW.value = 666 THEN
        RAISE EXCEPTION 'late: %', OLD.value;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER b_log BEFORE INSERT OR UPDATE OR DELETE ON trig_all FOR EACH ROW EXECUTE FUNCTION log_all();
CREATE TRIGGER a_log AFTER INSERT OR UPDATE OR DELETE ON trig_all FOR EACH ROW EXECUTE FUNCTION log_all();
CREATE TRIGGER a_totals AFTER INSERT OR UPDATE OR DELETE ON trig_all FOR EACH ROW EXECUTE FUNCTION all_totals();
CREATE TRIGGER c_log AFTER UPDATE ON trig_all REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_all();
CREATE TRIGGER d_log AFTER INSERT ON trig_all REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_all();
CREATE TRIGGER e_log BEFORE UPDATE OR DELETE OR INSERT ON trig_all FOR EACH STATEMENT WHEN (current_setting('enable_seqscan') = 'on' AND current_setting('enable_sort') <> 'x') EXECUTE FUNCTION log_statement(' EXECUTE FUNCTION ', 'it''s');

-- Partitions and triggers for everything: of a row that goes to another partition, those on DELETE and INSERT fire, too.
CREATE TABLE trig_every (tenant int, id int, body text, value int, part int, PRIMARY KEY (tenant, id, part)) PARTITION BY LIST (part);
CREATE TABLE trig_every_1 PARTITION OF trig_every FOR VALUES IN (1);
CREATE TABLE trig_every_2 PARTITION OF trig_every FOR VALUES IN (2);
CREATE TRIGGER b_log BEFORE INSERT OR UPDATE OR DELETE ON trig_every FOR EACH ROW EXECUTE FUNCTION log_row('old');
CREATE TRIGGER a_log AFTER INSERT OR UPDATE OR DELETE ON trig_every FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION log_row('new');
ALTER TABLE trig_every DISABLE TRIGGER USER;
INSERT INTO trig_every SELECT i, i, CASE i WHEN 11 THEN 'stays' WHEN 12 THEN 'vanishes' ELSE 'row' END, i, 1 + i % 2 FROM generate_series(1, 20) i;
ALTER TABLE trig_every ENABLE TRIGGER USER;

-- Deferred triggers fire at COMMIT, once.
CREATE TABLE trig_late (tenant int, id int, value int, PRIMARY KEY (tenant, id));
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON trig_late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION log_late();
CREATE CONSTRAINT TRIGGER soon AFTER INSERT OR UPDATE OR DELETE ON trig_late DEFERRABLE FOR EACH ROW EXECUTE FUNCTION log_late();
INSERT INTO trig_late SELECT i, i, i FROM generate_series(1, 20) i;
ALTER TABLE trig_all DISABLE TRIGGER USER;
INSERT INTO trig_all SELECT i, i, CASE i WHEN 3 THEN 'sticks' WHEN 4 THEN 'vanishes' ELSE 'row' END, i FROM generate_series(1, 29) i;
INSERT INTO trig_all_total SELECT i, count(id), coalesce(sum(value), 0) FROM generate_series(0, 60) i LEFT JOIN trig_all ON tenant = i GROUP BY i;
ALTER TABLE trig_all ENABLE TRIGGER USER;
-- shardwise: SELECT shardwise.distribute_table(t, 'tenant') FROM unnest('{trig,trig_seen,trig_log,trig_total,trig_parts,trig_every,trig_late}'::regclass[]) t
-- shardwise: SELECT shardwise.distribute_table('trig_all', 'tenant', 'range', splits => '{10,20}'), shardwise.distribute_table('trig_all_log', 'tenant', colocate_with => 'trig_all'), shardwise.distribute_table('trig_all_total', 'tenant', colocate_with => 'trig_all')

-- Triggers that insert into a table whose numbers are drawn: on the shards, or for a row that moves on the router.
CREATE TABLE trig_source (tenant int, id int, value int, PRIMARY KEY (tenant, id));
CREATE TABLE trig_numbered (tenant int NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, number bigserial, told text, part int DEFAULT 1, PRIMARY KEY (tenant, id, part)) PARTITION BY LIST (part);
CREATE TABLE trig_numbered_1 PARTITION OF trig_numbered FOR VALUES IN (1);
CREATE FUNCTION tell_number() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    drawn record;
BEGIN
    INSERT INTO trig_numbered (tenant, told) VALUES (NEW.tenant, TG_OP || NEW.value) RETURNING * INTO drawn;
    INSERT INTO trig_numbered (tenant, told) SELECT NEW.tenant, 'again' || NEW.value WHERE drawn.id > 0 AND drawn.number > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON trig_source FOR EACH ROW EXECUTE FUNCTION tell_number();
-- shardwise: SELECT shardwise.distribute_table('trig_source', 'tenant', colocate_with => 'trig'), shardwise.distribute_table('trig_numbered', 'tenant', colocate_with => 'trig')

-- test
-- unordered
UPDATE trig SET tenant = tenant + 100, value = value + 1 WHERE id <= 10 RETURNING tenant, id, body, value, length;
UPDATE trig_seen SET tenant = tenant + 100;
SELECT seen FROM trig_seen ORDER BY 1;
UPDATE trig_seen SET seen = 0;
SELECT * FROM trig_log ORDER BY 1, 2, 5, 6;
SELECT t.tenant FROM trig_total t LEFT JOIN trig USING (tenant) GROUP BY 1, rows, t.value HAVING rows <> count(id) OR t.value <> coalesce(sum(trig.value), 0);
UPDATE trig SET tenant = 50, body = 'jumps' WHERE id = 11 RETURNING *;
UPDATE trig SET tenant = tenant + 1, body = 'jumps' WHERE id IN (14, 15, 16);
-- params: 7, 12
UPDATE trig SET tenant = $1 WHERE id = $2;
UPDATE trig SET tenant = v.t FROM (VALUES (13, 60), (17, 61), (18, 62), (18, 62)) v (i, t) WHERE id = v.i RETURNING trig.*, v.*;
WITH moved AS (UPDATE trig SET tenant = tenant + 70 WHERE id IN (19, 20) RETURNING *) SELECT m.id, m.tenant, m.body FROM moved m;
MERGE INTO trig t USING (VALUES (21, 80), (22, 81), (23, 82), (24, 4), (999, 83)) v (id, tenant) ON t.id = v.id
    WHEN MATCHED AND v.id = 22 THEN DELETE
    WHEN MATCHED AND v.id = 23 THEN UPDATE SET tenant = v.tenant, value = t.value + 5
    WHEN MATCHED THEN UPDATE SET tenant = v.tenant
    WHEN NOT MATCHED THEN INSERT VALUES (v.tenant, v.id, 'merged', 0);
BEGIN;
SAVEPOINT one;
UPDATE trig SET tenant = tenant + 90 WHERE id IN (25, 26);
ROLLBACK TO one;
UPDATE trig SET tenant = tenant + 91 WHERE id IN (25, 26);
ROLLBACK;
-- The second is where the first is to go.
UPDATE trig SET tenant = 3, id = 27 WHERE id IN (28, 29);
SELECT name, told, old_row, new_row, rows FROM trig_log ORDER BY 1, 2, 3, 4;

UPDATE trig_parts SET tenant = tenant + 100 WHERE id <= 4 RETURNING *, tableoid::regclass;
UPDATE trig_parts SET tenant = tenant + 100, part = 3 - part WHERE id IN (5, 6) RETURNING *, tableoid::regclass;
UPDATE trig_part_2 SET tenant = tenant + 100 WHERE id IN (7, 8) RETURNING *;
UPDATE trig_part_2 SET tenant = tenant + 100, part = 1 WHERE id IN (9, 10);
MERGE INTO trig_parts t USING generate_series(11, 14) i ON t.id = i WHEN MATCHED THEN UPDATE SET tenant = t.tenant + 100, part = CASE i WHEN 11 THEN 3 - part ELSE part END;
UPDATE trig_parts SET tenant = tenant + 100, part = 3 WHERE id = 15;
SELECT * FROM trig_log WHERE place LIKE 'trig_part%' ORDER BY 1, 2, 5, 6;

-- Rows that move, and rows that stay.
UPDATE trig_all SET tenant = tenant + 10, value = value + 1 WHERE tenant BETWEEN 1 AND 6 RETURNING *;
UPDATE trig_all SET tenant = tenant + 5 WHERE tenant BETWEEN 7 AND 12 RETURNING *;
UPDATE trig_all SET tenant = 8 WHERE tenant = 7 RETURNING *;
UPDATE trig_all SET tenant = tenant + 10 WHERE id = 0;
UPDATE trig_all SET tenant = tenant + 10 WHERE tenant BETWEEN 17 AND 19 RETURNING *;
MERGE INTO trig_all t USING generate_series(20, 23) i ON t.id = i WHEN MATCHED AND id = 22 THEN DELETE WHEN MATCHED THEN UPDATE SET tenant = t.tenant - 20;
WITH a AS (UPDATE trig_all SET tenant = tenant + 1 WHERE id IN (24, 25) RETURNING *), b AS (DELETE FROM trig_all WHERE id = 26 RETURNING *) SELECT * FROM a UNION ALL SELECT * FROM b;
SELECT * FROM trig_all ORDER BY id;
SELECT told, old_row, new_row FROM trig_all_log ORDER BY 1, 2, 3;
SELECT t.tenant FROM trig_all_total t LEFT JOIN trig_all USING (tenant) GROUP BY 1, rows, t.value HAVING rows <> count(id) OR t.value <> coalesce(sum(trig_all.value), 0);

UPDATE trig_every SET tenant = tenant + 100 WHERE id <= 4 RETURNING *, tableoid::regclass;
UPDATE trig_every SET tenant = tenant + 100, part = 3 - part WHERE id IN (5, 6) RETURNING *, tableoid::regclass;
UPDATE trig_every SET tenant = tenant + id % 2 * 50, part = CASE WHEN id < 9 THEN part ELSE 3 - part END WHERE id BETWEEN 7 AND 10;
UPDATE trig_every SET tenant = tenant + 100, part = 3 - part WHERE id IN (11, 12);
UPDATE trig_every SET tenant = tenant + 200 WHERE id IN (11, 12);
INSERT INTO trig_every VALUES (1, 21, 'new', 1, 1);
DELETE FROM trig_every WHERE id = 13;
SELECT * FROM trig_every ORDER BY id;
SELECT * FROM trig_log WHERE place LIKE 'trig_every%' ORDER BY 1, 2, 5, 6;

BEGIN;
UPDATE trig_late SET tenant = tenant + 100 WHERE id <= 4;
SELECT name, told, old_row, new_row, rows FROM trig_log WHERE name IN ('late', 'soon') ORDER BY 1, 2, 3, 4;
UPDATE trig_late SET value = value + 1 WHERE id <= 2;
SAVEPOINT one;
UPDATE trig_late SET tenant = tenant + 100 WHERE id = 5;
ROLLBACK TO one;
UPDATE trig_late SET tenant = tenant + 101, value = 7 WHERE id IN (6, -6);
COMMIT;
BEGIN;
UPDATE trig_late SET tenant = tenant + 100 WHERE id = 7;
SET CONSTRAINTS late IMMEDIATE;
SELECT name, told, old_row, new_row, rows FROM trig_log WHERE name IN ('late', 'soon') ORDER BY 1, 2, 3, 4;
SET CONSTRAINTS ALL DEFERRED;
UPDATE trig_late SET tenant = tenant + 100 WHERE id = 8;
COMMIT;
UPDATE trig_late SET tenant = tenant + 100, value = 666 WHERE id = 9;
BEGIN;
UPDATE trig_late SET tenant = tenant + 100, value = 666 WHERE id = 10;
ALTER TABLE trig_late ADD COLUMN other int;
ROLLBACK;
SELECT name, told, old_row, new_row, rows FROM trig_log WHERE name IN ('late', 'soon') ORDER BY 1, 2, 3, 4;
SELECT * FROM trig_late ORDER BY id;

INSERT INTO trig_source SELECT i % 7, i, i FROM generate_series(1, 30) i;
UPDATE trig_source SET value = value + 100 WHERE id <= 20;
UPDATE trig_source SET tenant = tenant + 20, value = value + 200 WHERE id BETWEEN 10 AND 15;
INSERT INTO trig_numbered (tenant, told) SELECT i, 'direct' FROM generate_series(1, 9) i;
INSERT INTO trig_numbered (tenant, told) VALUES (1, 'direct'), (2, 'direct');
INSERT INTO trig_numbered (tenant, number, told) OVERRIDING USER VALUE VALUES (3, -777, 'kept') RETURNING number;
INSERT INTO trig_numbered (tenant, id, told) VALUES (4, 1000000, 'refused');
INSERT INTO trig_numbered (tenant, id, told) OVERRIDING SYSTEM VALUE VALUES (4, 1000000, 'kept') RETURNING id;
-- compare: sqlstate
INSERT INTO trig_numbered (tenant, number) VALUES (4, NULL);
COPY trig_numbered (tenant, told) FROM STDIN;
5	copied
6	copied
\.
SELECT tenant, told, part FROM trig_numbered ORDER BY 1, 2;
SELECT count(*), count(DISTINCT id), count(DISTINCT number) FROM trig_numbered WHERE number > 0;
SELECT id < 1000000 AND number < 1000000 FROM trig_numbered WHERE told IN ('direct', 'copied');
ALTER TABLE trig_numbered ALTER number DROP DEFAULT, ALTER number DROP NOT NULL, ALTER id DROP IDENTITY, ALTER id SET DEFAULT -1;
DELETE FROM trig_numbered;
UPDATE trig_source SET value = 0 WHERE id = 1 AND value < 0;
ALTER TABLE trig_numbered ALTER id DROP DEFAULT, ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;
UPDATE trig_source SET value = value + 1;
SELECT count(*), count(DISTINCT id), count(number) FROM trig_numbered;
DROP TABLE trig_numbered;

-- teardown
DROP TABLE trig_source;
DROP FUNCTION tell_number();
DROP TABLE trig_every, trig_late, trig, trig_seen, trig_log, trig_total, trig_parts, trig_all, trig_all_log, trig_all_total;
DROP FUNCTION log_row(), keep_totals(), see_earlier(), see_changes(), log_all(), all_totals(), log_statement(), log_late();
