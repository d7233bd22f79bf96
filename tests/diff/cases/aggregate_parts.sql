-- Aggregates whose parts the shards compute: collections, ranges, several DISTINCT, conditions of all
-- aggregates. Without ORDER BY the order of a collection is open, so its members are sorted here.

-- Arrays.
SELECT status, cardinality(a), (SELECT array_agg(x ORDER BY x) FROM unnest(a) x) FROM (SELECT status, array_agg(order_id) AS a FROM orders GROUP BY status) s ORDER BY 1;
SELECT array_ndims(a), array_lower(a, 1), (SELECT array_agg(x ORDER BY x) FROM unnest(a) x) FROM (SELECT array_agg(note) AS a FROM by_text) s;
SELECT (SELECT array_agg(x ORDER BY x) FROM unnest(a) x), (SELECT count(*) FROM unnest(b) y) FROM (SELECT array_agg(e) AS a, array_agg(comp) AS b FROM everything) s;
SELECT (SELECT array_agg((x, y) ORDER BY x, y) = (SELECT array_agg((order_id, item_id) ORDER BY order_id, item_id) FROM orders) FROM unnest(a, b) u(x, y)) FROM (SELECT array_agg(order_id) AS a, array_agg(item_id) AS b FROM orders) s;
SELECT array_agg(order_id), array_agg(status) FILTER (WHERE false), cardinality(array_agg(1)) FROM orders WHERE item_id = -1;
SELECT cardinality(array_agg(NULL::int)), cardinality(array_agg('x'::text)), array_agg(DISTINCT 7) FROM orders;
SELECT array_agg(ints) FROM everything WHERE id = 1;
SELECT array_agg(ARRAY[n, n]) FROM by_number WHERE n = 4;
SELECT array_agg(ARRAY[n]) FROM by_number WHERE n = 4 HAVING count(*) > 0;
-- Which of two errors depends on the order of the rows.
-- compare: sqlstate
SELECT array_agg(grid) FROM everything WHERE id IN (1, 2);
SELECT array_agg(dom) FROM everything WHERE id = 1;
SELECT array_agg(x) FROM (SELECT order_id AS x FROM orders ORDER BY amount, order_id) s;
SELECT item_id, array_agg(x), count(*) FROM (SELECT item_id, order_id AS x FROM orders ORDER BY item_id, amount, order_id) s GROUP BY item_id ORDER BY item_id DESC;
WITH s AS (SELECT region, name FROM customers ORDER BY region, name DESC) SELECT region, string_agg(name, ',') FROM s GROUP BY 1 HAVING count(*) > 2 ORDER BY 1 LIMIT 3;
SELECT DISTINCT string_agg(x::text, ' ') OVER (PARTITION BY item_id), item_id FROM (SELECT item_id, order_id AS x FROM orders ORDER BY item_id, amount, order_id) s ORDER BY 2;
SELECT customer_id, order_id, last_value(order_id) OVER (PARTITION BY customer_id) FROM (SELECT * FROM orders ORDER BY customer_id, amount, order_id) s ORDER BY 1, 2 LIMIT 20;
SELECT string_agg(x, ','), json_agg(x), count(*) FROM (SELECT status || order_id AS x FROM orders WHERE item_id < 3 ORDER BY order_id DESC) s;
SELECT sum(amount), count(*), array_agg(order_id ORDER BY amount DESC, order_id) FROM orders WHERE item_id IN (2, 3);
SELECT item_id % 2, sum(amount), array_agg(status ORDER BY order_id) FILTER (WHERE amount > 80) FROM orders GROUP BY 1 ORDER BY 1;
SELECT item_id, cardinality(array_agg(order_id)), count(DISTINCT status), array_agg(DISTINCT status) FROM orders GROUP BY item_id ORDER BY item_id;

-- Strings.
SELECT status, length(s), (SELECT string_agg(x, '' ORDER BY x) FROM unnest(string_to_array(s, ', ')) x) FROM (SELECT status, string_agg(order_id::text, ', ') AS s FROM orders GROUP BY status) s ORDER BY 1;
SELECT length(string_agg(note, NULL)), length(string_agg(note, '')), length(string_agg('', 'ab')), string_agg(note, ',') FILTER (WHERE value < 0) FROM by_text;
SELECT length(string_agg(status, status ORDER BY order_id)), length(string_agg(status, repeat('-', item_id) ORDER BY order_id)) FROM orders;
SELECT octet_length(string_agg(status::bytea, '\x00ff')) FROM orders;
-- params: '--'
SELECT length(string_agg(status, $1)), count(*) FROM orders;
SELECT string_agg(DISTINCT status, ',' ORDER BY status DESC), string_agg(DISTINCT status, ','), count(DISTINCT item_id) FROM orders;

