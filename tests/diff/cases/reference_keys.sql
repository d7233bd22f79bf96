-- Rows of a reference table that the router looks for are found again on every copy by a key.
-- setup
CREATE TABLE codes (low int NOT NULL, high numeric NOT NULL, note text, hits int NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX codes_part ON codes (low) WHERE note IS NOT NULL;
CREATE UNIQUE INDEX codes_expression ON codes ((low::text || '/' || high::text));
INSERT INTO codes SELECT i, i + 0.50, 'code ' || i FROM generate_series(1, 20) i;
CREATE TABLE pile (a int, note text, f float8, list jsonb);
INSERT INTO pile SELECT i % 7, 'note ' || i % 7, i % 7 / 3.0, '[1, null]' FROM generate_series(1, 20) i;
INSERT INTO pile VALUES (NULL, NULL, 'NaN', NULL), (NULL, '', '-0', '""'), (1, 'other', 1 / 3.0, '{}');
CREATE TABLE slots (a int, b int, note text, hits int DEFAULT 0);
CREATE UNIQUE INDEX slots_open ON slots (a, b);
CREATE UNIQUE INDEX slots_free ON slots (b) WHERE note IS NULL;
INSERT INTO slots SELECT i, nullif(i % 4, 0), 'slot' FROM generate_series(1, 12) i;
INSERT INTO slots VALUES (NULL, 2, 'slot'), (NULL, 2, 'slot'), (50, 50, NULL);
CREATE TABLE split (a int, note text, hits int CHECK (hits < 1000), fs float4[], at point) PARTITION BY RANGE (a);
CREATE TABLE split_low PARTITION OF split FOR VALUES FROM (MINVALUE) TO (5);
CREATE TABLE split_high (at point, fs float4[], hits int, gone int, note text, a int, CONSTRAINT split_hits_check CHECK (hits < 1000));
ALTER TABLE split_high DROP COLUMN gone;
ALTER TABLE split ATTACH PARTITION split_high DEFAULT;
INSERT INTO split SELECT i % 9, 'split', i % 2, ARRAY[0.1, i % 3], point(0.1, i % 3) FROM generate_series(1, 40) i;
CREATE VIEW few AS SELECT * FROM split WHERE hits < (SELECT max(order_id) FROM orders) WITH CHECK OPTION;
-- shardwise: SELECT shardwise.create_reference_table('codes'), shardwise.create_reference_table('pile'), shardwise.create_reference_table('slots'), shardwise.create_reference_table('split')
-- test
-- No index finds every row: they are told apart by their texts and numbers.
UPDATE codes SET hits = hits + 1 FROM orders WHERE orders.order_id = codes.low RETURNING codes.*;
CREATE UNIQUE INDEX codes_key ON codes (low, high) INCLUDE (note);
-- params: 15
UPDATE codes SET hits = hits + 1 FROM (SELECT DISTINCT order_id FROM orders WHERE order_id < $1) o WHERE o.order_id = codes.low RETURNING codes.low, codes.hits;
UPDATE codes SET high = high + 1 WHERE low IN (SELECT item_id FROM orders) RETURNING *;
DELETE FROM codes USING (SELECT max(order_id) AS last FROM orders WHERE order_id < 10) o WHERE codes.low = o.last;
MERGE INTO codes USING (SELECT DISTINCT item_id FROM orders) o ON o.item_id = codes.low WHEN MATCHED THEN UPDATE SET note = NULL WHEN NOT MATCHED THEN INSERT VALUES (o.item_id, 0, 'new', 1);
SELECT * FROM codes ORDER BY low, high;
-- A column that may be NULL keeps the key from finding its row.
DROP INDEX codes_key;
CREATE UNIQUE INDEX codes_open ON codes (low, note);
DELETE FROM codes USING orders WHERE orders.order_id = codes.low;
-- Equal rows, of which some are changed.
DELETE FROM pile WHERE ctid = (SELECT min(ctid) FROM pile WHERE a = 1);
UPDATE pile p SET note = 'twin ' || q.note FROM pile q WHERE p.ctid > q.ctid AND p.a = q.a AND p.a < 4 AND q.ctid = (SELECT min(ctid) FROM pile r WHERE r.a = p.a) RETURNING p.*;
SELECT * FROM pile ORDER BY a, note, f, list::text;
DELETE FROM pile p USING pile q WHERE p.ctid > q.ctid AND p.a IS NOT DISTINCT FROM q.a;
DELETE FROM pile WHERE xmin IS NULL OR ctid IS NULL;
SELECT * FROM pile ORDER BY a;
INSERT INTO pile SELECT * FROM pile CROSS JOIN generate_series(1, 2) s (s_) WHERE false;
INSERT INTO pile SELECT p.* FROM pile p, generate_series(1, 2);
-- params: 2
WITH counted AS (SELECT count(*) AS n FROM orders) UPDATE pile SET f = f + n * $1, list = list || '{"x": "\"y"}' FROM counted WHERE pile.a < 3 RETURNING a, list;
MERGE INTO pile USING (SELECT DISTINCT item_id FROM orders) o ON o.item_id = pile.a WHEN MATCHED AND a < 4 THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (o.item_id, 'merged', 0.1, NULL);
SELECT * FROM pile ORDER BY a, note, f, list::text;
BEGIN;
SET LOCAL extra_float_digits = -3;
DELETE FROM pile USING (SELECT max(order_id) AS last FROM orders) o WHERE pile.f = 0.1 AND pile.a < o.last;
ROLLBACK;
-- Several statements change rows that are told apart by nothing but their places.
MERGE INTO pile USING orders ON order_id = a WHEN MATCHED AND a = 5 THEN DELETE WHEN MATCHED AND a = 6 AND f IS NULL THEN DO NOTHING WHEN MATCHED THEN UPDATE SET note = 'x' WHEN NOT MATCHED AND order_id < 12 THEN INSERT VALUES (order_id, 'merged', -0.0, '[]');
SELECT * FROM pile ORDER BY a, note, f, list::text;
MERGE INTO pile USING orders ON item_id = a WHEN MATCHED THEN UPDATE SET note = 'y';
-- Equal rows in several parts of WITH: each changes once.
INSERT INTO pile SELECT 20, 'equal', 0.1 FROM generate_series(1, 9);
WITH gone AS (DELETE FROM pile WHERE ctid = ANY (ARRAY(SELECT ctid FROM pile WHERE a = 20 ORDER BY ctid LIMIT 3)) RETURNING a), changed AS (UPDATE pile SET note = note || '!' FROM (SELECT count(*) AS n FROM orders) o WHERE a = 20 AND n > 0 AND ctid = ANY (ARRAY(SELECT ctid FROM pile WHERE a = 20 ORDER BY ctid OFFSET 3)) RETURNING note) SELECT (SELECT count(*) FROM gone), note FROM changed;
WITH added AS (INSERT INTO pile SELECT 20, 'equal', 0.1 FROM generate_series(1, 2) RETURNING a), changed AS (UPDATE pile p SET note = 'first' FROM added WHERE p.a = added.a AND p.note = 'equal!' RETURNING p.note) MERGE INTO pile USING (VALUES (20)) v (a) ON pile.a = v.a AND pile.note = 'equal' WHEN MATCHED THEN DELETE;
WITH first AS (UPDATE pile SET f = f + 1 WHERE a = 20 RETURNING *) DELETE FROM pile USING first WHERE pile.a = first.a - 19;
SELECT * FROM pile ORDER BY a, note, f, list::text;
WITH first AS (UPDATE pile SET note = 'once' WHERE a < 3 RETURNING a), second AS (UPDATE pile SET note = 'twice' WHERE a < 4 RETURNING a), third AS (DELETE FROM pile WHERE a < 5 RETURNING a) SELECT 1, a FROM first UNION ALL SELECT 2, a FROM second UNION ALL SELECT 3, a FROM third;
SELECT * FROM pile ORDER BY a, note, f, list::text;
-- The index over which ON CONFLICT arbitrates does not find every row.
INSERT INTO slots SELECT item_id, item_id % 4, max(order_id)::text FROM orders GROUP BY item_id ON CONFLICT (a, b) DO UPDATE SET hits = slots.hits + (SELECT count(*) FROM orders o WHERE o.item_id = slots.a), note = excluded.note WHERE slots.a > 2 RETURNING *;
INSERT INTO slots VALUES (7, 50, NULL), (8, 51, NULL) ON CONFLICT (b) WHERE note IS NULL DO UPDATE SET hits = (SELECT count(*) FROM orders o WHERE o.item_id > slots.hits) RETURNING *;
INSERT INTO slots VALUES (NULL, 2, 'slot'), (1, 1, 'twice'), (1, 1, 'twice') ON CONFLICT (a, b) DO UPDATE SET hits = (SELECT count(*) FROM orders o WHERE o.item_id = slots.a);
SELECT * FROM slots ORDER BY a, b, note, hits;
-- Partitions, whose rows may share a place, and a check for each row.
UPDATE split SET a = a + 1, note = 'moved' FROM (SELECT DISTINCT item_id FROM orders) o WHERE o.item_id = split.a RETURNING split.*, tableoid::regclass;
DELETE FROM split WHERE a IN (SELECT item_id FROM orders WHERE item_id > 8);
MERGE INTO split USING (SELECT DISTINCT item_id FROM orders) o ON o.item_id = split.a WHEN MATCHED AND a = 3 THEN DELETE WHEN MATCHED AND hits = 1 THEN UPDATE SET a = 10 - a WHEN NOT MATCHED THEN INSERT VALUES (o.item_id, 'new', 0);
UPDATE few SET hits = hits + (SELECT count(*) FROM orders WHERE item_id = few.a) WHERE a = 5 RETURNING *;
UPDATE few SET hits = 500 FROM (SELECT max(order_id) AS last FROM orders) o WHERE a < last;
UPDATE split_low SET hits = hits + order_id FROM orders WHERE order_id = a;
-- compare: sqlstate
UPDATE split SET hits = hits + order_id * 1000 FROM orders WHERE order_id = a;
WITH low AS (UPDATE split SET a = a + 10 WHERE a < 4 RETURNING a), high AS (DELETE FROM split WHERE a > 2 RETURNING a) SELECT * FROM low UNION ALL SELECT -a FROM high;
BEGIN;
SET LOCAL extra_float_digits = -3;
UPDATE split SET fs[1] = fs[1] + 1e-7, at = at + point(1e-15, 0) WHERE ctid IN (SELECT min(ctid) FROM split GROUP BY a);
DELETE FROM split USING (SELECT max(order_id) AS last FROM orders) o WHERE split.fs[1] > 0.1 OR a > last;
COMMIT;
SELECT * FROM split ORDER BY a, note, hits, fs, at::text;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM pile WHERE a = 6 FOR UPDATE;
FETCH c;
DELETE FROM pile WHERE CURRENT OF c RETURNING a;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM pile WHERE a = 20 AND note = 'first' FOR UPDATE;
FETCH c;
-- expect-refused: WHERE CURRENT OF and another part of WITH
WITH others AS (DELETE FROM pile WHERE a < 4) DELETE FROM pile WHERE CURRENT OF c;
COMMIT;
-- Under policies, which hide some of the equal rows or none.
ALTER TABLE pile ENABLE ROW LEVEL SECURITY;
CREATE POLICY pile_seen ON pile USING (a < 15 AND note <> 'hidden') WITH CHECK (a < 12);
GRANT ALL ON pile TO diff_reader;
INSERT INTO pile SELECT a, note, 2.5 FROM (VALUES (9, 'hidden'), (9, 'shown'), (13, 'shown')) v (a, note), generate_series(1, 3);
SET ROLE diff_reader;
MERGE INTO pile USING (VALUES (9, 1), (13, 2)) v (a, n) ON pile.a = v.a WHEN MATCHED AND n = 1 THEN UPDATE SET note = 'merged' WHEN MATCHED THEN DELETE;
WITH gone AS (DELETE FROM pile WHERE a = 9 AND ctid = (SELECT min(ctid) FROM pile WHERE a = 9) RETURNING a), set AS (UPDATE pile SET f = f + (SELECT count(*) FROM pile WHERE a = 9) WHERE a = 9 RETURNING a, f) SELECT * FROM gone UNION ALL SELECT a + f FROM set;
UPDATE pile SET a = o.item_id FROM (SELECT 14 AS item_id) o WHERE pile.a = 9 AND pile.ctid IN (SELECT max(ctid) FROM pile);
UPDATE pile SET a = item_id + 12 FROM (SELECT max(item_id) AS item_id FROM orders) o WHERE pile.a = 9;
RESET ROLE;
SELECT * FROM pile WHERE a > 8 ORDER BY a, note, f, list::text;
-- teardown
DROP VIEW few;
DROP TABLE codes, pile, slots, split;
