\set c random(1, :customers)
SELECT count(*), max(balance) FROM customers WHERE customer_id BETWEEN :c AND :c + 99;
