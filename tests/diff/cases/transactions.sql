-- Transactions on one key: what is seen, savepoints, errors inside, modes.
BEGIN;
UPDATE customers SET balance = 1 WHERE customer_id = 7;
SELECT balance FROM customers WHERE customer_id = 7;
COMMIT;
SELECT balance FROM customers WHERE customer_id = 7;
BEGIN;
UPDATE customers SET balance = 2 WHERE customer_id = 7;
INSERT INTO orders VALUES (7, 8001, 1, 1, 'x', '2025-01-01 00:00+00');
DELETE FROM orders WHERE customer_id = 7 AND order_id = 6;
SELECT count(*), max(order_id) FROM orders WHERE customer_id = 7;
ROLLBACK;
SELECT balance FROM customers WHERE customer_id = 7;
SELECT count(*), max(order_id) FROM orders WHERE customer_id = 7;

BEGIN;
UPDATE customers SET balance = 10 WHERE customer_id = 7;
SAVEPOINT a;
UPDATE customers SET balance = 11 WHERE customer_id = 7;
SAVEPOINT b;
UPDATE customers SET balance = 12 WHERE customer_id = 7;
SELECT balance FROM customers WHERE customer_id = 7;
ROLLBACK TO b;
SELECT balance FROM customers WHERE customer_id = 7;
UPDATE customers SET balance = 13 WHERE customer_id = 7;
RELEASE a;
SELECT balance FROM customers WHERE customer_id = 7;
ROLLBACK TO a;
ROLLBACK;
SELECT balance FROM customers WHERE customer_id = 7;

-- The same name twice, savepoints before the first statement, release of an outer one.
BEGIN;
SAVEPOINT a;
SAVEPOINT a;
UPDATE customers SET balance = 20 WHERE customer_id = 7;
ROLLBACK TO a;
SELECT balance FROM customers WHERE customer_id = 7;
RELEASE a;
UPDATE customers SET balance = 21 WHERE customer_id = 7;
ROLLBACK TO a;
SELECT balance FROM customers WHERE customer_id = 7;
UPDATE customers SET balance = 22 WHERE customer_id = 7;
SAVEPOINT "Quoted "" Name";
UPDATE customers SET balance = 23 WHERE customer_id = 7;
ROLLBACK TO "Quoted "" Name";
COMMIT;
SELECT balance FROM customers WHERE customer_id = 7;

-- Errors: from the shard, from the router, from the parser; then the savepoint saves.
BEGIN;
INSERT INTO customers VALUES (7, 'clash', 1, 1, '2025-01-01 00:00+00');
SELECT 1;
SELECT name FROM customers WHERE customer_id = 7;
COMMIT;
BEGIN;
UPDATE customers SET balance = 30 WHERE customer_id = 7;
SAVEPOINT a;
INSERT INTO customers VALUES (7, 'clash', 1, 1, '2025-01-01 00:00+00');
ROLLBACK TO a;
SELECT balance FROM customers WHERE customer_id = 7;
SELECT 1 / 0;
ROLLBACK TO a;
UPDATE customers SET balance = balance / 0 WHERE customer_id = 7;
ROLLBACK TO a;
SELEC 1;
ROLLBACK TO a;
UPDATE customers SET balance = balance + 1 WHERE customer_id = 7;
COMMIT;
SELECT balance FROM customers WHERE customer_id = 7;
ROLLBACK;
COMMIT;
BEGIN;
BEGIN;
SELECT name FROM customers WHERE customer_id = 7;
COMMIT AND CHAIN;
UPDATE customers SET balance = 31 WHERE customer_id = 7;
ROLLBACK AND CHAIN;
SELECT balance FROM customers WHERE customer_id = 7;
COMMIT;
SAVEPOINT outside;
RELEASE outside;
ROLLBACK TO outside;
BEGIN;
ROLLBACK TO nothing;
ROLLBACK;

