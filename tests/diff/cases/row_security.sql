-- Row-level security of writes: rows in the way of ON CONFLICT, checks inside WITH, system columns
-- and whole rows. The roles and their rights are those of the shared schema.
-- setup
CREATE ROLE diff_writer;
GRANT USAGE ON SCHEMA public TO diff_writer;
-- shardwise: CREATE USER MAPPING FOR diff_writer SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_writer SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_writer SERVER s3 OPTIONS (user 'postgres', password_required 'false');
-- What each command may see and leave behind differs.
CREATE TABLE notes (
    tenant int, id int, owner name DEFAULT current_user, body text, state text DEFAULT 'open',
    length int GENERATED ALWAYS AS (length(body)) STORED, gone int,
    PRIMARY KEY (tenant, id), CHECK (body <> 'unwanted')
);
ALTER TABLE notes DROP COLUMN gone;
INSERT INTO notes (tenant, id, owner, body, state)
    SELECT i % 3, i, (ARRAY['diff_writer', 'postgres'])[1 + i % 2], 'note ' || i,
           (ARRAY['open', 'closed', 'hidden'])[1 + i / 6 % 3]
    FROM generate_series(1, 36) i;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON notes FOR SELECT TO diff_writer USING (state <> 'hidden');
CREATE POLICY added ON notes FOR INSERT TO diff_writer WITH CHECK (body NOT LIKE 'bad%' AND length < 30);
CREATE POLICY changed ON notes FOR UPDATE TO diff_writer
    USING (owner = current_user) WITH CHECK (body NOT LIKE '%final' OR state = 'closed');
CREATE POLICY strict ON notes AS RESTRICTIVE FOR INSERT TO diff_writer WITH CHECK (id < 1000);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('notes', 'tenant')

-- A policy and a trigger that ask for settings of the session.
CREATE TABLE by_setting (tenant int, id int, body text, PRIMARY KEY (tenant, id));
INSERT INTO by_setting SELECT i % 4, i, 'row ' || i FROM generate_series(1, 12) i;
CREATE FUNCTION is_mine(int) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 = current_setting('diff.tenant', true)::int; END $$;
CREATE FUNCTION sign_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := concat(NEW.body, ' by ', current_setting('diff.user', true)); RETURN NEW; END $$;
CREATE TRIGGER sign_row BEFORE INSERT OR UPDATE ON by_setting FOR EACH ROW EXECUTE FUNCTION sign_row();
ALTER TABLE by_setting ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON by_setting TO diff_writer USING (is_mine(tenant));
GRANT ALL ON by_setting TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('by_setting', 'tenant')

-- A trigger changes what is checked.
CREATE TABLE stamped (tenant int, id int, owner text, body text, PRIMARY KEY (tenant, id));
INSERT INTO stamped SELECT i % 3, i, 'diff_writer', 'row ' || i FROM generate_series(1, 9) i;
INSERT INTO stamped VALUES (1, 100, 'postgres', 'row 100');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := replace(NEW.body, 'allowed', 'forbidden');
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE stamped ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON stamped TO diff_writer
    USING (owner = current_user) WITH CHECK (owner = current_user AND body NOT LIKE '%forbidden%');
CREATE POLICY inserted ON stamped AS RESTRICTIVE FOR INSERT TO diff_writer WITH CHECK (id <> 7 AND body <> 'new');
CREATE POLICY updated ON stamped AS RESTRICTIVE FOR UPDATE TO diff_writer USING (true) WITH CHECK (body <> 'changed');
GRANT SELECT, INSERT, UPDATE, DELETE ON stamped TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('stamped', 'tenant')

-- Indexes that a row may be in the way of: one by an expression, two, none.
CREATE TABLE lengths (tenant int NOT NULL, id int, body text, length int GENERATED ALWAYS AS (length(body)) STORED);
CREATE UNIQUE INDEX ON lengths (tenant, lower(body)) WHERE body <> 'free';
CREATE TABLE indexed (tenant int, id int, body text, PRIMARY KEY (tenant, id), UNIQUE (tenant, body));
CREATE TABLE unindexed (tenant int NOT NULL, id int, body text);
CREATE TABLE update_watched (tenant int, id int, body text, PRIMARY KEY (tenant, id));
CREATE FUNCTION prolong() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := replace(NEW.body, 'long', 'a long text');
    RETURN NEW;
