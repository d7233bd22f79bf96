-- Aggregates, groups and DISTINCT over the rows of all shards (CORRECTNESS 2, 3, 6 to 9).
SELECT count(*) FROM orders;
SELECT count(*), count(order_id), count(NULL::int), sum(item_id), avg(item_id), min(amount), max(ordered_at) FROM orders;
SELECT sum(amount), avg(amount), sum(amount) / count(*), sum(customer_id), avg(customer_id) FROM orders;
SELECT min(name), max(name), min(name COLLATE "C"), max(upper(name)) FROM customers;
SELECT min(key), max(key), min(key COLLATE "C"), max(key COLLATE "C"), min(note), max(note) FROM by_text;
SELECT count(*), sum(n), avg(n), min(n), max(n) FROM by_number;
SELECT sum(reading), avg(reading), min(reading), max(day) FROM by_date;
SELECT count(DISTINCT status), count(DISTINCT item_id), sum(DISTINCT item_id), avg(DISTINCT amount), min(DISTINCT status) FROM orders;
SELECT count(DISTINCT customer_id), count(*) FROM orders;
SELECT count(DISTINCT (status, item_id)), count(DISTINCT lower(status)) FROM orders;
SELECT sum(DISTINCT item_id) FROM orders;
SELECT item_id, count(DISTINCT status), sum(amount) FROM orders GROUP BY item_id ORDER BY item_id;
SELECT count(DISTINCT item_id) FILTER (WHERE amount > 40), count(*) FILTER (WHERE status = 'new') FROM orders;
SELECT sum(amount) FILTER (WHERE status = 'new'), avg(amount) FILTER (WHERE status = 'none'), count(*) FILTER (WHERE false) FROM orders;
SELECT string_agg(status, ',' ORDER BY order_id) FROM orders WHERE item_id = 3;
SELECT array_agg(order_id ORDER BY order_id DESC), array_agg(DISTINCT status ORDER BY status DESC) FROM orders WHERE item_id = 4;
SELECT json_agg(order_id ORDER BY order_id), jsonb_agg(amount ORDER BY order_id), jsonb_object_agg(order_id, status) FROM orders WHERE item_id = 5;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY status) FROM orders;
SELECT rank(10) WITHIN GROUP (ORDER BY amount), dense_rank(10) WITHIN GROUP (ORDER BY amount), cume_dist(20) WITHIN GROUP (ORDER BY amount) FROM orders;
SELECT stddev(amount), variance(amount), stddev_pop(item_id), var_samp(customer_id), var_pop(amount) FROM orders;
SELECT regr_count(amount, item_id), regr_count(item_id, NULL), corr(item_id, item_id) FROM orders;
SELECT bool_and(amount > 0), bool_or(amount > 1000), every(amount >= 0), bit_and(item_id), bit_or(item_id), bit_xor(item_id) FROM orders;
SELECT range_agg(int4range(item_id, item_id + 1)), range_intersect_agg(int4range(0, item_id + 5)) FROM orders;
SELECT xmlagg(xmlelement(name o, order_id) ORDER BY order_id) FROM orders WHERE item_id = 6;
SELECT sum(amount), count(*), avg(amount), max(status), array_agg(status), bool_and(true) FROM orders WHERE item_id = -1;
SELECT sum(amount), count(*), avg(amount) FROM orders WHERE false;
SELECT status, sum(amount) FROM orders WHERE false GROUP BY status;
SELECT count(o), count(o.*), max(amount) - min(amount) FROM orders o;
SELECT sum(amount) * 2 + count(*), round(avg(amount), 3), coalesce(max(item_id), 0) + 1 FROM orders;