-- Modes.
BEGIN READ ONLY;
SELECT name FROM customers WHERE customer_id = 7;
UPDATE customers SET balance = 0 WHERE customer_id = 7;
ROLLBACK;
BEGIN READ ONLY;
INSERT INTO orders VALUES (7, 8100, 1, 1, 'x', '2025-01-01 00:00+00');
ROLLBACK;
BEGIN READ ONLY;
WITH x AS (DELETE FROM orders WHERE customer_id = 7 RETURNING 1) SELECT count(*) FROM x;
ROLLBACK;
BEGIN READ ONLY;
WITH x AS (UPDATE orders SET status = 'x' RETURNING 1) SELECT count(*) FROM x;
ROLLBACK;
BEGIN READ ONLY;
WITH x AS (DELETE FROM orders RETURNING *) INSERT INTO orders SELECT * FROM x;
ROLLBACK;
BEGIN READ ONLY;
ANALYZE orders;
REINDEX TABLE customers;
ROLLBACK;
BEGIN READ ONLY;
SELECT name FROM customers WHERE customer_id = 7 FOR UPDATE;
ROLLBACK;
SET default_transaction_read_only = on;
DELETE FROM orders WHERE customer_id = 7;
SELECT count(*) FROM orders WHERE customer_id = 7;
RESET default_transaction_read_only;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT balance FROM customers WHERE customer_id = 7;
UPDATE customers SET balance = balance + 1 WHERE customer_id = 7 RETURNING balance;
SHOW transaction_isolation;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE;
SELECT balance FROM customers WHERE customer_id = 7;
COMMIT;
BEGIN;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT balance FROM customers WHERE customer_id = 7;
SET TRANSACTION READ ONLY;
UPDATE customers SET balance = 0 WHERE customer_id = 7;
ROLLBACK;
BEGIN;
SELECT balance FROM customers WHERE customer_id = 7;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
ROLLBACK;
BEGIN;
SAVEPOINT a;
SET LOCAL transaction_read_only = on;
UPDATE customers SET balance = 0 WHERE customer_id = 7;
ROLLBACK TO a;
UPDATE customers SET balance = 40 WHERE customer_id = 7;
COMMIT;

-- Locks.
BEGIN;
SELECT name FROM customers WHERE customer_id = 7 FOR UPDATE;
SELECT name FROM customers WHERE customer_id = 7 FOR NO KEY UPDATE NOWAIT;
SELECT name FROM customers WHERE customer_id = 7 FOR SHARE SKIP LOCKED;
SELECT name FROM customers WHERE customer_id = 7 FOR KEY SHARE;
SELECT c.name, o.order_id FROM customers c JOIN orders o USING (customer_id) WHERE c.customer_id = 7 ORDER BY 2 LIMIT 1 FOR UPDATE OF c;
SELECT name FROM (SELECT * FROM customers WHERE customer_id = 7 FOR UPDATE) x;
-- params: 7
SELECT name FROM customers WHERE customer_id = $1 FOR UPDATE;
SELECT count(*) FROM customers WHERE customer_id = 7 FOR UPDATE;
ROLLBACK;
SELECT name FROM customers WHERE customer_id = 7 FOR UPDATE;

-- One statement of several in a simple query is one transaction.
-- modes: simple
SELECT 1;
DO $$ BEGIN UPDATE customers SET balance = 50 WHERE customer_id = 7; RAISE EXCEPTION 'after the update'; END $$;
SELECT balance FROM customers WHERE customer_id = 7;
DO $$ BEGIN
    UPDATE customers SET balance = 51 WHERE customer_id = 7;
    BEGIN
        UPDATE customers SET balance = 52 WHERE customer_id = 7;
        RAISE EXCEPTION 'inner';
    EXCEPTION WHEN raise_exception THEN
        UPDATE customers SET region = 52 WHERE customer_id = 7;
    END;
END $$;
SELECT balance, region FROM customers WHERE customer_id = 7;
DO $$ BEGIN
    FOR i IN 1..5 LOOP
        BEGIN
            INSERT INTO orders VALUES (7, 8200 + i / 2, 1, i, 'loop', '2025-01-01 00:00+00');
        EXCEPTION WHEN unique_violation THEN
            UPDATE orders SET amount = amount + 100 WHERE customer_id = 7 AND order_id = 8200 + i / 2;
        END;
    END LOOP;
