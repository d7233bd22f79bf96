-- SQL and PL/pgSQL functions whose arguments become keys; cursors; EXECUTE.
SELECT customer_balance(7);
SELECT customer_balance(-1);
SELECT customer_balance(NULL);
-- params: 7
SELECT customer_balance($1);
SELECT order_count(7, 'new'), order_count(8, 'paid');
-- params: 7, 'new'
SELECT order_count($1, $2);
SELECT pay(7, 1.5);
SELECT pay(-1, 1);
SELECT pay(7, 100000);
-- params: 8, 0.25
SELECT pay($1, $2);
SELECT * FROM orders_of(7);
SELECT order_id FROM orders_of(7) WHERE amount > 20 ORDER BY 1 DESC;
SELECT c.name, f.order_id FROM customers c, orders_of(c.customer_id) f WHERE c.customer_id = 7 ORDER BY 2;
SELECT balance FROM customers WHERE customer_id = 7;
SELECT secret_count(7);

CREATE FUNCTION pg_temp.many(start bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    k bigint;
    r record;
BEGIN
    -- More than five times, so that the plan turns generic, over keys of several shards.
    FOR k IN start .. start + 9 LOOP
        FOR r IN SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) AS n
                 FROM customers c WHERE c.customer_id = k LOOP
            RETURN NEXT r.name || ': ' || r.n;
        END LOOP;
        IF NOT FOUND THEN
            RETURN NEXT 'none';
        END IF;
    END LOOP;
END $$;
-- ordered
SELECT pg_temp.many(1);
-- ordered
SELECT * FROM pg_temp.many(55);