-- Groups.
SELECT status, count(*), sum(amount), avg(amount) FROM orders GROUP BY status ORDER BY status;
SELECT status, count(*) FROM orders GROUP BY status;
SELECT count(*) FROM orders GROUP BY status;
SELECT count(*), max(status) FROM orders GROUP BY item_id % 3, status ORDER BY 1, 2;
SELECT item_id % 3, item_id / 4, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2;
SELECT item_id % 3 + 1, count(*) FROM orders GROUP BY item_id % 3 ORDER BY item_id % 3 DESC;
SELECT upper(status) || '!', count(*) FROM orders GROUP BY upper(status) ORDER BY 1;
SELECT status, item_id, sum(amount) AS total FROM orders GROUP BY status, item_id ORDER BY total DESC, 1, 2 LIMIT 5;
SELECT status, sum(amount) FROM orders GROUP BY status ORDER BY sum(amount) DESC, status LIMIT 2;
SELECT status FROM orders GROUP BY status ORDER BY count(*) DESC, max(order_id);
SELECT c.customer_id, c.name, c.balance, count(*) FROM customers c JOIN orders o USING (customer_id) GROUP BY c.customer_id ORDER BY 1;
SELECT c.name, c.balance FROM customers c GROUP BY c.customer_id ORDER BY 1;
SELECT region, count(*), sum(balance), avg(balance), min(name) FROM customers GROUP BY region ORDER BY region;
SELECT customer_id, count(*), sum(amount) FROM orders GROUP BY customer_id ORDER BY customer_id;
SELECT customer_id, count(DISTINCT status) FROM orders GROUP BY customer_id ORDER BY 2 DESC, 1 LIMIT 7;
SELECT customer_id % 4, count(*), sum(amount) FROM orders GROUP BY customer_id % 4 ORDER BY 1;
SELECT tenant, count(*), array_agg(code ORDER BY code) FROM by_pair GROUP BY tenant ORDER BY tenant;
SELECT tenant, code, count(*) FROM by_pair GROUP BY code, tenant ORDER BY 1, 2;
SELECT note IS NULL, count(*) FROM by_text GROUP BY note IS NULL ORDER BY 1;
SELECT date_trunc('month', ordered_at), sum(amount) FROM orders GROUP BY 1 ORDER BY 1;
SELECT date_trunc('month', day), device, sum(reading), avg(reading) FROM by_date GROUP BY 1, 2 ORDER BY 1, 2;
SELECT b, e, count(*), min(i8) FROM everything GROUP BY b, e ORDER BY e NULLS FIRST, b;
SELECT e, count(*) FROM everything GROUP BY e ORDER BY e DESC;
SELECT count(*) FROM orders GROUP BY ();
SELECT 1 FROM orders GROUP BY ();
SELECT status FROM orders GROUP BY 1 ORDER BY 1;
SELECT 'x' AS constant, count(*) FROM orders GROUP BY constant;
-- params: 3
SELECT item_id % $1, count(*) FROM orders GROUP BY 1 ORDER BY 1;
-- params: 20, 'new'
SELECT status, count(*) FILTER (WHERE amount > $1), sum(amount) FROM orders WHERE status <> $2 GROUP BY status ORDER BY status;

-- HAVING.
SELECT status, count(*) FROM orders GROUP BY status HAVING count(*) > 80 ORDER BY 1;
SELECT item_id, sum(amount) FROM orders GROUP BY item_id HAVING sum(amount) > 1500 AND min(amount) < 10 ORDER BY 1;
SELECT item_id FROM orders GROUP BY item_id HAVING avg(amount) > (SELECT avg(amount) FROM orders) ORDER BY 1;
SELECT status FROM orders GROUP BY status HAVING sum(amount) > (SELECT sum(price) FROM items) ORDER BY 1;
SELECT status, count(*) FROM orders GROUP BY status HAVING bool_or(item_id = 3) ORDER BY 1;
SELECT count(*) FROM orders HAVING count(*) > 1000000;
SELECT count(*) FROM orders HAVING count(*) > 10;
SELECT 1 FROM orders HAVING true;
SELECT customer_id FROM orders GROUP BY customer_id HAVING count(*) > 5 ORDER BY 1 LIMIT 4;
SELECT customer_id, sum(amount) FROM orders GROUP BY customer_id HAVING sum(amount) > (SELECT 1.5 * avg(balance) FROM customers) ORDER BY 1;
SELECT i.item_id, (SELECT count(*) FROM orders o WHERE o.item_id = i.item_id HAVING count(*) > i.price) FROM items i ORDER BY 1;
-- params: 85
SELECT status, count(*) FROM orders GROUP BY status HAVING count(*) > $1 ORDER BY 1;