END $$;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER watch AFTER UPDATE ON update_watched EXECUTE FUNCTION watch();
CREATE POLICY short ON lengths TO diff_writer USING (length < 10);
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY '{lengths,indexed,unindexed,update_watched}'::text[] LOOP
        EXECUTE format('CREATE TRIGGER prolong BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION prolong()', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO diff_writer', t);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        CONTINUE WHEN t = 'lengths';
        EXECUTE format('CREATE POLICY short ON %I TO diff_writer USING (body <> ''a long text'')', t);
    END LOOP;
END $$;
-- Several indexes, and a trigger that leaves traces.
CREATE TABLE noted (tenant int NOT NULL, at bigint, body text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO noted VALUES (NEW.tenant, (SELECT count(*) FROM noted n WHERE n.tenant = NEW.tenant), NEW.body);
    NEW.name := NEW.name || '!';
    RETURN CASE WHEN NEW.body = 'gone' THEN NULL ELSE NEW END;
END $$;
CREATE FUNCTION exclaim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
CREATE TABLE keyed (tenant int, id int, name text, code int, body text, PRIMARY KEY (tenant, id));
CREATE UNIQUE INDEX keyed_name ON keyed (tenant, lower(name));
CREATE UNIQUE INDEX keyed_code ON keyed (tenant, code) WHERE code > 0;
CREATE TABLE keyed_parts (tenant int, id int, name text, code int, body text, PRIMARY KEY (tenant, id, code), UNIQUE (tenant, code, name)) PARTITION BY RANGE (code);
CREATE TABLE keyed_parts_1 PARTITION OF keyed_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE keyed_parts_2 PARTITION OF keyed_parts FOR VALUES FROM (100) TO (200);
CREATE TABLE keyed_copies (tenant int PRIMARY KEY, id int UNIQUE, name text UNIQUE, code int, body text);
CREATE TABLE keyed_booked (tenant int, id int, name text, code int, body text, PRIMARY KEY (tenant, id), CONSTRAINT booked_name EXCLUDE USING btree (tenant WITH =, lower(name) WITH =) WHERE (body <> 'free'));
CREATE TABLE keyed_own (tenant int, id int, name text, code int, body text, twice int GENERATED ALWAYS AS (code * 2) STORED, PRIMARY KEY (tenant, id, code)) PARTITION BY RANGE (code);
CREATE TABLE keyed_own_1 (twice int GENERATED ALWAYS AS (code * 2) STORED, gone int, body text, code int NOT NULL, name text, id int NOT NULL, tenant int NOT NULL);
ALTER TABLE keyed_own_1 DROP COLUMN gone;
ALTER TABLE keyed_own ATTACH PARTITION keyed_own_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE keyed_own_2 PARTITION OF keyed_own FOR VALUES FROM (100) TO (200);
CREATE UNIQUE INDEX ON keyed_own_1 (tenant, name);
CREATE FUNCTION relocate() RETURNS trigger STABLE LANGUAGE plpgsql AS $$ BEGIN NEW.code := NEW.code + 100; RETURN NEW; END $$;
CREATE TRIGGER relocate BEFORE INSERT ON keyed_own_1 FOR EACH ROW WHEN (NEW.body = 'elsewhere') EXECUTE FUNCTION relocate();
-- Its trigger puts the row in itself, fills in the key, or moves it.
CREATE TABLE self_made (tenant int, id int, body text, PRIMARY KEY (tenant, id));
CREATE FUNCTION make_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tenant := coalesce(NEW.tenant, 7);
    NEW.tenant := NEW.tenant + (NEW.body = 'next')::int;
    IF NEW.body = 'make' THEN
        INSERT INTO self_made VALUES (NEW.tenant, NEW.id, 'by trigger');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER make_itself BEFORE INSERT OR UPDATE ON self_made FOR EACH ROW EXECUTE FUNCTION make_itself();
ALTER TABLE self_made ENABLE ROW LEVEL SECURITY;
CREATE POLICY made ON self_made TO diff_writer USING (body <> 'hidden') WITH CHECK (tenant < 100);
GRANT SELECT, INSERT ON self_made TO diff_writer;
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY '{keyed,keyed_parts,keyed_copies,keyed_booked,keyed_own}'::text[] LOOP
        EXECUTE format('CREATE TRIGGER note BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION %s()', t, CASE WHEN t = 'keyed_copies' THEN 'exclaim' ELSE 'note' END);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO diff_writer', t);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY named ON %I TO diff_writer USING (true) WITH CHECK (name <> ''bad!'')', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON noted TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table(t, 'tenant') FROM unnest('{noted,keyed,keyed_parts,keyed_booked,keyed_own,self_made}'::regclass[]) t
-- shardwise: SELECT shardwise.create_reference_table('keyed_copies')

-- shardwise: SELECT shardwise.distribute_table(t, 'tenant') FROM unnest('{lengths,indexed,unindexed,update_watched}'::regclass[]) t

CREATE TABLE parted (
    tenant int, at date, owner text, body text, PRIMARY KEY (tenant, at)
) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO parted
    SELECT i % 3, date '2025-01-20' + i, (ARRAY['diff_writer', 'postgres'])[1 + i % 2], 'part ' || i
    FROM generate_series(1, 24) i;
ALTER TABLE parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parted TO diff_writer USING (owner = current_user AND body <> 'secret');
GRANT SELECT, INSERT, UPDATE, DELETE ON parted TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('parted', 'tenant')

-- Of inserted and updated rows of partitions something else is asked; triggers change both.
CREATE TABLE sorted (tenant int, at date, owner name DEFAULT current_user, body text, PRIMARY KEY (tenant, at)) PARTITION BY RANGE (at);
CREATE TABLE sorted_1 PARTITION OF sorted FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE sorted_2 (body text, owner name DEFAULT current_user, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE sorted ATTACH PARTITION sorted_2 FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO sorted SELECT i % 3, date '2025-01-20' + i, 'diff_writer', 'part ' || i FROM generate_series(1, 24) i;
ALTER TABLE sorted ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sorted TO diff_writer USING (owner = current_user);
CREATE POLICY inserted ON sorted AS RESTRICTIVE FOR INSERT TO diff_writer WITH CHECK (body <> 'not new');
CREATE POLICY updated ON sorted AS RESTRICTIVE FOR UPDATE TO diff_writer USING (body <> 'fixed') WITH CHECK (body <> 'not old');
GRANT SELECT, INSERT, UPDATE, DELETE ON sorted TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('sorted', 'tenant')
CREATE TABLE sorted_stamped (LIKE sorted INCLUDING ALL) PARTITION BY RANGE (at);
CREATE TABLE sorted_stamped_1 PARTITION OF sorted_stamped FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE FUNCTION stamp_sorted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body = 'skipped' THEN
        RETURN NULL;
    END IF;
    NEW.body := replace(replace(NEW.body, 'no longer', 'not'), 'was', 'not');
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON sorted_stamped FOR EACH ROW EXECUTE FUNCTION stamp_sorted();
ALTER TABLE sorted_stamped ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sorted_stamped TO diff_writer USING (owner = current_user);
CREATE POLICY inserted ON sorted_stamped AS RESTRICTIVE FOR INSERT TO diff_writer WITH CHECK (body <> 'not new');
CREATE POLICY updated ON sorted_stamped AS RESTRICTIVE FOR UPDATE TO diff_writer USING (true) WITH CHECK (body <> 'not old');
GRANT SELECT, INSERT, UPDATE, DELETE ON sorted_stamped TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('sorted_stamped', 'tenant')

-- A policy that asks a table of the same key.
CREATE TABLE members (tenant int, who name, PRIMARY KEY (tenant, who));
INSERT INTO members VALUES (0, 'diff_writer'), (1, 'diff_writer'), (2, 'postgres');
GRANT SELECT ON members TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('members', 'tenant', colocate_with => 'notes')
CREATE TABLE rooms (tenant int, id int, label text, PRIMARY KEY (tenant, id));
INSERT INTO rooms SELECT i % 3, i, 'room ' || i FROM generate_series(1, 9) i;
ALTER TABLE rooms ENABLE ROW LEVEL SECURITY;
CREATE POLICY member ON rooms TO diff_writer USING (
    EXISTS (SELECT FROM members m WHERE m.tenant = rooms.tenant AND m.who = current_user));
GRANT SELECT, INSERT, UPDATE, DELETE ON rooms TO diff_writer;
-- shardwise: SELECT shardwise.distribute_table('rooms', 'tenant', colocate_with => 'notes')

CREATE VIEW open_notes AS SELECT * FROM notes WHERE state = 'open' WITH CHECK OPTION;

-- test
SET ROLE diff_writer;
-- ---- ON CONFLICT DO UPDATE: no conflict, a conflict that may be solved, and each refusal
INSERT INTO notes VALUES (1, 101, 'diff_writer', 'fresh') ON CONFLICT (tenant, id) DO UPDATE SET body = 'not reached';
INSERT INTO notes VALUES (1, 101, 'diff_writer', 'again') ON CONFLICT (tenant, id) DO UPDATE SET body = notes.body || '+' || excluded.body RETURNING *;
-- params: 1, 101, 'with parameters'
INSERT INTO notes (tenant, id, body) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO UPDATE SET body = $3 RETURNING body, length;
-- The row that is there belongs to somebody else.
INSERT INTO notes VALUES (1, 1, 'diff_writer', 'mine now') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body;
-- params: 1, 1
INSERT INTO notes VALUES ($1, $2, 'diff_writer', 'mine now') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body;
-- WHERE comes before that check.
INSERT INTO notes VALUES (1, 1, 'diff_writer', 'mine now') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body WHERE notes.owner = 'nobody';
INSERT INTO notes VALUES (1, 1, 'diff_writer', 'mine now') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body WHERE notes.owner = 'postgres';
-- A hidden row in the way: the policies of SELECT count as well.
SELECT id, owner, state FROM notes WHERE tenant = 1 ORDER BY id;
INSERT INTO notes VALUES (2, 14, 'diff_writer', 'over a hidden one') ON CONFLICT (tenant, id) DO UPDATE SET body = 'x';
INSERT INTO notes VALUES (2, 14, 'diff_writer', 'over a hidden one') ON CONFLICT (tenant, id) DO NOTHING;
-- The proposed row is checked, conflict or not.
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'bad one') ON CONFLICT (tenant, id) DO UPDATE SET body = 'good';
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'bad one') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'bad one') ON CONFLICT DO NOTHING;
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'a body that is longer than thirty letters') ON CONFLICT DO NOTHING;
INSERT INTO notes VALUES (1, 1002, 'diff_writer', 'beyond the ids') ON CONFLICT DO NOTHING;
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'fine') ON CONFLICT DO NOTHING RETURNING id;
-- The changed row is checked by the policies of UPDATE, the inserted one is not.
INSERT INTO notes VALUES (1, 102, 'diff_writer', 'this is final') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body RETURNING body;
INSERT INTO notes VALUES (1, 102, 'diff_writer', 'this is final') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body RETURNING body;
INSERT INTO notes VALUES (1, 102, 'diff_writer', 'this is final') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body, state = 'closed' RETURNING body;
INSERT INTO notes VALUES (1, 102, 'diff_writer', 'ok') ON CONFLICT (tenant, id) DO UPDATE SET body = 'bad by update' RETURNING body;
INSERT INTO notes VALUES (1, 102, 'diff_writer', 'ok') ON CONFLICT (tenant, id) DO UPDATE SET state = 'hidden';
-- Before constraints are looked at, among them the one that would tell of a hidden row.
INSERT INTO notes VALUES (1, 4, 'diff_writer', 'bad one');
INSERT INTO notes VALUES (1, 1001, 'diff_writer', 'unwanted');
INSERT INTO notes VALUES (1, 103, 'diff_writer', 'unwanted');
INSERT INTO notes (tenant, body) VALUES (1, 'bad without id');
INSERT INTO notes (tenant, body) VALUES (1, 'without id');
-- Several rows, and rows of a SELECT.
INSERT INTO notes VALUES (1, 110, 'diff_writer', 'a'), (1, 111, 'diff_writer', 'b'), (1, 110, 'diff_writer', 'c') ON CONFLICT DO NOTHING RETURNING id, body;
INSERT INTO notes VALUES (1, 110, 'diff_writer', 'a2'), (1, 112, 'diff_writer', 'b2') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body RETURNING id, body;
INSERT INTO notes VALUES (1, 110, 'diff_writer', 'a3'), (1, 1, 'diff_writer', 'b3') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body RETURNING id, body;
INSERT INTO notes VALUES (1, 113, 'diff_writer', 'good'), (1, 114, 'diff_writer', 'bad');
INSERT INTO notes (tenant, id, body) SELECT tenant, id + 200, body || '!' FROM notes WHERE tenant = 1 AND owner = 'diff_writer' ON CONFLICT (tenant, id) DO UPDATE SET body = 'twice';
INSERT INTO notes (tenant, id, body) SELECT 1, i, 'row ' || i FROM generate_series(299, 305) i ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body || ' again' RETURNING id, body;
INSERT INTO notes (tenant, id, body) SELECT tenant, id + 500, 'bad ' || body FROM notes WHERE tenant = 1;
WITH given AS (SELECT 300 AS id, 'by WITH' AS what) INSERT INTO notes (tenant, id, body) SELECT 1, id, what FROM given ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body || '!' RETURNING id, body;
SELECT id, owner, body, state, length FROM notes WHERE tenant = 1 ORDER BY id;

