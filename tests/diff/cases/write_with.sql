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
-- All parts see the rows as they were before.
WITH d AS (UPDATE customers SET balance = 0 RETURNING customer_id) SELECT sum(balance) FROM customers;
WITH d AS (DELETE FROM orders WHERE item_id = 3 RETURNING *) SELECT (SELECT count(*) FROM d), (SELECT count(*) FROM orders), count(*) FROM customers c JOIN orders o ON o.order_id = c.customer_id;
WITH u AS (UPDATE customers SET balance = balance + 1000 WHERE region = 1 RETURNING customer_id, balance) SELECT u.customer_id, u.balance, c.balance, c FROM u JOIN customers c USING (customer_id);
WITH u AS (UPDATE customers SET balance = balance + 1000 RETURNING customer_id, balance) SELECT c.customer_id, u.balance, c.balance, o.order_id FROM customers c LEFT JOIN u ON u.customer_id = c.customer_id + 1 LEFT JOIN orders o ON o.order_id = c.customer_id WHERE c.region = 2 AND o.order_id IS NOT NULL AND c.tableoid = 'customers'::regclass;
WITH old AS (SELECT customer_id, balance FROM customers), u AS (UPDATE customers SET balance = 1 WHERE region = 3 RETURNING customer_id, balance) SELECT old.balance, u.balance FROM old JOIN u USING (customer_id);
WITH a AS (UPDATE customers SET balance = 2 WHERE region = 3 RETURNING customer_id), b AS (UPDATE orders SET amount = c.balance FROM customers c WHERE c.customer_id = order_id AND c.region = 3 RETURNING order_id, amount, c.balance) SELECT a.customer_id, b.* FROM a FULL JOIN b ON a.customer_id = b.order_id;
WITH a AS (DELETE FROM by_number WHERE n < 0 RETURNING *), b AS (INSERT INTO by_number SELECT n + 1000, 'copy' FROM by_number RETURNING *) SELECT 'a', * FROM a UNION ALL SELECT 'b', * FROM b UNION ALL SELECT 'c', * FROM by_number;
WITH a AS (DELETE FROM by_number WHERE n < 10 RETURNING n) INSERT INTO by_number SELECT n.n + 500, (SELECT count(*) FROM by_number) || ' ' || count(a.n) FROM by_number n LEFT JOIN a USING (n) GROUP BY n.n RETURNING *;
WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT t.i + 1 FROM t WHERE t.i < (SELECT count(*) FROM items)), d AS (DELETE FROM items WHERE item_id > 8 RETURNING *) SELECT (SELECT count(*) FROM d), count(*), (SELECT count(*) FROM items) FROM t;
WITH d AS (DELETE FROM customers WHERE customer_id = 11), e AS (DELETE FROM orders WHERE customer_id = 11 RETURNING order_id) SELECT order_id, (SELECT count(*) FROM customers c WHERE c.customer_id IN (11, 12)) FROM e;
BEGIN;
WITH chance AS (SELECT random() AS r), u AS (UPDATE customers SET balance = r FROM chance WHERE region = 2 RETURNING balance) SELECT count(DISTINCT balance), bool_and(abs(u.balance::float8 - chance.r) < 0.01) FROM u, chance;
ROLLBACK;
WITH w AS (UPDATE watched SET value = value + 1 WHERE id > 2 RETURNING id) SELECT w.id, (SELECT count(*) FROM watched_log) FROM w;
-- params: 1, 5
WITH u AS (UPDATE customers SET balance = balance + $2 WHERE region = $1 RETURNING customer_id) SELECT count(*), sum(c.balance) FROM customers c WHERE c.region = $1 AND EXISTS (SELECT FROM u WHERE u.customer_id = c.customer_id);
-- Several parts change rows of one table: each by what they were before, and each row once.
WITH a AS (UPDATE customers SET balance = 1 WHERE region = 1), b AS (UPDATE customers SET balance = 2 WHERE region = 2) SELECT 1;
WITH a AS (UPDATE customers SET region = 2 WHERE region = 1 RETURNING customer_id) UPDATE customers SET balance = balance + 1 WHERE region = 2 RETURNING customer_id, balance;
-- params: 7
WITH debit AS (UPDATE customers SET balance = balance - $1 WHERE customer_id = 3 AND balance > -1000 RETURNING customer_id, balance) UPDATE customers c SET balance = c.balance + $1 FROM debit d WHERE c.customer_id = d.customer_id + 1 RETURNING c.customer_id, c.balance, d.*, c.tableoid::regclass;
WITH debit AS (UPDATE customers SET balance = balance - 5 WHERE customer_id = 3 AND balance > 100000 RETURNING 1) UPDATE customers SET balance = balance + 5 WHERE customer_id = 4 AND EXISTS (SELECT FROM debit);
WITH a AS (UPDATE orders SET amount = amount + 1 WHERE item_id < 5 RETURNING order_id), b AS (UPDATE orders SET amount = amount + 1 WHERE item_id > 2 RETURNING order_id), c AS (UPDATE orders SET amount = amount + 1 WHERE item_id = 3 RETURNING order_id) SELECT count(*), count(DISTINCT order_id) FROM (TABLE a UNION ALL TABLE b UNION ALL TABLE c) u;
WITH gone AS (DELETE FROM orders WHERE item_id = 1 RETURNING order_id) DELETE FROM orders o USING (SELECT max(order_id) AS m FROM gone) g WHERE o.order_id = g.m + 1 AND o.item_id <> 1 RETURNING o.*, o, (SELECT count(*) FROM gone), (SELECT count(*) FROM orders);
WITH m AS (UPDATE customers SET name = 'renamed' WHERE region = 3 RETURNING customer_id) MERGE INTO customers c USING (SELECT customer_id - 1 AS id FROM m) s ON c.customer_id = s.id AND c.region <> 3 WHEN MATCHED THEN UPDATE SET name = c.name || ' ' || c.region || ' merged' WHEN NOT MATCHED THEN DO NOTHING;
WITH a AS (UPDATE events SET kind = 'first' WHERE id % 4 = 1 RETURNING id, tenant) UPDATE events e SET tenant = e.tenant + 50, kind = 'second' FROM a WHERE e.id = a.id + 1 RETURNING e.tenant, e.id, e.kind, e.tableoid::regclass, a.tenant;
WITH a AS (UPDATE watched SET value = value + 1 WHERE id < 4 RETURNING id), b AS (UPDATE watched SET value = value + 10 WHERE id BETWEEN 4 AND 6 RETURNING id) SELECT count(*) FROM a, b;
WITH a AS (INSERT INTO by_number VALUES (900, 'new') RETURNING n), b AS (UPDATE by_number SET word = 'seen before' WHERE n > 890 RETURNING n) SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b);
WITH a AS (DELETE FROM items WHERE item_id = 30) SELECT 1;
WITH a AS (UPDATE items SET price = 1 WHERE item_id = 1), b AS (UPDATE items SET price = 2 WHERE item_id = 2) SELECT 1;
-- The same of a reference table, whose copies are found by key.
WITH a AS (UPDATE items SET price = price + 1 WHERE item_id < 5 RETURNING item_id), b AS (UPDATE items SET price = price + 1 WHERE item_id > 2 RETURNING item_id), c AS (DELETE FROM items WHERE price > 11 RETURNING item_id, price) SELECT 'a', item_id FROM a UNION ALL SELECT 'b', item_id FROM b UNION ALL SELECT 'c', item_id FROM c;
SELECT * FROM items ORDER BY 1;
WITH a AS (DELETE FROM items WHERE item_id = 30 RETURNING item_id), b AS (INSERT INTO items VALUES (31, 'new', 1) RETURNING item_id) UPDATE items i SET name = i.name || '!', item_id = i.item_id + 100 FROM a FULL JOIN b ON false WHERE i.item_id IN (a.item_id, b.item_id, 1) AND i.item_id < 50 RETURNING i.*;
WITH a AS (UPDATE items SET name = 'merged' WHERE item_id IN (2, 101) RETURNING item_id) MERGE INTO items i USING (SELECT item_id + 1 AS id FROM a UNION SELECT 40) s ON i.item_id = s.id WHEN MATCHED THEN UPDATE SET price = 7 WHEN NOT MATCHED THEN INSERT VALUES (s.id + 200, 'inserted', 1);
-- params: 3
WITH a AS (UPDATE items SET price = $1 WHERE item_id = $1 RETURNING *), b AS (DELETE FROM items USING a WHERE items.item_id = a.item_id + 1 RETURNING items.*, items) SELECT * FROM b;
SELECT * FROM items ORDER BY 1;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM items ORDER BY item_id FOR UPDATE;
DECLARE d CURSOR FOR SELECT * FROM customers ORDER BY customer_id FOR UPDATE;
FETCH 2 FROM c;
FETCH 3 FROM d;
WITH a AS (UPDATE items SET price = 1 WHERE item_id = 5 RETURNING item_id), b AS (UPDATE items SET price = 2 WHERE CURRENT OF c RETURNING item_id) SELECT a.*, b.* FROM a FULL JOIN b ON false;
WITH a AS (DELETE FROM items WHERE CURRENT OF c RETURNING item_id) DELETE FROM items WHERE price > 11 RETURNING item_id;
WITH a AS (UPDATE customers SET balance = 1 WHERE customer_id = 5 RETURNING customer_id), b AS (UPDATE customers SET balance = 2 WHERE CURRENT OF d RETURNING customer_id) SELECT a.*, b.* FROM a FULL JOIN b ON false;
WITH a AS (UPDATE customers SET balance = 1 WHERE customer_id = 3 RETURNING customer_id) DELETE FROM customers WHERE CURRENT OF d RETURNING customer_id;
ROLLBACK;
-- params: 7
WITH d AS (DELETE FROM orders WHERE item_id = $1 RETURNING customer_id) SELECT count(*), min(customer_id), $1::int FROM d;
BEGIN;
DECLARE k CURSOR FOR SELECT customer_id FROM customers ORDER BY 1 FOR UPDATE;
FETCH 2 FROM k;
ROLLBACK;
-- One constant in two parts, of which one is planned as a statement of its own.
WITH c AS (UPDATE customers SET region = 3 WHERE customer_id = 4 RETURNING customer_id), l AS (INSERT INTO local_notes VALUES (60 + 4, 'x') RETURNING id) UPDATE by_number SET word = l.id::text FROM l WHERE l.id = n + 60 RETURNING *;
SELECT * FROM local_notes WHERE id = 64;
-- FOR UPDATE with LIMIT over several shards.
BEGIN;
SELECT customer_id, balance FROM customers WHERE region < 3 ORDER BY balance DESC, 1 LIMIT 5 OFFSET 2 FOR UPDATE SKIP LOCKED;
SELECT name FROM customers ORDER BY customer_id LIMIT 0 FOR UPDATE;
SELECT name, balance * 2 FROM customers ORDER BY region, lower(name) LIMIT 7 FOR NO KEY UPDATE;
-- params: 4
SELECT customer_id FROM customers ORDER BY 1 DESC LIMIT $1 FOR SHARE;
SELECT count(*) FROM (SELECT 1 FROM orders WHERE amount > 20 LIMIT NULL FOR UPDATE NOWAIT) o;
WITH next AS (SELECT order_id FROM orders WHERE status = 'new' ORDER BY order_id LIMIT 3 FOR UPDATE SKIP LOCKED) UPDATE orders SET status = 'taken' FROM next WHERE next.order_id = orders.order_id RETURNING orders.*;
DELETE FROM orders WHERE order_id IN (SELECT order_id FROM orders WHERE status = 'paid' ORDER BY amount, order_id LIMIT 2 FOR UPDATE SKIP LOCKED) RETURNING order_id;
SELECT customer_id FROM customers ORDER BY 1 LIMIT -1 FOR UPDATE;
ROLLBACK;
