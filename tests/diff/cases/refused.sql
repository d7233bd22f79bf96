-- Statements that need more than one shard: PostgreSQL answers them, this version says that it does
-- not. The issue that brings an answer removes the line above it.
-- expect-refused: customers
SELECT count(*) FROM customers;
-- expect-refused: customers
SELECT * FROM customers;
-- expect-refused: customers
SELECT * FROM customers WHERE region = 1;
-- expect-refused: customers
SELECT * FROM customers WHERE customer_id > 10 ORDER BY customer_id LIMIT 5;
-- expect-refused: customers
SELECT name FROM customers WHERE customer_id = 1 OR region = 2;
-- expect-refused: customers
SELECT name FROM customers WHERE customer_id <> 7;
-- expect-refused: by_pair
SELECT * FROM by_pair WHERE tenant = 3;
-- expect-refused: orders
SELECT c.name, o.order_id FROM customers c JOIN orders o ON o.order_id = c.customer_id WHERE c.customer_id = 7;
-- expect-refused: customers
SELECT c.name FROM customers c JOIN orders o USING (customer_id);
-- expect-refused: orders
SELECT (SELECT count(*) FROM orders) FROM customers WHERE customer_id = 7;
-- expect-refused: customers
SELECT 1 WHERE EXISTS (SELECT FROM customers WHERE balance > 10);
-- expect-refused: customers
UPDATE customers SET balance = 0;
-- expect-refused: customers
UPDATE customers SET balance = 0 WHERE region = 1;
-- expect-refused: orders
DELETE FROM orders WHERE status = 'new';
-- expect-refused: orders
SELECT count(*) FROM totals;
BEGIN;
SELECT name FROM customers WHERE customer_id = 7;
-- expect-refused: customers
SELECT count(*) FROM customers;
SELECT name FROM customers WHERE customer_id = 7;
COMMIT;
