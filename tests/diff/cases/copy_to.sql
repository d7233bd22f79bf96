-- COPY ... TO of tables and of queries: those whose bytes come from the shards as they are, and all
-- others.
-- file-modes: simple, extended
COPY customers TO STDOUT;
COPY customers (name, customer_id) TO STDOUT (FORMAT csv, HEADER, QUOTE '''', FORCE_QUOTE (name));
COPY orders TO STDOUT (DELIMITER '|', NULL 'nothing', HEADER);
COPY items TO STDOUT;
COPY everything (id, i2, f4, f8, num, cash, t, bp, bin, d, tstz, iv, e, ints, comp, p) TO STDOUT;
COPY everything (id, t, c, jb) TO STDOUT (FORMAT csv, NULL 'NULL', FORCE_QUOTE *);
COPY by_text TO STDOUT (ENCODING 'UTF8');
COPY holes TO STDOUT (FORMAT csv, HEADER);
COPY autos (owner, title, doubled) TO STDOUT;
COPY autos (doubled) TO STDOUT;
COPY "Odd Schema"."Odd ""Table" TO STDOUT (HEADER);
COPY events TO STDOUT;
COPY events_january TO STDOUT (FORMAT csv);
COPY customer_orders TO STDOUT;
SET client_encoding = 'LATIN1';
COPY by_text TO STDOUT;
COPY (SELECT key, note FROM by_text) TO STDOUT;
RESET client_encoding;

-- Queries.
COPY (SELECT * FROM customers) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT customer_id AS "Key", balance AS "Key", name FROM customers WHERE customer_id > 50) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT customer_id AS "odd ""name", name FROM customers WHERE customer_id = 7) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE ("odd ""name"));
COPY (SELECT name, 'literal', NULL, 1.50, timestamptz '2025-01-01 00:00+00', '{1,2}'::int[] FROM customers WHERE region = 3 AND created > '2025-01-05') TO STDOUT;
COPY (SELECT c.name, o.amount FROM customers c JOIN orders o USING (customer_id) WHERE amount > 80) TO STDOUT;
COPY (SELECT c.name, i.name FROM customers c JOIN orders o USING (customer_id) JOIN items i USING (item_id) WHERE o.order_id < 20) TO STDOUT;
COPY (SELECT now() > '2025-01-01', current_user, order_id FROM orders WHERE customer_id IN (3, 5, 7)) TO STDOUT;
COPY (SELECT day, reading FROM by_date WHERE day BETWEEN '2025-01-30' AND '2025-02-02') TO STDOUT;
COPY (SELECT n FROM by_number WHERE false) TO STDOUT (HEADER);
COPY (SELECT id, e, doms, comps, rc, rf FROM everything) TO STDOUT;
COPY (SELECT id, e, ints FROM everything) TO STDOUT (FORMAT csv);
COPY (SELECT tableoid::regclass, customer_id FROM customers) TO STDOUT;
COPY (SELECT c FROM customers c) TO STDOUT;
COPY (SELECT count(*), sum(amount) FROM orders) TO STDOUT;
COPY (SELECT status, count(*) FROM orders GROUP BY status) TO STDOUT;
COPY (SELECT order_id FROM orders ORDER BY amount DESC, order_id LIMIT 5) TO STDOUT;
COPY (SELECT DISTINCT item_id FROM orders) TO STDOUT;
COPY (SELECT item_id, name FROM items) TO STDOUT;
COPY (SELECT c.customer_id, n.note FROM customers c JOIN local_notes n ON n.id = c.customer_id) TO STDOUT;
COPY (SELECT customer_id FROM customers UNION ALL SELECT id FROM local_notes) TO STDOUT;
COPY (WITH x AS (SELECT * FROM orders WHERE item_id = 2) SELECT order_id FROM x) TO STDOUT;
COPY (SELECT * FROM customer_orders WHERE amount < 2) TO STDOUT;
COPY (SELECT 1) TO STDOUT;
COPY (VALUES (1, 'x')) TO STDOUT;
COPY (TABLE items) TO STDOUT;
COPY (DELETE FROM orders WHERE customer_id = 59 RETURNING order_id) TO STDOUT;
COPY (SELECT * FROM orders WHERE customer_id = 59 FOR UPDATE) TO STDOUT;
COPY (SELECT * INTO copied FROM orders) TO STDOUT;
COPY (SELECT nowhere FROM orders) TO STDOUT;
COPY (SELECT amount / 0 FROM orders) TO STDOUT;
COPY (SELECT order_id FROM orders) TO STDOUT (FORCE_QUOTE (order_id));
COPY (SELECT order_id FROM orders) TO STDOUT (FORMAT csv, FORCE_QUOTE (nothing));
COPY orders TO STDOUT (FREEZE, FORCE_NULL (status));
COPY orders (nothing) TO STDOUT;
COPY orders TO 'relative';
COPY orders TO '/nowhere/at/all';
COPY orders TO PROGRAM 'exit 3';

-- Binary, read back.
CREATE TABLE copied_back (LIKE everything);
CREATE TABLE copied_orders (LIKE orders);
COPY everything TO PROGRAM 'cat >everything.bin' (FORMAT binary);
COPY copied_back FROM 'everything.bin' (FORMAT binary);
COPY orders TO PROGRAM 'cat >orders.bin' (FORMAT binary);
COPY copied_orders FROM 'orders.bin' (FORMAT binary);
COPY (SELECT * FROM orders WHERE amount > 50) TO PROGRAM 'cat >orders.bin' (FORMAT binary);
COPY copied_orders FROM 'orders.bin' (FORMAT binary);
SELECT * FROM copied_back ORDER BY id;
SELECT count(*), sum(amount), max(ordered_at) FROM copied_orders;
DROP TABLE copied_back, copied_orders;

-- Roles and policies.
SET ROLE diff_reader;
COPY documents TO STDOUT;
COPY documents (id, body) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT id FROM documents) TO STDOUT;
COPY orders TO STDOUT;
COPY (SELECT * FROM orders) TO STDOUT;
COPY documents TO '/etc/nowhere';
COPY (SELECT * FROM documents) TO PROGRAM 'true';
RESET ROLE;
COPY documents TO STDOUT;
BEGIN;
INSERT INTO customers VALUES (500, 'not committed', 1, 1, '2025-01-01 00:00+00');
COPY (SELECT name FROM customers WHERE customer_id > 58) TO STDOUT;
COPY customers TO STDOUT;
ROLLBACK;
