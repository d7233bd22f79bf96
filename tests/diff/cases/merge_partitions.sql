-- MERGE into a partitioned reference table, whose rows may have the same place in different partitions.
-- setup
CREATE TABLE parted_copies (id int PRIMARY KEY, note text) PARTITION BY HASH (id);
CREATE TABLE parted_copies_a PARTITION OF parted_copies FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_copies_b PARTITION OF parted_copies FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted_copies SELECT g, 'note ' || g FROM generate_series(1, 20) g;
-- shardwise: SELECT shardwise.create_reference_table('parted_copies')
-- test
MERGE INTO parted_copies p USING orders o ON p.id = o.order_id WHEN MATCHED AND o.order_id > 18 THEN DELETE WHEN MATCHED THEN UPDATE SET note = note || o.status WHEN NOT MATCHED AND o.order_id < 23 THEN INSERT VALUES (o.order_id, o.status);
SELECT * FROM parted_copies ORDER BY id;
MERGE INTO parted_copies p USING (VALUES (1), (2), (1)) v (id) ON p.id = v.id WHEN MATCHED THEN DELETE;
SELECT * FROM parted_copies ORDER BY id;
-- teardown
DROP TABLE parted_copies;
