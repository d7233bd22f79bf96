-- Changing and deleting by key.
UPDATE customers SET balance = balance + 1 WHERE customer_id = 7;
UPDATE customers SET balance = balance + 1 WHERE customer_id = 7 RETURNING *;
-- params: 7, 2.25
UPDATE customers SET balance = balance + $2 WHERE customer_id = $1 RETURNING balance;
-- params: 2.25, 7
UPDATE customers SET balance = balance + $1 WHERE customer_id = $2 RETURNING customer_id, balance, balance - $1 AS before;
UPDATE customers SET balance = 0 WHERE customer_id = -1 RETURNING *;
UPDATE customers SET balance = 0 WHERE customer_id = NULL;
UPDATE customers SET balance = 0 WHERE false;
UPDATE customers c SET (name, region) = ('row', c.region + 1) WHERE c.customer_id = 8 RETURNING c.*;
UPDATE customers SET (name, region) = (SELECT i.name, i.item_id FROM items i WHERE i.item_id = 3) WHERE customer_id = 8 RETURNING name, region;
UPDATE customers SET balance = (SELECT sum(amount) FROM orders o WHERE o.customer_id = customers.customer_id) WHERE customer_id = 9 RETURNING balance;
UPDATE customers SET name = DEFAULT WHERE customer_id = 9;
UPDATE customers SET balance = o.amount FROM orders o WHERE o.customer_id = customers.customer_id AND customers.customer_id = 10 AND o.order_id = 69 RETURNING customers.*, o.order_id;
UPDATE orders o SET amount = i.price FROM items i WHERE i.item_id = o.item_id AND o.customer_id = 10 RETURNING o.order_id, o.amount, i.name;
UPDATE orders SET status = upper(status) WHERE customer_id = 10 AND amount > 5 RETURNING order_id, status;
UPDATE orders SET status = 'x' WHERE customer_id = 10 AND order_id IN (SELECT order_id FROM orders WHERE customer_id = 10 ORDER BY order_id LIMIT 1) RETURNING order_id;
UPDATE orders SET status = 'y' WHERE customer_id = 10 AND EXISTS (SELECT FROM customers c WHERE c.customer_id = orders.customer_id);
UPDATE orders SET amount = -1 WHERE (customer_id, order_id) = (10, 69) RETURNING amount;
UPDATE customers SET customer_id = 7 WHERE customer_id = 7 RETURNING customer_id;
UPDATE customers SET customer_id = customer_id WHERE customer_id = 7 RETURNING customer_id;
-- compare: shape
UPDATE customers SET created = now(), region = (random() * 10)::int WHERE customer_id = 11 RETURNING created, region;
UPDATE customers SET created = '2025-01-01 00:00+00', region = 1 WHERE customer_id = 11;
UPDATE customers SET name = current_user WHERE customer_id = 11 RETURNING name;
UPDATE autos SET title = 'changed', ticket = nextval('ticket') WHERE owner = 2 AND id = 1 RETURNING ticket, doubled;
UPDATE autos SET ticket = nextval('ticket') WHERE owner = 2 AND id = 6 RETURNING ticket;
UPDATE autos SET title = DEFAULT, ser = DEFAULT WHERE owner = 2 AND id = 1 RETURNING title, ser;
UPDATE autos SET doubled = 3 WHERE owner = 2;
UPDATE autos SET doubled = DEFAULT WHERE owner = 2 AND id = 1 RETURNING doubled;
UPDATE holes SET amount = amount + 1, added = label WHERE id = 3 RETURNING *;
UPDATE by_text SET value = value + 1 WHERE key = 'c-key' RETURNING *;
UPDATE by_pair SET seen = seen + 1 WHERE tenant = 2 AND code = 'code 3' RETURNING *;
UPDATE by_date SET reading = NULL WHERE day = '2025-02-03' RETURNING *;
UPDATE by_tenant SET body = body || '!' WHERE tenant = 'umbrella' RETURNING *;
UPDATE by_number SET word = 'several' WHERE n IN (2, 4, 6) RETURNING n;
UPDATE "Odd Schema"."Odd ""Table" SET "select" = "select" || '"' WHERE "Key Column" = 2 RETURNING *;
UPDATE customers SET nothing = 1 WHERE customer_id = 7;
UPDATE customers SET balance = 'x' WHERE customer_id = 7;
UPDATE customers SET balance = 1 / (balance - balance) WHERE customer_id = 7;
UPDATE customers SET name = NULL WHERE customer_id = 7;
UPDATE customers SET name = NULL WHERE customer_id = -7;
UPDATE local_notes SET note = 'x' WHERE id = 1 RETURNING *;
UPDATE local_notes SET note = name FROM customers c WHERE c.customer_id = 12 AND local_notes.id = 2 RETURNING note;

