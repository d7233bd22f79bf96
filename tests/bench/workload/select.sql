\set c random(1, :customers)
SELECT name, balance FROM customers WHERE customer_id = :c;
