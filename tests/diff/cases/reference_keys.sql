-- Rows of a reference table that the router looks for are found again on every copy by a key.
-- setup
CREATE TABLE codes (low int NOT NULL, high numeric NOT NULL, note text, hits int NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX codes_part ON codes (low) WHERE note IS NOT NULL;
CREATE UNIQUE INDEX codes_expression ON codes ((low::text || '/' || high::text));
INSERT INTO codes SELECT i, i + 0.50, 'code ' || i FROM generate_series(1, 20) i;
-- shardwise: SELECT shardwise.create_reference_table('codes')
-- test
-- No index finds every row.
-- expect-refused: no key without NULLs
UPDATE codes SET hits = hits + 1 FROM orders WHERE orders.order_id = codes.low;
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
-- expect-refused: no key without NULLs
DELETE FROM codes USING orders WHERE orders.order_id = codes.low;
-- teardown
DROP TABLE codes;
