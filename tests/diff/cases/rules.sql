-- Rules that put conditions on writes, and views whose triggers write in their place.
-- setup
CREATE TABLE ruled (id int PRIMARY KEY, data text, deleted boolean DEFAULT false);
-- shardwise: SELECT shardwise.distribute_table('ruled', 'id')
INSERT INTO ruled VALUES (1, 'one', false), (2, 'two', true), (3, 'three', true);
CREATE RULE ruled_insert AS ON INSERT TO ruled WHERE EXISTS (SELECT 1 FROM ruled t WHERE t.id = new.id)
    DO INSTEAD UPDATE ruled SET data = new.data, deleted = false WHERE id = new.id;
CREATE RULE ruled_delete AS ON DELETE TO ruled DO INSTEAD UPDATE ruled SET deleted = true WHERE id = old.id;
CREATE TABLE rule_log (id int NOT NULL, was text);
-- shardwise: SELECT shardwise.distribute_table('rule_log', 'id')
CREATE RULE ruled_update AS ON UPDATE TO ruled WHERE new.data <> old.data DO ALSO INSERT INTO rule_log VALUES (old.id, old.data);
CREATE VIEW ruled_rows AS SELECT id, data FROM ruled WHERE NOT deleted;
CREATE TABLE amounts (id int NOT NULL, amount int);
-- shardwise: SELECT shardwise.distribute_table('amounts', 'id')
INSERT INTO amounts SELECT g, g * 10 FROM generate_series(1, 9) g;
CREATE VIEW large_amounts AS SELECT id, amount FROM amounts WHERE amount > 30;
CREATE FUNCTION write_amount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'INSERT' THEN INSERT INTO amounts VALUES (new.id, new.amount); RETURN new; END IF;
    IF tg_op = 'UPDATE' THEN UPDATE amounts SET amount = new.amount WHERE id = old.id; RETURN new; END IF;
    DELETE FROM amounts WHERE id = old.id;
    RETURN old;
END $$;
CREATE TRIGGER write_amount INSTEAD OF INSERT OR UPDATE OR DELETE ON large_amounts FOR EACH ROW EXECUTE FUNCTION write_amount();
CREATE VIEW first_amounts AS SELECT * FROM large_amounts WHERE id < 8 WITH LOCAL CHECK OPTION;
-- test
INSERT INTO ruled VALUES (2, 'new two');
INSERT INTO ruled_rows VALUES (3, 'new three'), (4, 'four');
INSERT INTO ruled SELECT id + 1, 'next to ' || data FROM ruled;
DELETE FROM ruled WHERE id < 3;
DELETE FROM ruled_rows;
UPDATE ruled SET data = data || '!';
UPDATE ruled SET data = data || '?' WHERE id = 2;
UPDATE ruled SET data = i.name FROM items i WHERE item_id = id AND id < 3;
SELECT * FROM ruled ORDER BY id;
SELECT * FROM rule_log ORDER BY id, was;
INSERT INTO large_amounts VALUES (20, 200), (21, 1) RETURNING *;
UPDATE large_amounts SET amount = amount + 1000 WHERE id IN (1, 5);
-- params: 6
UPDATE large_amounts SET amount = amount + 1000 WHERE id = $1 RETURNING *;
UPDATE first_amounts SET amount = 40 WHERE id > 2 RETURNING *;
UPDATE first_amounts SET id = 100 WHERE id = 4;
UPDATE large_amounts l SET amount = o.amount FROM orders o WHERE o.customer_id = l.id AND o.order_id = 6 RETURNING l.id;
DELETE FROM large_amounts WHERE id = 7 RETURNING *;
DELETE FROM first_amounts USING items WHERE item_id = id AND price < 7;
SELECT * FROM amounts ORDER BY id;
-- Parts of rules that look at OLD and NEW from within FROM.
CREATE RULE show_change AS ON UPDATE TO amounts DO ALSO VALUES (old.*, 'old'), (new.*, 'new');
-- modes: simple
UPDATE amounts SET amount = amount / 10;
-- modes: simple
UPDATE amounts SET amount = amount + 10 WHERE id = 5;
DROP RULE show_change ON amounts;
CREATE RULE log_change AS ON UPDATE TO amounts DO ALSO INSERT INTO rule_log
    SELECT v.id, v.tag || v.amount FROM (VALUES (old.id, old.amount, 'old '), (new.id, new.amount, 'new ')) v (id, amount, tag);
UPDATE amounts SET amount = amount + 7;
UPDATE amounts SET amount = amount + 8 WHERE id = 5;
SELECT * FROM rule_log ORDER BY id, was;
DROP RULE log_change ON amounts;
CREATE RULE shadow AS ON INSERT TO first_amounts DO ALSO INSERT INTO amounts SELECT * FROM (SELECT id + 100, amount FROM amounts WHERE id = NEW.id) t;
INSERT INTO first_amounts VALUES (7, 70);
SELECT * FROM amounts ORDER BY id, amount;
DROP RULE shadow ON first_amounts;
-- Rules whose new rows come from several entries of FROM, and from rules of rules.
CREATE TABLE rule_trace (id int NOT NULL, note text, number serial);
-- shardwise: SELECT shardwise.distribute_table('rule_trace', 'id')
CREATE RULE trace AS ON INSERT TO amounts DO ALSO INSERT INTO rule_trace VALUES (0, 'row', DEFAULT), (new.id, new.amount::text, DEFAULT);
INSERT INTO amounts VALUES (200, 2), (201, DEFAULT);
INSERT INTO amounts VALUES (202, 4);
INSERT INTO amounts SELECT customer_id + 300, order_id FROM orders WHERE order_id < 5;
SELECT id, note FROM rule_trace ORDER BY 1, 2;
SELECT count(DISTINCT number) FROM rule_trace;
UPDATE rule_trace SET number = id;
DROP RULE trace ON amounts;
CREATE VIEW all_amounts AS SELECT * FROM amounts;
CREATE RULE change AS ON UPDATE TO all_amounts DO INSTEAD UPDATE amounts SET amount = new.amount WHERE id = old.id;
CREATE RULE log_new AS ON UPDATE TO amounts WHERE new.amount <> old.amount DO INSERT INTO rule_log VALUES (new.id, 'is ' || new.amount);
CREATE RULE add AS ON INSERT TO rule_trace DO INSTEAD UPDATE all_amounts SET amount = amount + new.number WHERE id = new.id;
INSERT INTO rule_trace VALUES (200, '', 1000);
INSERT INTO rule_trace SELECT id, '', 2000 FROM amounts WHERE id > 200;
WITH given AS (SELECT 3000 AS n) INSERT INTO rule_trace SELECT id, '', n FROM amounts, given WHERE id IN (200, 201);
SELECT * FROM amounts ORDER BY id, amount;
SELECT * FROM rule_log ORDER BY id, was;
-- teardown
DROP TABLE rule_trace;
DROP VIEW first_amounts, large_amounts, ruled_rows, all_amounts;
DROP TABLE ruled, rule_log, amounts;
DROP FUNCTION write_amount();
