# Moves of every strategy and of tables of every kind.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Moves;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => $Shardwise::Moves::conf);
my $router = $cluster->router;

# Moves, checks, moves back by a rollback or finishes; the content never changes.
sub move_ok
{
	my ($name, $call, $tables, $end) = @_;
	my %before = map { $_ => $cluster->sql("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ t") } @$tables;
	my $plan = start_plan($cluster, $call);
	wait_plan_ok($cluster, $plan, 'swapped', "$name: moved");
	is($cluster->sql("SELECT bool_and(verified_rows > 0 AND rows_done > 0) FROM shardwise.moves WHERE plan_id = $plan"), 't',
		"$name: rows were copied and compared");
	$cluster->sql("SELECT shardwise.${end}_plan($plan)");
	wait_plan_ok($cluster, $plan, $end eq 'finish' ? 'done' : 'rolled_back', "$name: $end");
	for my $table (@$tables)
	{
		is($cluster->sql("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $table t"), $before{$table},
			"$name: the content of $table is the same");
		placed_ok($cluster, $table, (split /\|/, $before{$table})[0], "$name, $table");
	}
	leftovers_ok($cluster, $name);
	return;
}

# consistent_hash, text keys, large values, all kinds of columns; a child without primary key.
$cluster->sql(<<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE tenants (tenant text PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY, mood mood, share percent,
	doc jsonb, tags text[], big text, twice numeric GENERATED ALWAYS AS (share * 2) STORED, at timestamptz, net inet);
INSERT INTO tenants (tenant, mood, share, doc, tags, big, at, net)
	SELECT 'tenant ' || i, (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood, i % 100, jsonb_build_object('i', i), ARRAY[i::text, 'x'],
		(SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, CASE WHEN i % 10 = 0 THEN 300 ELSE 1 END) j),
		'2026-01-01'::timestamptz + i * interval '1 h', '10.0.0.1' FROM generate_series(1, 600) i;
CREATE TABLE visits (tenant text NOT NULL, page text, hits int);
INSERT INTO visits SELECT 'tenant ' || (1 + i % 600), 'page ' || i % 7, i FROM generate_series(1, 1500) i;
INSERT INTO visits SELECT * FROM visits LIMIT 100;
SELECT shardwise.distribute_table('tenants', 'tenant', 'consistent_hash', shards => '{s1,s2}');
SELECT shardwise.distribute_table('visits', 'tenant', colocate_with => 'tenants');
SQL
move_ok('a shard joins', "plan_add_shard('s3')", [ 'tenants', 'visits' ], 'finish');
move_ok('a tenant alone', "plan_move_key('tenants', '" . ($cluster->owner('tenants', "'tenant 7'") eq 's3' ? 's1' : 's3') . "', 'tenant 7')",
	[ 'tenants', 'visits' ], 'finish');
move_ok('a shard is drained', "plan_remove_shard('s3')", [ 'tenants', 'visits' ], 'rollback');

# An update that brings a row into the moving range keeps its large value, as do updates that do not
# touch it.
my $large = $cluster->sql("SELECT min(tenant) FROM tenants WHERE length(big) > 5000 AND shardwise.locate('tenants', tenant) = 's1'");
my $key = $cluster->sql("SELECT 'new ' || i FROM generate_series(1, 1000) i WHERE shardwise.locate('tenants', 'new ' || i) = 's1' LIMIT 1");
my $big = $cluster->on_shard('s1', "SELECT md5(big) FROM tenants WHERE tenant = '$large'");
my $touched = $cluster->sql("SELECT max(tenant) FROM tenants WHERE length(big) > 5000 AND shardwise.locate('tenants', tenant) = 's1'");
my $plan = $cluster->sql("SELECT shardwise.plan_move_key('tenants', 's2', '$key')");
$cluster->sql("SELECT shardwise.start_plan($plan)");
wait_plan_ok($cluster, $plan, 'swapped', 'an empty key moves');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
wait_plan_ok($cluster, $plan, 'rolled_back', 'and comes back');
$router->safe_psql('postgres', "ALTER SYSTEM SET shardwise.move_chunk_size = '64kB'");
$router->safe_psql('postgres', "ALTER SYSTEM SET shardwise.move_rate_limit = '20kB'");
$router->reload;
$plan = $cluster->sql("SELECT shardwise.plan_remove_shard('s1')");
$cluster->sql("SELECT shardwise.start_plan($plan)");
ok($router->poll_query_until('postgres', "SELECT count(*) > 0 FROM shardwise.move_chunk JOIN shardwise.move USING (move_id)
	WHERE plan_id = $plan AND rows > 0 AND state = 'copying'"), 'the copy is under way');
is($cluster->on_shard('s1', "SELECT string_agg(relreplident::text, '' ORDER BY relname) FROM pg_class WHERE relname IN ('tenants', 'visits')"), 'df',
	'rows are logged whole only where there is no primary key');
$cluster->on_shard('s1', "UPDATE tenants SET tenant = '$key' WHERE tenant = '$large'");
$cluster->sql("UPDATE tenants SET share = 99 WHERE tenant = '$touched'");
$router->safe_psql('postgres', "ALTER SYSTEM RESET shardwise.move_rate_limit");
$router->reload;
wait_plan_ok($cluster, $plan, 'swapped', 'all keys leave a shard');
is($cluster->sql("SELECT md5(big) FROM tenants WHERE tenant = '$key'"), $big, 'the large value came along');
is($cluster->sql("SELECT length(big) > 5000 AND share = 99 FROM tenants WHERE tenant = '$touched'"), 't', 'the other too');
$cluster->sql("SELECT shardwise.finish_plan($plan)");
wait_plan_ok($cluster, $plan, 'done', 'the shard is empty');
is($cluster->on_shard('s1', 'SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM visits)'), 0, 'it holds no row');
is($cluster->sql("SELECT count(*) FROM shardwise.ranges WHERE shard = 's1' AND 'tenants'::regclass = ANY (tables)"), 0, 'and owns no range');

# range, over a composite key and partitions
$cluster->sql(<<'SQL');
CREATE TABLE readings (day date, device int, value float8, PRIMARY KEY (day, device)) PARTITION BY RANGE (day);
CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO readings SELECT '2026-01-01'::date + i % 59, i, i / 7.0 FROM generate_series(1, 2000) i;
SELECT shardwise.distribute_table('readings', ARRAY['day', 'device'], 'range',
	splits => '{"(2026-01-15,0)","(2026-02-10,500)"}', shards => '{s1,s2,s3}');
SQL
move_ok('a range', q{plan_move_range('readings', '(2026-01-10,0)', '(2026-01-15,0)', 's3')}, ['readings'], 'rollback');
move_ok('a range for good', q{plan_move_range('readings', '(2026-01-20,0)', '(2026-02-03,100)', 's3')}, ['readings'], 'finish');
move_ok('a pin in a range', q{plan_move_key('readings', 's1', '2026-02-20'::date, 50)}, ['readings'], 'finish');

# A session whose triggers were checked before learns what the shards own since.
is_deeply([ $cluster->errors(<<'SQL') ], [ "swapped\ndone", ['0A000'] ], 'shards check keys that triggers change by the new map');
SET client_min_messages = error;
CREATE FUNCTION change_device() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.device := 9050; RETURN NEW; END $$;
CREATE TRIGGER change_device BEFORE INSERT ON readings FOR EACH ROW WHEN (NEW.value < 0) EXECUTE FUNCTION change_device();
INSERT INTO readings VALUES ('2026-02-20', 9001, -1);
SELECT shardwise.plan_move_key('readings', 's1', '2026-02-20'::date, 9050) AS plan \gset
DO $$ BEGIN PERFORM shardwise.start_plan(max(plan_id)) FROM shardwise.plan; END $$;
SELECT shardwise.wait_plan(:plan);
DELETE FROM readings WHERE day = '2026-02-20' AND device = 9050;
DO $$ BEGIN PERFORM shardwise.finish_plan(max(plan_id)) FROM shardwise.plan; END $$;
SELECT shardwise.wait_plan(:plan);
INSERT INTO readings VALUES ('2026-02-20', 9002, -1);
DROP FUNCTION change_device CASCADE;
SQL

# many ranges of one column, from the lowest to the highest
$cluster->sql(<<'SQL');
CREATE TABLE steps (name text PRIMARY KEY, value int);
INSERT INTO steps SELECT 'step ' || lpad(i::text, 4, '0'), i FROM generate_series(1, 2000) i;
SELECT shardwise.distribute_table('steps', 'name', 'range', shards => '{s1,s2,s3}',
	splits => (SELECT array_agg('step ' || lpad(i::text, 4, '0') ORDER BY i) FROM generate_series(100, 1900, 100) i));
SQL
move_ok('many ranges', q{plan_move_range('steps', NULL, NULL, 's2')}, ['steps'], 'rollback');

# A key pinned since a plan was made is not where the plan thinks; one that a move leaves alone stays
# pinned until the move is over.
my $range = q{plan_move_range('readings', '(2026-01-02,0)', '(2026-01-05,0)', 's3')};
my $readings = 'SELECT count(*), sum(value) FROM readings';
my $all = $cluster->sql($readings);
my $early = $cluster->sql("SELECT shardwise.$range");
$plan = start_plan($cluster, q{plan_move_key('readings', 's3', '2026-01-03'::date, 2)});
wait_plan_ok($cluster, $plan, 'swapped', 'a key moves');
$cluster->sql("SELECT shardwise.finish_plan($plan)");
wait_plan_ok($cluster, $plan, 'done', 'for good');
is_deeply(($cluster->errors("SELECT shardwise.start_plan($early)"))[1], ['55000'], 'a plan that does not know of it does not start');
$plan = start_plan($cluster, $range);
wait_plan_ok($cluster, $plan, 'swapped', 'a new plan does');
my $late = $cluster->sql(q{SELECT shardwise.plan_move_key('readings', 's2', '2026-01-03'::date, 2)});
is_deeply(($cluster->errors("SELECT shardwise.start_plan($late)"))[1], ['55000'], 'and holds the key where it is');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
wait_plan_ok($cluster, $plan, 'rolled_back', 'it comes back');
is($cluster->sql($readings), $all, 'all rows are there');
is($cluster->sql("SELECT count(*) FROM readings WHERE day = '2026-01-03' AND device = 2"), 1, 'and the key');
placed_ok($cluster, 'readings', 2000, 'pins');
leftovers_ok($cluster, 'pins');
$cluster->sql("SELECT shardwise.cancel_plan($_)") for $early, $late;

# list
$cluster->sql(<<'SQL');
CREATE TABLE countries (country text, id int, PRIMARY KEY (country, id));
INSERT INTO countries SELECT (ARRAY['de', 'fr', 'it', 'es'])[1 + i % 4], i FROM generate_series(1, 800) i;
SELECT shardwise.distribute_table('countries', 'country', 'list', splits => '{de,fr}', default_shard => 's3', shards => '{s1,s2}');
SQL
move_ok('a listed key', q{plan_move_range('countries', 'de', 'de', 's2')}, ['countries'], 'finish');
move_ok('a key of the default', q{plan_move_key('countries', 's1', 'it')}, ['countries'], 'rollback');

# All keys of the default go elsewhere, but for the named ones. Whoever counts meanwhile sees each row
# once: on both shards there are rows that the other one owns.
move_ok('a pin in the default', q{plan_move_key('countries', 's1', 'it')}, ['countries'], 'finish');
$cluster->sql("INSERT INTO countries SELECT 'x' || i % 50, i FROM generate_series(1, 1000) i");
$cluster->sql('CREATE TABLE flags (country text PRIMARY KEY, colours int)');
$cluster->sql("INSERT INTO flags SELECT DISTINCT country, length(country) FROM countries");
$cluster->sql("SELECT shardwise.distribute_table('flags', 'country', colocate_with => 'countries')");
my $count = 'SELECT count(*), sum(id), count(f), (SELECT sum(colours) FROM flags) FROM countries c LEFT JOIN flags f USING (country)';
my $counted = $cluster->sql($count);

# A statement that the hand-over overtook may be told to come again.
sub count_now
{
	for (1 .. 100)
	{
		my ($found, $states) = $cluster->errors($count);
		return $found || "@$states" if "@$states" ne '40001';
	}
	return 'always overtaken';
}

# Counts until the plan is in a state; returns all that was counted.
sub count_until
{
	my ($plan, $state) = @_;
	my %seen;
	for (1 .. 2000)
	{
		my $reached = $cluster->sql("SELECT state FROM shardwise.plan WHERE plan_id = $plan") eq $state;
		$seen{ count_now() }++;
		last if $reached;
	}
	return join ' ', sort keys %seen;
}

sub limit_rate
{
	my ($how) = @_;
	$router->safe_psql('postgres', "ALTER SYSTEM $how");
	$router->reload;
	return;
}

for my $end ('rollback', 'finish')
{
	limit_rate("SET shardwise.move_rate_limit = '8kB'");
	$plan = start_plan($cluster, q{plan_remove_shard('s3')});
	ok($router->poll_query_until('postgres', "SELECT count(*) > 0 FROM shardwise.ghost_ranges g JOIN shardwise.ranges r
		USING (keyspace_id) WHERE g.kind = 'default' AND r.kind = 'default' AND r.shard <> g.shard"), "$end: the target has a ghost range");
	ok($router->poll_query_until('postgres', "SELECT sum(rows) > 500 FROM shardwise.move_chunk JOIN shardwise.move USING (move_id)
		WHERE plan_id = $plan AND table_name = 'public.countries'"), "$end: and rows");
	is(count_now(), $counted, "$end: they do not count");
	limit_rate('RESET shardwise.move_rate_limit');
	is(count_until($plan, 'swapped'), $counted, "$end: counts are the same up to the swap");
	is($cluster->sql("SELECT count(*) FROM shardwise.ranges WHERE kind = 'default' AND shard = 's3'"), 0, "$end: the default has gone");
	$cluster->sql("INSERT INTO countries VALUES ('new $end', 7)");
	$counted = $cluster->sql($count);
	ok($cluster->on_shard('s3', "SELECT count(*) FROM countries WHERE country LIKE 'x%'") >= 1000, "$end: the source has them still");
	$cluster->sql("SELECT shardwise.${end}_plan($plan)");
	is(count_until($plan, $end eq 'finish' ? 'done' : 'rolled_back'), $counted, "$end: and up to the end");
	placed_ok($cluster, 'countries', (split /\|/, $counted)[0], $end);
	leftovers_ok($cluster, $end);
}

done_testing();
