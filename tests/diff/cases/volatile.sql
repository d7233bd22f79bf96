-- What is evaluated once, and where.
SELECT now() = (SELECT now()), current_date = now()::date FROM customers WHERE customer_id = 7;
-- compare: shape
SELECT now(), statement_timestamp(), clock_timestamp(), random() FROM customers WHERE customer_id = 7;
SELECT current_user, session_user, current_database() = current_catalog, current_schema FROM customers WHERE customer_id = 7;
SELECT pg_backend_pid() = (SELECT pg_backend_pid()) FROM customers WHERE customer_id = 7;
SELECT nextval('ticket'), name FROM customers WHERE customer_id = 7;
-- params: 7
SELECT nextval('ticket'), name FROM customers WHERE customer_id = $1;
SELECT currval('ticket') FROM customers WHERE customer_id = 7;
SELECT set_config('diff.value', 'set', false) FROM customers WHERE customer_id = 7;
SELECT current_setting('diff.value');
SELECT current_setting('diff.value') FROM customers WHERE customer_id = 7;
UPDATE customers SET name = current_setting('diff.value') WHERE customer_id = 7 RETURNING name;
SELECT name FROM customers WHERE customer_id = 7 AND created < now();
SELECT count(*) FROM orders WHERE customer_id = 7 AND ordered_at < current_timestamp - interval '1 day';
SELECT count(*) FROM orders WHERE customer_id = 7 AND ordered_at < now() AND random() >= 0;
-- compare: shape
SELECT random(), random() FROM orders WHERE customer_id = 7;
-- compare: shape
SELECT gen_random_uuid(), txid_current() FROM customers WHERE customer_id = 7;
SELECT to_char(created, 'YYYY-MM-DD HH24:MI TZ'), created AT TIME ZONE 'UTC' FROM customers WHERE customer_id = 7;
SELECT '2025-01-01'::timestamptz, 'today'::date = current_date, 'now'::timestamptz <= clock_timestamp() FROM customers WHERE customer_id = 7;
SELECT inet_client_port() IS NULL, version() = (SELECT version()) FROM customers WHERE customer_id = 7;
SELECT has_table_privilege('customers', 'SELECT'), 'customers'::regclass, to_regclass('nowhere') FROM customers WHERE customer_id = 7;
SELECT obj_description('customers'::regclass), col_description('customers'::regclass, 1) FROM customers WHERE customer_id = 7;
SELECT pg_typeof(c), row_to_json(c), format_type('numeric'::regtype, 100) FROM customers c WHERE customer_id = 7;
SELECT setseed(0.5) IS NULL FROM customers WHERE customer_id = 7;
SELECT pg_sleep(0) FROM customers WHERE customer_id = 7;
SELECT generate_series(1, 3), name FROM customers WHERE customer_id = 7 ORDER BY 1;
SELECT unnest(ARRAY['a', 'b']), generate_series(1, 3) FROM customers WHERE customer_id = 7;
SELECT xmin IS NOT NULL, tableoid = 'customers'::regclass FROM customers WHERE customer_id = 7;