-- GROUPING SETS.
SELECT status, item_id % 2 AS odd, sum(amount), grouping(status, item_id % 2) FROM orders GROUP BY GROUPING SETS ((status), (item_id % 2), ()) ORDER BY 1 NULLS FIRST, 2 NULLS LAST, 3;
SELECT status, item_id, count(*) FROM orders GROUP BY ROLLUP (status, item_id) ORDER BY 1, 2;
SELECT status, item_id % 2, count(*), avg(amount) FROM orders GROUP BY CUBE (status, item_id % 2) ORDER BY 1, 2;
SELECT customer_id % 5, count(*), grouping(customer_id % 5) FROM orders GROUP BY ROLLUP (customer_id % 5) HAVING count(*) > 50 ORDER BY 1;
SELECT customer_id, count(*) FROM orders GROUP BY GROUPING SETS ((customer_id), ()) ORDER BY 1 NULLS FIRST;
SELECT count(*) FROM orders WHERE false GROUP BY GROUPING SETS ((), (), (status));
SELECT status, region, count(*) FROM orders JOIN customers USING (customer_id) GROUP BY DISTINCT ROLLUP (status, region), ROLLUP (region) ORDER BY 1, 2, 3;

-- DISTINCT.
SELECT DISTINCT status FROM orders ORDER BY status;
SELECT DISTINCT status FROM orders;
SELECT DISTINCT status, item_id % 2 FROM orders ORDER BY 2, 1;
SELECT DISTINCT customer_id FROM orders ORDER BY 1;
SELECT DISTINCT customer_id, status FROM orders ORDER BY 1, 2 LIMIT 9;
SELECT DISTINCT region FROM customers ORDER BY region DESC LIMIT 2 OFFSET 1;
SELECT DISTINCT b, e FROM everything ORDER BY e, b;
SELECT DISTINCT ON (status) status, order_id, amount FROM orders ORDER BY status, amount DESC, order_id;
SELECT DISTINCT ON (customer_id) customer_id, order_id FROM orders ORDER BY customer_id, order_id DESC;
SELECT DISTINCT ON (item_id % 3) item_id % 3, order_id FROM orders ORDER BY item_id % 3 DESC, order_id DESC LIMIT 2;
SELECT DISTINCT count(*) FROM orders GROUP BY item_id ORDER BY 1;
SELECT DISTINCT ON (n) n, status FROM (SELECT count(*) AS n, status FROM orders GROUP BY status) x ORDER BY n, status;
SELECT DISTINCT NULL::int FROM orders;
SELECT DISTINCT 1, 'a' FROM customers;
SELECT count(*) FROM (SELECT DISTINCT item_id, status FROM orders) x;
SELECT DISTINCT substr(name, 1, 10) FROM customers ORDER BY 1;

-- Types and their scales.
SELECT sum(i2), sum(i8), avg(i8), sum(num2), avg(num2), sum(cash), max(cash) FROM everything WHERE id <> 3;
SELECT sum(num), avg(num) FROM everything WHERE id IN (1, 3);
SELECT sum(num), avg(num), max(num), min(num) FROM everything;
SELECT sum(f8), avg(f8), max(f8), min(f8), sum(f4), avg(f4), max(f4), min(f4) FROM everything;
SELECT sum(iv), avg(iv), max(iv) FROM everything WHERE id < 3;
SELECT sum(tm::interval), avg(tm::interval) FROM everything WHERE id = 1;
SELECT min(e), max(e), min(d), max(d), min(ts), max(tstz), min(tm), max(tmtz), min(iv) FROM everything;
SELECT min(inet), max(inet), max(o), min(t), max(vc), min(bp), max(bp) FROM everything;
SELECT max(ints), min(texts), max(e_array), min(ints) FROM everything;
SELECT bit_and(bits), bit_or(bits), bit_xor(bits), bool_and(b), bit_and(i2), bit_or(i8) FROM everything;
SELECT count(json_typeof(j)), count(comp), count(doms), count(p) FROM everything;
SELECT sum(i8) FROM everything WHERE id = 1 OR id = 3;
SELECT sum(i8::numeric * 10), sum(dom), avg(dom), max(dom), min(dom) FROM everything;
SELECT sum(v) FROM (SELECT 9223372036854775807 AS v FROM orders) x;
SELECT sum(2147483647) FROM orders;
SELECT avg(amount), avg(amount::numeric(20,10)), avg(item_id::int2), avg(item_id::numeric), avg(item_id / 7.0) FROM orders;
SELECT avg(amount * 1e-20), avg(amount * 1e20), sum(amount * 1e30), avg(1::numeric / customer_id) FROM orders;
SELECT avg(0.0000), avg(0::int), sum(0.000), avg(NULL::int), sum(NULL::numeric), avg(NULL::float8) FROM orders;
SELECT sum(CASE WHEN status = 'new' THEN 1 END), sum((status = 'new')::int), count(NULLIF(status, 'new')) FROM orders;
SELECT sum(name) FROM customers;
SELECT sum(1 / (item_id - 5)) FROM orders;

