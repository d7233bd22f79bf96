\set c random(1, :customers)
SELECT customer_id, name, balance FROM customers WHERE customer_id >= :c ORDER BY customer_id LIMIT 20;
