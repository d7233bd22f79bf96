-- Which rows and columns come back from several shards (CORRECTNESS 9, 14 to 16, 20, 21).
SELECT * FROM everything ORDER BY id;
SELECT e, e::text, doms, comp, comps, (comp).street, r4, mr, tv FROM everything ORDER BY id;
SELECT comp, count(*) FROM everything GROUP BY comp ORDER BY comp;
SELECT max(r4), range_agg(r4), array_agg(e ORDER BY id), array_agg(comp ORDER BY id) FROM everything;
SELECT everything FROM everything WHERE id < 3 ORDER BY id;
SELECT row(id, t), row_to_json(x) FROM (SELECT id, t, e FROM everything) x ORDER BY id;
SELECT to_jsonb(c) FROM customers c ORDER BY customer_id LIMIT 3;
SELECT c FROM customers c ORDER BY c.customer_id LIMIT 3;
SELECT c.*, c FROM customers c ORDER BY 1 LIMIT 2;
SELECT (c).name, (c.*)::text FROM customers c ORDER BY c.customer_id LIMIT 2;
SELECT (x.c).name FROM (SELECT c FROM customers c) x ORDER BY 1;
SELECT h, h.* FROM holes h ORDER BY id;
SELECT holes FROM holes ORDER BY id LIMIT 3;
SELECT count(h), max(h::text) FROM holes h;
SELECT customer_id, customer_id, name, name FROM customers ORDER BY 1 LIMIT 3;
SELECT 1 AS a, 2 AS a, customer_id AS a FROM customers ORDER BY customer_id LIMIT 3;
SELECT o.*, c.* FROM customers c JOIN orders o USING (customer_id) ORDER BY o.order_id LIMIT 3;
SELECT * FROM customers c JOIN orders o USING (customer_id) ORDER BY o.order_id LIMIT 3;
SELECT count(*) FROM (SELECT FROM orders) x;
SELECT FROM customers;
SELECT FROM customers ORDER BY customer_id LIMIT 4;
SELECT FROM orders GROUP BY status;
SELECT DISTINCT FROM orders;
SELECT tableoid::regclass FROM customers ORDER BY customer_id LIMIT 2;
SELECT tableoid::regclass::text, count(*) FROM events GROUP BY 1 ORDER BY 1;
SELECT o.tableoid = 'orders'::regclass, count(*) FROM orders o GROUP BY 1;
SELECT count(ctid), bool_and(xmin IS NOT NULL) FROM orders;
SELECT DISTINCT tableoid::regclass::text FROM (SELECT tableoid FROM orders UNION ALL SELECT tableoid FROM customers) x ORDER BY 1;
SELECT * FROM events ORDER BY id;
SELECT kind, count(*), min(at) FROM events GROUP BY kind ORDER BY 1;
SELECT count(*) FROM events_january;
SELECT e.id, f.id FROM events e JOIN events f ON f.id = e.id + 1 AND f.kind > e.kind ORDER BY 1;
SELECT "select", "a;b" FROM "Odd Schema"."Odd ""Table" ORDER BY "Key Column" DESC;
SELECT sum("a;b") AS "a ""sum", count(*) AS "select" FROM "Odd Schema"."Odd ""Table";

