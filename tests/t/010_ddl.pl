# DDL: errors and lost shards undo it everywhere; indexes made concurrently; schema drift; new shards.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
$cluster->fill_customers;
my ($out, $states);

# What differs between router and shards; empty if nothing does.
sub drift { return $cluster->sql('SELECT shard, difference, object FROM shardwise.check_schema() ORDER BY 1, 2, 3'); }
sub fails_whole
{
	my ($sql, $state, $what) = @_;
	($out, $states) = $cluster->errors($sql);
	is_deeply($states, [$state], "$what: fails");
	is(drift(), '', "$what: nothing is left of it anywhere");
}
is(drift(), '', 'a distributed table is what the router says');

# One shard refuses.
$cluster->on_shard('s2', 'CREATE TABLE extra (a int); CREATE INDEX clash ON extra (a)');
fails_whole('CREATE INDEX clash ON customers (name)', '42P07', 'a name that one shard has');
like($cluster->last_error, qr/shard "s2"/, 'the error names the shard');
my $one = $cluster->sql("SELECT k FROM generate_series(1, 100) k WHERE shardwise.locate('customers', k::bigint) = 's3' LIMIT 1");
$cluster->sql("UPDATE customers SET balance = -1 WHERE customer_id = $one");
fails_whole('ALTER TABLE customers ADD COLUMN note text, ADD CONSTRAINT positive CHECK (balance >= 0)',
	'23514', 'a row of one shard that breaks a new constraint');
fails_whole("BEGIN; ALTER TABLE customers ADD COLUMN note text; CREATE INDEX ON customers (note);
	UPDATE customers SET note = 'x' WHERE customer_id = $one; SELECT 1/0; COMMIT", '22012',
	'a transaction of DDL and DML that fails');
$cluster->sql("UPDATE customers SET balance = 1 WHERE customer_id = $one");

# Two sessions: a writer's transaction delays DDL, which then reaches what it has written.
my $writer = $router->background_psql('postgres');
my $changer = $router->background_psql('postgres');
$writer->query_safe("BEGIN; UPDATE customers SET balance = 2 WHERE customer_id = $one");
$changer->query_until(qr/started/, "\\echo started\nALTER TABLE customers ADD COLUMN twice numeric GENERATED ALWAYS AS (balance * 2) STORED;\n");
$router->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted") or die 'DDL does not wait';
$writer->query_safe('COMMIT');
$changer->query_safe('SELECT 1');
is($writer->query_safe("SELECT twice FROM customers WHERE customer_id = $one"), '4.00', 'DDL waits for writers');
$writer->quit;
$changer->quit;

# Repeatable read: DDL looks at the catalogs as they are.
$writer = $router->background_psql('postgres');
$writer->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
$cluster->sql('ALTER TABLE customers ADD COLUMN fresh int, ADD CONSTRAINT fresh_check CHECK (fresh > 0); CREATE INDEX fresh_index ON customers (fresh)');
$writer->query_safe('ALTER TABLE customers ALTER fresh SET DEFAULT 5, ADD CONSTRAINT fresh_too CHECK (fresh < 9); COMMIT');
$writer->quit;
is(drift(), '', 'also where the transaction is older than they');
$cluster->sql('ALTER TABLE customers DROP COLUMN fresh');

# A lost shard.
my $victim = $cluster->shard('s2');
$victim->stop('immediate');
($out, $states) = $cluster->errors('ALTER TABLE customers ADD COLUMN note text');
like($states->[0], qr/^08/, 'a shard that is down: class 08');
$victim->start;
is(drift(), '', 'the others did not change');
my $session = $router->background_psql('postgres', on_error_stop => 0);
$session->query('BEGIN; ALTER TABLE customers ADD COLUMN note text');
$victim->stop('immediate');
$session->query('COMMIT');
like($session->{stderr}, qr/lost|connection|shard/, 'a shard that goes down in the middle fails the transaction');
$session->{stderr} = '';
$session->quit;
$victim->start;
is(drift(), '', 'and nobody has changed');
$cluster->sql('ALTER TABLE customers ADD COLUMN note text; ALTER TABLE customers DROP COLUMN twice');
is(drift(), '', 'once all are back it works');