-- ---- a trigger may change the row first
INSERT INTO stamped VALUES (1, 20, 'diff_writer', 'allowed');
INSERT INTO stamped VALUES (1, 1, 'diff_writer', 'allowed') ON CONFLICT (tenant, id) DO UPDATE SET body = 'x';
INSERT INTO stamped VALUES (1, 1, 'diff_writer', 'fine') ON CONFLICT (tenant, id) DO UPDATE SET body = 'allowed';
INSERT INTO stamped VALUES (1, 1, 'diff_writer', 'fine') ON CONFLICT (tenant, id) DO UPDATE SET body = 'fine too' RETURNING *;
INSERT INTO stamped VALUES (1, 7, 'diff_writer', 'fine') ON CONFLICT (tenant, id) DO UPDATE SET body = 'fine too' RETURNING *;
INSERT INTO stamped VALUES (1, 4, 'diff_writer', 'new') ON CONFLICT (tenant, id) DO UPDATE SET body = 'fine too' RETURNING *;
INSERT INTO stamped VALUES (1, 4, 'diff_writer', 'other') ON CONFLICT (tenant, id) DO UPDATE SET body = 'new' RETURNING *;
INSERT INTO stamped VALUES (1, 4, 'diff_writer', 'other') ON CONFLICT (tenant, id) DO UPDATE SET body = 'changed' RETURNING *;
INSERT INTO stamped VALUES (1, 21, 'diff_writer', 'changed') ON CONFLICT (tenant, id) DO UPDATE SET body = 'never' RETURNING *;
INSERT INTO stamped VALUES (1, 22, 'diff_writer', 'new') ON CONFLICT (tenant, id) DO UPDATE SET body = 'never' RETURNING *;
INSERT INTO stamped VALUES (1, 100, 'diff_writer', 'theirs') ON CONFLICT (tenant, id) DO UPDATE SET body = 'never' RETURNING *;
INSERT INTO stamped VALUES (1, 23, 'diff_writer', 'plain') RETURNING *;
-- ON CONFLICT DO NOTHING: the row is checked as the trigger leaves it, also where it goes nowhere.
INSERT INTO stamped VALUES (1, 23, 'diff_writer', 'plain') ON CONFLICT DO NOTHING;
INSERT INTO stamped VALUES (1, 24, 'diff_writer', 'plain') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO stamped VALUES (1, 23, 'diff_writer', 'allowed') ON CONFLICT DO NOTHING;
INSERT INTO stamped VALUES (1, 25, 'diff_writer', 'allowed') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO stamped VALUES (1, 23, 'diff_writer', 'new') ON CONFLICT (tenant, id) DO NOTHING RETURNING *;
INSERT INTO stamped VALUES (1, 23, NULL, 'plain') ON CONFLICT ON CONSTRAINT stamped_pkey DO NOTHING;
INSERT INTO stamped VALUES (1, 100, 'diff_writer', 'over a hidden one') ON CONFLICT DO NOTHING RETURNING *;
-- params: 1, 26, 'by parameter'
INSERT INTO stamped VALUES ($1, $2, 'diff_writer', $3) ON CONFLICT (id, tenant) DO NOTHING RETURNING *;
-- params: 1, 26, 'not allowed'
INSERT INTO stamped VALUES ($1, $2, 'diff_writer', $3) ON CONFLICT (id, tenant) DO NOTHING RETURNING *;
INSERT INTO stamped VALUES (1, 27, 'diff_writer', 'a'), (2, 27, 'diff_writer', 'b'), (1, 27, 'diff_writer', 'c'), (1, 28, 'diff_writer', 'd') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO stamped VALUES (1, 29, 'diff_writer', 'a'), (1, 29, 'diff_writer', 'allowed') ON CONFLICT DO NOTHING;
INSERT INTO stamped SELECT tenant, id + i, owner, 'copy' FROM stamped, generate_series(0, 60, 30) i WHERE body LIKE 'row %' AND id <> 7 ON CONFLICT DO NOTHING;
WITH added AS (INSERT INTO stamped VALUES (1, 70, 'diff_writer', 'with') ON CONFLICT DO NOTHING RETURNING *) SELECT * FROM added;
WITH added AS (INSERT INTO stamped VALUES (1, 70, 'diff_writer', 'allowed') ON CONFLICT DO NOTHING RETURNING *) SELECT * FROM added;
WITH given AS (SELECT 71 AS id UNION ALL SELECT 70) INSERT INTO stamped SELECT 1, id, 'diff_writer', 'given' FROM given ON CONFLICT DO NOTHING RETURNING *;
WITH added AS (INSERT INTO stamped VALUES (1, 72, 'diff_writer', 'a') RETURNING id) INSERT INTO stamped SELECT 1, 72, 'diff_writer', 'b' FROM added ON CONFLICT DO NOTHING;
SELECT * FROM stamped WHERE id > 20 ORDER BY tenant, id;
INSERT INTO lengths (tenant, id, body) VALUES (1, 1, 'short') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO lengths (tenant, id, body) VALUES (1, 1, 'short') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO lengths (tenant, id, body) VALUES (1, 2, 'short') ON CONFLICT (tenant, lower(body)) WHERE body <> 'free' DO NOTHING RETURNING *;
INSERT INTO lengths (tenant, id, body) VALUES (1, 3, 'SHORT, but made long') ON CONFLICT DO NOTHING;
INSERT INTO lengths (tenant, id, body) VALUES (1, 1, 'long') ON CONFLICT DO NOTHING;
INSERT INTO lengths (tenant, id, body) VALUES (1, 1, 'free'), (1, 2, 'free'), (2, 1, 'other'), (2, 2, 'OTHER') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO indexed VALUES (1, 1, 'one') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO indexed VALUES (1, 1, 'long') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO indexed VALUES (1, 2, 'one') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO indexed VALUES (1, 1, 'one') ON CONFLICT DO NOTHING;
INSERT INTO indexed VALUES (1, 1, 'long'), (1, 3, 'three') ON CONFLICT DO NOTHING;
INSERT INTO indexed VALUES (1, 3, 'three'), (2, 3, 'long') ON CONFLICT DO NOTHING;
INSERT INTO indexed VALUES (1, 3, 'three'), (1, 4, 'three'), (1, 3, 'four'), (2, 3, 'one') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed VALUES (1, 1, 'One', 1, 'a'), (1, 2, 'two', 2, 'b'), (2, 1, 'one', 1, 'c'), (3, 1, 'one', 0, 'd') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed VALUES (1, 3, 'ONE', 3, 'e'), (1, 4, 'four', 2, 'f'), (1, 1, 'two', 2, 'g'), (3, 2, 'two', 0, 'h'), (3, 3, 'TWO', 0, 'i') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed VALUES (1, 5, 'one', 5, 'gone'), (1, 5, 'five', 1, 'gone') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed VALUES (1, 6, 'six', 6, 'j'), (1, 1, 'bad', 1, 'k') ON CONFLICT DO NOTHING;
INSERT INTO keyed VALUES (1, 6, 'six', 6, 'l'), (1, 7, 'bad', 1, 'm') ON CONFLICT DO NOTHING;
INSERT INTO keyed VALUES (1, 6, 'six', 6, 'n'), (1, 7, 'bad', 7, 'o') ON CONFLICT DO NOTHING;
INSERT INTO keyed VALUES (1, 1, 'two', 8, 'p') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO keyed VALUES (1, 8, 'two', 8, 'q') ON CONFLICT (tenant, id) DO NOTHING;
-- params: 1, 9, 'nine', 2, 'by parameter'
INSERT INTO keyed VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed SELECT tenant + t, id, name, code, body FROM keyed, generate_series(0, 3) t ORDER BY t, tenant, id ON CONFLICT DO NOTHING;
WITH added AS (INSERT INTO keyed SELECT tenant, id + 1, 'again', code, body FROM keyed WHERE id = 1 ON CONFLICT DO NOTHING RETURNING *) SELECT a.*, k.name FROM added a JOIN keyed k USING (tenant, id) ORDER BY 1, 2;
BEGIN;
INSERT INTO keyed VALUES (4, 50, 'fifty', 50, 'r') ON CONFLICT DO NOTHING;
SAVEPOINT s;
INSERT INTO keyed VALUES (4, 51, 'FIFTY', 51, 's'), (4, 52, 'fifty-two', 50, 't'), (5, 53, 'fifty-three', 53, 'u') ON CONFLICT DO NOTHING RETURNING *;
ROLLBACK TO s;
INSERT INTO keyed VALUES (4, 51, 'FIFTY', 51, 's'), (4, 52, 'fifty-two', 52, 't'), (4, 50, 'bad', 50, 'u') ON CONFLICT DO NOTHING RETURNING *;
ROLLBACK TO s;
INSERT INTO keyed VALUES (4, 51, 'FIFTY', 51, 's'), (4, 52, 'fifty-two', 52, 't') ON CONFLICT DO NOTHING RETURNING *;
COMMIT;
INSERT INTO keyed_parts VALUES (1, 1, 'one', 1, 'a'), (1, 2, 'one', 1, 'b'), (1, 1, 'two', 1, 'c'), (1, 1, 'one', 101, 'd'), (1, 2, 'one', 101, 'e'), (2, 1, 'one', 1, 'f') ON CONFLICT DO NOTHING RETURNING *, tableoid::regclass;
INSERT INTO keyed_parts VALUES (1, 1, 'bad', 101, 'a') ON CONFLICT DO NOTHING;
INSERT INTO keyed_copies VALUES (1, 1, 'one', 1, 'a'), (2, 1, 'two', 1, 'b'), (3, 3, 'one', 1, 'c'), (4, 4, 'four', 1, 'd') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed_copies VALUES (5, 5, 'five', 1, 'e'), (6, 6, 'bad', 1, 'f') ON CONFLICT DO NOTHING;
-- Exclusion constraints, and indexes that a partition alone has.
INSERT INTO keyed_booked VALUES (1, 1, 'one', 1, 'a'), (1, 2, 'ONE', 2, 'b'), (1, 1, 'two', 3, 'c'), (2, 1, 'one', 4, 'd'), (1, 3, 'one', 5, 'free') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed_booked VALUES (1, 4, 'ONE', 1, 'e'), (1, 5, 'five', 1, 'f') ON CONFLICT ON CONSTRAINT booked_name DO NOTHING RETURNING *;
INSERT INTO keyed_booked VALUES (1, 1, 'six', 1, 'g') ON CONFLICT ON CONSTRAINT booked_name DO NOTHING;
INSERT INTO keyed_booked VALUES (1, 6, 'one', 1, 'h') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO keyed_booked VALUES (1, 7, 'seven', 1, 'i'), (1, 1, 'bad', 1, 'j') ON CONFLICT DO NOTHING;
-- params: 1, 8, 'ONE', 2, 'k'
INSERT INTO keyed_booked VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO keyed_booked SELECT tenant, id, name, code, body FROM keyed ON CONFLICT DO NOTHING;
INSERT INTO keyed_own VALUES (1, 1, 'one', 1, 'a'), (1, 2, 'one', 2, 'b'), (1, 2, 'one', 102, 'c'), (1, 3, 'one', 102, 'd'), (1, 1, 'two', 1, 'e') ON CONFLICT DO NOTHING RETURNING *, tableoid::regclass;
INSERT INTO keyed_own VALUES (1, 4, 'one', 4, 'f') ON CONFLICT (tenant, id, code) DO NOTHING;
INSERT INTO keyed_own VALUES (1, 5, 'five', 5, 'f'), (1, 1, 'bad', 1, 'g') ON CONFLICT DO NOTHING;
INSERT INTO keyed_own VALUES (1, 6, 'six', 6, 'elsewhere') ON CONFLICT DO NOTHING;
INSERT INTO keyed_own VALUES (1, 7, 'seven', 700, 'h') ON CONFLICT DO NOTHING;
INSERT INTO keyed_own (tenant, id, code, name) SELECT t, t % 2, 50 * t, 'many' FROM generate_series(0, 3) t ON CONFLICT DO NOTHING;
-- A row that its own trigger has put there, one that gets its key from it, and one that goes to another.
INSERT INTO self_made VALUES (1, 1, 'make'), (1, 2, 'other'), (1, 2, 'again') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO self_made (id, body) VALUES (3, 'filled'), (3, 'again') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO self_made VALUES (1, 4, 'next'), (2, 4, 'same'), (1, 4, 'first') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO self_made VALUES (99, 5, 'next') ON CONFLICT DO NOTHING;
INSERT INTO self_made VALUES (1, 6, 'make') ON CONFLICT (tenant, id) DO NOTHING;
INSERT INTO self_made VALUES (1, 7, 'hidden') ON CONFLICT DO NOTHING;
-- params: 1, 8, 'make'
INSERT INTO self_made VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING *;
SELECT * FROM self_made ORDER BY 1, 2;
RESET ROLE;
SELECT * FROM keyed ORDER BY 1, 2;
SELECT * FROM noted WHERE tenant < 3 ORDER BY 1, 2, 3;
SET ROLE diff_writer;
INSERT INTO unindexed VALUES (1, 1, 'one'), (1, 1, 'one') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO unindexed VALUES (1, 1, 'long') ON CONFLICT DO NOTHING;
INSERT INTO update_watched VALUES (1, 1, 'one'), (1, 1, 'two') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO update_watched VALUES (1, 1, 'long') ON CONFLICT DO NOTHING;

