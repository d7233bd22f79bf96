\set a random(1, :customers)
\set b :customers + 1 - :a + :far
BEGIN;
UPDATE customers SET balance = balance - 1 WHERE customer_id = :a;
UPDATE customers SET balance = balance + 1 WHERE customer_id = :b;
END;
