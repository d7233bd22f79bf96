-- CTEs, set operations and subqueries that stay on one key.
WITH c AS (SELECT * FROM customers WHERE customer_id = 7) SELECT c.name, count(*) FROM c JOIN orders USING (customer_id) GROUP BY 1;
WITH c AS MATERIALIZED (SELECT * FROM customers WHERE customer_id = 7) SELECT name FROM c;
WITH c AS NOT MATERIALIZED (SELECT * FROM orders) SELECT count(*) FROM c WHERE customer_id = 7;
WITH a AS (SELECT order_id FROM orders WHERE customer_id = 7), b AS (SELECT max(order_id) AS top FROM a) SELECT a.order_id, b.top FROM a, b ORDER BY 1;
-- params: 7
WITH c AS (SELECT * FROM customers WHERE customer_id = $1) SELECT name FROM c;
WITH RECURSIVE n AS (SELECT min(order_id) AS id FROM orders WHERE customer_id = 7 UNION ALL SELECT (SELECT min(order_id) FROM orders WHERE customer_id = 7 AND order_id > n.id) FROM n WHERE n.id IS NOT NULL) SELECT id FROM n WHERE id IS NOT NULL ORDER BY id;
WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT t.n, c.name FROM t JOIN customers c ON c.customer_id = 7 ORDER BY 1;
WITH t AS (UPDATE customers SET balance = balance + 1 WHERE customer_id = 7 RETURNING *) SELECT name, balance FROM t;
WITH d AS (DELETE FROM orders WHERE customer_id = 7 AND status = 'new' RETURNING *) SELECT count(*), sum(amount) FROM d;
WITH i AS (INSERT INTO orders VALUES (7, 9001, 1, 1, 'cte', '2025-01-01 00:00+00') RETURNING *) SELECT i.order_id, c.name FROM i JOIN customers c USING (customer_id) WHERE c.customer_id = 7;
WITH d AS (DELETE FROM orders WHERE customer_id = 8 RETURNING *) INSERT INTO orders SELECT customer_id, order_id + 100000, item_id, amount, 'moved', ordered_at FROM d WHERE customer_id = 8 RETURNING order_id;
WITH x AS (SELECT sum(amount) AS s FROM orders WHERE customer_id = 9) UPDATE customers SET balance = x.s FROM x WHERE customer_id = 9 RETURNING balance;
WITH x AS (UPDATE customers SET region = 50 WHERE customer_id = 9 RETURNING region), y AS (UPDATE orders SET status = 'cte' WHERE customer_id = 9 RETURNING order_id) SELECT (SELECT region FROM x), (SELECT count(*) FROM y);
WITH x AS (UPDATE customers SET region = 51 WHERE customer_id = 9 RETURNING region) SELECT region FROM customers WHERE customer_id = 9;
WITH x AS (DELETE FROM orders WHERE customer_id = 9) SELECT 1;

