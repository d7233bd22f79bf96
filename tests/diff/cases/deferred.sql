-- Constraints that are checked late, and TRUNCATE, over several shards: the error comes at COMMIT as on
-- one server, and nothing of the transaction stays.
-- setup
CREATE TABLE late (k int PRIMARY KEY, v int, CONSTRAINT late_pair UNIQUE (k, v) DEFERRABLE);
CREATE TABLE late_child (k int, id int, PRIMARY KEY (k, id),
    CONSTRAINT late_parent FOREIGN KEY (k) REFERENCES late DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE late_rank (k int, rank int, CONSTRAINT late_rank_key PRIMARY KEY (k, rank) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE late_code (code int PRIMARY KEY, next int CONSTRAINT late_next REFERENCES late_code DEFERRABLE);
CREATE TABLE late_local (id int CONSTRAINT late_local_key PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
INSERT INTO late SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO late_rank SELECT i, r FROM generate_series(1, 12) i, generate_series(1, 3) r;
-- shardwise: SELECT shardwise.distribute_table('late', 'k')
-- shardwise: SELECT shardwise.distribute_table('late_child', 'k', colocate_with => 'late')
-- shardwise: SELECT shardwise.distribute_table('late_rank', 'k', colocate_with => 'late')
-- shardwise: SELECT shardwise.create_reference_table('late_code')

-- test
-- file-modes: simple, extended
-- Without a block, at the statement's end; on one shard (in the extended protocol PostgreSQL has sent
-- the tag by then, the router has not), on several.
-- modes: simple
INSERT INTO late_child VALUES (100, 1);
INSERT INTO late_child SELECT i, 1 FROM generate_series(15, 25) i;
UPDATE late_rank SET rank = rank + 1;
-- modes: simple
UPDATE late_rank SET rank = 4 WHERE k = 5 AND rank > 2;
UPDATE late_rank SET rank = 3 WHERE rank > 2;
SELECT * FROM late_rank ORDER BY k, rank;
SELECT * FROM late_child ORDER BY k, id;

-- At COMMIT: one shard violates, others have written too.
BEGIN;
INSERT INTO late_child SELECT i, 1 FROM generate_series(1, 20) i;
INSERT INTO late_child VALUES (101, 1);
UPDATE late SET v = -v;
INSERT INTO late_local VALUES (1);
SELECT count(*) FROM late_child;
COMMIT;
SELECT count(*) FROM late_child;
SELECT sum(v) FROM late;
SELECT * FROM late_local;
-- Put right before COMMIT.
BEGIN;
INSERT INTO late_child VALUES (101, 1), (102, 1), (103, 1), (104, 1);
INSERT INTO late SELECT i, 0 FROM generate_series(101, 104) i;
COMMIT;
SELECT * FROM late_child ORDER BY k, id;
DELETE FROM late_child;
DELETE FROM late WHERE k > 100;
-- The router's own constraint undoes what shards wrote.
BEGIN;
UPDATE late SET v = 0;
INSERT INTO late_local VALUES (1), (1);
COMMIT;
SELECT sum(v) FROM late;

-- SET CONSTRAINTS: for shards that take part and for those that come later.
BEGIN;
SET CONSTRAINTS late_parent IMMEDIATE;
INSERT INTO late_child VALUES (100, 1);
ROLLBACK;
BEGIN;
INSERT INTO late_child VALUES (1, 1);
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO late_child SELECT i, 1 FROM generate_series(100, 110) i WHERE i = 105;
COMMIT;
BEGIN;
INSERT INTO late_child SELECT i, 1 FROM generate_series(15, 25) i;
-- compare: sqlstate
SET CONSTRAINTS late_parent, late_local_key IMMEDIATE;
COMMIT;
BEGIN;
SET CONSTRAINTS public.late_pair, late_next DEFERRED;
INSERT INTO late_code VALUES (1, 2);
INSERT INTO late_code VALUES (2, 1);
UPDATE late SET v = v + 1;
COMMIT;
SELECT * FROM late_code ORDER BY code;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE late_code SET next = 3 WHERE code = 1;
SET CONSTRAINTS late_next IMMEDIATE;
COMMIT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE late_code SET next = 3 WHERE code = 1;
UPDATE late SET v = 7 WHERE k = 3;
COMMIT;
SELECT * FROM late_code ORDER BY code;
SELECT v FROM late WHERE k = 3;

-- Savepoints: a mode ends with the one that is rolled back.
BEGIN;
SAVEPOINT a;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO late_child VALUES (2, 2);
ROLLBACK TO a;
INSERT INTO late_child VALUES (100, 1), (101, 1), (102, 1);
DELETE FROM late_child WHERE k >= 100;
COMMIT;
BEGIN;
INSERT INTO late_child VALUES (100, 1), (101, 1), (102, 1);
SAVEPOINT a;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO a;
DELETE FROM late_child WHERE k >= 100;
SET CONSTRAINTS ALL IMMEDIATE;
SAVEPOINT b;
SET CONSTRAINTS ALL DEFERRED;
SAVEPOINT c;
INSERT INTO late_child VALUES (103, 1);
RELEASE b;
INSERT INTO late_child VALUES (104, 1), (105, 1);
ROLLBACK;
BEGIN;
SAVEPOINT a;
SET CONSTRAINTS late_parent IMMEDIATE;
RELEASE a;
SAVEPOINT b;
INSERT INTO late_child VALUES (103, 1);
ROLLBACK TO b;
INSERT INTO late_child VALUES (104, 1);
COMMIT;
SELECT * FROM late_child ORDER BY k, id;

-- Names that do not fit, and local ones.
SET CONSTRAINTS ALL DEFERRED;
BEGIN;
SET CONSTRAINTS late_pair, nothing DEFERRED;
ROLLBACK;
BEGIN;
SET CONSTRAINTS late_pkey DEFERRED;
ROLLBACK;
BEGIN;
SET CONSTRAINTS late_local_key IMMEDIATE;
UPDATE late SET v = 1 WHERE k = 1;
INSERT INTO late_local VALUES (5), (5);
COMMIT;

-- TRUNCATE of several tables among other writes, undone and done.
BEGIN;
UPDATE late SET v = 50;
INSERT INTO late_local VALUES (7);
TRUNCATE late_child, late, late_local, late_code;
INSERT INTO late SELECT i, i FROM generate_series(30, 40) i;
INSERT INTO late_code VALUES (9, 9);
SELECT count(*) FROM late;
ROLLBACK;
SELECT count(*), sum(v) FROM late;
SELECT count(*) FROM late_code;
BEGIN;
SAVEPOINT a;
TRUNCATE late CASCADE;
ROLLBACK TO a;
SELECT count(*) FROM late;
TRUNCATE late_rank, late_code;
INSERT INTO late_code VALUES (9, 9);
UPDATE late SET v = 50;
COMMIT;
SELECT count(*) FROM late_rank;
SELECT * FROM late_code;
SELECT count(*), sum(v) FROM late;
BEGIN;
TRUNCATE late CASCADE;
INSERT INTO late_child VALUES (1, 1), (2, 1), (3, 1), (4, 1);
COMMIT;
SELECT count(*) FROM late;
TRUNCATE late;
TRUNCATE late, late_child, late_local;
SELECT count(*) FROM late;
-- A table goes with the constraint whose check is pending: there is nothing left to check.
BEGIN;
INSERT INTO late_child VALUES (1000, 1), (1001, 1), (1002, 1);
DROP TABLE late;
ROLLBACK;
BEGIN;
INSERT INTO late_child VALUES (1000, 1), (1001, 1), (1002, 1);
DROP TABLE late CASCADE;
INSERT INTO late_child VALUES (1003, 1);
COMMIT;
SELECT * FROM late_child WHERE k > 500 ORDER BY k;

-- teardown
DROP TABLE IF EXISTS late CASCADE;
DROP TABLE late_child, late_rank, late_code, late_local;