END $$;
SELECT order_id, amount FROM orders WHERE customer_id = 7 AND status = 'loop' ORDER BY 1;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN
    UPDATE customers SET balance = 60 WHERE customer_id = 7;
    COMMIT;
    UPDATE customers SET balance = 61 WHERE customer_id = 7;
    ROLLBACK;
    UPDATE customers SET region = 60 WHERE customer_id = 7;
END $$;
CALL commits();
SELECT balance, region FROM customers WHERE customer_id = 7;
DROP PROCEDURE commits;
SELECT txid_current_if_assigned() IS NULL;

-- A cursor's rows are those of when it was opened, whichever is read first; its tables are in use.
BEGIN;
DECLARE one CURSOR FOR SELECT customer_id, balance FROM customers WHERE customer_id = 7;
DECLARE many CURSOR FOR SELECT customer_id, balance FROM customers WHERE customer_id < 20 ORDER BY 1;
DECLARE joined CURSOR FOR SELECT c.customer_id, i.item_id, c.balance FROM customers c JOIN items i ON i.item_id = c.region WHERE c.customer_id < 20 ORDER BY 1, 2;
DECLARE pulled CURSOR FOR SELECT c.customer_id, o.region FROM customers c JOIN customers o ON o.region = c.customer_id % 3 WHERE c.customer_id < 6 AND o.customer_id < 20 ORDER BY 1, 2;
DECLARE reduced CURSOR FOR SELECT a.customer_id, b.region, b.balance FROM customers a JOIN customers b ON b.customer_id = a.region + 1 WHERE a.customer_id < 20 ORDER BY 1;
DECLARE total SCROLL CURSOR WITH HOLD FOR SELECT (SELECT sum(balance) FROM customers), count(*) FROM orders WHERE amount > (SELECT avg(region) FROM customers);
UPDATE customers SET balance = balance + 1000, region = 99;
SAVEPOINT a;
DELETE FROM orders;
FETCH ALL FROM one;
FETCH ALL FROM joined;
ROLLBACK TO a;
FETCH ALL FROM many;
FETCH ALL FROM pulled;
FETCH ALL FROM reduced;
SAVEPOINT b;
TRUNCATE orders;
ROLLBACK TO b;
ALTER TABLE customers ADD COLUMN never int;
ROLLBACK TO b;
CLOSE many;
ROLLBACK TO a;
COMMIT;
FETCH ALL FROM total;
CLOSE total;
-- Sorted by what it does not show.
BEGIN;
DECLARE copies NO SCROLL CURSOR FOR SELECT item_id + 1 AS next FROM items WHERE item_id < 9 ORDER BY price DESC, name;
DECLARE one NO SCROLL CURSOR FOR SELECT order_id, amount FROM orders WHERE customer_id = 7 ORDER BY status, ordered_at FOR UPDATE;
DECLARE many NO SCROLL CURSOR FOR SELECT order_id FROM orders WHERE order_id < 20 ORDER BY status, ordered_at FOR UPDATE;
FETCH 3 FROM copies;
FETCH 2 FROM one;
DELETE FROM orders WHERE CURRENT OF one RETURNING order_id;
FETCH 4 FROM many;
UPDATE orders SET amount = -1 WHERE CURRENT OF many RETURNING order_id;
FETCH ALL FROM copies;
ROLLBACK;
DO $$ DECLARE c refcursor; r record; text text := ''; BEGIN
    OPEN c FOR SELECT customer_id, region FROM customers WHERE customer_id < 4 ORDER BY 1;
    UPDATE customers SET region = 98;
    LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; text := text || r; END LOOP;
    FOR r IN SELECT 1 AS part, region FROM customers WHERE customer_id = 1 UNION ALL SELECT 2, region FROM customers WHERE customer_id = 2 LOOP
        UPDATE customers SET region = 97;
        text := text || r;
    END LOOP;
    RAISE EXCEPTION '%', text;
END $$;
