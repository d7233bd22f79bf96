-- ORDER BY, LIMIT and OFFSET over several shards (CORRECTNESS 1, 4, 5).
SELECT order_id FROM orders ORDER BY order_id;
SELECT * FROM customers ORDER BY customer_id;
SELECT name FROM customers ORDER BY name;
SELECT name FROM customers ORDER BY name COLLATE "C" DESC;
SELECT key FROM by_text ORDER BY key;
SELECT key FROM by_text ORDER BY key DESC;
SELECT key FROM by_text ORDER BY key COLLATE "C";
SELECT key FROM by_text ORDER BY upper(key), value;
SELECT key, note FROM by_text ORDER BY note NULLS FIRST, key;
SELECT key, note FROM by_text ORDER BY note DESC NULLS LAST, key DESC;
SELECT key, note FROM by_text ORDER BY note DESC, key;
SELECT id, e FROM everything ORDER BY e, id;
SELECT id, e FROM everything ORDER BY e DESC NULLS LAST, id;
SELECT id, f8, num, ts, iv FROM everything ORDER BY f8, id;
SELECT id FROM everything ORDER BY num DESC, id;
SELECT id FROM everything ORDER BY ts NULLS FIRST, id;
SELECT id FROM everything ORDER BY bin, id;
SELECT id FROM everything ORDER BY ints DESC, id DESC;
SELECT id FROM everything ORDER BY comp, id;
SELECT id FROM everything ORDER BY r4, id;
SELECT id, n, bp, vc FROM everything ORDER BY bp DESC, vc, id;
SELECT status, item_id, order_id FROM orders ORDER BY status DESC, item_id, order_id DESC;
SELECT order_id FROM orders ORDER BY amount, order_id LIMIT 10;
SELECT order_id FROM orders ORDER BY amount DESC, order_id LIMIT 10 OFFSET 5;
SELECT order_id, amount FROM orders ORDER BY amount * -1, order_id LIMIT 3;
SELECT order_id FROM orders ORDER BY item_id % 3, amount + item_id, order_id LIMIT 12;
SELECT order_id FROM orders ORDER BY (SELECT price FROM items i WHERE i.item_id = orders.item_id) DESC, order_id LIMIT 5;
SELECT name AS n FROM customers ORDER BY n LIMIT 3;
SELECT name, customer_id FROM customers ORDER BY 2 DESC LIMIT 3;
SELECT length(name), customer_id FROM customers ORDER BY length(name), region DESC, customer_id DESC LIMIT 20;
SELECT o.order_id FROM orders o JOIN customers c USING (customer_id) ORDER BY c.balance DESC, o.order_id LIMIT 6;
SELECT order_id FROM orders ORDER BY customer_id USING >, order_id USING < LIMIT 8;
SELECT order_id FROM orders ORDER BY order_id OFFSET 350;
SELECT order_id FROM orders ORDER BY order_id OFFSET 1000;
SELECT order_id FROM orders ORDER BY order_id LIMIT 0;
SELECT order_id FROM orders ORDER BY order_id LIMIT NULL OFFSET 355;
SELECT order_id FROM orders ORDER BY order_id LIMIT ALL OFFSET 355;
SELECT order_id FROM orders ORDER BY order_id LIMIT 3 OFFSET NULL;
SELECT order_id FROM orders ORDER BY order_id LIMIT 1 + 1 OFFSET 2 * 2;
SELECT order_id FROM orders ORDER BY order_id LIMIT 2.5;
SELECT order_id FROM orders ORDER BY order_id LIMIT '3' OFFSET '1';
SELECT order_id FROM orders ORDER BY order_id LIMIT -1;
SELECT order_id FROM orders ORDER BY order_id OFFSET -1;
SELECT order_id FROM orders ORDER BY order_id LIMIT -1 OFFSET 3;
SELECT order_id FROM orders ORDER BY order_id LIMIT 5 OFFSET -3;
SELECT order_id FROM orders ORDER BY order_id LIMIT 9223372036854775807 OFFSET 358;
SELECT order_id FROM orders ORDER BY order_id LIMIT (SELECT count(*) FROM items);
SELECT order_id FROM orders ORDER BY order_id LIMIT (SELECT count(*) / 100 FROM orders) OFFSET (SELECT min(item_id) FROM items);
SELECT order_id FROM orders ORDER BY order_id LIMIT (SELECT NULL::int) OFFSET 357;
SELECT order_id FROM orders ORDER BY order_id LIMIT length('four');
SELECT count(*) FROM (SELECT order_id FROM orders LIMIT 7) x;
SELECT count(*) FROM (SELECT order_id FROM orders OFFSET 100) x;
-- compare: shape
SELECT order_id FROM orders LIMIT 4;
-- compare: shape
SELECT order_id FROM orders LIMIT 400 OFFSET 359;
SELECT item_id FROM orders ORDER BY item_id FETCH FIRST 5 ROWS WITH TIES;
SELECT status FROM orders ORDER BY status OFFSET 85 FETCH FIRST 3 ROWS WITH TIES;
SELECT region FROM customers ORDER BY region FETCH FIRST ROW WITH TIES;
SELECT region FROM customers ORDER BY region DESC OFFSET 11 ROWS FETCH NEXT 1 ROWS WITH TIES;
-- params: 4
SELECT order_id FROM orders ORDER BY order_id LIMIT $1;
-- params: 4, 6
SELECT order_id FROM orders ORDER BY order_id LIMIT $1 OFFSET $2;
-- params: NULL::int8, 355::int8
SELECT order_id FROM orders ORDER BY order_id LIMIT $1 OFFSET $2;
-- params: 4::int8, NULL::int8
SELECT order_id FROM orders ORDER BY order_id LIMIT $1 OFFSET $2;
-- params: -1::int8
SELECT order_id FROM orders ORDER BY order_id LIMIT $1;
-- params: 2, 30
SELECT order_id FROM orders WHERE amount > $2 ORDER BY order_id LIMIT $1 + 1;
SELECT item_id, count(*) FROM orders GROUP BY item_id ORDER BY item_id LIMIT 3;
SELECT customer_id, count(*) FROM orders GROUP BY customer_id ORDER BY count(*) DESC, customer_id DESC LIMIT 3;
SELECT customer_id, sum(amount) FROM orders GROUP BY customer_id ORDER BY 2 DESC, 1 LIMIT 10 OFFSET 2;
SELECT customer_id FROM orders GROUP BY customer_id ORDER BY max(order_id), customer_id LIMIT 5;
SELECT e, count(*) FROM everything GROUP BY e ORDER BY e NULLS FIRST LIMIT 2;
SELECT order_id FROM orders WHERE customer_id IN (3, 4, 5) ORDER BY amount DESC, order_id LIMIT 4;
SELECT day, sum(reading) FROM by_date GROUP BY day ORDER BY day DESC LIMIT 3;
SELECT day, device FROM by_date WHERE day BETWEEN '2025-01-30' AND '2025-02-02' ORDER BY day, device DESC;
SELECT n FROM by_number ORDER BY n DESC LIMIT 5 OFFSET 3;
SELECT * FROM (SELECT order_id, amount FROM orders ORDER BY amount DESC, order_id LIMIT 10) x ORDER BY order_id LIMIT 3;
SELECT * FROM (SELECT order_id FROM orders ORDER BY order_id OFFSET 5 LIMIT 10) x ORDER BY order_id DESC OFFSET 2 LIMIT 3;
SELECT max(order_id) FROM (SELECT order_id FROM orders ORDER BY order_id LIMIT 20) x;
SELECT * FROM (SELECT DISTINCT ON (status) status, order_id FROM orders ORDER BY status, order_id) x ORDER BY order_id;
SELECT generate_series(1, 2), order_id FROM orders ORDER BY 2, 1 LIMIT 5;
SELECT order_id, unnest(ARRAY[item_id, 7]) FROM orders ORDER BY 1, 2 LIMIT 5;
SELECT c, length(c.name) FROM customers c ORDER BY c LIMIT 2;
SELECT o FROM orders o ORDER BY o.order_id LIMIT 2;