DELETE FROM orders WHERE customer_id = 12 AND order_id = 11 RETURNING *;
-- A column that USING merges has the name of one of the target's.
UPDATE customers SET name = o.status FROM orders o FULL JOIN by_number n ON n.n = o.item_id FULL JOIN (SELECT customer_id, region FROM customers) r USING (customer_id) WHERE customers.customer_id = 15 AND o.customer_id = 15 AND o.order_id = 14 RETURNING customers.*, r.*, o.order_id;
UPDATE customers SET balance = customer_id FROM (SELECT customer_id FROM orders WHERE item_id = 3) o FULL JOIN (SELECT customer_id FROM customers WHERE region = 2) r USING (customer_id) WHERE customers.customer_id = r.customer_id AND customers.region = 2;
UPDATE customers SET balance = merged FROM (orders o FULL JOIN (SELECT customer_id, region FROM customers) r USING (customer_id)) j (merged) WHERE customers.customer_id = 15 AND merged = 15 AND j.order_id = 14 RETURNING customers.*, merged, j.region;
DELETE FROM orders USING customers c FULL JOIN (SELECT customer_id::int, region FROM customers) r USING (customer_id) WHERE orders.customer_id = 16 AND c.customer_id = 16 RETURNING orders.*, c.*, r.*;
-- params: 12
DELETE FROM orders WHERE customer_id = $1 AND status = 'paid' RETURNING order_id;
DELETE FROM orders WHERE customer_id = 12;
DELETE FROM orders WHERE customer_id = 12;
DELETE FROM orders o USING items i WHERE o.item_id = i.item_id AND i.price > 5 AND o.customer_id = 13 RETURNING o.order_id, i.name;
DELETE FROM orders o USING customers c WHERE o.customer_id = c.customer_id AND c.customer_id = 14 AND c.region = 4 RETURNING o.order_id, c.name;
DELETE FROM customers WHERE customer_id IN (14) RETURNING customer_id;
DELETE FROM by_number WHERE n = ANY ('{30,32}') RETURNING n;
DELETE FROM by_text WHERE key = '' RETURNING *;
DELETE FROM customers WHERE customer_id = NULL;
DELETE FROM nowhere WHERE customer_id = 1;
DELETE FROM local_notes WHERE id = 5 RETURNING *;
DELETE FROM events WHERE tenant = 2 AND at < '2025-02-01' RETURNING *;
UPDATE events SET at = at + 30 WHERE tenant = 3 AND at < '2025-01-25' RETURNING at, id;
UPDATE events SET at = '2026-01-01' WHERE tenant = 3;
INSERT INTO events VALUES (3, '2025-01-05', 900, 'new') RETURNING *;
INSERT INTO events VALUES (3, '2027-01-05', 900, 'no partition');
SELECT tableoid::regclass, count(*) FROM events WHERE tenant = 3 GROUP BY 1 ORDER BY 1;
SELECT * FROM events_january WHERE tenant = 4 ORDER BY id;
