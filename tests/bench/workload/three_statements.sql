\set c random(1, :customers)
BEGIN;
UPDATE customers SET balance = balance + 1 WHERE customer_id = :c;
SELECT balance FROM customers WHERE customer_id = :c;
INSERT INTO changes VALUES (:c, 1, now());
END;
