-- Deferrable constraints of the shards' rows, checked when the router's session says.
-- setup
CREATE TABLE parents (key int, id int, PRIMARY KEY (key, id));
CREATE TABLE children (
    key int, id int, parent int, rank int,
    PRIMARY KEY (key, id),
    CONSTRAINT children_parent FOREIGN KEY (key, parent) REFERENCES parents DEFERRABLE,
    CONSTRAINT children_rank UNIQUE (key, rank) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE local_children (id int CONSTRAINT children_local UNIQUE DEFERRABLE);
INSERT INTO parents SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO children SELECT i, i, i, i FROM generate_series(1, 20) i;
-- shardwise: SELECT shardwise.distribute_table('parents', 'key')
-- shardwise: SELECT shardwise.distribute_table('children', 'key', colocate_with => 'parents')

-- test
-- unordered
BEGIN;
SET CONSTRAINTS children_parent DEFERRED;
INSERT INTO children VALUES (31, 1, 1, 1), (32, 1, 1, 1), (33, 1, 1, 1) RETURNING *;
INSERT INTO parents VALUES (31, 1), (32, 1), (33, 1);
COMMIT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO children VALUES (34, 1, 1, 1), (35, 1, 1, 1);
INSERT INTO parents VALUES (34, 1);
COMMIT;
SELECT count(*) FROM children;
BEGIN;
UPDATE children SET parent = 99 WHERE key = 3;
ROLLBACK;
-- Set back by a savepoint, on shards that have joined before and on those that join after it.
BEGIN;
SAVEPOINT a;
SET CONSTRAINTS public.children_parent DEFERRED;
UPDATE children SET parent = 99 WHERE key = 3;
ROLLBACK TO a;
UPDATE children SET parent = 99 WHERE key = 4;
ROLLBACK;
BEGIN;
INSERT INTO children VALUES (1, 100, 1, 1);
SAVEPOINT a;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO a;
UPDATE children SET rank = 100 WHERE id = 100;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO children VALUES (2, 100, 2, 2);
ROLLBACK;
BEGIN;
SET CONSTRAINTS children_rank, children_local IMMEDIATE;
UPDATE children SET rank = 1;
UPDATE children SET key = 1, rank = 1 WHERE key = 2;
ROLLBACK;
-- Names that are not there, not deferrable, or of the router alone.
BEGIN;
SET CONSTRAINTS nothing DEFERRED;
ROLLBACK;
BEGIN;
SET CONSTRAINTS children_pkey DEFERRED;
ROLLBACK;
BEGIN;
SET CONSTRAINTS children_local DEFERRED;
INSERT INTO local_children VALUES (1), (1);
COMMIT;
SET CONSTRAINTS ALL DEFERRED;
BEGIN READ ONLY;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT count(*) FROM children;
COMMIT;
DO $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO children VALUES (41, 1, 1, 1), (42, 1, 1, 1);
    INSERT INTO parents VALUES (41, 1), (42, 1);
    BEGIN
        INSERT INTO children VALUES (41, 2, 1, 1);
        SET CONSTRAINTS children_rank IMMEDIATE;
    EXCEPTION WHEN unique_violation THEN
        RAISE NOTICE 'not unique';
    END;
END $$;
SELECT key, id, parent, rank FROM children WHERE key > 30;

-- teardown
DROP TABLE children, parents, local_children;