-- ---- a partitioned table
INSERT INTO parted VALUES (1, '2025-01-05', 'diff_writer', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO parted VALUES (1, '2025-01-05', 'diff_writer', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO parted VALUES (1, '2025-01-05', 'diff_writer', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'secret' RETURNING *;
INSERT INTO parted VALUES (1, '2025-02-02', 'diff_writer', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO parted VALUES (1, '2025-01-21', 'diff_writer', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO parted VALUES (1, '2025-02-03', 'postgres', 'new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO parted VALUES (1, '2025-02-03', 'diff_writer', 'secret') ON CONFLICT DO NOTHING;
SELECT * FROM parted WHERE tenant = 1 ORDER BY at;

INSERT INTO sorted VALUES (1, '2025-01-21', 'diff_writer', 'not new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO sorted VALUES (1, '2025-01-21', 'diff_writer', 'not old') ON CONFLICT (tenant, at) DO UPDATE SET body = 'again' RETURNING *;
INSERT INTO sorted VALUES (1, '2025-01-21', 'diff_writer', 'not old') ON CONFLICT (tenant, at) DO UPDATE SET body = excluded.body RETURNING *;
INSERT INTO sorted VALUES (1, '2025-01-02', 'diff_writer', 'not old') ON CONFLICT (tenant, at) DO UPDATE SET body = 'not new' RETURNING *;
INSERT INTO sorted VALUES (1, '2025-01-02', 'diff_writer', 'any') ON CONFLICT (tenant, at) DO UPDATE SET body = 'not new' RETURNING *, tableoid::regclass;
INSERT INTO sorted VALUES (1, '2025-02-02', 'diff_writer', 'any') ON CONFLICT (tenant, at) DO UPDATE SET body = 'fixed' RETURNING *, tableoid::regclass;
INSERT INTO sorted VALUES (1, '2025-02-02', 'diff_writer', 'any') ON CONFLICT (tenant, at) DO UPDATE SET body = 'more' RETURNING *;
-- params: 1, '2025-02-05', 'prepared'
INSERT INTO sorted VALUES ($1, $2, 'diff_writer', $3) ON CONFLICT (tenant, at) DO UPDATE SET body = sorted.body || excluded.body RETURNING *;
INSERT INTO sorted SELECT 1, date '2025-01-20' + i, 'diff_writer', CASE WHEN i % 3 = 1 THEN 'row' ELSE 'not old' END FROM generate_series(1, 10) i ORDER BY i DESC ON CONFLICT (tenant, at) DO UPDATE SET body = excluded.body || sign(random() + 1) WHERE length(clock_timestamp()::text) > 0 RETURNING at, left(body, 7);
INSERT INTO sorted SELECT i, date '2025-01-22' + i % 3, 'diff_writer', CASE WHEN i < 3 THEN 'row' ELSE 'not old' END FROM generate_series(0, 10) i ON CONFLICT (tenant, at) DO UPDATE SET body = excluded.body RETURNING *;
INSERT INTO sorted SELECT i % 3, date '2025-01-22' + i, 'diff_writer', 'not old' FROM generate_series(0, 10) i ON CONFLICT (tenant, at) DO UPDATE SET body = excluded.body RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'no longer new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'x';
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'was old') ON CONFLICT (tenant, at) DO UPDATE SET body = 'x' RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'no longer new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'x';
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'y') ON CONFLICT (tenant, at) DO UPDATE SET body = 'was new' RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'y') ON CONFLICT (tenant, at) DO UPDATE SET body = 'was old' RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'y'), (1, '2025-01-03', 'diff_writer', 'was old') ON CONFLICT (tenant, at) DO UPDATE SET body = 'skipped' RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'y'), (1, '2025-01-04', 'diff_writer', 'was new') ON CONFLICT (tenant, at) DO UPDATE SET body = 'skipped' RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'any'), (1, '2025-01-05', 'diff_writer', 'any') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'no longer new') ON CONFLICT (tenant, at) DO NOTHING RETURNING *;
INSERT INTO sorted_stamped VALUES (1, '2025-01-02', 'diff_writer', 'skipped') ON CONFLICT (tenant, at) DO NOTHING RETURNING *;
INSERT INTO sorted_stamped_1 VALUES (1, '2025-01-06', 'diff_writer', 'no longer new') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO sorted_stamped SELECT i % 4, date '2025-01-02' + i % 2, 'diff_writer', 'was old' FROM generate_series(0, 3) i ON CONFLICT (tenant, at) DO UPDATE SET body = 'was new' RETURNING *;
SELECT * FROM sorted ORDER BY tenant, at;
SELECT * FROM sorted_stamped ORDER BY tenant, at;

