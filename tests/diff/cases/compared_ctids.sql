-- Statements that compare ctids of rows of several shards.
-- setup
CREATE TABLE jobs (id int PRIMARY KEY, kind text, state text NOT NULL, tries int DEFAULT 0);
INSERT INTO jobs SELECT i, 'kind ' || i % 7, (ARRAY['new', 'done', 'new'])[1 + i % 3] FROM generate_series(1, 300) i;
-- shardwise: SELECT shardwise.distribute_table('jobs', 'id')
CREATE TABLE finished (LIKE jobs);
-- shardwise: SELECT shardwise.distribute_table('finished', 'id')
CREATE TABLE readings (sensor int NOT NULL, day date, value int) PARTITION BY RANGE (day);
CREATE TABLE readings_old PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE readings_new PARTITION OF readings FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO readings SELECT i % 20, date '2025-01-01' + i % 58, i % 6 FROM generate_series(1, 400) i;
-- shardwise: SELECT shardwise.distribute_table('readings', 'sensor')
CREATE TABLE places (note text, place tid);
INSERT INTO places VALUES ('first', '(0,1)'), ('none', NULL);
-- test

-- Batches.
DELETE FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE state = 'done' ORDER BY id LIMIT 20);
SELECT count(*), min(id) FROM jobs WHERE state = 'done';
DELETE FROM jobs WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs WHERE state = 'done' ORDER BY id LIMIT 10)) RETURNING id, kind;
DELETE FROM jobs WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs WHERE state = 'done' ORDER BY id DESC LIMIT 5 FOR UPDATE SKIP LOCKED)) AND kind > 'kind 2' RETURNING *;
DELETE FROM jobs USING (SELECT ctid FROM jobs WHERE state = 'done' ORDER BY id LIMIT 7 FOR UPDATE SKIP LOCKED) x WHERE jobs.ctid = x.ctid RETURNING jobs.*;
WITH x AS (SELECT ctid, id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 7 FOR UPDATE SKIP LOCKED) DELETE FROM jobs j USING x WHERE j.ctid = x.ctid RETURNING j.id = x.id, j.*;
WITH x AS MATERIALIZED (SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id LIMIT 3) DELETE FROM jobs WHERE ctid IN (TABLE x) RETURNING id;
WITH x AS (SELECT ctid FROM jobs ORDER BY id LIMIT 4), gone AS (DELETE FROM jobs USING x WHERE jobs.ctid = x.ctid RETURNING jobs.*) INSERT INTO finished SELECT * FROM gone RETURNING id, kind;
WITH x AS (SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM jobs USING x WHERE jobs.ctid = x.ctid RETURNING jobs.*) INSERT INTO finished SELECT * FROM gone RETURNING id;
WITH x AS (SELECT ctid, id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 5 FOR UPDATE), unused AS (SELECT 1 / (id - id) FROM jobs FOR UPDATE), gone AS (DELETE FROM jobs USING x WHERE jobs.ctid = x.ctid RETURNING jobs.*), put AS (INSERT INTO finished SELECT * FROM gone RETURNING id) SELECT x.id, put.id IS NOT NULL FROM x LEFT JOIN put USING (id) ORDER BY id;
-- expect-refused: are locked and written by parts of the statement
WITH taken AS (UPDATE jobs SET state = 'taken' WHERE id = 38 RETURNING id), x AS (SELECT ctid FROM jobs ORDER BY id FOR UPDATE) SELECT * FROM taken, x;
-- params: 'new', 6
DELETE FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE state = $1 ORDER BY id LIMIT $2) RETURNING id;
-- params: 6
UPDATE jobs SET state = 'taken', tries = tries + 1 WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, state, tries;
UPDATE jobs j SET kind = j.kind || x.n FROM (SELECT ctid, row_number() OVER (ORDER BY id) AS n FROM jobs WHERE state = 'taken') x WHERE x.ctid = j.ctid RETURNING j.id, j.kind, n;
DELETE FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE false);
DELETE FROM jobs WHERE id < 60 AND (id > 50 AND ctid IN (SELECT ctid FROM jobs WHERE state = 'done') OR ctid = (SELECT ctid FROM jobs WHERE id = 49)) RETURNING id;