-- Cursors.
BEGIN;
DECLARE a CURSOR FOR SELECT order_id, amount FROM orders ORDER BY order_id;
FETCH 3 FROM a;
FETCH NEXT FROM a;
MOVE 10 IN a;
FETCH 2 FROM a;
DECLARE b CURSOR FOR SELECT name FROM customers ORDER BY customer_id;
FETCH 2 FROM b;
FETCH 2 FROM a;
SELECT count(*) FROM orders;
FETCH 2 FROM b;
CLOSE a;
FETCH ALL FROM b;
FETCH 1 FROM b;
COMMIT;
BEGIN;
DECLARE s SCROLL CURSOR FOR SELECT order_id FROM orders ORDER BY order_id;
FETCH 3 FROM s;
FETCH PRIOR FROM s;
FETCH LAST FROM s;
FETCH ABSOLUTE 5 FROM s;
FETCH BACKWARD 2 FROM s;
FETCH FIRST FROM s;
FETCH RELATIVE 4 FROM s;
MOVE BACKWARD ALL IN s;
FETCH 1 FROM s;
COMMIT;
BEGIN;
DECLARE g SCROLL CURSOR FOR SELECT status, count(*) FROM orders GROUP BY status ORDER BY status;
FETCH ALL FROM g;
FETCH BACKWARD ALL FROM g;
DECLARE n NO SCROLL CURSOR FOR SELECT order_id FROM orders ORDER BY order_id;
FETCH 2 FROM n;
ROLLBACK;
BEGIN;
DECLARE n2 NO SCROLL CURSOR FOR SELECT order_id FROM orders ORDER BY order_id;
FETCH 2 FROM n2;
FETCH BACKWARD 1 FROM n2;
ROLLBACK;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT order_id FROM orders WHERE item_id = 3 ORDER BY order_id DESC;
FETCH 2 FROM h;
COMMIT;
FETCH 2 FROM h;
SELECT count(*) FROM orders;
FETCH ALL FROM h;
CLOSE h;
DECLARE h2 SCROLL CURSOR WITH HOLD FOR SELECT status, sum(amount) FROM orders GROUP BY status ORDER BY 1;
FETCH ALL FROM h2;
FETCH BACKWARD 2 FROM h2;
CLOSE h2;
BEGIN;
DECLARE j SCROLL CURSOR FOR SELECT o.order_id, i.name FROM orders o, items i, local_notes l WHERE i.item_id = o.item_id AND l.id = o.item_id ORDER BY 1;
FETCH 3 FROM j;
FETCH BACKWARD 1 FROM j;
SAVEPOINT x;
SELECT 1 / 0;
ROLLBACK TO x;
FETCH 1 FROM j;
COMMIT;

