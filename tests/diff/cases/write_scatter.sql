-- Writes that every shard runs for itself: all keys or several, joins on the key, reference tables.
-- unordered
UPDATE customers SET balance = balance + 1;
UPDATE customers SET balance = 0 WHERE region = 1;
UPDATE customers SET balance = balance * 2 WHERE region = 2 RETURNING customer_id, balance, upper(name), current_user, pg_typeof(balance);
UPDATE customers SET balance = 5 WHERE customer_id IN (1, 2, 3, 4, 99) RETURNING *;
-- params: '{5,6,7,8}'::int8[], 1.5
UPDATE customers SET balance = $2 WHERE customer_id = ANY ($1) RETURNING customer_id, balance + $2;
UPDATE customers SET balance = 6 WHERE customer_id = 3 OR customer_id = 4 OR customer_id = 5;
UPDATE customers SET balance = 1 WHERE customer_id IN (1, 2, 3) AND false;
UPDATE customers SET balance = 1 WHERE region = 77 RETURNING customer_id;
UPDATE customers SET name = name || '+' FROM orders o WHERE o.customer_id = customers.customer_id AND o.order_id < 50 RETURNING customers.customer_id, customers.name;
UPDATE orders o SET amount = i.price + c.region FROM items i, customers c WHERE i.item_id = o.item_id AND c.customer_id = o.customer_id AND c.region = 3 RETURNING o.order_id, o.amount, i.name, c.name;
UPDATE orders SET status = 'rich' WHERE EXISTS (SELECT FROM customers c WHERE c.customer_id = orders.customer_id AND c.balance > 200);
UPDATE customers c SET balance = (SELECT sum(amount) FROM orders o WHERE o.customer_id = c.customer_id) WHERE region = 4 RETURNING c.customer_id, c.balance;
UPDATE orders SET (status, amount) = (SELECT i.name, i.price FROM items i WHERE i.item_id = orders.item_id) WHERE order_id % 7 = 0;
UPDATE new_orders SET amount = amount + 1 WHERE order_id < 100 RETURNING order_id, amount;
UPDATE new_orders SET status = 'paid' WHERE order_id < 100;
UPDATE new_orders SET status = 'new' WHERE order_id < 100;
DELETE FROM orders WHERE status = 'returned' AND amount < 20 RETURNING *;
DELETE FROM orders USING customers c WHERE c.customer_id = orders.customer_id AND c.region = 0 AND orders.item_id < 3;
DELETE FROM orders o WHERE NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = o.customer_id);
DELETE FROM orders WHERE customer_id IN (1, 2, 3, 4) AND order_id % 2 = 0 RETURNING order_id;
-- Errors of one shard undo all.
UPDATE orders SET amount = 1 / (order_id - 77);
UPDATE invoices SET quantity = quantity - 3;
-- compare: sqlstate
UPDATE watched SET value = value - 100 WHERE id > 3;
UPDATE watched SET value = value + 1 RETURNING *;
UPDATE by_text SET value = value + 1 WHERE key > 'c' RETURNING key, value;
UPDATE by_pair SET seen = seen + 1 WHERE tenant IN (1, 2) AND code IN ('code 1', 'code 2') RETURNING *;
UPDATE by_date SET reading = 0 WHERE day BETWEEN '2025-01-20' AND '2025-02-10' RETURNING day, device;
UPDATE by_tenant SET body = tenant WHERE id = 2 RETURNING *;
UPDATE events SET kind = 'k' WHERE at < '2025-01-15' RETURNING tenant, id, kind;
UPDATE events_february SET kind = 'february' WHERE id % 3 = 0;
DELETE FROM events WHERE kind = 'kind 1' AND tenant < 3;
UPDATE holes SET amount = 0, added = label WHERE id > 10 RETURNING *;
UPDATE "Odd Schema"."Odd ""Table" SET "select" = 'x' WHERE "a;b" < -4 RETURNING "Key Column", "select";
UPDATE autos SET doubled = DEFAULT, title = 'all' RETURNING owner, id, title, doubled;
-- compare: shape
UPDATE customers SET created = now(), region = (random() * 10)::int RETURNING created, region;
UPDATE customers SET created = '2025-01-01 00:00+00', region = customer_id % 5;
-- INSERT ... SELECT within the key.
INSERT INTO orders SELECT customer_id, 1000 + region, 1, balance, 'copied', created FROM customers;
INSERT INTO orders SELECT customer_id, order_id + 2000, item_id, amount, status, ordered_at FROM orders WHERE status = 'paid' RETURNING order_id, amount;
INSERT INTO orders (customer_id, order_id, item_id, amount, status, ordered_at) SELECT c.customer_id, 3000 + count(*), max(o.item_id), sum(o.amount), 'sum', max(o.ordered_at) FROM customers c LEFT JOIN orders o USING (customer_id) WHERE o.order_id < 1000 GROUP BY c.customer_id;
INSERT INTO orders SELECT customer_id, 1000 + region, 2, balance, 'again', created FROM customers WHERE region < 3 ON CONFLICT DO NOTHING;
INSERT INTO orders AS o SELECT customer_id, 1000 + region, 2, balance, 'again', created FROM customers WHERE region < 3 ON CONFLICT (customer_id, order_id) DO UPDATE SET amount = o.amount + EXCLUDED.amount, status = EXCLUDED.status WHERE o.item_id = 1 RETURNING o.order_id, o.amount;
INSERT INTO invoices SELECT customer_id, 10, 3, 4, 'ZZZZ' FROM customers WHERE region = 2 RETURNING *;
-- compare: sqlstate
INSERT INTO invoices SELECT customer_id, 10, 3, 4, 'ZZZZ' FROM customers WHERE region = 2;
-- Reference tables.
INSERT INTO items VALUES (20, 'twenty', 20), (21, 'twenty-one', 21) RETURNING *, price * 2;
INSERT INTO items VALUES (20, 'again', 1) ON CONFLICT (item_id) DO UPDATE SET name = items.name || EXCLUDED.name RETURNING *;
INSERT INTO items VALUES (20, 'again', 1) ON CONFLICT DO NOTHING;
INSERT INTO items VALUES (20, 'again', 1);
UPDATE items SET price = price + 1 WHERE item_id > 9 RETURNING item_id, price;
UPDATE items SET name = name || '!' WHERE item_id IN (SELECT item_id FROM items WHERE price > 15);
UPDATE items SET name = NULL WHERE item_id = 4;
-- compare: shape
UPDATE items SET name = now()::text WHERE item_id = 20 RETURNING name;
UPDATE items SET name = 'then' WHERE item_id = 20;
DELETE FROM items WHERE item_id = 3;
DELETE FROM items WHERE item_id >= 20 RETURNING *;
UPDATE items SET price = 3 WHERE false;
-- Transactions over shards.
-- once
BEGIN;
UPDATE customers SET balance = balance - 10 WHERE customer_id = 1;
UPDATE customers SET balance = balance + 10 WHERE customer_id = 2;
SAVEPOINT s;
UPDATE customers SET balance = 0;
ROLLBACK TO s;
SELECT sum(balance) FROM customers;
COMMIT;
BEGIN;
DELETE FROM orders;
UPDATE items SET price = 0;
ROLLBACK;

-- Places of rows, which each shard has of its own.
-- expect-refused: Rows of several shards may have the same ctid
UPDATE orders SET amount = 0 WHERE ctid = '(0,1)' AND amount < 0;
DELETE FROM orders a USING orders b WHERE a.customer_id = b.customer_id AND a.order_id = b.order_id AND a.ctid < b.ctid;
DELETE FROM orders WHERE customer_id = 7 AND ctid = (SELECT min(ctid) FROM orders WHERE customer_id = 7 AND order_id = 6) RETURNING order_id;