# SET CONSTRAINTS needs no shard but those that the transaction uses.
$cluster->sql('ALTER TABLE customers ADD CONSTRAINT pair UNIQUE (customer_id, name) DEFERRABLE');
$victim->stop('immediate');
is($cluster->sql("BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE customers SET note = 'y' WHERE customer_id = $one RETURNING note; COMMIT"),
	'y', 'SET CONSTRAINTS with a shard that is down');
$victim->start;
$cluster->sql('ALTER TABLE customers DROP CONSTRAINT pair');

# Indexes, concurrently: unique on all shards, or invalid on the router.
$cluster->sql(<<"SQL");
CREATE TABLE plain (k bigint NOT NULL, v int);
SELECT shardwise.distribute_table('plain', 'k', colocate_with => 'customers');
INSERT INTO plain VALUES ($one, 1);
INSERT INTO plain VALUES ($one, 1);
SQL
($out, $states) = $cluster->errors('CREATE UNIQUE INDEX CONCURRENTLY plain_unique ON plain (k, v)');
is_deeply($states, ['23505'], 'a shard finds duplicates');
like($cluster->last_error, qr/on shard "s3".*HINT:.*DROP INDEX public.plain_unique/s, 'it is named, and how to go on');
is($cluster->sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'plain_unique'::regclass"), 'f', 'the router says that the index is invalid');
is($cluster->sql("INSERT INTO plain VALUES ($one, 2) RETURNING v"), '2', 'writes go on');
($out, $states) = $cluster->errors('REINDEX INDEX CONCURRENTLY plain_unique');
is_deeply($states, ['23505'], 'the duplicates are still there');
is($cluster->sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'plain_unique'::regclass"), 'f', 'and the index is invalid');
$cluster->sql($cluster->sql("SELECT advice FROM shardwise.check_schema() WHERE object ~ 'plain_unique_ccnew'"));
$cluster->sql("DELETE FROM plain WHERE k = $one");
$cluster->sql('REINDEX INDEX CONCURRENTLY plain_unique');
is($cluster->sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'plain_unique'::regclass") . drift(), 't', 'without them it makes the index valid everywhere');
$cluster->sql('DROP INDEX plain_unique');
is(drift(), '', 'DROP INDEX removes it everywhere');
($out, $states) = $cluster->errors('CREATE UNIQUE INDEX CONCURRENTLY plain_unique ON plain (v)');
is_deeply($states, ['42P16'], 'a unique index without the key is refused');
$cluster->sql('CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$SELECT $1 * 2$$');
$cluster->sql($_) for 'CREATE UNIQUE INDEX CONCURRENTLY plain_unique ON plain (k, v)',
  'CREATE INDEX CONCURRENTLY plain_twice ON plain (twice(v))';
is(drift(), '', 'it is on all shards, valid, with the function that it calls');
# Somebody cancels one that waits for a transaction on a shard.
my $holder = $cluster->shard('s1')->background_psql('postgres');
$holder->query_safe('BEGIN; INSERT INTO plain VALUES (-1, -1)');
$session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/started/, "\\echo started\nCREATE INDEX CONCURRENTLY plain_waits ON plain (v);\n");
$cluster->shard('s1')->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'plain_waits'")
  or die 'it does not wait';
$cluster->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'plain_waits' AND pid <> pg_backend_pid()");
$session->query('SELECT 1');
like($session->{stderr}, qr/canceling statement/, 'CREATE INDEX CONCURRENTLY is cancelled');
$session->{stderr} = '';
$session->quit;
$holder->query_safe('ROLLBACK');
$holder->quit;
is($cluster->sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'plain_waits'::regclass"), 'f', 'the router knows that the index is not whole');
$cluster->sql('DROP INDEX plain_waits');
is(drift(), '', 'and it can be dropped');

$victim->stop('immediate');
($out, $states) = $cluster->errors('DROP INDEX CONCURRENTLY plain_twice');
like($states->[0], qr/^08/, 'DROP INDEX CONCURRENTLY wants all shards');
$victim->start;
$cluster->sql('DROP INDEX CONCURRENTLY plain_twice');
is(drift(), '', 'and can be repeated');

# Partitions, detached concurrently: what a lost shard or a cancel leaves, FINALIZE does.
$cluster->sql(<<'SQL');
CREATE TABLE parts (k bigint NOT NULL, v int) PARTITION BY RANGE (v);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30);
SELECT shardwise.distribute_table('parts', 'k', colocate_with => 'customers');
INSERT INTO parts SELECT k, k % 20 FROM generate_series(1, 100) k;
SQL
$victim->stop('immediate');
($out, $states) = $cluster->errors('ALTER TABLE parts DETACH PARTITION parts_1 CONCURRENTLY');
like($states->[0], qr/^08/, 'DETACH CONCURRENTLY wants all shards');
like($cluster->last_error, qr/on shard "s2".*HINT:.*FINALIZE/s, 'and says what to do');
$victim->start;
like(drift(), qr/^s2\|different\|table public.parts_1$/m, 'check_schema() sees what is left');
is($cluster->sql('SELECT count(*) FROM parts_1'), '50', 'the partition is a table with all of its rows');
$cluster->sql('ALTER TABLE parts DETACH PARTITION parts_1 FINALIZE');
is(drift() . $cluster->sql('SELECT count(*) FROM parts'), '50', 'FINALIZE detaches it where it was left');
$holder = $cluster->shard('s1')->background_psql('postgres');
$holder->query_safe('BEGIN; SELECT count(*) FROM parts');
$session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/started/, "\\echo started\nALTER TABLE parts DETACH PARTITION parts_2 CONCURRENTLY;\n");
$cluster->shard('s1')->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'parts_2'")
  or die 'it does not wait';
$cluster->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'parts_2' AND pid <> pg_backend_pid()");
$session->query('SELECT 1');
like($session->{stderr}, qr/canceling statement/, 'DETACH CONCURRENTLY is cancelled');
$session->{stderr} = '';
$session->quit;
$holder->query_safe('ROLLBACK');
$holder->quit;
$cluster->sql('ALTER TABLE parts DETACH PARTITION parts_2 FINALIZE');
is(drift() . $cluster->sql('SELECT count(*) FROM parts_2'), '50', 'and finished');
($out, $states) = $cluster->errors('ALTER TABLE parts DETACH PARTITION parts_2 FINALIZE');
is_deeply($states, ['42P01'], 'once');
$holder = $router->background_psql('postgres');
$holder->query_safe('BEGIN; SELECT count(*) FROM parts');
$session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/started/, "\\echo started\nALTER TABLE parts DETACH PARTITION parts_3 CONCURRENTLY;\n");
$router->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'parts_3'")
  or die 'it does not wait on the router';
