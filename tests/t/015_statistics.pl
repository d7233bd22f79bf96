# Counters over several sessions: progress of what runs, connections, lost shards, commits, and which
# queries are kept. What the planner knows of tables.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => 'log_statement = none');
my $router = $cluster->router;
$router->append_conf('postgresql.conf', 'shardwise.max_tracked_queries = 100');
$router->restart;
$cluster->sql(<<'SQL');
CREATE TABLE item (id int PRIMARY KEY, label text);
INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 3000) i;
SELECT shardwise.distribute_table('item', 'id', 'range', splits => ARRAY['1001', '2001']);
CREATE ROLE observer;
SELECT shardwise.stat_reset();
SQL

# ---- progress: the first rows are here, the rest waits for a lock on the shard
my $blocker = $cluster->shard('s2')->background_psql('postgres');
$blocker->query_until(qr/^locked/m, "BEGIN; LOCK TABLE item; SELECT 'locked';\n");
my $reader = $router->background_psql('postgres', on_error_stop => 0);
$reader->query_until(qr/^started/m, <<'SQL');
SELECT 'started';
SELECT count(*) FROM (SELECT DISTINCT label FROM item UNION ALL SELECT 'x') i;
SQL
my $seen = q(SELECT shard, rows > 0 AND bytes_received > 0, role = current_user, pid <> pg_backend_pid(),
	query LIKE 'SELECT count%', started <= now() FROM shardwise.stat_progress WHERE shard = 's2');
ok($router->poll_query_until('postgres', $seen, 's2|f|t|t|t|t'), 'a statement that waits on a shard is shown');
is($cluster->sql('SET ROLE observer; SELECT count(*) FROM shardwise.stat_progress'), '0',
	'and not shown to others');
$blocker->query_safe('ROLLBACK');
$blocker->quit;
$reader->query_until(qr/^3001$/m, '');
ok($router->poll_query_until('postgres', 'SELECT count(*) = 0 FROM shardwise.stat_progress'),
	'it is gone when it has ended');

# ---- rows of a statement that is not read to its end
$reader->query_until(qr/^fetched/m, <<'SQL');
BEGIN; DECLARE c CURSOR FOR SELECT * FROM item WHERE id BETWEEN 1 AND 500; FETCH 5 FROM c; SELECT 'fetched';
SQL
is($cluster->sql('SELECT shard, rows > 0, bytes_received > 0 FROM shardwise.stat_progress'), 's1|t|t',
	'an open cursor shows the rows so far');
$reader->query_safe('ROLLBACK');

# ---- connections come and go
my $connections = q(SELECT string_agg(shard || ' ' || connections, ', ' ORDER BY shard) FROM shardwise.stat_shards);
is($cluster->sql($connections), 's1 1, s2 1, s3 1', 'connections of one session are counted');
$cluster->sql('SELECT count(*) FROM item');
$reader->quit;
ok($router->poll_query_until('postgres', $connections, 's1 0, s2 0, s3 0'), 'and no more when sessions end');
is($cluster->sql('SELECT bool_and(connections_opened = 2) FROM shardwise.stat_shards'), 't',
	'each that was opened is counted');

# ---- commits in one phase and in two
$cluster->sql('SELECT shardwise.stat_reset()');
$cluster->sql("UPDATE item SET label = 'alone' WHERE id = 1");
$cluster->sql("BEGIN; UPDATE item SET label = 'block' WHERE id = 2; COMMIT");
$cluster->sql("BEGIN; UPDATE item SET label = 'undone' WHERE id = 2; ROLLBACK");
$cluster->sql("BEGIN; UPDATE item SET label = 'both' WHERE id IN (3, 1003); SELECT count(*) FROM item; COMMIT");
is($cluster->sql('SELECT shard, transactions, two_phase_transactions FROM shardwise.stat_shards ORDER BY 1'),
	"s1|2|1\ns2|0|1\ns3|0|0", 'transactions that wrote are counted where they committed');

# ---- a shard that is away
$cluster->shard('s3')->stop;
my (undef, $states) = $cluster->errors('SELECT count(*) FROM item');
is("@$states", '08001', 'a shard is away');
is($cluster->sql(q(SELECT errors > 0, last_error > now() - interval '1 hour', connections
	FROM shardwise.stat_shards WHERE shard = 's3')), 't|t|0', 'which counts as an error of it');
$cluster->shard('s3')->start;
is($cluster->sql('SELECT count(*) FROM item'), '3000', 'the shard is back');
$cluster->sql('SELECT shardwise.stat_reset()');
$cluster->errors('INSERT INTO item SELECT * FROM item WHERE id = 1; INSERT INTO item VALUES (2001)');
is($cluster->sql('SELECT shard, errors FROM shardwise.stat_shards ORDER BY 1'), "s1|1\ns2|0\ns3|1", 'errors count, also of COPY');

# ---- of many queries the least used are dropped
$cluster->sql('SELECT shardwise.stat_reset()');
my $often = "SELECT label FROM item WHERE id = 7;\n";
my $rare = sub { 'SELECT id FROM item WHERE id = 1' . ' AND id > 0' x $_[0] };
$cluster->sql($often x 20 . join('', map { $rare->($_) . ";\n$often" } 1 .. 150));
is($cluster->sql(q(SELECT count(*) BETWEEN 50 AND 100,
		max(calls) FILTER (WHERE query = 'SELECT label FROM item WHERE id = $1'),
		bool_and(query !~ '= [0-9]')
	FROM shardwise.stat_queries)), 't|170|t', 'the often used query stays');