-- User-defined aggregates.
CREATE FUNCTION public.concat_numbers(state text, v bigint) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(state || '','', '''') || v';
CREATE AGGREGATE public.numbers(bigint) (SFUNC = public.concat_numbers, STYPE = text);
SELECT numbers(order_id ORDER BY order_id) FROM orders WHERE item_id = 2;
SELECT status, numbers(order_id ORDER BY order_id) FROM orders WHERE item_id < 3 GROUP BY status ORDER BY 1;
CREATE AGGREGATE public.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
SELECT product(item_id) FROM orders WHERE order_id % 20 = 0;
DROP AGGREGATE public.product(numeric);
DROP AGGREGATE public.numbers(bigint);
DROP FUNCTION public.concat_numbers(text, bigint);
SELECT region, variance(v), var_samp(v), var_pop(v), stddev(v), stddev_samp(v), stddev_pop(v), stddev(v) FILTER (WHERE v > 3), variance(n), stddev_pop(n), var_pop(b) FROM (SELECT region, region * customer_id::int AS v, CASE customer_id WHEN 7 THEN 'NaN' WHEN 8 THEN NULL WHEN 9 THEN 123456789012345678901234567890.123456 WHEN 11 THEN 'Infinity' ELSE balance / 7 END AS n, customer_id * 1000000007 AS b FROM customers) x GROUP BY region ORDER BY region;
SELECT stddev(item_id), variance(item_id::int2), stddev_pop(order_id), stddev(amount) + 1, var_samp(amount) FROM orders WHERE order_id < 2;
SELECT stddev(item_id), var_pop(amount), variance(order_id), var_pop(order_id) FROM orders WHERE order_id < 0;
SELECT item_id, stddev(amount), variance(amount * 1e-20), stddev(amount * 1e20) FROM orders GROUP BY item_id HAVING stddev_pop(amount) > 10 ORDER BY stddev(amount), item_id;
SELECT stddev(1), var_pop(2.50), stddev_samp(0.0001), variance(1e-9) FROM orders;
-- Statistics in floating point: merged states, the same but for the last digits.
SELECT item_id, round(variance(f)::numeric, 6), round(var_samp(f)::numeric, 6), round(var_pop(f)::numeric, 6), round(stddev(f)::numeric, 6), round(stddev_samp(f)::numeric, 6), round(stddev_pop(f)::numeric, 6), round(stddev(f::float4)::numeric, 3), round(variance(f) FILTER (WHERE f > 20)::numeric, 6) FROM (SELECT item_id, CASE WHEN order_id % 5 > 0 THEN amount::float8 END AS f FROM orders) x GROUP BY item_id ORDER BY item_id;
SELECT item_id, regr_count(y, x), round(corr(y, x)::numeric, 6), round(covar_pop(y, x)::numeric, 5), round(covar_samp(y, x)::numeric, 5), round(regr_slope(y, x)::numeric, 8), round(regr_intercept(y, x)::numeric, 6), round(regr_r2(y, x)::numeric, 6), round(regr_avgx(y, x)::numeric, 6), round(regr_avgy(y, x)::numeric, 6), round(regr_sxx(y, x)::numeric, 3), round(regr_syy(y, x)::numeric, 3), round(regr_sxy(y, x)::numeric, 3) FROM (SELECT item_id, CASE WHEN order_id % 5 > 0 THEN amount::float8 END AS y, CASE WHEN order_id % 7 > 0 THEN order_id + 0.5::float8 END AS x FROM orders) x GROUP BY item_id HAVING regr_count(y, x) > 1 ORDER BY item_id;
SELECT stddev(f), var_pop(f), corr(f, f), regr_count(f, f), regr_avgx(f, f), covar_samp(f, f) FROM (SELECT amount::float8 AS f FROM orders WHERE order_id < 0) x;
SELECT stddev(f), var_pop(f), corr(f, f), regr_count(f, f), covar_samp(f, f), covar_pop(f, f), regr_sxx(f, f) FROM (SELECT order_id::float8 AS f FROM orders WHERE order_id = 4) x;
SELECT round(stddev(f)::numeric, 6), round(var_pop(f)::numeric, 6), round(stddev_pop(1e9 + f)::numeric, 4) FROM (SELECT customer_id::float8 AS f FROM customers) x;
SELECT variance(f), stddev_pop(f), regr_sxx(f, f), regr_avgx(f, f) FROM (SELECT CASE order_id WHEN 7 THEN 'NaN' WHEN 8 THEN 'Infinity' ELSE order_id END::float8 AS f FROM orders) x;
SELECT corr(DISTINCT round(order_id / 10), 1), round(stddev(DISTINCT item_id::float8)::numeric, 6) FROM orders;
SELECT round(stddev(balance::float8) FILTER (WHERE region = 2)::numeric, 5), round(corr(balance, customer_id) FILTER (WHERE region > 1)::numeric, 5) FROM customers;
-- One row, also if nobody reads what is in it.
SELECT count(*) FROM customers c JOIN orders o USING (customer_id) CROSS JOIN (SELECT max(region) FROM customers) m;
SELECT 1 FROM (SELECT count(*), sum(amount) FROM orders) o;
SELECT 1 FROM (SELECT count(*) FROM orders GROUP BY GROUPING SETS ((), ())) o;
SELECT count(*) FROM items, (SELECT avg(amount) FROM orders HAVING true) o;
-- Constants have no distinct value where there are no rows.
SELECT count(DISTINCT 5), avg(DISTINCT -4), count(DISTINCT status) FROM orders WHERE amount < 0;
SELECT max(amount), avg(DISTINCT 7), count(DISTINCT region) FROM orders JOIN customers USING (customer_id) WHERE amount < 0;
SELECT count(DISTINCT 5), avg(DISTINCT -4), count(DISTINCT status) FROM orders;
SELECT item_id, count(DISTINCT 5), count(DISTINCT status) FROM orders GROUP BY 1 ORDER BY 1;
-- Distinct keys of a grouping set whose groups come in several of a shard's.
SELECT customer_id, count(DISTINCT customer_id), sum(DISTINCT customer_id) FROM orders GROUP BY ROLLUP (customer_id, item_id) ORDER BY 1, 2, 3;
SELECT count(DISTINCT customer_id) FROM orders GROUP BY GROUPING SETS ((customer_id, status), (status), ()) ORDER BY 1;
-- What is NOT NULL in its table may be NULL after an outer join; aggregates share partial values.
SELECT count(*), count(o.amount), avg(o.amount), sum(o.amount), avg(o.item_id), count(c.name) FROM customers c LEFT JOIN orders o USING (customer_id);
SELECT c.region, count(*), count(o.amount), avg(o.amount) FROM orders o RIGHT JOIN customers c ON c.customer_id = o.customer_id AND o.status = 'new' GROUP BY 1 ORDER BY 1;
SELECT count(o.amount), count(c.name), count(*) FROM (customers c JOIN items i ON i.item_id = c.region) FULL JOIN orders o USING (customer_id);
SELECT count(*), count(amount), count(status), count(customer_id), avg(amount), sum(amount), stddev(amount), count(DISTINCT status), avg(amount) FILTER (WHERE item_id < 5), count(item_id) FILTER (WHERE item_id < 5) FROM orders;
SELECT status, count(amount), avg(item_id), count(DISTINCT item_id) FROM orders GROUP BY ROLLUP (status) HAVING count(amount) > 1 ORDER BY 1;
SELECT stddev(CASE WHEN order_id % 2 = 0 THEN -2147483648 ELSE 2147483647 END), var_pop((-32768)::smallint), variance(CASE WHEN order_id % 2 = 0 THEN 9223372036854775807 ELSE -9223372036854775808 END), var_samp(item_id) FILTER (WHERE item_id < 0) FROM orders;