$cluster->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'parts_3' AND pid <> pg_backend_pid()");
$session->query('SELECT 1');
$session->{stderr} = '';
$session->quit;
$holder->query_safe('ROLLBACK');
$holder->quit;
($out, $states) = $cluster->errors("ALTER TABLE parts_3 ALTER k DROP NOT NULL;\nALTER TABLE parts_3 ADD x int");
is_deeply($states, [ '0A000', '55000' ], 'what is cancelled on the router is neither its own table nor a partition');
$cluster->sql('ALTER TABLE parts DETACH PARTITION parts_3 FINALIZE');
is(drift() . $cluster->sql('SELECT count(*) FROM parts_3'), '0', 'until it is finished');
$cluster->sql('DROP TABLE parts, parts_1, parts_2, parts_3');

$cluster->sql($_) for 'REINDEX TABLE CONCURRENTLY plain', 'VACUUM (ANALYZE) plain, customers', 'VACUUM', 'ANALYZE';
is($cluster->sum_on_shards("SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'customers' AND vacuum_count > 1"), 3, 'VACUUM reaches all shards');

# Objects of all kinds, for roles that some shards know, then a new shard.
my $roles = 'CREATE ROLE clerk; CREATE ROLE chief';
$cluster->sql($roles);
$cluster->on_shard($_, $roles) for qw(s1 s3);
$cluster->sql(<<'SQL');
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO clerk;
CREATE FUNCTION app.add(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + coalesce($2, 0)';
REVOKE EXECUTE ON FUNCTION app.add FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.add TO clerk;
COMMENT ON FUNCTION app.add IS 'adds';
ALTER FUNCTION app.add OWNER TO chief;
CREATE AGGREGATE app.total(int) (SFUNC = app.add, STYPE = int, INITCOND = '0', PARALLEL = SAFE);
CREATE FUNCTION app.totals(int[]) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT app.total(x) FROM unnest($1) x; END;
CREATE OPERATOR app.|+| (FUNCTION = app.add, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(app.|+|));
CREATE COLLATION app.coll (LOCALE = 'C');
CREATE TEXT SEARCH DICTIONARY app.words (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR asciiword WITH app.words, simple;
ALTER TABLE customers ADD COLUMN arr int[], ADD COLUMN s int GENERATED ALWAYS AS (app.totals(arr) OPERATOR(app.|+|) 1) STORED,
	ADD COLUMN body text COLLATE app.coll, ADD COLUMN found tsvector GENERATED ALWAYS AS (to_tsvector('app.search', body)) STORED;
ALTER SCHEMA app OWNER TO chief;
GRANT CREATE ON SCHEMA app TO clerk;
REVOKE USAGE ON SCHEMA app FROM clerk;
ALTER AGGREGATE app.total(int) RENAME TO sum_up;
ALTER AGGREGATE app.sum_up(int) OWNER TO chief;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO clerk WITH GRANT OPTION;
COMMENT ON OPERATOR app.|+| (int, int) IS 'an operator';
ALTER COLLATION app.coll RENAME TO letters;
ALTER TEXT SEARCH DICTIONARY app.words (STOPWORDS = english);
ALTER TEXT SEARCH CONFIGURATION app.search DROP MAPPING FOR asciiword;
GRANT SELECT, UPDATE (note) ON customers TO clerk;
ALTER TABLE customers OWNER TO chief;
CREATE TYPE app.mood AS ENUM ('low');
CREATE DOMAIN app.amount AS numeric CHECK (VALUE >= 0);
ALTER TABLE customers ADD COLUMN mood app.mood DEFAULT 'low', ADD COLUMN debt app.amount, ADD COLUMN number serial;
ALTER TYPE app.mood ADD VALUE 'high';
ALTER DOMAIN app.amount ADD CONSTRAINT small CHECK (VALUE < 1000000);
CREATE FUNCTION app.count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END $$;
CREATE TRIGGER count_up BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION app.count_up();
CREATE STATISTICS app.together ON balance, name FROM customers;
CREATE POLICY everyone ON customers TO clerk, chief USING (balance > -1000);
COMMENT ON POLICY everyone ON customers IS 'for some';
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
GRANT USAGE ON TYPE app.mood TO clerk;
ALTER TYPE app.mood OWNER TO chief;
COMMENT ON TYPE app.mood IS 'mood';
COMMENT ON CONSTRAINT small ON DOMAIN app.amount IS 'not much';
ALTER TABLE customers ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL;
ALTER TABLE customers RENAME COLUMN customer_id TO id;
ALTER TABLE customers RENAME TO clients;
CREATE TABLE log (id bigint NOT NULL, at date NOT NULL, PRIMARY KEY (id, at), FOREIGN KEY (id) REFERENCES clients) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
SELECT shardwise.distribute_table('log', 'id', colocate_with => 'clients');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON log (at);
ALTER TABLE log SET SCHEMA app;
ALTER SCHEMA app RENAME TO application;
CREATE TABLE seen (id bigint NOT NULL, "Nr" bigserial, small serial, own bigint NOT NULL, loose bigint DEFAULT 1, note text);
CREATE SEQUENCE own;
SELECT shardwise.distribute_table('seen', 'id', colocate_with => 'clients');
ALTER TABLE seen ALTER own SET DEFAULT nextval('own'), ALTER small TYPE bigint, ALTER loose DROP DEFAULT, ADD COLUMN added bigint GENERATED ALWAYS AS IDENTITY;
ALTER SEQUENCE own OWNED BY seen.own;
ALTER TABLE seen ALTER loose SET NOT NULL, ALTER loose ADD GENERATED ALWAYS AS IDENTITY;
CREATE SCHEMA elsewhere AUTHORIZATION chief; GRANT USAGE ON SCHEMA elsewhere TO clerk; ALTER TABLE seen SET SCHEMA elsewhere; ALTER TABLE elsewhere.seen RENAME TO looks;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO elsewhere.looks (id, note) VALUES (NEW.id, TG_OP); RETURN NEW; END $$;
CREATE TRIGGER look AFTER UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION look();
SQL
is(drift(), '', 'after much DDL all shards are what the router says');
my $fourth = PostgreSQL::Test::Cluster->new('s4');
$fourth->init(allows_streaming => 'logical');
$fourth->append_conf('postgresql.conf', "max_connections = 60\nmax_prepared_transactions = 60");
$fourth->start;
$cluster->{shards}{s4} = $fourth;
$cluster->on_shard('s4', $roles);
$cluster->add_shard('s4');
is(drift(), '', 'and so is a new one');

# The shards number rows that their triggers insert.
my $numbered = "SELECT string_agg(attname || ' ' || (seqstart >> 44) || coalesce(' from ' || nullif(seqstart & (1::bigint << 44) - 1, 0), ''), ', ' ORDER BY attname)
	FROM pg_attribute JOIN pg_depend ON refobjid = attrelid AND refobjsubid = attnum AND deptype = 'i' JOIN pg_sequence ON seqrelid = objid WHERE attidentity = 'd'";
is($cluster->on_shard("s$_", $numbered), "Nr $_, added $_, loose $_, own $_, small $_", "shard s$_ has ranges of its own") for 1, 4;
$cluster->sql('UPDATE clients SET balance = balance WHERE id <= 50; INSERT INTO elsewhere.looks (id) SELECT generate_series(1, 5)');
my $columns = 'ARRAY["Nr", added, loose, own, small]';
is($cluster->sql("SELECT count(*), count(DISTINCT (i, n)), count(DISTINCT n >> 44) > 2 FROM elsewhere.looks, unnest($columns) WITH ORDINALITY u (n, i) GROUP BY note ORDER BY 1"),
	"25|25|f\n250|250|t", 'numbers of triggers are unique, others are the router\'s')
  or diag($cluster->sql("SELECT *, \"Nr\" >> 44 FROM elsewhere.looks ORDER BY note, id"));
$cluster->sql('ALTER SEQUENCE elsewhere.own OWNED BY NONE; ALTER TABLE elsewhere.looks ALTER added DROP IDENTITY, ALTER small TYPE int USING 1, ALTER loose DROP IDENTITY, ALTER loose DROP NOT NULL');
is($cluster->on_shard('s4', $numbered), 'Nr 4', 'what is no longer drawn goes');
is(drift(), '', 'from all shards');
$cluster->on_shard('s4', 'ALTER TABLE elsewhere.looks ALTER "Nr" DROP IDENTITY');
is(drift(), 's4|different|column elsewhere.looks."Nr"', 'check_schema() sees it where it is missing');
$cluster->sql(<<'SQL');
CREATE TABLE whole (id bigint NOT NULL, n bigserial, at int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (10);
CREATE TABLE whole_2 (id bigint NOT NULL, n bigserial, at int NOT NULL);
CREATE TABLE whole_3 (LIKE whole_2, k bigint GENERATED ALWAYS AS IDENTITY);
ALTER TABLE whole_3 DROP COLUMN n; ALTER TABLE whole_3 RENAME COLUMN k TO n;
SELECT shardwise.distribute_table(t, 'id', colocate_with => 'clients') FROM unnest('{whole,whole_2,whole_3}'::regclass[]) t;
ALTER TABLE whole ATTACH PARTITION whole_2 FOR VALUES FROM (10) TO (20);
ALTER TABLE whole ATTACH PARTITION whole_3 FOR VALUES FROM (20) TO (30);
SQL
my $numbering = "SELECT string_agg(attrelid::regclass::text, ' ' ORDER BY attrelid::regclass::text) FROM pg_attribute WHERE attidentity = 'd' AND attrelid::regclass::text ~ '^whole'";
is($cluster->on_shard('s4', $numbering), 'whole', 'partitions are numbered through their parent');
$cluster->sql($_) for 'ALTER TABLE whole DETACH PARTITION whole_1', 'ALTER TABLE whole DETACH PARTITION whole_2', 'ALTER TABLE whole DETACH PARTITION whole_3 CONCURRENTLY';
is($cluster->on_shard('s4', $numbering), 'whole whole_2 whole_3', 'until they are detached');
is(drift(), 's4|different|column elsewhere.looks."Nr"', 'as check_schema() expects it');
$cluster->sql('DROP TABLE whole, whole_1, whole_2, whole_3');
$cluster->sql("SELECT shardwise.undistribute_table('elsewhere.looks')");
is($cluster->on_shard('s4', "SELECT count(*) FROM pg_class WHERE relkind = 'S'"), 0, 'nothing is left when the table is brought home');
$cluster->sql("SELECT shardwise.distribute_table('elsewhere.looks', 'id', colocate_with => 'clients')");
like($cluster->on_shard('s1', $numbered), qr/^Nr 1 from \d+$/, 'numbers that were drawn are not drawn again');
$cluster->sql('DROP SEQUENCE elsewhere."seen_Nr_seq" CASCADE');
is($cluster->on_shard('s1', $numbered) . drift(), '', 'a sequence that is dropped');
$cluster->sql('DROP TABLE elsewhere.looks; DROP FUNCTION look() CASCADE; DROP SCHEMA elsewhere CASCADE');
$cluster->sql('ALTER TABLE clients ADD COLUMN later int DEFAULT 5; ALTER TABLE application.log DETACH PARTITION log_1; DROP TABLE log_1');
is(drift(), '', 'which follows');
$cluster->sql('REASSIGN OWNED BY chief TO postgres; DROP OWNED BY clerk; ALTER SCHEMA application OWNER TO chief');
is(drift(), '', 'owners and rights of all objects follow, too');
is($cluster->on_shard($_, "SELECT (SELECT proowner::regrole FROM pg_proc WHERE proname = 'sum_up'), (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'application'), (SELECT polroles::regrole[] FROM pg_policy)"),
	$_ eq 's2' ? 'postgres|postgres|' : 'postgres|chief|{chief}', "on shard $_") for qw(s2 s4);

# Somebody changes a shard by hand.
$cluster->on_shard('s4', <<'SQL');
ALTER TABLE clients ALTER note SET NOT NULL;
DROP INDEX application.log_at_idx;
CREATE INDEX by_hand ON clients (name);
ALTER TABLE clients DISABLE TRIGGER count_up;
ALTER TYPE application.mood ADD VALUE 'other';
COMMENT ON COLUMN clients.note IS 'by hand';
GRANT SELECT ON clients TO clerk;
GRANT EXECUTE ON FUNCTION application.add TO PUBLIC;
ALTER SCHEMA application OWNER TO clerk;
ALTER TEXT SEARCH CONFIGURATION application.search DROP MAPPING FOR hword;
CREATE OR REPLACE FUNCTION application.count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
SQL
is(drift(), <<'TEXT' =~ s/\n\z//r, 'check_schema() finds each change');
s4|different|column public.clients.note
s4|different|function application.count_up()
s4|different|owner of schema application
s4|different|text search configuration application.search
s4|different|trigger count_up on public.clients
s4|different|type application.mood
s4|extra|comment on column public.clients.note
s4|extra|index public.by_hand
s4|extra|privileges of PUBLIC on function application.add(integer,integer)
s4|extra|privileges of clerk on table public.clients
s4|missing|index application.log_at_idx
s4|missing|index public.log_2_at_idx
TEXT
my $conninfo = $cluster->shard_conninfo('s4');
like($cluster->sql("SELECT ok || detail FROM shardwise.check_shard('$conninfo') WHERE check_name = 'schema'"),
	qr/^false.*column public.clients.note: different.*12 differences/, 'and check_shard() tells of them');
($out, $states) = $cluster->errors('CREATE ROLE nobody; SET ROLE nobody; SELECT * FROM shardwise.check_schema()');
is_deeply($states, ['42501'], 'who may not administer shards may not look');

# DROP leaves nothing behind.
$cluster->sql('DROP TABLE clients, plain, application.log CASCADE; DROP SCHEMA application CASCADE; DROP FUNCTION twice');
is($cluster->on_shard('s1', "SELECT string_agg(oid::regclass::text, ',') FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'S', 'i')
	AND relnamespace <> 'pg_toast'::regnamespace")
	. $cluster->on_shard('s1', "SELECT count(*) FROM pg_proc, pg_namespace n WHERE pg_proc.oid >= 16384 OR n.oid >= 16384"), 0,
	'tables, functions, types and schemas are gone from the shards');
done_testing();
