-- Reading from more than one shard; what one key's transaction has written is seen.
SELECT count(*) FROM customers;
SELECT * FROM customers;
SELECT * FROM customers WHERE region = 1;
SELECT * FROM customers WHERE customer_id > 10 ORDER BY customer_id LIMIT 5;
SELECT name FROM customers WHERE customer_id = 1 OR region = 2;
SELECT name FROM customers WHERE customer_id <> 7;
SELECT * FROM by_pair WHERE tenant = 3;
SELECT c.name, o.order_id FROM customers c JOIN orders o ON o.order_id = c.customer_id WHERE c.customer_id = 7;
SELECT c.name FROM customers c JOIN orders o USING (customer_id);
SELECT (SELECT count(*) FROM orders) FROM customers WHERE customer_id = 7;
SELECT 1 WHERE EXISTS (SELECT FROM customers WHERE balance > 10);
SELECT count(*) FROM totals;
BEGIN;
SELECT name FROM customers WHERE customer_id = 7;
SELECT count(*) FROM customers;
SELECT name FROM customers WHERE customer_id = 7;
COMMIT;