-- No row, no shard, NULL, several keys.
SELECT * FROM customers WHERE false;
SELECT count(*) FROM customers WHERE false;
SELECT * FROM customers WHERE NULL;
SELECT * FROM customers WHERE customer_id IS NULL;
SELECT * FROM customers WHERE customer_id = NULL;
SELECT count(*) FROM customers WHERE customer_id <> NULL;
SELECT * FROM customers WHERE customer_id IN (NULL);
SELECT name FROM customers WHERE customer_id IN (1, NULL, 5) ORDER BY 1;
SELECT name FROM customers WHERE customer_id NOT IN (1, NULL, 5) ORDER BY 1;
SELECT count(*) FROM customers WHERE customer_id NOT IN (1, 5);
SELECT name FROM customers WHERE customer_id IN (1, 2, 3, 4, 5, 6, 7) ORDER BY customer_id;
SELECT name FROM customers WHERE customer_id = ANY ('{3,1,2,3}') ORDER BY customer_id DESC;
SELECT name FROM customers WHERE customer_id = ANY (ARRAY[3, 1, 2 + 2]) ORDER BY customer_id;
SELECT name FROM customers WHERE customer_id = 3 OR customer_id = 4 OR customer_id = 5 ORDER BY 1;
SELECT name FROM customers WHERE customer_id = 3 OR region = 2 ORDER BY 1;
SELECT name FROM customers WHERE (customer_id = 3 AND region = 3) OR (customer_id = 4 AND region = 1) OR customer_id = 9 ORDER BY 1;
SELECT name FROM customers WHERE NOT customer_id = 3 ORDER BY customer_id LIMIT 5;
SELECT name FROM customers WHERE customer_id BETWEEN 10 AND 15 ORDER BY 1;
SELECT name FROM customers WHERE customer_id = -5 OR customer_id = -6;
SELECT count(*) FROM customers WHERE customer_id > 1000;
SELECT word FROM by_number WHERE n BETWEEN -3 AND 22 ORDER BY n;
SELECT word FROM by_number WHERE n < 0 ORDER BY n;
SELECT word FROM by_number WHERE n IN (-20, 0, 20, 40) ORDER BY n;
SELECT count(*) FROM by_number WHERE n > 1000;
SELECT id, body FROM by_tenant WHERE tenant IN ('acme', 'umbrella', 'nobody') ORDER BY tenant, id;
SELECT tenant, max(body) FROM by_tenant GROUP BY tenant ORDER BY 1;
SELECT body FROM by_tenant WHERE tenant > 'b' ORDER BY 1;
SELECT seen FROM by_pair WHERE tenant IN (1, 2) AND code IN ('code 1', 'code 2') ORDER BY 1;
SELECT seen FROM by_pair WHERE (tenant, code) IN ((1, 'code 1'), (2, 'code 2'), (3, 'none')) ORDER BY 1;
SELECT seen FROM by_pair WHERE tenant = 3 ORDER BY 1;
SELECT seen FROM by_pair WHERE (tenant, code) > (5, 'code 8') ORDER BY tenant, code;
SELECT payload FROM by_uuid WHERE id IN (md5('1')::uuid, md5('2')::uuid, md5('7')::uuid) ORDER BY id;
SELECT count(*) FROM by_uuid WHERE payload -> 'tags' ? 'a';
SELECT max(id::text), min(payload::text) FROM by_uuid;
-- params: 3, 9
SELECT name FROM customers WHERE customer_id IN ($1, $2, 11) ORDER BY 1;
-- params: '{4,9,NULL,12}'::bigint[]
SELECT name FROM customers WHERE customer_id = ANY ($1) ORDER BY 1;
-- params: NULL::bigint[]
SELECT name FROM customers WHERE customer_id = ANY ($1) ORDER BY 1;
-- params: NULL::bigint, 4
SELECT name FROM customers WHERE customer_id = $1 OR customer_id = $2;
-- params: NULL::bigint
SELECT count(*) FROM customers WHERE customer_id = $1 OR $1 IS NULL;
-- params: 3
SELECT count(*) FROM customers WHERE customer_id = $1 OR $1 IS NULL;
-- params: 30, 'paid'
SELECT count(*) FROM orders WHERE amount > $1 AND status = $2;
CREATE TABLE empty (id int PRIMARY KEY, v int);
-- shardwise: SELECT shardwise.distribute_table('empty', 'id')
SELECT * FROM empty;
SELECT count(*), sum(v), max(id), array_agg(v) FROM empty;
SELECT id, count(*) FROM empty GROUP BY id;
SELECT v, count(*) FROM empty GROUP BY v;
SELECT * FROM empty ORDER BY id LIMIT 3;
SELECT DISTINCT v FROM empty;
SELECT c.customer_id FROM customers c LEFT JOIN empty e ON e.id = c.customer_id WHERE e.id IS NULL ORDER BY 1 LIMIT 2;
SELECT i.item_id, e.id FROM items i LEFT JOIN empty e ON e.v = i.item_id ORDER BY 1;
SELECT count(*) FROM empty e FULL JOIN items i ON i.item_id = e.id;
INSERT INTO empty VALUES (5, 50);
SELECT * FROM empty;
SELECT count(*), sum(v), avg(v), max(id) FROM empty;
SELECT v, count(*) FROM empty GROUP BY v HAVING count(*) > 0;
SELECT i.item_id, e.v FROM items i LEFT JOIN empty e ON e.id = i.item_id ORDER BY 1;
DROP TABLE empty;