-- One after the other.
UPDATE jobs SET state = 'running' WHERE ctid = (SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *;
UPDATE jobs SET state = 'running' WHERE (SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id DESC LIMIT 1) = ctid RETURNING *;
UPDATE jobs SET state = 'running' WHERE ctid = (SELECT ctid FROM jobs WHERE state = 'nothing') RETURNING *;
UPDATE jobs SET state = 'running' WHERE ctid = (SELECT ctid FROM jobs WHERE state = 'new') RETURNING *;
UPDATE jobs SET tries = 9 WHERE ctid = ALL (SELECT ctid FROM jobs WHERE id = 100) RETURNING id;
UPDATE jobs SET (kind, tries) = (SELECT max(o.kind), count(*) FROM jobs o WHERE o.ctid <> jobs.ctid) WHERE id = 101 RETURNING *;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM jobs j WHERE ctid IN (SELECT ctid FROM jobs WHERE id IN (102, 103)) ORDER BY id FOR UPDATE;
FETCH c;
-- once
UPDATE jobs SET tries = 10 WHERE CURRENT OF c RETURNING id;
FETCH ALL FROM c;
COMMIT;
UPDATE jobs SET id = id + 1000 WHERE ctid IN (SELECT ctid FROM jobs ORDER BY id DESC LIMIT 3) RETURNING id;

-- Rows that are there several times. The one that stays is anybody's guess.
BEGIN;
DELETE FROM jobs a USING jobs b WHERE a.kind = b.kind AND a.state = b.state AND a.ctid < b.ctid;
SELECT kind, state, count(*) FROM jobs GROUP BY kind, state ORDER BY kind, state;
ROLLBACK;
BEGIN;
DELETE FROM jobs WHERE ctid NOT IN (SELECT min(ctid) FROM jobs GROUP BY kind, state);
SELECT kind, state, count(*) FROM jobs GROUP BY kind, state ORDER BY kind, state;
ROLLBACK;
BEGIN;
DELETE FROM jobs WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY kind ORDER BY id) AS n FROM jobs) x WHERE n > 2);
SELECT id, kind FROM jobs ORDER BY id;
DELETE FROM jobs a WHERE EXISTS (SELECT FROM jobs b WHERE b.kind = a.kind AND b.ctid > a.ctid);
SELECT kind, count(*) FROM jobs GROUP BY kind ORDER BY kind;
ROLLBACK;
BEGIN;
DELETE FROM jobs USING (SELECT min(ctid) AS c, state FROM jobs GROUP BY state HAVING count(*) > 1) x WHERE jobs.state = x.state AND jobs.ctid <> x.c;
SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state;
ROLLBACK;
BEGIN;
DELETE FROM jobs WHERE ctid IN (SELECT unnest((array_agg(ctid ORDER BY id))[2:]) FROM jobs GROUP BY kind);
SELECT id FROM jobs ORDER BY id;
DELETE FROM jobs WHERE ctid <> (SELECT max(ctid) FROM jobs);
SELECT count(*) FROM jobs;
ROLLBACK;
BEGIN;
DELETE FROM readings WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM readings WHERE value = 3 ORDER BY day, sensor LIMIT 9) RETURNING *;
DELETE FROM readings a USING readings b WHERE a.value = b.value AND a.tableoid = b.tableoid AND a.ctid > b.ctid;
SELECT value, day < '2025-02-01', count(*) FROM readings GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM readings_new WHERE ctid = ANY (ARRAY(SELECT ctid FROM readings_new WHERE value > 2 ORDER BY day)) RETURNING value;
ROLLBACK;
MERGE INTO jobs j USING (SELECT ctid, id FROM jobs WHERE id % 50 = 0) x ON j.ctid = x.ctid WHEN MATCHED AND x.id > 150 THEN DELETE WHEN MATCHED THEN UPDATE SET kind = 'merged ' || x.id;
SELECT * FROM jobs WHERE id % 50 = 0 ORDER BY id;
INSERT INTO finished SELECT id + 5000, a.kind, a.state FROM jobs a WHERE ctid IN (SELECT max(ctid) FROM jobs GROUP BY id % 3 = 0 AND id < 200 AND ctid IS NOT NULL, id HAVING id BETWEEN 120 AND 130) RETURNING *;