-- ---- a policy with a subquery
INSERT INTO rooms VALUES (1, 50, 'new') ON CONFLICT (tenant, id) DO UPDATE SET label = 'old' RETURNING *;
INSERT INTO rooms VALUES (1, 50, 'new') ON CONFLICT (tenant, id) DO UPDATE SET label = 'old' RETURNING *;
INSERT INTO rooms VALUES (2, 50, 'new') ON CONFLICT (tenant, id) DO UPDATE SET label = 'old' RETURNING *;
INSERT INTO rooms VALUES (2, 2, 'new') ON CONFLICT DO NOTHING;
-- params: 1, 51
INSERT INTO rooms VALUES ($1, $2, 'param') RETURNING *;

-- ---- checks inside WITH
WITH added AS (INSERT INTO notes VALUES (0, 400, 'diff_writer', 'by WITH') RETURNING id, body) SELECT * FROM added;
WITH added AS (INSERT INTO notes VALUES (0, 401, 'diff_writer', 'bad by WITH') RETURNING id, body) SELECT * FROM added;
WITH added AS (INSERT INTO notes VALUES (0, 401, 'diff_writer', 'bad by WITH')) SELECT 1 AS one;
WITH added AS (INSERT INTO notes VALUES (0, 402, 'diff_writer', 'no RETURNING')) SELECT count(*) FROM notes WHERE tenant = 0 AND id = 402;
WITH put AS (INSERT INTO notes VALUES (0, 402, 'diff_writer', 'put') ON CONFLICT (tenant, id) DO UPDATE SET body = 'put again' RETURNING *) SELECT p.id, p.body FROM put p;
WITH put AS (INSERT INTO notes VALUES (0, 3, 'diff_writer', 'put') ON CONFLICT (tenant, id) DO UPDATE SET body = 'put again' RETURNING *) SELECT p.id, p.body FROM put p;
WITH changed AS (UPDATE notes SET body = 'ends final' WHERE tenant = 0 AND id = 400 RETURNING *) SELECT body FROM changed;
WITH changed AS (UPDATE notes SET body = 'ends well' WHERE tenant = 0 AND id = 400 RETURNING id) UPDATE notes n SET body = n.body || ' too' FROM changed c WHERE n.tenant = 0 AND n.id = c.id + 2 RETURNING n.id, n.body;
WITH changed AS (UPDATE notes SET body = 'one' WHERE tenant = 0 AND id = 400 RETURNING id) UPDATE notes n SET body = 'final' FROM changed c WHERE n.tenant = 0 AND n.id = c.id + 2 RETURNING n.id, n.body;
WITH a AS (UPDATE notes SET body = 'a' WHERE tenant = 0 AND id = 400 RETURNING id), b AS (INSERT INTO notes VALUES (0, 403, 'diff_writer', 'bad b') RETURNING id) SELECT * FROM a, b;
WITH moved AS (DELETE FROM notes WHERE tenant = 0 AND id = 402 RETURNING *) INSERT INTO notes (tenant, id, owner, body) SELECT tenant, id + 10, owner, 'moved ' || body FROM moved WHERE tenant = 0 RETURNING id, body;
SELECT id, body FROM notes WHERE tenant = 0 AND id >= 400 ORDER BY id;

