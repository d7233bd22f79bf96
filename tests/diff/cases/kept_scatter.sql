-- Plans of small reads of all shards are kept for all statements that differ in constants alone.
-- Here such statements follow each other.

-- LIMIT is part of the shape, what it skips as well.
SELECT customer_id, name FROM customers WHERE customer_id >= 7 ORDER BY customer_id LIMIT 3;
SELECT customer_id, name FROM customers WHERE customer_id >= 50 ORDER BY customer_id LIMIT 3;
SELECT customer_id, name FROM customers WHERE customer_id >= 50 ORDER BY customer_id LIMIT 30;
SELECT customer_id, name FROM customers WHERE customer_id >= 5 ORDER BY customer_id LIMIT 3 OFFSET 2;
SELECT customer_id, name FROM customers WHERE customer_id >= 5 ORDER BY customer_id LIMIT 3 OFFSET 4;
SELECT customer_id, name FROM customers WHERE customer_id >= 5 ORDER BY customer_id LIMIT NULL;
SELECT customer_id, name FROM customers WHERE customer_id >= 5 ORDER BY customer_id LIMIT 0;

-- Constants of other types are other shapes.
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 3 AND 20;
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 31 AND 33;
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 31 AND 3;
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 3 AND 20.5;
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 3 AND 10000000000;
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 3 AND NULL;
SELECT count(*), max(balance) FROM customers WHERE balance > 30.25 AND created < '2025-01-09';
SELECT count(*), max(balance) FROM customers WHERE balance > 10.5 AND created < '2025-02-01';

-- Constants of what the router computes.
SELECT count(*) + 5, sum(region) * 2 AS doubled, 'a' || max(name) FROM customers WHERE region > 1;
SELECT count(*) + 7, sum(region) * 3 AS doubled, 'b' || max(name) FROM customers WHERE region > 2;
SELECT count(*) FROM customers WHERE region > 2 HAVING count(*) > 3;
SELECT count(*) FROM customers WHERE region > 2 HAVING count(*) > 300;
SELECT 1 AS one FROM orders WHERE status = 'paid' AND item_id > 2 LIMIT 1;
SELECT 2 AS one FROM orders WHERE status = 'none' AND item_id > 3 LIMIT 1;
SELECT sum(DISTINCT item_id), count(DISTINCT status) FROM orders WHERE item_id < 4;
SELECT count(DISTINCT item_id) FROM orders WHERE item_id < 4;
SELECT count(DISTINCT item_id) FROM orders WHERE item_id < 6;
SELECT region + 1, count(*) FROM customers WHERE region < 3 GROUP BY region + 1 ORDER BY 1 LIMIT 2;
SELECT region + 2, count(*) FROM customers WHERE region < 4 GROUP BY region + 2 ORDER BY 1 LIMIT 2;
SELECT string_agg(name, '-' ORDER BY customer_id) FROM customers WHERE customer_id IN (1, 2, 3);
SELECT string_agg(name, '+' ORDER BY customer_id) FROM customers WHERE customer_id IN (4, 5, 6, 6);
SELECT count(*) FROM customers WHERE customer_id IN (1, 2, 3);
SELECT count(*) FROM customers WHERE customer_id IN (7, 7, 7);
SELECT count(*) FROM customers WHERE customer_id IN (NULL, 8, 9);

-- Joins, subqueries, ranges of keys, keys that are outside of their type.
SELECT count(*), sum(amount) FROM customers JOIN orders USING (customer_id) WHERE region = 2 AND item_id < 5;
SELECT count(*), sum(amount) FROM customers JOIN orders USING (customer_id) WHERE region = 3 AND item_id < 2;
SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.customer_id AND o.amount > 80);
SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.customer_id AND o.amount > 10);
SELECT count(*), min(reading) FROM by_date WHERE day BETWEEN '2025-01-20' AND '2025-02-03';
SELECT count(*), min(reading) FROM by_date WHERE day BETWEEN '2025-03-20' AND '2025-03-22';
SELECT n, word FROM by_number WHERE n > -10 ORDER BY n LIMIT 4;
SELECT n, word FROM by_number WHERE n > 30 ORDER BY n LIMIT 4;
SELECT n, word FROM by_number WHERE n > 3000000000 ORDER BY n LIMIT 4;

-- What is no plain statement gets other plans.
SELECT count(*) INTO TEMP kept FROM customers WHERE region > 1;
SELECT * FROM kept;
COPY (SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN 5 AND 21) TO STDOUT;
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT customer_id, name FROM customers WHERE customer_id >= 9 ORDER BY customer_id LIMIT 3;
FETCH ALL FROM back;
FETCH BACKWARD 2 FROM back;
COMMIT;
SELECT (SELECT count(*) FROM customers WHERE customer_id BETWEEN 3 AND 20) + count(*) FROM customers WHERE customer_id BETWEEN 31 AND 33;

-- Rows that came as one result wait while their connections do something else.
BEGIN;
DECLARE few CURSOR FOR SELECT customer_id, name FROM customers WHERE customer_id >= 9 ORDER BY customer_id LIMIT 6;
FETCH 2 FROM few;
SELECT count(*), min(name) FROM customers WHERE customer_id < 30;
FETCH 2 FROM few;
SAVEPOINT later;
SELECT name FROM customers WHERE customer_id = 12;
FETCH 1 FROM few;
CLOSE few;
COMMIT;
SELECT name FROM customers WHERE customer_id = 12 AND region = 100;
SELECT name FROM customers WHERE customer_id = 12 AND region = 2;

-- The definition changes between two statements of a shape; the role as well.
CREATE TABLE kept_rows (id int PRIMARY KEY, v int, w text);
-- shardwise: SELECT shardwise.distribute_table('kept_rows', 'id')
INSERT INTO kept_rows SELECT i, i % 7, 'w' || i FROM generate_series(1, 40) i;
SELECT max(v), min(w), count(*) FROM kept_rows WHERE v < 5;
ALTER TABLE kept_rows ALTER v TYPE bigint;
SELECT max(v), min(w), count(*) FROM kept_rows WHERE v < 6;
ALTER TABLE kept_rows DROP COLUMN v;
SELECT max(v), min(w), count(*) FROM kept_rows WHERE v < 6;
ALTER TABLE kept_rows ADD COLUMN v numeric DEFAULT 3.5;
SELECT max(v), min(w), count(*) FROM kept_rows WHERE v < 6;
SET ROLE diff_reader;
SELECT max(v), min(w), count(*) FROM kept_rows WHERE v < 4;
RESET ROLE;
GRANT SELECT ON kept_rows TO diff_reader;
ALTER TABLE kept_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON kept_rows FOR SELECT TO diff_reader USING (id < 11);
SET ROLE diff_reader;
SELECT min(w), count(*) FROM kept_rows WHERE v < 4;
RESET ROLE;
SELECT min(w), count(*) FROM kept_rows WHERE v < 5;
DROP TABLE kept_rows;