-- PL/pgSQL.
CREATE FUNCTION pg_temp.walk() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    s record;
BEGIN
    FOR r IN SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status LOOP
        FOR s IN SELECT order_id FROM orders WHERE status = r.status ORDER BY order_id LIMIT 2 LOOP
            RETURN NEXT r.status || r.n || ':' || s.order_id;
        END LOOP;
    END LOOP;
    FOR r IN SELECT order_id FROM orders ORDER BY order_id LOOP
        EXIT WHEN r.order_id > 60;
        CONTINUE WHEN r.order_id % 20 <> 0;
        SELECT sum(amount) AS t INTO s FROM orders WHERE item_id = r.order_id % 10;
        RETURN NEXT r.order_id || ' ' || coalesce(s.t, 0);
    END LOOP;
    RETURN QUERY SELECT name FROM customers ORDER BY balance DESC, name LIMIT 3;
    RETURN QUERY EXECUTE 'SELECT name FROM customers WHERE region = $1 ORDER BY 1 LIMIT 2' USING 3;
END $$;
-- ordered
SELECT pg_temp.walk();
-- ordered
SELECT * FROM pg_temp.walk();
CREATE FUNCTION pg_temp.spend(least numeric) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM orders WHERE amount >= $1';
SELECT g, pg_temp.spend(g) FROM generate_series(0, 80, 10) g ORDER BY 1;
SELECT item_id, pg_temp.spend(price) FROM items ORDER BY 1;
CREATE FUNCTION pg_temp.many_times(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    total bigint := 0;
    one bigint;
BEGIN
    FOR i IN 1 .. n LOOP
        SELECT count(*) INTO one FROM orders o JOIN items USING (item_id) WHERE o.item_id = 1 + i % 10 AND o.amount > i;
        total := total + one;
    END LOOP;
    RETURN total;
END $$;
SELECT pg_temp.many_times(12);
SELECT c.customer_id, pg_temp.spend(c.balance) FROM customers c WHERE c.region = 2 ORDER BY 1;
DO $$
DECLARE
    c CURSOR (least numeric) FOR SELECT order_id FROM orders WHERE amount > least ORDER BY order_id;
    v bigint;
BEGIN
    OPEN c (60);
    FETCH c INTO v;
    MOVE FORWARD 2 FROM c;
    FETCH c INTO v;
    CLOSE c;
    IF v IS NULL THEN
        RAISE EXCEPTION 'no row';
    END IF;
END $$;
-- A row has the columns that its subquery shows, and not those it is ordered by.
-- ordered
SELECT q FROM (SELECT max(amount) FROM orders GROUP BY item_id ORDER BY item_id) q;
-- ordered
SELECT q, row_to_json(q) FROM (SELECT name FROM customers ORDER BY customer_id DESC LIMIT 5) q;
SELECT count(q) FROM (SELECT name FROM customers ORDER BY balance) q;
