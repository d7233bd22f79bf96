-- Errors arrive whole: SQLSTATE, message, DETAIL, HINT, names.
INSERT INTO invoices VALUES (1, 1, 1, 1, 'ZZZZ');
INSERT INTO invoices VALUES (1, 9, 1, 1, 'AAAA');
INSERT INTO invoices VALUES (1, 9, 1, 0, 'ZZZZ');
INSERT INTO invoices VALUES (1, 9, 1, 1, 'zzzz');
INSERT INTO invoices VALUES (1, 9, 1, 1, 'TOO LONG');
INSERT INTO invoices VALUES (1, 9, 1, NULL, 'ZZZZ');
INSERT INTO invoices VALUES (1, NULL, 1, 1, 'ZZZZ');
INSERT INTO invoices VALUES (1, 9, 999, 1, 'ZZZZ');
INSERT INTO invoices VALUES (9999, 9, 1, 1, 'ZZZZ');
-- params: 9999, 9
INSERT INTO invoices VALUES ($1, $2, 1, 1, 'ZZZZ');
UPDATE invoices SET quantity = -1 WHERE customer_id = 1 AND invoice_id = 1;
UPDATE invoices SET code = 'BBBB' WHERE customer_id = 1 AND invoice_id = 1;
UPDATE invoices SET item_id = 999 WHERE customer_id = 1 AND invoice_id = 1;
UPDATE invoices SET invoice_id = NULL WHERE customer_id = 1 AND invoice_id = 1;
DELETE FROM customers WHERE customer_id = 1;
DELETE FROM customers WHERE customer_id = 59;
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
DELETE FROM customers WHERE customer_id = 1;
ROLLBACK;

UPDATE watched SET value = -1 WHERE id = 1;
UPDATE watched SET value = 10 WHERE id = 1 RETURNING *;
INSERT INTO watched (id, value) VALUES (100, 1) RETURNING *;
INSERT INTO watched (id, value) VALUES (101, -1);
DELETE FROM watched WHERE id = 2 RETURNING *;
SELECT id, entry FROM watched_log WHERE id = 1;
SELECT id, entry FROM watched_log WHERE id = 2;
SELECT id, entry FROM watched_log WHERE id = 100;

SELECT 1 / (customer_id - 7) FROM customers WHERE customer_id = 7;
SELECT name::int FROM customers WHERE customer_id = 7;
SELECT sqrt(-balance - 1) FROM customers WHERE customer_id = 7;
SELECT substring(name, 1, -1) FROM customers WHERE customer_id = 7;
SELECT (created - interval '300000 years') FROM customers WHERE customer_id = 7;
SELECT nowhere FROM customers WHERE customer_id = 7;
SELECT name FROM customers WHERE nowhere = 7;
SELECT nosuch(name) FROM customers WHERE customer_id = 7;
SELECT name FROM customers WHERE customer_id = 'seven';
SELECT name FROM customers WHERE customer_id = '2025-01-01'::date;
SELECT name + 1 FROM customers WHERE customer_id = 7;
SELECT * FROM customers WHERE customer_id = 7 GROUP BY name;
SELECT * FROM customers WHERE customer_id = 1 / 0;
SELECT jb -> 'a' -> NULL, jb::int FROM everything WHERE id = 1;
SELECT t::regclass FROM everything WHERE id = 1;
SELECT array_fill(0, ARRAY[2147483647, 2]) FROM customers WHERE customer_id = 7;
SELECT num2::int2 FROM everything WHERE id = 3;
SELECT f8::int FROM everything WHERE id = 2;
SELECT e::text::mood, 'angry'::mood FROM everything WHERE id = 1;
SELECT name FROM customers WHERE customer_id = 7 LIMIT -1;
SELECT order_id FROM orders WHERE customer_id = 7 AND amount = 'much';
SELECT name FROM customers WHERE customer_id = 7 AND name ~ '(';
-- params: 7, '('
SELECT name FROM customers WHERE customer_id = $1 AND name ~ $2;
-- params: 7, 0
SELECT balance / $2 FROM customers WHERE customer_id = $1;
-- params: 'x'
SELECT balance FROM customers WHERE customer_id = $1;
-- params: 9223372036854775808
-- modes: extended, prepared
SELECT balance FROM customers WHERE customer_id = $1;
SELECT name FROM customers WHERE customer_id = 7 FOR UPDATE OF orders;
SELECT name INTO STRICT x FROM customers WHERE customer_id = 7;
SELECT balance FROM customers WHERE customer_id = 7;

-- What cannot be said in the client's encoding is not written.
SET client_encoding = 'LATIN1';
UPDATE customers SET balance = balance + 1 WHERE customer_id = 9 RETURNING chr(8364);
INSERT INTO by_number VALUES (901, 'unsaid') RETURNING chr(8364);
RESET client_encoding;
SELECT balance, (SELECT count(*) FROM by_number WHERE n = 901) FROM customers WHERE customer_id = 9;