$cluster->sql('SELECT label, id AS latest FROM item WHERE id = 3');
is($cluster->sql(q(SELECT calls FROM shardwise.stat_queries WHERE query LIKE '%AS latest%')), '1',
	'and the latest one is there');
$cluster->sql("SELECT label AS " . '"' . ('ü' x 30) . '"' . ", '" . ('é' x 2000) . "' FROM item WHERE id = 7");
$cluster->sql("SELECT " . join(', ', map { "label AS \"ü$_\"" } 1 .. 200) . " FROM item WHERE id = 7");
is($cluster->sql(q(SELECT max(octet_length(query)) IN (1022, 1023) FROM shardwise.stat_queries)), 't',
	'a long text is cut between characters');

# ---- the planner's statistics outlive the router's autovacuum, which finds an empty table
sub configure
{
	my ($node, $conf) = @_;
	$node->append_conf('postgresql.conf', $conf);
	$node->reload;
}
my $estimate = sub { $cluster->sql("EXPLAIN SELECT * FROM $_[0]") =~ /rows=(\d+)/ ? $1 : 'none' };
configure($router, 'autovacuum = off');
$cluster->sql(<<'SQL');
CREATE TABLE parcel (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parcel_1 PARTITION OF parcel FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parcel_2 PARTITION OF parcel FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO parcel SELECT i, date '2026-01-01' + i % 50 FROM generate_series(1, 5000) i;
SELECT shardwise.distribute_table('parcel', 'id');
SQL
is(join(' ', map { $estimate->($_) } 'parcel', 'parcel_1'), '5000 3100', 'rows are counted when they go out');
configure($router, "autovacuum = on\nautovacuum_naptime = 1");
ok($router->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_user_tables
	WHERE relname LIKE 'parcel%' AND autoanalyze_count > 0"), 'autovacuum looks at the empty partitions');
is(join(' ', map { $estimate->($_) } 'parcel', 'parcel_1'), '5000 3100', 'and the planner knows the rows still');

# ---- and follow what the shards analyze
configure($router, 'shardwise.statistics_interval = 1');
$cluster->sql("CREATE TABLE brief (id int PRIMARY KEY); SELECT shardwise.distribute_table('brief', 'id')");
$blocker = $cluster->shard('s1')->background_psql('postgres');
$blocker->query_safe('BEGIN; LOCK TABLE parcel');
ok($cluster->shard('s1')->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
	'a visit of the shards is under way');
$cluster->sql('DROP TABLE brief');
$blocker->query_safe('ROLLBACK');
$blocker->quit;
$cluster->sql("INSERT INTO parcel SELECT i, date '2026-01-01' + i % 50 FROM generate_series(5001, 8000) i");
$cluster->on_shard($_, 'ANALYZE parcel_1, parcel_2') for $cluster->shard_names;
my $known = "SELECT string_agg(relation || ' ' || rows, ', ' ORDER BY relation::text)
	FROM shardwise.table_statistics WHERE relation::text LIKE 'parcel%'";
ok($router->poll_query_until('postgres', $known, 'parcel 8000, parcel_1 4960, parcel_2 3040'),
	'the router learns what the shards have analyzed');
is(join(' ', map { $estimate->($_) } 'parcel', 'parcel_1'), '8000 4960', 'and plans by it');
is($cluster->sql("SELECT n_distinct FROM pg_stats WHERE tablename = 'parcel' AND attname = 'day'"), '50',
	'also the values of a partitioned table, which autovacuum leaves alone');
my $gathered = 'SELECT xmin FROM shardwise.table_statistics WHERE relation::text = $$parcel$$';
$cluster->sql('ANALYZE parcel');
my $before = $cluster->sql($gathered);
sleep 3;
is($cluster->sql($gathered), $before, 'nothing is gathered twice');
$cluster->sql('DROP TABLE parcel_2');
is($cluster->sql($known), 'parcel 8000, parcel_1 4960', 'what is dropped is forgotten');
configure($router, 'shardwise.statistics_interval = 0');

# ---- a table comes home while somebody waits to verify it
my ($owner, $verifier) = map { $router->background_psql('postgres', on_error_stop => 0) } 1, 2;
$owner->query("BEGIN; SELECT shardwise.undistribute_table('item')");
$verifier->query_until(qr/^started/m, "\\echo started\nSELECT shardwise.verify_table('item');\n");
ok($router->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'item'::regclass"), 'it waits');
$owner->query('COMMIT');
$verifier->query('SELECT 1');
like($verifier->{stderr}, qr/"item" is not a distributed table/, 'and is told');
$verifier->{stderr} = '';
$_->quit for $owner, $verifier;

# ---- a second database has counters of its own
$cluster->sql('CREATE DATABASE other');
$router->safe_psql('other', 'CREATE EXTENSION shardwise');
is($router->safe_psql('other', 'SELECT (SELECT count(*) FROM shardwise.stat_shards),
	(SELECT count(*) FROM shardwise.stat_queries)'), '0|0', 'another database sees nothing of it');

done_testing();