-- Functions: evaluated once, in one place.
-- compare: shape
SELECT now(), count(*) FROM orders;
SELECT count(DISTINCT now()) FROM (SELECT now() FROM orders) x;
SELECT count(DISTINCT n) FROM (SELECT statement_timestamp() AS n FROM orders) x;
SELECT count(DISTINCT t) FROM (SELECT txid_current() AS t FROM customers) x;
SELECT bool_and(n = now()) FROM (SELECT now() AS n FROM customers OFFSET 0) x;
SELECT current_user, session_user, current_database(), count(*) FROM orders;
SELECT current_user, count(*) FROM orders GROUP BY current_user;
SELECT max(current_schema), min(current_setting('search_path')) FROM orders;
SELECT count(*) FROM customers WHERE pg_backend_pid() = (SELECT pg_backend_pid());
SELECT count(DISTINCT pid) FROM (SELECT pg_backend_pid() AS pid FROM customers) x;
SELECT count(*) FROM customers WHERE random() >= 0;
SELECT count(*) FROM orders WHERE random() < 0;
SELECT count(DISTINCT r) > 300 FROM (SELECT random() AS r FROM orders) x;
SELECT count(DISTINCT r) FROM (SELECT (SELECT random()) AS r FROM orders) x;
SELECT count(*) FROM (SELECT random(), order_id FROM orders ORDER BY 1 LIMIT 5) x;
CREATE SEQUENCE scatter_numbers;
SELECT count(DISTINCT n), min(n), max(n) FROM (SELECT nextval('scatter_numbers') AS n FROM customers) x;
SELECT nextval('scatter_numbers');
SELECT count(*) FROM customers WHERE nextval('scatter_numbers') > 0;
SELECT nextval('scatter_numbers');
SELECT sum(nextval('scatter_numbers')) FROM customers;
SELECT max(n) FROM (SELECT nextval('scatter_numbers') AS n, name FROM customers ORDER BY name LIMIT 3) x;
SELECT currval('scatter_numbers'), count(*) FROM orders;
SELECT setval('scatter_numbers'::text::regclass, max(item_id), max(item_id) IS NOT NULL) FROM items;
SELECT setval(concat('scatter', '_numbers')::regclass, coalesce(max(order_id), 1)) FROM orders;
SELECT setval(to_regclass('scatter' || '_numbers'), customer_id) FROM customers WHERE customer_id = 7;
SELECT nextval('scatter_numbers');
CREATE TABLE serials (id serial PRIMARY KEY, note text);
-- shardwise: SELECT shardwise.create_reference_table('serials')
INSERT INTO serials VALUES (41, 'by hand');
SELECT setval(pg_get_serial_sequence('"serials"', 'id'), coalesce(max("id"), 1), max("id") IS NOT NULL) FROM "serials";
INSERT INTO serials (note) VALUES ('drawn') RETURNING id;
DROP TABLE serials;
DROP SEQUENCE scatter_numbers;
BEGIN;
SELECT set_config('shardwise_test.value', 'x' || count(*), true) FROM orders;
SELECT current_setting('shardwise_test.value'), count(*) FROM customers;
SELECT count(*) FROM customers WHERE name = current_setting('shardwise_test.value');
ROLLBACK;
CREATE FUNCTION public.half(v numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN v / 2; END';
SELECT sum(half(amount)) FROM orders;
SELECT order_id FROM orders WHERE half(amount) > 43 ORDER BY 1;
SELECT half(sum(amount)) FROM orders;
DROP FUNCTION public.half(numeric);
CREATE FUNCTION public.bump(v numeric) RETURNS numeric LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN v + 1; END';
SELECT sum(bump(amount)), count(*) FROM orders WHERE bump(amount) > 20;
SELECT status, max(bump(amount)) FROM orders GROUP BY status ORDER BY 1;
DROP FUNCTION public.bump(numeric);
SELECT count(*) FROM orders WHERE 1 / (order_id - 100) = 1;
SELECT order_id, 1 / (order_id - 100) FROM orders;
SELECT CASE WHEN order_id = 100 THEN 0 ELSE 1 / (order_id - 100) END AS q, count(*) FROM orders GROUP BY 1 ORDER BY 1;
-- Which of the rows fails first is left open.
-- compare: sqlstate
SELECT name::int FROM customers WHERE customer_id < 4;
SELECT count(*) FROM orders TABLESAMPLE SYSTEM (100);
SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (0);
SELECT count(*) <= 360 FROM orders TABLESAMPLE BERNOULLI (50) REPEATABLE (3);

-- Settings.
SET TimeZone = 'Asia/Tokyo';
SELECT ordered_at, ordered_at::date, ordered_at::text FROM orders ORDER BY order_id LIMIT 3;
SELECT created::date, count(*) FROM customers GROUP BY 1 ORDER BY 1;
SELECT date_trunc('day', created), count(*) FROM customers GROUP BY 1 ORDER BY 1 LIMIT 5;
SELECT count(*) FROM customers WHERE created >= '2025-01-05 00:00' AND created < '2025-01-09 00:00';
SELECT extract(hour FROM created), count(*) FROM customers GROUP BY 1 ORDER BY 1;
SET DateStyle = 'German, DMY';
SELECT ordered_at::text, ordered_at FROM orders ORDER BY order_id LIMIT 2;
SELECT max(ordered_at), max(ordered_at::text) FROM orders;
SELECT count(*) FROM customers WHERE created::date < '05.01.2025';
RESET DateStyle;
RESET TimeZone;
SET IntervalStyle = 'iso_8601';
SELECT max(ordered_at - timestamptz '2025-01-01 00:00+00'), max((ordered_at - timestamptz '2025-01-01 00:00+00')::text) FROM orders;
RESET IntervalStyle;
SET extra_float_digits = -3;
SELECT id, f8, f8::text, f4::text FROM everything ORDER BY id;
SELECT max(f8::text), sum(0.1::float8) FROM everything;
RESET extra_float_digits;
SET bytea_output = 'escape';
SELECT bin, bin::text FROM everything ORDER BY id;
RESET bytea_output;
SET default_text_search_config = 'simple';
SELECT count(*) FROM customers WHERE to_tsvector(name) @@ to_tsquery('the | customer');
SELECT to_tsvector('the customers')::text, count(*) FROM customers GROUP BY 1;
RESET default_text_search_config;
BEGIN;
SET LOCAL TimeZone = 'America/New_York';
SELECT min(created::text) FROM customers;
SAVEPOINT a;
SET LOCAL TimeZone = 'UTC';
SELECT min(created::text) FROM customers;
ROLLBACK TO a;
SELECT min(created::text) FROM customers;
ROLLBACK;
SELECT min(created::text) FROM customers;
CREATE SCHEMA other;
CREATE TABLE other.customers (customer_id bigint PRIMARY KEY, name text);
INSERT INTO other.customers SELECT i, 'other ' || i FROM generate_series(1, 5) i;
-- shardwise: SELECT shardwise.distribute_table('other.customers', 'customer_id')
SET search_path = other, public;
SELECT count(*), max(name) FROM customers;
SELECT count(*) FROM orders JOIN customers USING (customer_id);
SELECT max(c.name), min(p.name), count(*) FROM customers c JOIN public.customers p USING (customer_id);
SET search_path = public, other;
SELECT count(*), max(name) FROM customers;
RESET search_path;
SELECT count(*) FROM customers;
DROP SCHEMA other CASCADE;

-- Roles.
SELECT tenant, count(*) FROM documents GROUP BY tenant ORDER BY 1;
SET ROLE diff_reader;
SELECT tenant, count(*) FROM documents GROUP BY tenant ORDER BY 1;
SELECT * FROM documents ORDER BY id;
SELECT count(*) FROM documents;
SELECT count(*) FROM documents a JOIN documents b ON b.id = a.id + 3;
SELECT a.id FROM documents a LEFT JOIN documents b ON b.id = a.id + 1 WHERE b.id IS NULL ORDER BY 1;
SELECT id FROM documents WHERE id > (SELECT avg(id) FROM documents) ORDER BY id;
WITH d AS MATERIALIZED (SELECT * FROM documents) SELECT count(*), max(body) FROM d;
SELECT count(*) FROM documents WHERE owner = 'postgres';
SELECT count(*) FROM customers;
SELECT count(*) FROM documents WHERE EXISTS (SELECT FROM orders);
SELECT count(*) FROM documents d JOIN (SELECT * FROM holes) h ON h.id = d.id;
WITH h AS (SELECT * FROM holes) SELECT count(*) FROM documents, h;
SELECT (SELECT max(balance) FROM customers), count(*) FROM documents;
SELECT count(*) FROM documents d LEFT JOIN items i ON i.item_id = d.id;
SELECT count(*), sum(amount) FROM totals;
SELECT * FROM totals ORDER BY amount DESC, customer_id LIMIT 3;
SELECT d.id, t.orders FROM documents d JOIN totals t ON t.customer_id = d.id ORDER BY 1;
SELECT count(*) FROM customer_orders;
SELECT count(*) FROM documents UNION ALL SELECT count(*) FROM by_text;
SET row_security = off;
SELECT count(*) FROM documents;
RESET row_security;
RESET ROLE;
SELECT count(*) FROM documents;
PREPARE all_documents AS SELECT tenant, count(*) FROM documents GROUP BY tenant ORDER BY 1;
EXECUTE all_documents;
SET ROLE diff_reader;
EXECUTE all_documents;
RESET ROLE;
EXECUTE all_documents;
DEALLOCATE all_documents;
GRANT SELECT (customer_id, name) ON customers TO diff_reader;
SET ROLE diff_reader;
SELECT count(*), max(name) FROM customers;
SELECT count(balance) FROM customers;
SELECT name FROM customers ORDER BY customer_id LIMIT 2;
SELECT name FROM customers ORDER BY balance LIMIT 2;
SELECT customer_id FROM customers WHERE region = 1;
SELECT c.name FROM customers c JOIN documents d ON d.id = c.customer_id ORDER BY 1;
SELECT c FROM customers c;
RESET ROLE;
REVOKE SELECT (customer_id, name) ON customers FROM diff_reader;

-- Views.
SELECT count(*), sum(amount) FROM customer_orders;
SELECT name, sum(amount) FROM customer_orders GROUP BY name ORDER BY 2 DESC, 1 LIMIT 4;
SELECT customer_id, orders, amount FROM totals ORDER BY amount DESC, customer_id LIMIT 4;
SELECT sum(orders), max(amount) FROM totals;
SELECT count(*) FROM new_orders;
SELECT name FROM rich_customers WHERE customer_id > 50 ORDER BY customer_id;
SELECT r.name, t.orders FROM rich_customers r JOIN totals t USING (customer_id) ORDER BY r.balance DESC, 1 LIMIT 4;
SELECT count(*) FROM totals t, items i WHERE i.item_id = t.orders;
CREATE VIEW per_item AS SELECT i.item_id, i.name, count(o.order_id) AS n FROM items i LEFT JOIN orders o USING (item_id) GROUP BY i.item_id;
SELECT * FROM per_item ORDER BY 1;
SELECT max(n) FROM per_item;
DROP VIEW per_item;

-- Rows into tables of the router.
CREATE TABLE copies AS SELECT * FROM orders;
SELECT count(*), sum(amount), min(ordered_at) FROM copies;
CREATE TABLE summary AS SELECT status, count(*) AS n, avg(amount) AS mean FROM orders GROUP BY status;
SELECT * FROM summary ORDER BY status;
CREATE TABLE structure AS SELECT * FROM customers WITH NO DATA;
INSERT INTO structure SELECT * FROM customers WHERE balance > 100;
INSERT INTO structure SELECT * FROM customers ORDER BY balance, customer_id LIMIT 5;
SELECT * FROM structure ORDER BY customer_id, balance;
INSERT INTO local_notes SELECT 100 + item_id, status || count(*) FROM orders GROUP BY item_id, status HAVING item_id = 3 AND status = 'new';
INSERT INTO local_notes SELECT 200 + customer_id, name FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.item_id = c.customer_id AND o.customer_id = 9) RETURNING *;
SELECT * FROM local_notes ORDER BY id;
UPDATE local_notes SET note = (SELECT max(name) FROM customers) WHERE id = 1 RETURNING note;
UPDATE local_notes l SET note = c.name FROM customers c WHERE c.customer_id = l.id RETURNING l.id, l.note;
DELETE FROM local_notes WHERE id IN (SELECT customer_id FROM customers WHERE region = 1) RETURNING id;
SELECT status, count(*) INTO into_table FROM orders GROUP BY status;
SELECT * FROM into_table ORDER BY 1;
CREATE MATERIALIZED VIEW kept AS SELECT region, sum(balance) AS total FROM customers GROUP BY region;
SELECT * FROM kept ORDER BY 1;
REFRESH MATERIALIZED VIEW kept;
SELECT * FROM kept ORDER BY 1;
DROP MATERIALIZED VIEW kept;
DROP TABLE copies, summary, structure, into_table;
CREATE TEMP TABLE temporary AS SELECT customer_id, count(*) AS n FROM orders GROUP BY 1;
SELECT t.n, c.name FROM temporary t JOIN customers c USING (customer_id) ORDER BY c.customer_id LIMIT 3;