CREATE FUNCTION pg_temp.dynamic(tab regclass, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT count(*)::text || max(t::text) FROM %s t WHERE %I = $1', tab, 'id') INTO result USING k;
    RETURN result;
END $$;
SELECT pg_temp.dynamic('holes', 3), pg_temp.dynamic('watched', 4);

CREATE FUNCTION pg_temp.with_cursor(k bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    c CURSOR (key bigint) FOR SELECT order_id FROM orders WHERE customer_id = key ORDER BY order_id;
    v bigint;
    total bigint := 0;
BEGIN
    OPEN c (k);
    LOOP
        FETCH c INTO v;
        EXIT WHEN NOT FOUND;
        total := total + v;
        -- Another statement on the same connection, while the cursor stands open.
        PERFORM 1 FROM customers WHERE customer_id = k;
    END LOOP;
    CLOSE c;
    RETURN total;
END $$;
SELECT pg_temp.with_cursor(7), pg_temp.with_cursor(8);

CREATE FUNCTION pg_temp.diagnostics(k bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; constraint_name text; table_name text; n int;
BEGIN
    UPDATE orders SET amount = amount + 1 WHERE customer_id = k;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO customers VALUES (k, 'clash', 1, 1, '2025-01-01 00:00+00');
    RETURN 'not reached';
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        constraint_name = CONSTRAINT_NAME, table_name = TABLE_NAME;
    RETURN concat_ws('|', n, state, message, detail, constraint_name, table_name);
END $$;
SELECT pg_temp.diagnostics(7);
CREATE FUNCTION pg_temp.strict(k bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v orders;
BEGIN
    SELECT * INTO STRICT v FROM orders WHERE customer_id = k;
    RETURN v::text;
END $$;
SELECT pg_temp.strict(7);
SELECT pg_temp.strict(-7);
CREATE FUNCTION pg_temp.upsert(k bigint, n text) RETURNS customers LANGUAGE sql AS $$
    INSERT INTO customers VALUES (k, n, 1, 1, '2025-01-01 00:00+00')
        ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name RETURNING *;
$$;
SELECT pg_temp.upsert(300, 'first');
SELECT name FROM pg_temp.upsert(300, 'second');
CREATE FUNCTION pg_temp.atomic(k bigint) RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT count(*) FROM orders WHERE customer_id = k; END;
SELECT pg_temp.atomic(7);
SELECT i.item_id, pg_temp.atomic(i.item_id) FROM items i ORDER BY 1;
SELECT l.id, customer_balance(l.id) FROM local_notes l ORDER BY 1;

PREPARE p (bigint) AS SELECT name FROM customers WHERE customer_id = $1;
EXECUTE p (1);
EXECUTE p (2);
EXECUTE p (3);
EXECUTE p (4);
EXECUTE p (5);
EXECUTE p (6);
EXECUTE p (7);
EXECUTE p (NULL);
EXECUTE p (3 + 5);
EXECUTE p ('x');
EXECUTE p;
BEGIN;
EXECUTE p (9);
SELECT 1 / 0;
EXECUTE p (9);
ROLLBACK;
EXECUTE p (9);
CREATE TEMP TABLE from_execute AS EXECUTE p (10);
SELECT * FROM from_execute;
DEALLOCATE p;
EXECUTE p (1);
PREPARE u AS UPDATE customers SET balance = balance + $2 WHERE customer_id = $1 RETURNING balance;
EXECUTE u (11, 1);
EXECUTE u (11, 1);
EXECUTE u (12, 1);
EXECUTE u (11, 1);
EXECUTE u (11, 1);
EXECUTE u (12, 1);
EXECUTE u (11, 1);
EXECUTE u (11, 1);
DEALLOCATE ALL;

-- Cursors.
BEGIN;
DECLARE c CURSOR FOR SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id;
-- ordered
FETCH 2 FROM c;
SELECT name FROM customers WHERE customer_id = 7;
UPDATE orders SET status = 'cursor' WHERE customer_id = 7;
-- ordered
FETCH 2 FROM c;
FETCH FORWARD ALL FROM c;
FETCH c;
CLOSE c;
DECLARE s SCROLL CURSOR FOR SELECT order_id, status FROM orders WHERE customer_id = 7 ORDER BY order_id;
-- ordered
FETCH LAST FROM s;
-- ordered
FETCH BACKWARD 2 FROM s;
FETCH ABSOLUTE 1 FROM s;
MOVE FORWARD 2 FROM s;
FETCH RELATIVE 0 FROM s;
FETCH PRIOR FROM s;
DECLARE n NO SCROLL CURSOR FOR SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id;
FETCH n;
FETCH BACKWARD 1 FROM n;
ROLLBACK;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id;
FETCH 1 FROM h;
COMMIT;
FETCH 2 FROM h;
CLOSE h;
BEGIN;
DECLARE b BINARY CURSOR FOR SELECT order_id, amount, status FROM orders WHERE customer_id = 7 ORDER BY order_id;
FETCH 1 FROM b;
DECLARE c1 CURSOR FOR SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id;
DECLARE c2 CURSOR FOR SELECT order_id FROM orders WHERE customer_id = 7 ORDER BY order_id DESC;
FETCH 1 FROM c1;
FETCH 1 FROM c2;
FETCH 1 FROM c1;
SAVEPOINT a;
FETCH 1 FROM c2;
ROLLBACK TO a;
FETCH 1 FROM c2;
FETCH 1 FROM c1;
COMMIT;
FETCH 1 FROM c1;

DO $$
DECLARE n bigint;
BEGIN
    SELECT count(*) INTO n FROM orders WHERE customer_id = 7;
    IF n <> (SELECT count(*) FROM orders_of(7)) THEN
        RAISE EXCEPTION 'counts differ';
    END IF;
END $$;
COPY (SELECT * FROM orders WHERE customer_id = 7 ORDER BY order_id) TO STDOUT;
COPY (SELECT name, region FROM customers WHERE customer_id = 7) TO STDOUT (FORMAT csv, HEADER);
COPY (DELETE FROM orders WHERE customer_id = 7 RETURNING order_id) TO STDOUT;
SELECT count(*) FROM orders WHERE customer_id = 7;