-- ---- subqueries of RETURNING, and tables that one part reads and another one writes
INSERT INTO notes VALUES (1, 450, 'diff_writer', 'asks') RETURNING id, (SELECT count(*) FROM notes), (SELECT count(*) FROM notes n WHERE n.owner = notes.owner), (SELECT count(*) FROM rooms r WHERE r.tenant <> notes.tenant);
UPDATE notes SET body = 'asks again' WHERE id IN (450, 6) RETURNING id, (SELECT count(*) FROM stamped s WHERE s.owner = notes.owner), (SELECT max(n.id) FROM notes n WHERE n.state = notes.state);
UPDATE notes SET body = 'bad again' WHERE id IN (450, 6) RETURNING id, (SELECT max(n.id) FROM notes n WHERE n.state = notes.state);
UPDATE notes SET body = 'final' WHERE id IN (450, 6) RETURNING id, (SELECT max(n.id) FROM notes n WHERE n.state = notes.state);
WITH u AS (UPDATE notes SET body = 'early' WHERE id IN (450, 6) RETURNING id) SELECT u.id, n.body, n IS NOT NULL, (SELECT count(*) FROM notes x WHERE x.body = 'early') FROM u JOIN notes n USING (id) WHERE length(n.body) > 1;
INSERT INTO stamped VALUES (2, 40, 'diff_writer', 'x'), (1, 40, 'diff_writer', 'y') ON CONFLICT (tenant, id) DO UPDATE SET body = (SELECT 'count ' || count(*) FROM notes) RETURNING body, (SELECT count(*) FROM stamped s WHERE s.id <> stamped.id);
INSERT INTO stamped VALUES (2, 40, 'diff_writer', 'x'), (1, 40, 'diff_writer', 'y') ON CONFLICT (tenant, id) DO UPDATE SET body = (SELECT 'count ' || count(*) FROM notes) RETURNING body, (SELECT count(*) FROM stamped s WHERE s.id <> stamped.id);

