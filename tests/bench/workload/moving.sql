\set k random(1, :customers)
UPDATE customers SET balance = balance + 1 WHERE customer_id = :k;
