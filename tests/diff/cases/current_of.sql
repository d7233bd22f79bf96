-- UPDATE and DELETE of the row that a cursor is on.
CREATE FUNCTION raise_prices() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c CURSOR (low int) FOR SELECT * FROM items WHERE item_id > low ORDER BY item_id FOR UPDATE;
    o refcursor;
    r record;
BEGIN
    FOR r IN c(7) LOOP
        UPDATE items SET price = price + r.item_id WHERE CURRENT OF c;
    END LOOP;
    OPEN o FOR SELECT customer_id, region FROM customers WHERE region = 2 ORDER BY customer_id;
    LOOP
        FETCH o INTO r;
        EXIT WHEN NOT FOUND;
        UPDATE customers SET name = name || ' seen', region = r.region + 100 WHERE CURRENT OF o;
    END LOOP;
END $$;

CREATE VIEW current_rich AS SELECT name, customer_id, region FROM customers WHERE balance > 0;
CREATE VIEW current_joined WITH (security_barrier) AS SELECT c.customer_id, c.region, o.order_id FROM customers c JOIN orders o USING (customer_id);
-- On one key, over many shards, of a partitioned table, of a reference table.
BEGIN;
DECLARE c CURSOR FOR SELECT name FROM customers WHERE customer_id = 7;
UPDATE customers SET region = 0 WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT name FROM customers WHERE customer_id = 7;
FETCH c;
UPDATE customers SET region = region + 10 WHERE CURRENT OF c RETURNING *;
UPDATE customers SET region = region + 10 WHERE customer_id = 7;
-- a row that this transaction has changed since is followed
UPDATE customers SET region = region + 10 WHERE CURRENT OF c RETURNING customer_id, region;
DELETE FROM customers WHERE CURRENT OF c RETURNING customer_id, region;
UPDATE customers SET region = region + 10 WHERE CURRENT OF c RETURNING customer_id, region;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT customer_id, order_id FROM orders WHERE amount > 40 ORDER BY order_id FOR UPDATE;
FETCH 3 FROM c;
UPDATE orders o SET amount = 0, status = 'current' WHERE CURRENT OF c RETURNING *;
SAVEPOINT a;
MOVE 2 FROM c;
DELETE FROM orders WHERE CURRENT OF c RETURNING *;
ROLLBACK TO a;
SELECT count(*), sum(amount) FROM orders;
COMMIT;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT customer_id FROM customers WHERE region = 3 ORDER BY balance, 1 FOR NO KEY UPDATE;
FETCH 4 FROM c;
-- once
UPDATE customers SET customer_id = customer_id + 1000 WHERE CURRENT OF c RETURNING customer_id;
SELECT customer_id FROM customers WHERE region = 3 ORDER BY 1;
FETCH c;
UPDATE customers SET balance = x.price FROM items x WHERE CURRENT OF c AND x.item_id = 3 RETURNING customer_id, balance, x.name;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM items ORDER BY item_id DESC FOR UPDATE;
FETCH 2 FROM c;
UPDATE items SET price = price * 2 WHERE CURRENT OF c RETURNING *;
DELETE FROM items WHERE CURRENT OF c RETURNING *;
SELECT count(*), sum(price) FROM items;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT c.customer_id, o.order_id, i.item_id FROM customers c JOIN orders o USING (customer_id) LEFT JOIN items i ON i.item_id = o.item_id WHERE c.region = 4 ORDER BY o.order_id FOR UPDATE OF c, o;
FETCH 2 FROM c;
UPDATE customers SET name = 'joined' WHERE CURRENT OF c RETURNING customer_id, name;
UPDATE orders SET status = 'joined' WHERE CURRENT OF c RETURNING order_id, status;
UPDATE items SET price = 0 WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT a.customer_id FROM customers a JOIN customers b ON a.customer_id = b.customer_id + 1 ORDER BY 1 FOR UPDATE;
FETCH c;
UPDATE customers SET region = 1 WHERE CURRENT OF c;
ROLLBACK;
-- What is no cursor over rows of the table.
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM customers;
FETCH c;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT 1 FROM items;
FETCH c;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT customer_id FROM customers WHERE customer_id = 3;
FETCH 2 FROM c;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
DELETE FROM customers WHERE CURRENT OF nowhere;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT customer_id FROM customers WHERE customer_id < 3 ORDER BY customer_id;
FETCH c;
UPDATE customers SET region = 50 WHERE CURRENT OF c RETURNING customer_id;
COMMIT;
FETCH c;
UPDATE customers SET region = 50 WHERE CURRENT OF c;
CLOSE c;
-- Back and forth.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT customer_id FROM customers WHERE customer_id = 9;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
UPDATE customers SET region = 60 WHERE CURRENT OF c RETURNING customer_id;
ROLLBACK;
-- In a function, where the cursor has a parameter for a name.
-- once
SELECT raise_prices();
SELECT item_id, price FROM items ORDER BY 1;
SELECT customer_id, name, region FROM customers WHERE region > 100 ORDER BY 1;
-- Partitions, and keys of other kinds.
BEGIN;
DECLARE c CURSOR FOR SELECT tenant, at FROM events WHERE at > '2025-01-28' ORDER BY at FOR UPDATE;
FETCH 5 FROM c;
UPDATE events SET kind = 'current' WHERE CURRENT OF c RETURNING *;
UPDATE events SET kind = kind || ' again' WHERE CURRENT OF c RETURNING *;
FETCH c;
DELETE FROM events WHERE CURRENT OF c RETURNING *;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT key, value FROM by_text WHERE value > 20 ORDER BY value FOR UPDATE;
FETCH 2 FROM c;
UPDATE by_text SET note = 'here' WHERE CURRENT OF c RETURNING *;
ROLLBACK;
-- Over views and subqueries.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM current_rich WHERE customer_id = 7;
FETCH c;
UPDATE customers SET name = 'rich' WHERE CURRENT OF c RETURNING *;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM current_rich WHERE customer_id > 2 ORDER BY 1 FOR UPDATE;
FETCH 2 FROM c;
UPDATE customers SET name = 'rich' WHERE CURRENT OF c RETURNING *;
UPDATE current_rich SET name = 'rich' WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT x.customer_id, x.order_id FROM current_joined x WHERE x.order_id = 27 FOR UPDATE;
FETCH c;
UPDATE customers SET name = 'joined' WHERE CURRENT OF c RETURNING *;
DELETE FROM orders WHERE CURRENT OF c RETURNING order_id;
UPDATE items SET price = 0 WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT y.* FROM (SELECT region, x.* FROM (SELECT name, customer_id AS id, region FROM customers WHERE customer_id = 7) x) y;
FETCH c;
DELETE FROM customers WHERE CURRENT OF c RETURNING *;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT s.item_id FROM (SELECT * FROM items ORDER BY price DESC LIMIT 1 FOR UPDATE) s JOIN customers c ON c.customer_id = s.item_id;
FETCH c;
UPDATE items SET price = price + 1 WHERE CURRENT OF c RETURNING *;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT DISTINCT region FROM current_rich WHERE region = 3;
FETCH c;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM (SELECT customer_id FROM customers) s;
FETCH c;
DELETE FROM customers WHERE CURRENT OF c;
ROLLBACK;
-- A partition by a cursor over the table, and the other way round.
BEGIN;
DECLARE c CURSOR FOR SELECT id, tenant, at, tableoid::regclass FROM events WHERE at > '2025-01-15' ORDER BY at FOR UPDATE;
FETCH 1 FROM c;
UPDATE events_january SET kind = 'one' WHERE CURRENT OF c RETURNING id, kind;
UPDATE events_february SET kind = 'two' WHERE CURRENT OF c RETURNING id, kind;
MOVE 20 FROM c;
UPDATE events_january SET kind = 'one' WHERE CURRENT OF c RETURNING id, kind;
DELETE FROM events_february WHERE CURRENT OF c RETURNING id, kind;
DELETE FROM events_february WHERE CURRENT OF c RETURNING id, kind;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM events_january ORDER BY at FOR UPDATE;
FETCH 2 FROM c;
UPDATE events_january SET kind = 'own' WHERE CURRENT OF c RETURNING *;
UPDATE events_february SET kind = 'x' WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM events_january WHERE tenant = 3;
FETCH 2 FROM c;
UPDATE events SET kind = 'x' WHERE CURRENT OF c;
ROLLBACK;
-- teardown
DROP VIEW current_rich, current_joined;
DROP FUNCTION raise_prices();
