-- Aggregates, groups and windows over one key's rows.
SELECT count(*), count(DISTINCT status), sum(amount), avg(amount), min(status), max(ordered_at) FROM orders WHERE customer_id = 7;
SELECT status, count(*), sum(amount), avg(amount) FROM orders WHERE customer_id = 7 GROUP BY status ORDER BY status;
SELECT status, count(*) FROM orders WHERE customer_id = 7 GROUP BY status HAVING count(*) > 1 ORDER BY 1;
SELECT status FROM orders WHERE customer_id = 7 GROUP BY status HAVING sum(amount) > (SELECT avg(price) FROM items) ORDER BY 1;
SELECT customer_id, count(*) FROM orders WHERE customer_id = 7 GROUP BY customer_id;
SELECT c.customer_id, c.name, c.balance FROM customers c WHERE customer_id = 7 GROUP BY c.customer_id;
SELECT item_id % 2, item_id % 3, count(*) FROM orders WHERE customer_id = 7 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT status, item_id % 2 AS odd, sum(amount), grouping(status, item_id % 2) FROM orders WHERE customer_id = 7 GROUP BY GROUPING SETS ((status), (item_id % 2), ()) ORDER BY 1 NULLS FIRST, 2 NULLS LAST, 3;
SELECT status, item_id, count(*) FROM orders WHERE customer_id = 7 GROUP BY ROLLUP (status, item_id) ORDER BY 1, 2;
SELECT status, item_id % 2, count(*) FROM orders WHERE customer_id = 7 GROUP BY CUBE (status, item_id % 2) ORDER BY 1, 2;
SELECT sum(amount) FILTER (WHERE status = 'new'), count(*) FILTER (WHERE amount > 20) FROM orders WHERE customer_id = 7;
SELECT string_agg(status, ',' ORDER BY order_id), array_agg(amount ORDER BY amount DESC), json_agg(order_id ORDER BY order_id), jsonb_object_agg(order_id, status) FROM orders WHERE customer_id = 7;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY status) FROM orders WHERE customer_id = 7;
SELECT stddev(amount), variance(amount), corr(amount, item_id), regr_slope(amount, item_id), bool_and(amount > 0), bit_or(item_id), every(true) FROM orders WHERE customer_id = 7;
SELECT sum(DISTINCT item_id), avg(DISTINCT amount), array_agg(DISTINCT status ORDER BY status DESC) FROM orders WHERE customer_id = 7;
SELECT range_agg(int4range(item_id, item_id + 1)), xmlagg(xmlelement(name o, order_id) ORDER BY order_id) FROM orders WHERE customer_id = 7;
SELECT rank(10) WITHIN GROUP (ORDER BY amount), count(o), max(amount) - min(amount) FROM orders o WHERE customer_id = 7;
SELECT sum(amount) FROM orders WHERE customer_id = -7;
SELECT status, sum(amount) FROM orders WHERE customer_id = -7 GROUP BY status;
SELECT count(*) FROM orders WHERE customer_id = 7 GROUP BY ();
SELECT sum(count(*)) OVER (ORDER BY status), status FROM orders WHERE customer_id = 7 GROUP BY status ORDER BY status;
SELECT order_id, row_number() OVER w, rank() OVER (PARTITION BY status ORDER BY amount), lag(amount) OVER w, sum(amount) OVER (ORDER BY order_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders WHERE customer_id = 7 WINDOW w AS (ORDER BY order_id) ORDER BY order_id;
SELECT order_id, ntile(3) OVER (ORDER BY order_id), first_value(amount) OVER (PARTITION BY status ORDER BY order_id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM orders WHERE customer_id = 7 ORDER BY 1;
SELECT order_id, sum(amount) OVER (ORDER BY ordered_at RANGE BETWEEN '3 days' PRECEDING AND '1 hour' FOLLOWING) FROM orders WHERE customer_id = 7 ORDER BY 1;
SELECT * FROM (SELECT order_id, dense_rank() OVER (ORDER BY amount DESC) AS place FROM orders WHERE customer_id = 7) x WHERE place <= 2 ORDER BY place, order_id;
-- params: 7, 20
SELECT status, count(*) FILTER (WHERE amount > $2) FROM orders WHERE customer_id = $1 GROUP BY status ORDER BY status;
-- params: 7, 3
SELECT item_id / $2, count(*) FROM orders WHERE customer_id = $1 GROUP BY 1 ORDER BY 1;
SELECT name FROM customers WHERE customer_id = 7 GROUP BY region;
SELECT sum(name) FROM customers WHERE customer_id = 7;
SELECT max(key), min(key) FROM by_text WHERE key = 'c-key';
SELECT sum(i8), avg(i8) FROM everything WHERE id = 1;
SELECT sum(i8 + i8) FROM everything WHERE id = 1;
SELECT sum(num), avg(num2), max(e), min(d), sum(iv), max(inet) FROM everything WHERE id = 1;