-- ---- system columns and whole rows
SELECT n FROM notes n WHERE n.tenant = 1 AND n.id < 10 ORDER BY n.id;
SELECT n.id, n IS NOT NULL AS whole, xmin IS NOT NULL AS made, ctid IS NOT NULL AS placed, tableoid = 'notes'::regclass AS named FROM notes n WHERE n.tenant = 1 AND n.id < 10 ORDER BY n.id;
INSERT INTO notes (tenant, id, body) SELECT n.tenant, n.id + 600, left(n::text, 25) FROM notes n WHERE n.tenant = 1 AND n.id < 10 RETURNING id, body;
INSERT INTO notes (tenant, id, body) SELECT n.tenant, n.id + 620, n.tableoid::regclass::text FROM notes n WHERE n.tenant = 1 AND n.id < 10 RETURNING id, body;
UPDATE notes n SET body = 'with a row' FROM notes o WHERE n.tenant = 1 AND o.tenant = 1 AND n.id = o.id AND o IS NOT NULL AND o.xmin IS NOT NULL AND n.ctid = o.ctid AND n.id > 600 RETURNING n.id, (o).body;
DELETE FROM notes n USING notes o WHERE n.tenant = 1 AND o.tenant = 1 AND n.ctid = o.ctid AND o.id > 620 RETURNING o.id, n.tableoid::regclass;
UPDATE notes SET body = 'by its place' WHERE tenant = 1 AND ctid = (SELECT n.ctid FROM notes n WHERE n.tenant = 1 AND n.id = 604) RETURNING id, body;
DELETE FROM notes WHERE tenant = 1 AND id IN (SELECT (n).id FROM notes n WHERE n.tenant = 1 AND n.xmax IS NOT NULL AND n.id > 600) RETURNING id;
SELECT n.id FROM notes n WHERE n.tenant = 1 AND n.ctid IS NOT NULL AND n.id < 5 ORDER BY n.id FOR UPDATE;

-- ---- an updated row is checked before constraints and unique indexes: of another shard, and of its own
CREATE TEMP TABLE mine AS SELECT tenant, id FROM notes WHERE owner = current_user AND state = 'open';
UPDATE notes SET tenant = m.tenant, id = m.id, body = 'the final' FROM mine m WHERE notes.id > m.id + 3 AND notes.id <= 36 AND notes.tenant = 1;
UPDATE notes SET tenant = tenant + 1, id = (SELECT max(id) FROM notes), body = 'the final';
UPDATE notes SET tenant = tenant + 1, id = (SELECT max(id) FROM notes), body = 'the' || tenant WHERE id < 4;
UPDATE notes SET tenant = tenant + 1, body = 'unwanted' WHERE tenant = 1;
UPDATE notes SET body = 'unwanted', state = 'final' WHERE tenant = 1;
UPDATE notes SET id = 1, body = 'final', state = 'open' WHERE tenant = 1 AND id > 1;
UPDATE notes SET id = 1, body = 'final', state = 'closed' WHERE tenant = 1 AND id > 1;
UPDATE notes SET id = 1, body = 'final', state = 'open' WHERE tenant = 1 AND id < 1;
UPDATE parted SET body = 'secret', at = '2025-02-20', owner = 'diff_writer', tenant = 1;
MERGE INTO notes USING (VALUES (1, 2), (2, 1)) s(a, b) ON tenant = a AND id < 20 WHEN MATCHED THEN UPDATE SET tenant = b, id = 1, body = 'in the final';
DROP TABLE mine;

