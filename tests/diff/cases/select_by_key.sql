-- Reading by key: how the key may be written, and what may surround it.
SELECT name, balance FROM customers WHERE customer_id = 7;
SELECT * FROM customers WHERE 7 = customer_id;
-- params: 7
SELECT * FROM customers WHERE customer_id = $1;
-- params: 7::int8
SELECT * FROM customers WHERE customer_id = $1;
-- params: 7::int4
SELECT * FROM customers WHERE customer_id = $1;
-- params: 7::int2
SELECT * FROM customers WHERE customer_id = $1;
-- params: NULL::int8
SELECT * FROM customers WHERE customer_id = $1;
-- params: 3, 'customer 3'
SELECT * FROM customers WHERE customer_id = $1 AND name = $2;
-- params: 'customer 3', 3, 4
SELECT * FROM customers WHERE name = $1 AND customer_id = $2 AND region < $3;
-- params: 'not a number'
SELECT * FROM customers WHERE customer_id = $1;
SELECT * FROM customers WHERE customer_id = 99999;
SELECT * FROM customers WHERE customer_id = 9223372036854775807;
SELECT * FROM customers WHERE customer_id = 9223372036854775808;
SELECT * FROM customers WHERE customer_id = NULL;
SELECT * FROM customers WHERE customer_id IS NULL;
SELECT * FROM customers WHERE customer_id = 5 AND false;
SELECT * FROM customers WHERE false;
SELECT * FROM customers WHERE customer_id = 5 AND customer_id = 6;
SELECT * FROM customers WHERE customer_id = 5 AND customer_id = 5;
SELECT * FROM customers WHERE (customer_id) = (5) AND (region = 0 OR balance > 1);

-- Expressions as keys.
SELECT name FROM customers WHERE customer_id = 3 + 4;
SELECT name FROM customers WHERE customer_id = abs(-9);
SELECT name FROM customers WHERE customer_id = length('seven')::int;
SELECT name FROM customers WHERE customer_id = (SELECT 8);
SELECT name FROM customers WHERE customer_id = '12';
SELECT name FROM customers WHERE customer_id = '12'::bigint;
SELECT name FROM customers WHERE customer_id = 12::smallint;
SELECT name FROM customers WHERE customer_id = 12.0::int;
-- params: 4, 5
SELECT name FROM customers WHERE customer_id = $1::int + $2::int;
-- params: 10
SELECT name FROM customers WHERE customer_id = coalesce($1, 3);
-- params: 10
SELECT name FROM customers WHERE customer_id = CASE WHEN $1 > 5 THEN 11 ELSE 12 END;
-- Stable: decided at execution.
SELECT name FROM customers WHERE customer_id = extract(day FROM date '2025-05-09' + current_time - current_time)::int;
SELECT day, device FROM by_date WHERE day = date_trunc('day', timestamptz '2025-02-03 12:00')::date ORDER BY device;
SELECT key FROM by_text WHERE key = lower(current_user) || '-key';
SELECT name FROM customers WHERE customer_id = current_setting('diff.key', true)::bigint;
SET diff.key = '15';
SELECT name FROM customers WHERE customer_id = current_setting('diff.key')::bigint;
RESET diff.key;

-- IN, ANY, OR over one shard's keys.
SELECT name FROM customers WHERE customer_id IN (4);
SELECT name FROM customers WHERE customer_id IN (4, 4, 4);
SELECT name FROM customers WHERE customer_id = ANY ('{4}');
SELECT name FROM customers WHERE customer_id = ANY (ARRAY[4, 4]);
-- params: '{9}'
SELECT name FROM customers WHERE customer_id = ANY ($1);
-- params: '{9,9,NULL}'::int8[]
SELECT name FROM customers WHERE customer_id = ANY ($1);
-- params: '{}'::int8[]
SELECT name FROM customers WHERE customer_id = ANY ($1);
-- params: NULL::int8[]
SELECT name FROM customers WHERE customer_id = ANY ($1);
SELECT name FROM customers WHERE customer_id = 4 OR customer_id = 4;
SELECT name FROM customers WHERE (customer_id = 4 AND region = 4) OR (customer_id = 4 AND region = 3);
SELECT name FROM customers WHERE customer_id IN (4, NULL);
SELECT reading FROM by_date WHERE day IN ('2025-01-03', '2025-01-04') AND device = 1 ORDER BY day;
SELECT n, word FROM by_number WHERE n IN (2, 4, 6) ORDER BY n;
SELECT n, word FROM by_number WHERE n = ANY ('{30,22,24}') ORDER BY n DESC;

