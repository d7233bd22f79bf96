-- What the router's planner knows of rows on shards.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('st1'), shardwise.add_local_shard('st2');
CREATE TYPE shade AS ENUM ('light', 'dark');
CREATE TABLE paint (k bigint PRIMARY KEY, grp int, note text, c shade, gone int, tags text[]);
ALTER TABLE paint DROP gone;
INSERT INTO paint SELECT i, i % 20, CASE WHEN i % 4 > 0 THEN 'note ' || i END, (ARRAY['light', 'dark']::shade[])[1 + i % 2],
    ARRAY['a', 'b' || i % 3] FROM generate_series(1, 10000) i;
CREATE TABLE tone (id int PRIMARY KEY, name text);
INSERT INTO tone SELECT i, 'tone ' || i FROM generate_series(1, 500) i;
CREATE TABLE log (k bigint, at date, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2020-07-01');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2020-07-01') TO ('2021-01-01');
INSERT INTO log SELECT i, '2020-01-01'::date + i % 366 FROM generate_series(1, 5000) i;
SELECT shardwise.distribute_table('paint', 'k');
SELECT shardwise.create_reference_table('tone');
SELECT shardwise.distribute_table('log', 'k');

CREATE VIEW known AS SELECT relname, reltuples, relpages > 0 AS has_pages FROM pg_class
    WHERE relname IN ('paint', 'tone', 'log', 'log_1', 'log_2') ORDER BY 1;
SELECT * FROM known;
SELECT tablename, attname, inherited, round(null_frac::numeric, 1) AS nulls, n_distinct, most_common_elems
    FROM pg_stats WHERE tablename IN ('paint', 'tone', 'log', 'log_1') AND attname NOT IN ('at', 'note') ORDER BY 1, 2, 3;
DELETE FROM paint WHERE grp >= 5;
ANALYZE paint;
SELECT * FROM known;
SELECT n_distinct FROM pg_stats WHERE tablename = 'paint' AND attname = 'grp';
TRUNCATE log;
VACUUM log, paint;
SELECT * FROM known;

-- Several columns together, expressions, indexed expressions.
CREATE TABLE car (k int PRIMARY KEY, make text, model text, price int, built date);
INSERT INTO car SELECT i, 'make ' || i % 10, 'model ' || i % 50, i % 50, '2020-01-01'::date + i % 300 FROM generate_series(1, 3000) i;
CREATE INDEX car_upper ON car (upper(model), (price % 7));
CREATE INDEX car_part ON car ((price % 5), k) WHERE price < 3;
CREATE TABLE one (x int);
SELECT shardwise.distribute_table('car', 'k');
CREATE STATISTICS car_pair (ndistinct, dependencies, mcv) ON make, model FROM car;
CREATE STATISTICS car_month ON (date_trunc('month', built)), price FROM car;
CREATE STATISTICS log_day ON (extract(day FROM at)) FROM log;
INSERT INTO log SELECT i, '2020-01-01'::date + i % 366 FROM generate_series(1, 1000) i;
ANALYZE car, log;
SELECT statistics_name, inherited, n_distinct, dependencies, array_length(most_common_vals, 1) AS values FROM pg_stats_ext WHERE tablename IN ('car', 'log') ORDER BY 1, 2;
SELECT statistics_name, inherited, expr, n_distinct FROM pg_stats_ext_exprs WHERE tablename IN ('car', 'log') ORDER BY 1, 2;
SELECT tablename, attname, n_distinct, array_length(most_common_vals, 1) AS values FROM pg_stats WHERE tablename LIKE 'car\_%' ORDER BY 1, 2;
CREATE FUNCTION estimate(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) SELECT FROM one, car WHERE ' || query INTO plan;
    RETURN jsonb_path_query_first(plan::jsonb, '$.**?(@."Node Type" == "Custom Scan")."Plan Rows"');
END $$;
-- The router's own plans see it: each model has one make, and 60 cars.
SELECT estimate($$make = 'make 7' AND model = 'model 7'$$) AS together, estimate($$upper(model) = 'MODEL 12'$$) AS indexed;
DROP FUNCTION estimate(text);
DROP TABLE car, one;

DROP VIEW known;
DROP TABLE paint, tone, log;
SELECT shardwise.remove_shard('st1'), shardwise.remove_shard('st2');