-- ---- settings of the session
SELECT count(*) FROM by_setting;
SET diff.tenant = 2;
SET diff.user = 'ann';
SELECT * FROM by_setting ORDER BY id;
UPDATE by_setting SET body = 'changed' RETURNING *;
INSERT INTO by_setting VALUES (2, 50, 'new') RETURNING *;
INSERT INTO by_setting VALUES (3, 50, 'new');
BEGIN;
SET LOCAL diff.tenant = 3;
SET LOCAL diff.user = 'it''s bob';
INSERT INTO by_setting VALUES (3, 60, 'new') RETURNING *;
SAVEPOINT a;
SET LOCAL diff.user = 'cy';
INSERT INTO by_setting VALUES (3, 61, 'new') RETURNING *;
ROLLBACK TO a;
INSERT INTO by_setting VALUES (3, 62, 'new') RETURNING *;
COMMIT;
SELECT count(*) FROM by_setting;
BEGIN;
SELECT set_config('diff.user', 'gone', false);
UPDATE by_setting SET body = 'x' WHERE id = 50 RETURNING body;
ROLLBACK;
UPDATE by_setting SET body = 'x' WHERE id = 50 RETURNING body;
RESET diff.user;
UPDATE by_setting SET body = 'x' WHERE id = 50 RETURNING body;
SET auto_explain.log_min_duration = 'of a library: stays here';
SELECT count(*) FROM by_setting WHERE tenant IN (0, 2);

RESET ROLE;
-- ---- views: checked after constraints, the inserted and the changed row alike
INSERT INTO open_notes VALUES (2, 700, 'postgres', 'x', 'open') ON CONFLICT (tenant, id) DO UPDATE SET body = 'y' RETURNING id, body;
INSERT INTO open_notes VALUES (2, 700, 'postgres', 'x', 'open') ON CONFLICT (tenant, id) DO UPDATE SET state = 'closed' RETURNING id, body;
INSERT INTO open_notes VALUES (2, 701, 'postgres', 'a, "quoted" {body}', 'closed') ON CONFLICT (tenant, id) DO UPDATE SET state = 'open' RETURNING id, body;
INSERT INTO open_notes VALUES (2, 700, 'postgres', 'x', 'closed') ON CONFLICT DO NOTHING;
WITH added AS (INSERT INTO open_notes VALUES (2, 702, 'postgres', NULL, 'closed') RETURNING id) SELECT * FROM added;
WITH added AS (INSERT INTO open_notes VALUES (2, 702, 'postgres', NULL, 'open') RETURNING id) SELECT * FROM added;
WITH changed AS (UPDATE open_notes SET state = 'closed' WHERE tenant = 2 AND id = 702) SELECT 1 AS one;
INSERT INTO open_notes VALUES (2, 703, 'postgres', 'unwanted', 'closed');

-- A BEFORE INSERT trigger of the partition that an updated row goes to changes the row that is checked.
CREATE FUNCTION raise_level() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.level := NEW.level + 1; RETURN NEW; END $$;
CREATE TABLE shelves (id int NOT NULL, shelf text NOT NULL, level int) PARTITION BY LIST (shelf);
CREATE TABLE shelves_a PARTITION OF shelves FOR VALUES IN ('a');
CREATE TABLE shelves_b PARTITION OF shelves FOR VALUES IN ('b');
CREATE TRIGGER raise_level BEFORE INSERT ON shelves_b FOR EACH ROW EXECUTE FUNCTION raise_level();
INSERT INTO shelves VALUES (1, 'a', 2), (2, 'a', 4), (3, 'b', 5);
CREATE TABLE shelves_copied (LIKE shelves) PARTITION BY LIST (shelf);
CREATE TABLE shelves_copied_a PARTITION OF shelves_copied FOR VALUES IN ('a');
CREATE TABLE shelves_copied_b PARTITION OF shelves_copied FOR VALUES IN ('b');
CREATE TRIGGER raise_level BEFORE INSERT ON shelves_copied_b FOR EACH ROW EXECUTE FUNCTION raise_level();
INSERT INTO shelves_copied SELECT * FROM shelves;
-- shardwise: SELECT shardwise.distribute_table('shelves', 'id')
-- shardwise: SELECT shardwise.create_reference_table('shelves_copied')
GRANT ALL ON shelves, shelves_copied TO diff_writer;
ALTER TABLE shelves ENABLE ROW LEVEL SECURITY;
ALTER TABLE shelves_copied ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON shelves TO diff_writer USING (true) WITH CHECK (level % 2 = 0);
CREATE POLICY even ON shelves_copied TO diff_writer USING (true) WITH CHECK (level % 2 = 0);
SET ROLE diff_writer;
UPDATE shelves SET shelf = 'b', level = 6 WHERE id = 1;
UPDATE shelves SET shelf = 'b', level = 7 WHERE id = 1 RETURNING *;
UPDATE shelves SET shelf = 'b', level = 8;
UPDATE shelves SET shelf = 'b', level = 9 WHERE shelf = 'a';
UPDATE shelves_copied SET shelf = 'b', level = 6 WHERE id = 1;
UPDATE shelves_copied SET shelf = 'b', level = 7 WHERE id = 1 RETURNING *;
RESET ROLE;
ALTER POLICY even ON shelves USING (true) WITH CHECK (level % 2 = (SELECT min(order_id) - 1 FROM orders));
GRANT SELECT ON orders TO diff_writer;
SET ROLE diff_writer;
UPDATE shelves SET shelf = 'a', level = 10 WHERE id = 2;
UPDATE shelves SET shelf = 'b', level = 10 WHERE id = 2;
UPDATE shelves SET shelf = 'b', level = 11 WHERE id = 2;
RESET ROLE;
SELECT * FROM shelves ORDER BY id;
SELECT * FROM shelves_copied ORDER BY id;
REVOKE ALL ON orders FROM diff_writer;
DROP TABLE shelves, shelves_copied;
DROP FUNCTION raise_level();

-- teardown
DROP VIEW open_notes;
DROP TABLE sorted, sorted_stamped, notes, stamped, parted, rooms, members;
DROP TABLE by_setting, lengths, indexed, unindexed, update_watched, keyed, keyed_parts, keyed_copies, keyed_booked, noted, keyed_own, self_made;
DROP FUNCTION is_mine(int), sign_row(), note(), exclaim(), stamp(), stamp_sorted(), prolong(), watch(), relocate(), make_itself();
-- shardwise: DROP USER MAPPING FOR diff_writer SERVER s1; DROP USER MAPPING FOR diff_writer SERVER s2; DROP USER MAPPING FOR diff_writer SERVER s3;
REVOKE ALL ON SCHEMA public FROM diff_writer;
DROP ROLE diff_writer;