-- Queries.
SELECT count(*) FROM jobs a JOIN jobs b ON a.ctid = b.ctid;
SELECT count(*) FROM jobs a JOIN jobs b ON a.ctid = b.ctid AND a.id <> b.id;
SELECT count(*) FROM jobs a FULL JOIN (SELECT ctid FROM jobs WHERE state = 'new') b ON a.ctid = b.ctid WHERE b IS NULL OR a.id > 100;
SELECT * FROM jobs WHERE ctid IN (SELECT ctid FROM jobs ORDER BY id LIMIT 4) ORDER BY id;
SELECT * FROM jobs WHERE ctid = (SELECT ctid FROM jobs ORDER BY id DESC LIMIT 1);
SELECT count(*) FROM jobs a, jobs b WHERE a.kind = b.kind AND a.ctid < b.ctid;
SELECT count(*) FROM jobs a JOIN LATERAL (SELECT ctid AS c FROM jobs b WHERE b.state = a.state ORDER BY b.id LIMIT 2) b ON b.c = a.ctid;
SELECT a.id, a.ctid = b.c, a.ctid IN (SELECT ctid FROM jobs WHERE id = 60), (SELECT count(*) FROM jobs o WHERE o.ctid = b.c), b.c IN (SELECT ctid FROM jobs WHERE state = 'new') FROM jobs a JOIN (SELECT ctid AS c, id FROM jobs UNION ALL SELECT NULL, 70) b USING (id) WHERE id BETWEEN 60 AND 70 ORDER BY 1, 2;
SELECT a.id FROM jobs a JOIN finished b ON a.ctid = b.ctid AND a.id = b.id;
WITH RECURSIVE r AS (SELECT ctid AS c, id FROM jobs WHERE id = 61 UNION ALL SELECT j.ctid, j.id FROM r JOIN jobs j ON j.id = r.id + 1 AND j.ctid <> r.c AND j.id < 66) SELECT id FROM r ORDER BY id;
SELECT id FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE id < 90 INTERSECT SELECT ctid FROM jobs WHERE id > 80) ORDER BY id;
SELECT count(DISTINCT c), min(c) <= max(c), bool_or(c IS NULL) FROM (SELECT ctid AS c FROM jobs WHERE ctid IN (SELECT ctid FROM jobs)) x;
SELECT count(DISTINCT a.ctid), min(a.ctid) = (SELECT min(ctid) FROM jobs), count(*) FROM jobs a WHERE a.ctid IN (SELECT ctid FROM jobs);
-- those of the shards are shown
SELECT count(*) FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE ctid < '(1000,0)' AND id < 1000) AND id < 1000;
SELECT x.id, x.c < '(100,0)', x.c::text LIKE '(%,___)' OR x.c::text LIKE '(%,__)' OR x.c::text LIKE '(%,_)' FROM (SELECT id, ctid AS c FROM jobs WHERE id < 80) x WHERE id > 70 ORDER BY id;
BEGIN;
SELECT count(*) FROM (SELECT id FROM jobs WHERE ctid IN (SELECT ctid FROM jobs WHERE state = 'new' ORDER BY id LIMIT 5) FOR UPDATE) x;
ROLLBACK;

-- What may be of any shard.
-- expect-refused: Rows of several shards may have the same ctid
DELETE FROM jobs WHERE ctid = '(0,1)' AND id < 0;
-- expect-refused: Rows of several shards may have the same ctid
DELETE FROM jobs USING places WHERE jobs.ctid = place AND id < 0;
-- expect-refused: Rows of several shards may have the same ctid
DELETE FROM jobs USING places, finished f WHERE jobs.ctid = place AND f.ctid <> jobs.ctid AND jobs.id < 0;
-- expect-refused: Rows of several shards may have the same ctid
DELETE FROM jobs WHERE ctid IN (SELECT ctid FROM jobs UNION ALL SELECT place FROM places) AND id < 0;

-- teardown
DROP TABLE jobs, finished, readings, places;
