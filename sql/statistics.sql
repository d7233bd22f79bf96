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

DROP VIEW known;
DROP TABLE paint, tone, log;
SELECT shardwise.remove_shard('st1'), shardwise.remove_shard('st2');