SELECT order_id FROM orders WHERE customer_id = 7 UNION SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY 1;
SELECT status FROM orders WHERE customer_id = 10 UNION ALL SELECT name FROM customers WHERE customer_id = 10 ORDER BY 1;
SELECT item_id FROM items EXCEPT SELECT item_id FROM orders WHERE customer_id = 10 ORDER BY 1;
SELECT item_id FROM orders WHERE customer_id = 10 INTERSECT ALL SELECT item_id FROM items ORDER BY 1;
(SELECT order_id FROM orders WHERE customer_id = 10 ORDER BY amount, order_id LIMIT 1) UNION ALL (SELECT order_id FROM orders WHERE customer_id = 10 ORDER BY amount DESC, order_id LIMIT 1) ORDER BY 1;
-- params: 10
SELECT name FROM customers WHERE customer_id = $1 UNION SELECT status FROM orders WHERE customer_id = $1 ORDER BY 1 DESC;
SELECT 1 WHERE 7 IN (SELECT customer_id FROM customers WHERE customer_id = 7);
SELECT NULL NOT IN (SELECT item_id FROM orders WHERE customer_id = 7), 3 NOT IN (SELECT NULLIF(item_id, 8) FROM orders WHERE customer_id = 7);
SELECT name FROM customers WHERE customer_id = 7 AND balance > ALL (SELECT price FROM items);
SELECT name FROM customers WHERE customer_id = 7 AND balance > ANY (SELECT amount FROM orders WHERE customer_id = 7);
SELECT x.n FROM (SELECT count(*) AS n FROM orders WHERE customer_id = 7) x WHERE x.n > 0;
SELECT * FROM (SELECT customer_id, name FROM customers) x WHERE customer_id = 7;
SELECT * FROM (SELECT customer_id AS k, name FROM customers) x (key, label) WHERE key = 7;
SELECT * FROM (SELECT customer_id, count(*) FROM orders GROUP BY customer_id) x WHERE customer_id = 7;
SELECT * FROM (SELECT customer_id, order_id FROM orders ORDER BY order_id) x WHERE customer_id = 7 ORDER BY order_id LIMIT 2;
SELECT (SELECT (SELECT c.name FROM customers c WHERE c.customer_id = o.customer_id) FROM orders o WHERE o.customer_id = 7 ORDER BY order_id LIMIT 1);
SELECT CASE WHEN EXISTS (SELECT FROM orders WHERE customer_id = 7 AND amount > 1000) THEN 'rich' ELSE 'poor' END;
SELECT c.name, (SELECT array_agg(o.order_id ORDER BY o.order_id) FROM orders o WHERE o.customer_id = c.customer_id AND o.amount > (SELECT avg(amount) FROM orders a WHERE a.customer_id = c.customer_id)) FROM customers c WHERE c.customer_id = 7;
SELECT (SELECT name FROM customers WHERE customer_id = 7 OR customer_id = 7), 2;
SELECT (SELECT order_id FROM orders WHERE customer_id = 7);
SELECT order_id FROM orders WHERE customer_id = 7 AND order_id = (SELECT max(order_id) FROM orders WHERE customer_id = 7);
VALUES ((SELECT name FROM customers WHERE customer_id = 7)), ('x');
SELECT * FROM customers TABLESAMPLE SYSTEM (100) WHERE customer_id = 7;
SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(5, 7)) r (a, b), customers c WHERE c.customer_id = 7 ORDER BY a, b;

-- An aggregate inside of a subquery makes one row of all, also where nobody reads it.
SELECT count(*) FROM (SELECT (SELECT max(o.amount)) FROM orders o) x;
SELECT i.item_id FROM items i, (SELECT (SELECT count(o.amount) FROM items LIMIT 1) AS n FROM orders o) x ORDER BY 1;

-- Joins over subqueries that show no key, and joins as rows.
SELECT j::text FROM ((SELECT region FROM customers WHERE customer_id < 4) x CROSS JOIN items) j ORDER BY 1;
SELECT to_json(j)::text FROM ((SELECT region FROM customers) x JOIN invoices i ON i.quantity = x.region) j ORDER BY 1;
SELECT region, i.name, l.z FROM (SELECT region FROM customers) x LEFT JOIN (SELECT item_id AS region, name FROM items) i USING (region), LATERAL (SELECT region AS z) l ORDER BY 1, 2 LIMIT 7;
SELECT region, count(*), count(i.name) FROM (SELECT region FROM customers) x FULL JOIN (SELECT item_id AS region, name FROM items) i USING (region) GROUP BY region ORDER BY 1;

-- Records that no type names.
SELECT c.name, (SELECT ROW(o.order_id, o.amount) FROM orders o WHERE o.customer_id = c.customer_id ORDER BY o.order_id LIMIT 1) FROM customers c WHERE c.customer_id = 7 FOR UPDATE OF c;
SELECT c.customer_id, (SELECT ROW(o.customer_id, max(o.order_id)) FROM orders o WHERE o.customer_id = c.customer_id GROUP BY 1) FROM customers c WHERE c.customer_id < 9 ORDER BY 1;
UPDATE customers c SET balance = 1 WHERE customer_id = 7 RETURNING (SELECT ROW(c.balance, count(*)) FROM orders o WHERE o.customer_id = c.customer_id)::text;
WITH n AS (SELECT ROW(customer_id, name) AS r FROM customers WHERE customer_id = 7) SELECT r FROM n;