-- JSON, with the line ends and blanks that PostgreSQL puts in.
SELECT status, length(j::text), (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM json_array_elements(j) x) FROM (SELECT status, json_agg(order_id) AS j FROM orders GROUP BY status) s ORDER BY 1;
SELECT length(j::text), (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM json_array_elements(j) x) FROM (SELECT json_agg(b) AS j FROM by_number b) s;
SELECT length(j::text), json_array_length(j) FROM (SELECT json_agg(ARRAY[item_id, 1]) AS j FROM orders) s;
SELECT length(j::text), json_array_length(j), length(k::text) FROM (SELECT json_agg(CASE WHEN id > 1 THEN comp END) AS j, json_agg(jb) AS k FROM everything) s;
SELECT length(j::text), (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM json_array_elements(j) x) FROM (SELECT json_agg(payload) AS j FROM by_uuid) s;
SELECT length(j::text), length(k::text), l FROM (SELECT json_agg(NULL) AS j, json_agg('x'::text) AS k, json_agg(1) FILTER (WHERE n > 1000) AS l FROM by_number) s;
SELECT length(j::text), (SELECT string_agg(x.key || x.value::text, ' ' ORDER BY x.key) FROM json_each(j) x) FROM (SELECT json_object_agg(order_id, status) AS j FROM orders) s;
SELECT jsonb_object_agg(order_id, amount), jsonb_object_agg(status, 1), jsonb_object_agg(item_id, NULL) FROM orders;
SELECT (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(j) x) FROM (SELECT jsonb_agg(o) AS j FROM orders o WHERE item_id < 4) s;
SELECT (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(j) x), (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(k) x) FROM (SELECT jsonb_agg(payload) AS j, jsonb_agg(ARRAY[payload, 'null', '[]', '{}']) AS k FROM by_uuid) s;
SELECT (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(j) x), k FROM (SELECT jsonb_agg(jb) AS j, jsonb_object_agg(id, jb) AS k FROM everything) s;
SELECT json_agg(status), jsonb_agg(status), json_object_agg(status, 1), jsonb_object_agg(status, 1) FROM orders WHERE item_id < 0;
SELECT json_object_agg(NULLIF(item_id, 3), 1) FROM orders;
SELECT item_id, json_object_agg(order_id, amount ORDER BY order_id) FROM orders WHERE item_id < 3 GROUP BY item_id ORDER BY 1;
SELECT length(xmlagg(xmlelement(name o, order_id))::text), length(xmlagg(x)::text) FROM orders LEFT JOIN everything ON id = customer_id;

-- Ranges.
SELECT status, range_agg(int4range(order_id::int, order_id::int + 2)), range_intersect_agg(int4range(0, order_id::int + 5)) FROM orders GROUP BY status ORDER BY 1;
SELECT range_agg(mr), range_intersect_agg(mr), range_agg(r4), range_agg(rts), range_intersect_agg(rf), range_agg(rf) FROM everything;
SELECT range_agg(DISTINCT int4range(item_id, item_id + 1)), range_agg(int4range(1, 2)) FILTER (WHERE false) FROM orders;

