-- Checks of new rows (policies, WITH CHECK OPTION) whose subqueries read rows of other shards.
-- setup
CREATE ROLE diff_checked;
GRANT USAGE ON SCHEMA public TO diff_checked;
-- shardwise: CREATE USER MAPPING FOR diff_checked SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_checked SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_checked SERVER s3 OPTIONS (user 'postgres', password_required 'false');
CREATE TABLE r_teams (id int PRIMARY KEY, team int);
INSERT INTO r_teams SELECT i, i * 10 FROM generate_series(1, 10) i;
CREATE TABLE r_rows (gone int, id int PRIMARY KEY, team int, twice int GENERATED ALWAYS AS (team * 2) STORED, body text DEFAULT 'new');
ALTER TABLE r_rows DROP COLUMN gone;
INSERT INTO r_rows (id, team, body) SELECT i, i, 'row ' || i FROM generate_series(1, 30) i;
CREATE VIEW r_view AS SELECT body, team, id, twice FROM r_rows WHERE team < (SELECT max(team) FROM r_teams) WITH CHECK OPTION;
CREATE VIEW r_view_of_row AS SELECT id, team FROM r_rows WHERE twice IN (SELECT team FROM r_teams t WHERE t.team > r_rows.id) WITH CHECK OPTION;
CREATE TABLE r_secured (id int PRIMARY KEY, team int, owner int, body text DEFAULT 'new');
INSERT INTO r_secured SELECT i, i * 10, i, 'row ' || i FROM generate_series(1, 12) i;
ALTER TABLE r_secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON r_secured FOR SELECT USING (true);
CREATE POLICY added ON r_secured FOR INSERT WITH CHECK (EXISTS (SELECT FROM r_teams t WHERE t.team = r_secured.team));
CREATE POLICY updated ON r_secured FOR UPDATE USING (owner IN (SELECT id FROM r_teams WHERE id < 9)) WITH CHECK (EXISTS (SELECT FROM r_teams t WHERE t.team = r_secured.team));
CREATE POLICY never ON r_secured AS RESTRICTIVE USING (true) WITH CHECK (body <> 'bad');
GRANT ALL ON r_secured, r_teams TO diff_checked;
CREATE FUNCTION r_touch() RETURNS trigger STABLE LANGUAGE plpgsql AS 'BEGIN NEW.team := 10; RETURN NEW; END';
-- shardwise: SELECT shardwise.distribute_table('r_teams', 'id');
-- shardwise: SELECT shardwise.distribute_table('r_rows', 'id');
-- shardwise: SELECT shardwise.distribute_table('r_secured', 'id');

-- test
-- ---- views
INSERT INTO r_view VALUES ('q', 5, 100) RETURNING *;
INSERT INTO r_view VALUES ('q', 500, 101) RETURNING *;
INSERT INTO r_view (team, id) VALUES (1, 102), (2, 103), (1000, 104);
INSERT INTO r_view (team, id) SELECT team - 1, team + 1000 FROM r_teams RETURNING *;
INSERT INTO r_view (team, id) SELECT team, team + 2000 FROM r_teams;
UPDATE r_view SET team = 200 WHERE id = 3;
UPDATE r_view SET team = team + 1 WHERE id < 5 RETURNING *;
UPDATE r_view SET id = id + 5000, body = 'moved' WHERE id IN (7, 8) RETURNING *;
UPDATE r_view SET id = id + 5000, team = 700 WHERE id = 9;
-- params: 11, 12
UPDATE r_view SET team = $2 WHERE id = $1 RETURNING *;
INSERT INTO r_view_of_row VALUES (31, 20);
INSERT INTO r_view_of_row VALUES (33, 21);
UPDATE r_view_of_row SET team = 25;
-- expect-refused: A check of new rows
INSERT INTO r_view VALUES ('q', 5, 100) ON CONFLICT (id) DO UPDATE SET team = 6;
UPDATE r_view SET (team, body) = (SELECT team, 'two' FROM r_teams WHERE r_teams.id = 2) WHERE id = 12;
-- ---- policies
SET ROLE diff_checked;
INSERT INTO r_secured VALUES (200, 10, 1);
INSERT INTO r_secured VALUES (201, 11, 1);
INSERT INTO r_secured VALUES (202, 10, 1, 'bad');
INSERT INTO r_secured VALUES (200, 11, 1, 'good') ON CONFLICT (id) DO NOTHING;
INSERT INTO r_secured VALUES (200, 20, 1, 'good') ON CONFLICT (id) DO NOTHING;
INSERT INTO r_secured VALUES (200, 20, 1, 'good') ON CONFLICT (id) DO UPDATE SET team = 30 RETURNING *;
INSERT INTO r_secured VALUES (200, 20, 1, 'good') ON CONFLICT (id) DO UPDATE SET team = 31;
INSERT INTO r_secured VALUES (200, 21, 1, 'good') ON CONFLICT (id) DO UPDATE SET team = 30;
INSERT INTO r_secured VALUES (200, 20, 1), (203, 20, 1) ON CONFLICT (id) DO UPDATE SET team = excluded.team + 20, body = r_secured.body || excluded.body WHERE r_secured.owner = 1 RETURNING *;
INSERT INTO r_secured VALUES (10, 20, 1) ON CONFLICT (id) DO UPDATE SET team = 1 / (r_secured.owner - 10);
INSERT INTO r_secured VALUES (10, 20, 1) ON CONFLICT (id) DO UPDATE SET team = 30 WHERE false;
INSERT INTO r_secured SELECT team + 2000, team FROM r_teams RETURNING *;
INSERT INTO r_secured SELECT team + 3000, team + 1 FROM r_teams;
UPDATE r_secured SET team = 40 WHERE id = 200 RETURNING *;
UPDATE r_secured SET team = 41 WHERE id = 200;
UPDATE r_secured SET team = 40, body = 'bad' WHERE id = 200;
UPDATE r_secured SET team = team + 10 WHERE owner < 9 RETURNING *;
UPDATE r_secured SET team = team + 1 WHERE owner = 3;
UPDATE r_secured SET id = id + 300, team = 70 WHERE owner IN (4, 5) RETURNING *;
-- expect-refused: A check of new rows
UPDATE r_secured SET (team, body) = (SELECT team, 'two' FROM r_teams WHERE r_teams.id = 6) WHERE id = 200;
WITH x AS (UPDATE r_secured SET team = 60 WHERE id = 200 RETURNING *) SELECT * FROM x;
RESET ROLE;
CREATE TRIGGER touch BEFORE INSERT ON r_rows FOR EACH ROW EXECUTE FUNCTION r_touch();
-- expect-refused: A check of new rows
INSERT INTO r_view VALUES ('q', 500, 300);
-- teardown
DROP VIEW r_view, r_view_of_row;
DROP TABLE r_rows, r_secured, r_teams;
DROP FUNCTION r_touch();
-- shardwise: DROP USER MAPPING FOR diff_checked SERVER s1;
-- shardwise: DROP USER MAPPING FOR diff_checked SERVER s2;
-- shardwise: DROP USER MAPPING FOR diff_checked SERVER s3;
REVOKE USAGE ON SCHEMA public FROM diff_checked;
DROP ROLE diff_checked;