-- Plans can be shown.
-- compare: shape
-- once
EXPLAIN (COSTS off, FORMAT json) SELECT count(*) FROM orders;
-- compare: shape
EXPLAIN (COSTS off, FORMAT json) SELECT c.name, o.order_id FROM customers c JOIN orders o USING (customer_id) ORDER BY 2;
-- compare: shape
EXPLAIN (ANALYZE, FORMAT json) SELECT o.order_id, l.note FROM orders o JOIN local_notes l ON l.id = o.item_id;
-- compare: shape
EXPLAIN (VERBOSE, FORMAT json) SELECT status, sum(amount) FROM orders GROUP BY status HAVING count(*) > 1 ORDER BY 2;
-- compare: shape
EXPLAIN (ANALYZE, VERBOSE, FORMAT json) SELECT a.order_id FROM orders a, orders b WHERE a.item_id = b.customer_id ORDER BY 1 LIMIT 3;
-- compare: shape
EXPLAIN (FORMAT json) DECLARE ex CURSOR FOR SELECT * FROM orders;
-- compare: shape
EXPLAIN (FORMAT json) CREATE TABLE ex AS SELECT * FROM orders;

-- Transactions.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*), sum(amount) FROM orders;
SELECT count(*) FROM customers c, items i WHERE i.item_id = c.region;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM orders;
SAVEPOINT a;
SELECT sum(1 / (order_id - 5)) FROM orders;
ROLLBACK TO a;
SELECT count(*) FROM orders;
ROLLBACK;
BEGIN;
INSERT INTO customers VALUES (900, 'new one', 1, 1000000, '2025-01-01 00:00+00');
SELECT max(balance), count(*) FROM customers;
SELECT name FROM customers ORDER BY balance DESC LIMIT 1;
SAVEPOINT a;
DELETE FROM customers WHERE customer_id = 900;
SELECT max(balance), count(*) FROM customers;
ROLLBACK TO a;
SELECT c.name, i.name FROM customers c JOIN items i ON i.item_id = c.region WHERE c.balance > 1000;
ROLLBACK;
SELECT max(balance), count(*) FROM customers;
COPY (SELECT order_id, amount FROM orders ORDER BY order_id) TO STDOUT;
COPY (SELECT status, count(*) FROM orders GROUP BY status ORDER BY 1) TO STDOUT (FORMAT csv, HEADER);
PREPARE top_orders (int) AS SELECT order_id FROM orders ORDER BY amount DESC, order_id LIMIT $1;
EXECUTE top_orders (3);
EXECUTE top_orders (1);
CREATE TEMP TABLE from_prepared AS EXECUTE top_orders (4);
SELECT * FROM from_prepared;
DEALLOCATE top_orders;

