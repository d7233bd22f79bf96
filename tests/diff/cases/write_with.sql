-- Several writes in one statement.
-- unordered
WITH gone AS (DELETE FROM orders WHERE amount > 60 RETURNING *) INSERT INTO by_pair SELECT order_id, status, item_id FROM gone;
WITH gone AS (DELETE FROM orders WHERE amount > 50 RETURNING customer_id, order_id) SELECT customer_id, count(*), sum(order_id) FROM gone GROUP BY 1;
WITH gone AS (DELETE FROM orders WHERE amount > 45) SELECT count(*) FROM customers;
WITH new AS (INSERT INTO autos (owner, made) SELECT i, NULL FROM generate_series(20, 25) i RETURNING owner, id) UPDATE customers SET name = 'auto ' || new.id FROM new WHERE new.owner = customer_id RETURNING customer_id, name, new.*;
WITH a AS (UPDATE customers SET balance = balance + 1 WHERE region = 1 RETURNING customer_id, balance), b AS (UPDATE orders SET amount = amount + 1 FROM a WHERE a.customer_id = orders.order_id RETURNING order_id, amount, a.balance) SELECT * FROM b UNION ALL SELECT a.*, NULL FROM a;
WITH u AS (UPDATE by_number SET word = 'updated' WHERE n = 2 RETURNING n) INSERT INTO by_number SELECT 3, 'inserted' WHERE EXISTS (SELECT FROM u) RETURNING *;
WITH i AS (INSERT INTO items VALUES (30, 'x', 1) RETURNING item_id), c AS (SELECT customer_id FROM customers WHERE region = 2), l AS (INSERT INTO local_notes SELECT item_id, 'note' FROM i RETURNING *) SELECT * FROM l, c;
WITH x AS (INSERT INTO local_notes VALUES (40, 'x') RETURNING id) DELETE FROM orders USING x WHERE order_id = x.id RETURNING orders.order_id, x.id;
WITH m AS (DELETE FROM by_number WHERE n < 0 RETURNING *) SELECT a.n, b.word FROM m a JOIN m b ON a.n = b.n;
WITH w AS (UPDATE watched SET value = value + 1 RETURNING id, value) SELECT w.*, c.name FROM w JOIN customers c ON c.customer_id = w.value;
WITH d AS (DELETE FROM customers WHERE customer_id = 5 RETURNING *) INSERT INTO by_text SELECT name, region FROM d RETURNING *;
WITH d AS (UPDATE customers SET balance = 1 / (region - 3) RETURNING 1) SELECT count(*) FROM d, orders;
-- expect-refused: written and then read
WITH d AS (UPDATE customers SET balance = 0 RETURNING customer_id) SELECT sum(balance) FROM customers;
-- params: 7
WITH d AS (DELETE FROM orders WHERE item_id = $1 RETURNING customer_id) SELECT count(*), min(customer_id), $1::int FROM d;
BEGIN;
DECLARE k CURSOR FOR SELECT customer_id FROM customers ORDER BY 1 FOR UPDATE;
FETCH 2 FROM k;
ROLLBACK;
-- One constant in two parts, of which one is planned as a statement of its own.
WITH c AS (UPDATE customers SET region = 3 WHERE customer_id = 4 RETURNING customer_id), l AS (INSERT INTO local_notes VALUES (60 + 4, 'x') RETURNING id) UPDATE by_number SET word = l.id::text FROM l WHERE l.id = n + 60 RETURNING *;
SELECT * FROM local_notes WHERE id = 64;
