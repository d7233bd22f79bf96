-- Rows of a reference table that the router looks for are found again on every copy by a key.
-- setup
CREATE TABLE codes (low int NOT NULL, high numeric NOT NULL, note text, hits int NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX codes_part ON codes (low) WHERE note IS NOT NULL;
CREATE UNIQUE INDEX codes_expression ON codes ((low::text || '/' || high::text));
INSERT INTO codes SELECT i, i + 0.50, 'code ' || i FROM generate_series(1, 20) i;
CREATE TABLE pile (a int, note text, f float8, list jsonb);
INSERT INTO pile SELECT i % 7, 'note ' || i % 7, i % 7 / 3.0, '[1, null]' FROM generate_series(1, 20) i;
INSERT INTO pile VALUES (NULL, NULL, 'NaN', NULL), (NULL, '', '-0', '""'), (1, 'other', 1 / 3.0, '{}');
-- shardwise: SELECT shardwise.create_reference_table('codes'), shardwise.create_reference_table('pile')
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
-- expect-refused: no key without NULLs
MERGE INTO pile USING orders ON order_id = a WHEN MATCHED AND a = 5 THEN DELETE WHEN MATCHED THEN UPDATE SET note = 'x';
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM pile WHERE a = 6 FOR UPDATE;
FETCH c;
DELETE FROM pile WHERE CURRENT OF c RETURNING a;
COMMIT;
-- teardown
DROP TABLE codes, pile;