-- Row comparisons.
SELECT * FROM orders WHERE (customer_id, order_id) = (5, 64);
SELECT * FROM orders WHERE (order_id, customer_id) = (64, 5);
SELECT * FROM by_pair WHERE (tenant, code) = (3, 'code 2');
SELECT * FROM by_pair WHERE (tenant, code) IN ((3, 'code 2'));
-- params: 3, 'code 2'
SELECT * FROM by_pair WHERE (tenant, code) = ($1, $2);
SELECT order_id FROM orders WHERE customer_id = 5 AND (amount, order_id) > (10, 100) ORDER BY order_id;

-- Every output shape.
SELECT FROM customers WHERE customer_id = 7;
SELECT customer_id, customer_id, name AS customer_id FROM customers WHERE customer_id = 7;
SELECT 1 AS "?column?", 2, 'x' AS "", NULL FROM customers WHERE customer_id = 7 AND name <> '';
SELECT c FROM customers c WHERE customer_id = 7;
SELECT c.*, c FROM customers c WHERE c.customer_id = 7;
SELECT (c).name, (c.*) IS NOT NULL FROM customers c WHERE customer_id = 7;
SELECT ROW(customer_id, name), ROW(customer_id, name, 1.5) = ROW(7, 'customer 7', 1.5) FROM customers WHERE customer_id = 7;
SELECT tableoid::regclass FROM customers WHERE customer_id = 7;
-- compare: shape
SELECT ctid, xmin, cmin, xmax FROM customers WHERE customer_id = 7;
SELECT count(*) FROM customers WHERE customer_id = 7;
SELECT count(*) FROM customers WHERE customer_id = -7;
SELECT max(customer_id), min(name) FROM customers WHERE customer_id = -7;
SELECT EXISTS (SELECT FROM customers WHERE customer_id = 7), EXISTS (SELECT FROM customers WHERE customer_id = -7);
SELECT (SELECT name FROM customers WHERE customer_id = 7);
SELECT ARRAY(SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id DESC);
TABLE local_notes;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM items ORDER BY item_id;

-- Sorting, limits.
SELECT * FROM orders WHERE customer_id = 7 ORDER BY amount DESC, order_id LIMIT 3;
SELECT * FROM orders WHERE customer_id = 7 ORDER BY order_id OFFSET 2;
SELECT * FROM orders WHERE customer_id = 7 ORDER BY order_id LIMIT NULL OFFSET NULL;
SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY -order_id LIMIT 1 + 1;
SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id LIMIT (SELECT 2);
-- params: 7, 2, 1
SELECT order_id FROM orders WHERE customer_id = $1 ORDER BY order_id LIMIT $2 OFFSET $3;
-- params: 7, -1
SELECT order_id FROM orders WHERE customer_id = $1 ORDER BY order_id LIMIT $2;
SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY amount % 3, 1 FETCH FIRST 2 ROWS ONLY;
SELECT status, order_id FROM orders WHERE customer_id = 7 ORDER BY status USING >, order_id;
SELECT status FROM orders WHERE customer_id = 7 ORDER BY amount NULLS FIRST, order_id DESC NULLS LAST;
SELECT amount FROM orders WHERE customer_id = 7 ORDER BY amount DESC FETCH FIRST 1 ROW WITH TIES;
SELECT DISTINCT status FROM orders WHERE customer_id = 7 ORDER BY status;
SELECT DISTINCT ON (status) status, order_id FROM orders WHERE customer_id = 7 ORDER BY status, order_id DESC;