-- DISTINCT: of one column, of several, of the key, with conditions and other aggregates.
SELECT count(DISTINCT item_id), count(DISTINCT amount), count(*), sum(amount) FROM orders;
SELECT status, count(DISTINCT item_id), sum(DISTINCT amount), avg(DISTINCT item_id), count(*), avg(amount), max(DISTINCT amount) FROM orders GROUP BY status ORDER BY status;
SELECT status, count(DISTINCT customer_id), sum(DISTINCT customer_id), avg(DISTINCT customer_id), count(DISTINCT item_id), count(*) FROM orders GROUP BY status ORDER BY status;
SELECT count(DISTINCT customer_id), count(DISTINCT (customer_id, item_id)), variance(DISTINCT customer_id), array_agg(DISTINCT customer_id % 7) FROM orders;
SELECT tenant, count(DISTINCT code), count(DISTINCT (code, tenant)), count(DISTINCT seen % 3) FROM by_pair GROUP BY tenant ORDER BY tenant;
SELECT count(DISTINCT item_id) FILTER (WHERE amount > 40), count(DISTINCT item_id) FILTER (WHERE amount < 3), count(DISTINCT item_id), sum(item_id) FILTER (WHERE status = 'new') FROM orders;
SELECT status, count(DISTINCT customer_id) FILTER (WHERE item_id > 5), count(DISTINCT amount) FILTER (WHERE item_id > 5) FROM orders GROUP BY status ORDER BY 1;
SELECT count(DISTINCT (status, item_id)), count(DISTINCT (status, (item_id, 1))), count(DISTINCT NULLIF(status, 'new')), count(DISTINCT NULL::int) FROM orders;
SELECT count(DISTINCT b), count(DISTINCT e), count(DISTINCT i8), count(DISTINCT (b, e)), count(DISTINCT comp), count(DISTINCT jb) FROM everything;
SELECT count(DISTINCT f8), count(DISTINCT num), sum(DISTINCT i2), bool_or(DISTINCT b), bit_and(DISTINCT i2), bit_xor(DISTINCT i2) FROM everything;
SELECT count(DISTINCT item_id), count(DISTINCT amount), count(*) FROM orders WHERE false;
SELECT status, count(DISTINCT item_id), count(DISTINCT amount) FROM orders WHERE false GROUP BY status;
SELECT item_id % 3 AS g, count(DISTINCT status), sum(amount) FROM orders GROUP BY 1 HAVING count(DISTINCT amount) > 5 AND count(DISTINCT customer_id) > 2 ORDER BY 1;
SELECT 'x' AS g, count(DISTINCT status), count(DISTINCT item_id), count(*) FROM orders GROUP BY g;
SELECT status, item_id, count(DISTINCT status), count(DISTINCT item_id), count(DISTINCT amount) FROM orders GROUP BY status, item_id ORDER BY 1, 2;
SELECT i.item_id, i.name, count(DISTINCT i.name), count(DISTINCT o.status), sum(o.amount) FROM orders o JOIN items i USING (item_id) GROUP BY i.item_id ORDER BY 1;
SELECT json_agg(DISTINCT item_id::text), jsonb_agg(DISTINCT status), count(DISTINCT status) FROM orders;
SELECT corr(DISTINCT item_id, item_id), count(DISTINCT status) FROM orders;
-- params: 40, 'new'
SELECT count(DISTINCT item_id) FILTER (WHERE amount > $1), count(DISTINCT NULLIF(status, $2)), count(DISTINCT $2) FROM orders;
SELECT count(DISTINCT 4), sum(DISTINCT 2.5), string_agg(DISTINCT 'a', ','), count(*) FROM orders;
SELECT count(DISTINCT 4), avg(DISTINCT -4), array_agg(DISTINCT 'x'::text), max(DISTINCT 3) FROM orders WHERE item_id < item_id;
SELECT count(DISTINCT 4), count(DISTINCT item_id), count(DISTINCT amount), sum(amount) FROM orders WHERE order_id < 0;
SELECT count(DISTINCT 4) FILTER (WHERE item_id > 100), count(DISTINCT 4) FILTER (WHERE false), count(DISTINCT 4) FILTER (WHERE item_id > 3) FROM orders;
SELECT status, count(DISTINCT 4), count(DISTINCT item_id), count(DISTINCT amount) FROM orders GROUP BY status ORDER BY 1;

-- An order that does not matter.
SELECT count(item_id ORDER BY amount), sum(amount ORDER BY order_id), max(status ORDER BY item_id), avg(item_id ORDER BY status, amount), bool_and(amount > 0 ORDER BY 1) FROM orders;
SELECT status, sum(item_id ORDER BY order_id), count(DISTINCT amount ORDER BY amount DESC) FROM orders GROUP BY status ORDER BY 1;

-- Grouping sets over parts.
SELECT status, item_id % 2, count(DISTINCT amount), sum(amount), grouping(status, item_id % 2) FROM orders GROUP BY CUBE (status, item_id % 2) ORDER BY 1, 2, 5;
SELECT status, count(DISTINCT item_id), count(DISTINCT amount), count(*), grouping(status) FROM orders GROUP BY ROLLUP (status) ORDER BY 1, 5;
SELECT status, cardinality(array_agg(order_id)), range_agg(int4range(item_id, item_id + 1)) FROM orders GROUP BY GROUPING SETS ((status), (status), ()) ORDER BY 1, 2;
SELECT count(*), count(DISTINCT status), count(DISTINCT item_id), array_agg(status), grouping(status) FROM orders WHERE false GROUP BY GROUPING SETS ((), (), (status));
SELECT customer_id % 3, status, count(DISTINCT customer_id), count(DISTINCT item_id), grouping(customer_id % 3, status) FROM orders GROUP BY GROUPING SETS ((1, 2), (2), ()) ORDER BY 1, 2, 5;

-- What needs the rows: they come with the columns that are read, and without those that nothing takes.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FILTER (WHERE status = 'new'), mode() WITHIN GROUP (ORDER BY item_id) FILTER (WHERE status = 'new') FROM orders;
SELECT mode() WITHIN GROUP (ORDER BY status) FILTER (WHERE item_id > 2), count(*) FILTER (WHERE item_id < 2), rank(10) WITHIN GROUP (ORDER BY amount) FILTER (WHERE 100 / item_id > 50) FROM orders;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) FILTER (WHERE item_id > 100), array_agg(order_id ORDER BY order_id) FILTER (WHERE item_id > 100) FROM orders HAVING count(*) FILTER (WHERE item_id > 100) = 0;
SELECT status, percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY item_id % 2), percent_rank(50) WITHIN GROUP (ORDER BY amount DESC) FROM orders GROUP BY ROLLUP (status) ORDER BY status;
SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY status) FROM orders GROUP BY customer_id ORDER BY 1 LIMIT 5;
SELECT array_agg(order_id ORDER BY order_id) FILTER (WHERE random() < 2) FROM orders WHERE item_id = 1;