-- Statements that differ in constants alone are one to the shards, until a definition changes.
CREATE TABLE kept (k bigint PRIMARY KEY, v int, t text);
-- shardwise: SELECT shardwise.distribute_table('kept', 'k', strategy => 'range', splits => ARRAY['100', '200'])
INSERT INTO kept SELECT i, i % 7, 'v' || i FROM generate_series(1, 300) i;
SELECT count(*), max(v), min(t), string_agg(DISTINCT v::text, ',') FROM kept WHERE k BETWEEN 50 AND 150;
SELECT count(*), max(v), min(t), string_agg(DISTINCT v::text, ';') FROM kept WHERE k BETWEEN 250 AND 260;
SELECT count(*), max(v) + 1, 'a' FROM kept WHERE k IN (5, 150, 250) AND t LIKE 'v1%';
SELECT count(*), max(v) + 2, 'b' FROM kept WHERE k IN (5, 7, 99) AND t LIKE 'v_';
SELECT count(*) FILTER (WHERE v > 2), sum(v * 2), 'c' FROM kept WHERE k < 3000000000 AND v < 1.5 HAVING count(*) > 1;
SELECT count(*) FILTER (WHERE v > 1), sum(v * 3), 'd' FROM kept WHERE k < 150.5 AND v < 3 HAVING count(*) > 1000;
SELECT v, k, 'e' AS c, k + 1 AS n FROM kept WHERE k >= 95 ORDER BY c, n, k % 3 LIMIT 10;
SELECT v, k, 'f' AS c, k + 2 AS n FROM kept WHERE k >= 195 ORDER BY c, n, k % 4 LIMIT 10 OFFSET 3;
SELECT DISTINCT ON (v + 1) v + 1, t || 'x' FROM kept WHERE k > 20 ORDER BY v + 1, t || 'x' LIMIT 3;
SELECT DISTINCT v % 3, 'g' FROM kept WHERE k > 120 ORDER BY v % 3 LIMIT 2;
SELECT k, sum(v) OVER (PARTITION BY k, v + 1 ORDER BY v + 2 ROWS 1 PRECEDING), coalesce(t, 'none') FROM kept WHERE t > 'v2' ORDER BY k LIMIT 4;
SELECT v FROM kept WHERE k > 7 ORDER BY k LIMIT 3;
ALTER TABLE kept ALTER COLUMN v TYPE numeric(10,2);
SELECT v FROM kept WHERE k > 9 ORDER BY k LIMIT 3;
SELECT max(v) FROM kept WHERE k > 290;
BEGIN;
SELECT max(t) FROM kept WHERE k > 290;
ALTER TABLE kept ALTER COLUMN t TYPE varchar(20);
SELECT max(t) FROM kept WHERE k > 291;
ROLLBACK;
SELECT max(t) FROM kept WHERE k > 292;
DROP TABLE kept;
-- The order of a subquery in FROM is not promised by SQL, but PostgreSQL keeps it.
SELECT array_agg(name) FROM (SELECT name FROM customers ORDER BY customer_id) s;
SELECT string_agg(name, ',') FROM (SELECT name FROM customers WHERE customer_id < 50 ORDER BY balance DESC, customer_id) s;
SELECT json_agg(s) FROM (SELECT customer_id, region FROM customers ORDER BY region DESC, customer_id LIMIT 9) s;
WITH s AS (SELECT name FROM customers ORDER BY customer_id DESC) SELECT array_agg(name) FROM s;
SELECT name FROM (SELECT name, balance FROM customers ORDER BY customer_id DESC) s LIMIT 3;
SELECT * FROM (SELECT * FROM (SELECT name FROM customers ORDER BY customer_id DESC, balance) s WHERE name <> 'x') t LIMIT 4 OFFSET 1;
SELECT array_agg(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id ORDER BY customer_id) s;
SELECT array_agg(id) FROM (SELECT customer_id AS id FROM customers UNION ALL SELECT order_id FROM orders ORDER BY id) s;
