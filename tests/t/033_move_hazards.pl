# What gets in the way of moves: what a validation finds, full disks, cut connections, lost slots, rows
# in the way, differences, standbys that fall behind, failover, a slow application, transactions that
# last, too few workers; several plans at once.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Moves;
use Test::More;

my $cluster = Shardwise::Cluster->new(shards => 4, conf => "${Shardwise::Moves::conf}restart_after_crash = on\nautovacuum = off");
my $router = $cluster->router;

$cluster->sql(<<'SQL');
CREATE TABLE items (key bigint, id int, value bigint NOT NULL, note text, PRIMARY KEY (key, id));
INSERT INTO items SELECT k, 100, 10, repeat('x', 200) FROM generate_series(1, 9000) k;
CREATE INDEX items_value ON items (value) WHERE value > 3;
CREATE INDEX items_note ON items (lower(note));
COMMENT ON INDEX items_note IS 'it''s a comment';
CREATE UNIQUE INDEX items_pair ON items (key, value);
SELECT shardwise.distribute_table('items', 'key', shards => '{s1,s2}');
CREATE TABLE events (device text PRIMARY KEY, value int);
INSERT INTO events SELECT 'device ' || i, i FROM generate_series(1, 2000) i;
SELECT shardwise.distribute_table('events', 'device', 'consistent_hash', shards => '{s3,s4}');
SQL
my $range = "plan_move_range('items', NULL, '-4000000000000000000', 's2')";
my $all = $cluster->sql('SELECT count(*), sum(value) FROM items');

sub set_router
{
	my (%settings) = @_;
	$router->safe_psql('postgres', "ALTER SYSTEM SET shardwise.$_ = '$settings{$_}'") for sort keys %settings;
	$router->reload;
	return;
}
sub wait_for { return $router->poll_query_until('postgres', "SELECT $_[0]") || diag($cluster->sql('TABLE shardwise.moves')); }
sub replica { return $cluster->on_shard($_[0], "SET session_replication_role = replica; $_[1]"); }

# A plan whose copy is under way, slowly.
sub start_slowly
{
	my ($call, $arguments) = @_;
	set_router(move_rate_limit => '100kB');
	my $plan = start_plan($cluster, $call, $arguments);
	wait_for("count(*) > 1 FROM shardwise.move_chunk JOIN shardwise.move USING (move_id)
		WHERE plan_id = $plan AND copied_at IS NOT NULL AND state = 'copying'");
	return $plan;
}

# The plan goes on to its swap, and back.
sub ends_well
{
	my ($plan, $name) = @_;
	set_router(move_rate_limit => 0);
	wait_plan_ok($cluster, $plan, 'swapped', "$name: the plan goes on");
	$cluster->sql("SELECT shardwise.rollback_plan($plan)");
	return is_over($plan, 'rolled_back', $name);
}

sub is_over
{
	my ($plan, $state, $name) = @_;
	wait_plan_ok($cluster, $plan, $state, "$name: $state");
	is($cluster->sql('SELECT count(*), sum(value) FROM items'), $all, "$name: the content is the same");
	placed_ok($cluster, 'items', 9000, $name);
	leftovers_ok($cluster, $name);
	return;
}

set_router(move_chunk_size => '64kB');

# ---- a database that is dropped with a plan in it: the end of this file looks who still asks for it ----
$router->safe_psql('postgres', 'CREATE DATABASE gone');
$router->safe_psql('gone', <<'SQL');
CREATE EXTENSION shardwise;
SELECT shardwise.add_local_shard('g1'), shardwise.add_local_shard('g2');
CREATE TABLE t (k bigint PRIMARY KEY);
SELECT shardwise.distribute_table('t', 'k');
SELECT shardwise.plan_move_range('t', NULL, '-9000000000000000000', 'g2');
SELECT shardwise.start_plan(1);
SQL
is($router->safe_psql('gone', "SELECT shardwise.wait_plan(1, '180 s')"), 'swapped', 'a plan in another database');
like(($router->psql('gone', 'BEGIN; DROP EXTENSION shardwise CASCADE; ROLLBACK'))[2],
	qr/WARNING:  moves of rows between shards are not over.*stay on shards g1, g2/s, 'DROP EXTENSION tells what it would leave behind');
$router->safe_psql('postgres', 'DROP DATABASE gone WITH (FORCE)');
$router->safe_psql('shard_g1', "SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription \\gexec");

# ---- what a validation finds ----
sub findings_are
{
	my ($plan, $expected, $name) = @_;
	is($cluster->sql("SELECT string_agg(DISTINCT severity || ' ' || check_name, ', ' ORDER BY severity || ' ' || check_name)
		FROM shardwise.validate_plan($plan)"), $expected, $name);
	return;
}
my $s4 = $cluster->shard('s4');
my $valid = $cluster->sql("SELECT shardwise.plan_move_range('items', NULL, '-4000000000000000000', 's4')");
findings_are($valid, 'info disk', 'a plan that can run');
my $rival = $cluster->sql("SELECT shardwise.$range");
findings_are($valid, 'info disk, warning overlap', 'another one that takes the same keys');
$cluster->sql("SELECT shardwise.cancel_plan($rival)");
$cluster->sql("CREATE TABLE loose (key bigint NOT NULL); SELECT shardwise.distribute_table('loose', 'key', colocate_with => 'items')");
$cluster->on_shard('s4', 'CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
	CREATE TRIGGER fires BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION nothing(); ALTER TABLE items ENABLE REPLICA TRIGGER fires');
$cluster->on_shard('s1', "ALTER TABLE loose SET UNLOGGED; BEGIN; CREATE TABLE prepared (); PREPARE TRANSACTION 'stray'");
findings_are($valid, 'error publication, info disk, warning prepared_transactions, warning primary_key, warning triggers', 'what is wrong with the tables');
$cluster->on_shard('s1', "ROLLBACK PREPARED 'stray'; ALTER TABLE loose SET LOGGED");
$cluster->on_shard('s4', 'DROP FUNCTION nothing() CASCADE; DROP TABLE loose; CREATE ROLE plain LOGIN; CREATE ROLE replicator LOGIN REPLICATION');
$cluster->sql("ALTER USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (SET user 'plain')");
findings_are($valid, 'error connectivity, error privileges, error schema, info disk, warning primary_key', 'and with the role');
my $as_replicator = $cluster->shard_conninfo('s4') =~ s/user=\S+/user=replicator/r;
is($cluster->sql("SELECT ok FROM shardwise.check_shard('$as_replicator') WHERE check_name = 'replication'"), 'f', 'check_shard() tells before');
$cluster->sql("ALTER USER MAPPING FOR PUBLIC SERVER s4 OPTIONS (SET user '" . ($ENV{USER} // getpwuid($<)) . "')");
$cluster->on_shard('s4', 'CREATE TABLE loose (key bigint NOT NULL); DROP ROLE plain, replicator');
$s4->stop('fast');
findings_are($valid, 'error reachable, warning primary_key', 'a shard that is down');
is_deeply(($cluster->errors("SELECT shardwise.start_plan($valid)"))[1], ['55000'], 'is a reason not to start');
like($cluster->last_error, qr/reachable: Shard "s4" does not answer/, 'which is given');
$s4->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 0\nmax_replication_slots = 0\nmax_logical_replication_workers = 0");
$s4->start;
findings_are($valid, 'error connectivity, error replication_slots, error replication_workers, error wal_level, error wal_senders, '
	. 'info disk, warning primary_key', 'settings that do not do');
$s4->append_conf('postgresql.conf', "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\nmax_logical_replication_workers = 12");
$s4->restart;
$cluster->sql("SELECT shardwise.cancel_plan($valid); DROP TABLE loose");

# ---- a shard without keys gets its indexes when it has its rows ----
$cluster->sql(<<'SQL');
CREATE TABLE parts (key bigint, at int, note text, PRIMARY KEY (key, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (at);
CREATE TABLE parts_2a PARTITION OF parts_2 FOR VALUES FROM (10) TO (50);
CREATE INDEX parts_note ON parts (note, at DESC);
CREATE INDEX parts_1_at ON parts_1 (at);
INSERT INTO parts SELECT k, k % 50, repeat('p', 100) FROM generate_series(1, 6000) k;
SELECT shardwise.distribute_table('parts', 'key', colocate_with => 'items');
SQL
my $indexes = "SELECT indexdef || coalesce(obj_description(indexname::regclass, 'pg_class'), '') ||
	coalesce((SELECT ' of ' || inhparent::regclass FROM pg_inherits WHERE inhrelid = indexname::regclass), '') || indisvalid
	FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass WHERE schemaname = 'public' AND tablename ~ '^items|^parts' ORDER BY 1";
my $before = $cluster->on_shard('s1', $indexes);
for my $end ('cancel', 'finish')
{
	my $plan = start_slowly("plan_move_range('items', '-9000000000000000000', '-4000000000000000000', 's3')");
	is($cluster->on_shard('s3', "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename ~ '^items|^parts'"),
		'items_pair items_pkey parts_1_pkey parts_2_pkey parts_2a_pkey parts_pkey', "$end: only unique indexes are there while rows are copied");
	is($cluster->sql('SELECT count(*) FROM shardwise.check_schema()'), 0, "$end: which is no drift");
	crash($cluster->shard('s3')) if $end eq 'finish';
	if ($end eq 'cancel')
	{
		$cluster->sql("SELECT shardwise.cancel_plan($plan)");
		set_router(move_rate_limit => 0);
		is_over($plan, 'cancelled', 'indexes');
	}
	else
	{
		set_router(move_rate_limit => 0);
		wait_plan_ok($cluster, $plan, 'swapped', 'indexes: moved');
		$cluster->sql("SELECT shardwise.rollback_plan($plan)");
		is_over($plan, 'rolled_back', 'indexes');
	}
	is($cluster->on_shard('s3', $indexes), $before, "$end: all indexes are back");
}
$cluster->sql('DROP TABLE parts');

# ---- connections that are cut, a disk that is full, a slot that is lost: the move goes on ----
my $plan = start_slowly($range);
for my $shard ('s1', 's2')
{
	$cluster->on_shard($shard, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
	ok(wait_for("retries >= 1 AND error IS NOT NULL AND chunks_done < chunks FROM shardwise.moves WHERE plan_id = $plan"), "$shard cut: it is tried again");
}
ends_well($plan, 'connections cut');
like(history($cluster, $plan), qr/\|copy restarted\|/, 'without its snapshot the copy begins anew');

$cluster->on_shard('s2', <<'SQL');
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION full_disk();
ALTER TABLE items ENABLE ALWAYS TRIGGER full_disk;
SQL
$plan = start_plan($cluster, $range, ", 'sampled'");
ok(wait_for("retries > 1 AND error LIKE '%No space left%' AND state = 'copying' FROM shardwise.moves WHERE plan_id = $plan"), 'disk full: it is tried again');
$cluster->on_shard('s2', 'DROP FUNCTION full_disk() CASCADE');
ends_well($plan, 'disk full');
my $moving = 'hashint8extended(key, 0) < -4000000000000000000';
my $sample = '(hash_record_extended(ROW(key, id), 0) & 1023) < 64';
is($cluster->sql("SELECT verified_rows FROM shardwise.moves WHERE plan_id = $plan"),
	$cluster->on_shard('s1', "SELECT count(*) FROM items WHERE $moving AND $sample"), 'a sixteenth of the rows was verified, as asked');

# A runner that dies leaves its mover behind: the next one's waits for it.
$plan = start_slowly($range);
my ($runner, $movers) = map { "FROM pg_stat_activity WHERE backend_type = 'shardwise $_'" } 'plan runner', 'mover';
my $first_runner = $cluster->sql("SELECT pid $runner");
$cluster->sql("SELECT pg_terminate_backend(pid) $runner");
ok(wait_for("count(*) = 1 $runner AND pid <> $first_runner"), 'a runner is ended: there is another one');
ok(wait_for("count(*) = 2 $movers"), 'which starts a mover');
ends_well($plan, 'a mover too many');
is($cluster->sql("SELECT retries FROM shardwise.moves WHERE plan_id = $plan"), 0, 'they do not meet');

$plan = start_slowly($range);
$cluster->on_shard('s1', 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
ends_well($plan, 'slot dropped');
like(history($cluster, $plan), qr/planned\|The replication slot on the source was lost/, 'it begins anew');

# ---- rows in the way: the move fails, and the source stays the owner ----
my ($last, $new) = split /\n/, $cluster->on_shard('s1', "SELECT max(key) FROM (SELECT key FROM items WHERE hashint8extended(key, 0) < -4000000000000000000 ORDER BY ctid DESC LIMIT 1) l
	UNION ALL SELECT min(k) FROM generate_series(10000, 10100) k WHERE hashint8extended(k, 0) < -4000000000000000000");
$plan = start_slowly($range);
replica('s2', "INSERT INTO items VALUES ($last, 100, 5)");
set_router(move_rate_limit => 0);
wait_plan_ok($cluster, $plan, 'failed', 'a row in the way of the copy');
like($cluster->sql("SELECT error FROM shardwise.plans WHERE plan_id = $plan"), qr/^shard "s2": duplicate key(?!.*$last)/, 'it is told, without its key');
leftovers_ok($cluster, 'failed');
$cluster->sql("SELECT shardwise.resume_plan($plan)");
ends_well($plan, 'resumed');

$plan = start_slowly($range);
replica('s2', "INSERT INTO items VALUES ($new, 100, 5)");
$cluster->sql("INSERT INTO items VALUES ($new, 100, 6)");
set_router(move_rate_limit => 0);
wait_plan_ok($cluster, $plan, 'failed', 'a row in the way of a change');
like($cluster->sql("SELECT error FROM shardwise.plans WHERE plan_id = $plan"), qr/shard "s2" cannot apply the changes/, 'it is told');
leftovers_ok($cluster, 'failed');
$cluster->sql("DELETE FROM items WHERE key = $new");
$cluster->sql("SELECT shardwise.cancel_plan($plan)");
is_over($plan, 'cancelled', 'given up');

# ---- the way back is lost, then the WAL of a slot, then the publisher at the wrong moment ----
$plan = start_plan($cluster, $range, ", 'none'");
wait_plan_ok($cluster, $plan, 'swapped', 'a plan swaps');
like(history($cluster, $plan), qr/verified\|not verified, as the operator asked/, 'without verification');
my $back = $cluster->on_shard('s1', 'SELECT subname FROM pg_subscription');
$cluster->on_shard('s1', "ALTER SUBSCRIPTION $back DISABLE");
ok($cluster->shard('s2')->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$back'"), 'its replication stops');
$cluster->on_shard('s2', "SELECT pg_drop_replication_slot('$back')");
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
wait_plan_ok($cluster, $plan, 'swapped', 'without its slot there is no way back');
like($cluster->sql("SELECT error FROM shardwise.plans WHERE plan_id = $plan"), qr/cannot be rolled back: the replication slot on shard "s2".* was lost/, 'the operator is told');
$cluster->sql("SELECT shardwise.finish_plan($plan)");
is_over($plan, 'done', 'finished instead');

$plan = start_slowly("plan_move_range('items', NULL, '-4000000000000000000', 's1')");
$cluster->sql("SELECT shardwise.pause_plan($plan)");
wait_plan_ok($cluster, $plan, 'paused', 'a new plan brings the rows back, and is paused');
$cluster->on_shard('s2', "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
$cluster->shard('s2')->reload;
$cluster->on_shard('s2', "SELECT pg_logical_emit_message(false, 'x', repeat('x', 100)), pg_switch_wal()") for 1 .. 3;
$cluster->on_shard('s2', 'CHECKPOINT');
is($cluster->on_shard('s2', 'SELECT wal_status FROM pg_replication_slots'), 'lost', 'max_slot_wal_keep_size takes its slot');
$cluster->on_shard('s2', 'ALTER SYSTEM RESET max_slot_wal_keep_size');
$cluster->shard('s2')->reload;
$cluster->sql("SELECT shardwise.resume_plan($plan)");
ok(wait_for("EXISTS (SELECT FROM shardwise.move_events e WHERE e.plan_id = $plan AND event = 'planned') AND state = 'copying'
	AND snapshot IS NOT NULL FROM shardwise.move WHERE plan_id = $plan"), 'the copy begins anew');
my $catalog = $cluster->shard('s2')->background_psql('postgres');
$catalog->query_safe('BEGIN');
$catalog->query_safe('LOCK TABLE pg_publication IN ACCESS EXCLUSIVE MODE');
set_router(move_rate_limit => 0);
ok($cluster->shard('s2')->poll_query_until('postgres', "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'"), 'the source ends the session that subscribes');
$catalog->query_safe('COMMIT');
$catalog->quit;
wait_plan_ok($cluster, $plan, 'swapped', 'the plan goes on');
like(history($cluster, $plan), qr/planned\|The replication slot on the source was lost.*retry\|shard "s1": could not receive list of publications/s, 'and tells what happened');
$cluster->sql("SELECT shardwise.finish_plan($plan)");
is_over($plan, 'done', 'brought back');

# ---- differences that a sample shows; an operator may insist ----
$plan = start_slowly($range, ", 'sampled'");
ok($cluster->shard('s2')->poll_query_until('postgres', "SELECT bool_or($sample) AND NOT bool_and($sample) FROM items WHERE $moving"), 'rows arrive');
$cluster->sql("SELECT shardwise.pause_plan($plan)");
wait_plan_ok($cluster, $plan, 'paused', 'it is paused');
replica('s2', "UPDATE items SET value = 0 WHERE key IN (SELECT min(key) FROM items WHERE $moving GROUP BY $sample)");
set_router(move_rate_limit => 0);
$cluster->sql("SELECT shardwise.resume_plan($plan)");
wait_plan_ok($cluster, $plan, 'failed', 'a difference in the sample');
is($cluster->sql("SELECT mismatched, missing, extra FROM shardwise.move_verification JOIN shardwise.move USING (move_id) WHERE plan_id = $plan"),
	'2|0|0', 'has all rows compared');
like(history($cluster, $plan), qr/verification widened/, 'and says so');
$cluster->sql("SELECT shardwise.resume_plan($plan, 'force')");
wait_plan_ok($cluster, $plan, 'swapped', 'the operator may swap all the same');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
ok(wait_for("error LIKE '%not rolled back%' FROM shardwise.moves WHERE plan_id = $plan"), 'the way back is verified too');
$cluster->sql("SELECT shardwise.resume_plan($plan, 'force')");
is_over($plan, 'rolled_back', 'insisted');

# ---- transactions that last ----
my $writer = $router->background_psql('postgres');
my $reader = $router->background_psql('postgres', on_error_stop => 0);
$writer->query_safe('BEGIN');
$writer->query_safe("UPDATE items SET value = value + 1 WHERE key = $last");
set_router(move_rate_limit => '100kB'); # not to be over before the next transaction is there
$plan = start_plan($cluster, $range);
ok(wait_for("state = 'copying' FROM shardwise.moves WHERE plan_id = $plan"), 'a move waits for a writer from before');
my (undef, $states) = $cluster->errors("SET lock_timeout = '300ms'; CREATE INDEX more ON items (id); UPDATE items SET value = value WHERE key <> $last");
is($states->[0] =~ /^(55006|55P03)$/ ? 1 : 0, 1, 'DDL waits or is refused');
$writer->query_safe('ROLLBACK');
ok(wait_for("chunks > 0 FROM shardwise.moves WHERE plan_id = $plan"), 'and goes on after it');
$cluster->on_shard('s1', "BEGIN; UPDATE items SET value = value + 1 WHERE key = $last; PREPARE TRANSACTION 'stray'");
set_router(move_rate_limit => 0);
my $sum = 'SELECT count(*), sum(value) FROM items';
my $unmoved = $cluster->sql("SELECT min(key) FROM items WHERE shardwise.key_hash('items', key) > -4000000000000000000
	AND shardwise.locate('items', key) = 's1'");
my $early = $router->background_psql('postgres');
my $scans = $router->background_psql('postgres');
my $inserts = $router->background_psql('postgres');
$reader->query("PREPARE two AS SELECT sum(value) FROM items WHERE key IN ($unmoved, $last)");
is($reader->query('EXECUTE two'), 20, 'two keys on one shard');
for my $session ($reader, $early)
{
	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$session->query('SELECT count(*) FROM events');
}
is($reader->query($sum), $all, 'a reader begins');
$router->safe_psql('postgres', 'CREATE FUNCTION wait_here() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN 0; END $$');
$writer->query_safe('SELECT pg_advisory_lock(7)');
$router->safe_psql('postgres', 'CREATE TABLE kept (rows bigint, value numeric, again text)');
my $two_scans = "WITH one AS MATERIALIZED ($sum), waiting AS MATERIALIZED (SELECT wait_here() FROM one)
	SELECT one.*, (SELECT count(*) || '|' || sum(value) FROM items WHERE id >= w.wait_here) FROM one, waiting w;\n";
$scans->query_until(qr/sent/, "\\echo sent\n$two_scans");
$inserts->query_until(qr/sent/, "\\echo sent\nINSERT INTO kept $two_scans");
ok(wait_for("count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'advisory'"), 'queries are between two scans');
my $put_off = "EXISTS (SELECT FROM shardwise.move_events WHERE plan_id = $plan AND event = 'swap put off')";
ok(wait_for("$put_off OR EXISTS (SELECT FROM shardwise.move_events WHERE plan_id = $plan AND event IN ('retry'))"), 'a prepared transaction holds the swap up');
is($cluster->sql("SET statement_timeout = '20s'; UPDATE items SET value = value WHERE key = $last - 0 AND id = 0; SELECT state IN ('verified', 'swapping', 'verifying') FROM shardwise.moves WHERE plan_id = $plan"),
	't', 'but no other writer for long');
$cluster->on_shard('s1', "ROLLBACK PREPARED 'stray'");
wait_plan_ok($cluster, $plan, 'swapped', 'it swaps when that one has ended');
my $moved = "key = $last AND id = 100";
$cluster->sql("UPDATE items SET value = value + 1 WHERE $moved");
is($reader->query($sum), $all, 'a snapshot from before the swap sees all rows where they were');
is($reader->query("SELECT value FROM items WHERE $moved"), 10, 'also one of them');
is($reader->query("UPDATE items SET value = value + 1 WHERE key = $unmoved AND id = 100 RETURNING value"), 11, 'and writes others');
is($reader->query("SELECT value FROM items WHERE key IN ($unmoved, $last) AND id = 100 ORDER BY value"), "10\n11", 'which it sees');
$reader->query("UPDATE items SET value = value + 1 WHERE $moved");
like($reader->{stderr} // '', qr/due to a concurrent move of rows/, 'one that has moved would not be where its snapshot is');
$reader->{stderr} = '';
$reader->query('ROLLBACK');
$writer->query_safe('SELECT pg_advisory_unlock(7)');
is($scans->query("\\echo"), "$all|$all\n", 'the query ends with the map that it began with');
$inserts->query("\\echo");
my ($count, $total) = split /\|/, $all;
is($cluster->sql('TABLE kept'), "$all|$count|" . ($total + 1), 'one whose parts have snapshots of their own goes on');
is($reader->query("SELECT value FROM items WHERE $moved"), 11, 'the next statement has the new one');
is($reader->query('EXECUTE two'), 21, 'two keys on two shards: another plan');
$cluster->sql("UPDATE items SET value = value - 1 WHERE $moved");
$_->quit for $reader, $writer, $scans, $inserts;
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
is_over($plan, 'rolled_back', 'long transactions');
is($early->query($sum), $all, 'a snapshot from before the copy is good to the end');
$early->quit;

# ---- a target that hangs in the middle of a swap: writers are not held up for it ----
set_router('swap_timeout', 10000);
my $fence = $cluster->shard('s1')->background_psql('postgres');
$plan = start_plan($cluster, $range, ", 'none'");
ok($cluster->shard('s1')->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_namespace WHERE nspname ~ '^shardwise_'"), 'a plan begins');
$fence->query_safe("SELECT pg_advisory_lock_shared(('x' || substr(split_part(nspname, '_', 2), 1, 8))::bit(32)::int, split_part(nspname, '_', 3)::int) FROM pg_namespace WHERE nspname ~ '^shardwise_'");
ok(wait_for("swap_attempts = 1 FROM shardwise.moves WHERE plan_id = $plan"), 'and is about to swap');
$cluster->shard('s2')->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$cluster->shard('s2')->reload;
$fence->quit;
ok(wait_for("error LIKE '%s2\" did not answer in time' FROM shardwise.moves WHERE plan_id = $plan"), 'the target hangs: the swap is given up');
$cluster->sql("SET statement_timeout = '60s'; UPDATE items SET value = value WHERE key = $last");
$cluster->shard('s2')->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$cluster->shard('s2')->reload;
ends_well($plan, 'the target goes on');
set_router('swap_timeout', 1000);

# ---- two plans at once, told of by notifications ----
my $other = $cluster->sql("SELECT shardwise.plan_remove_shard('s4')");
set_router(move_rate_limit => '20kB');
$plan = start_plan($cluster, $range);
$cluster->sql("SELECT shardwise.start_plan($other)");
ok(wait_for("count(*) = 2 FROM shardwise.moves WHERE plan_id IN ($plan, $other) AND state = 'copying' AND workers > 0"), 'two plans copy at the same time');
set_router(move_rate_limit => 0);
my $heard = $cluster->sql("LISTEN shardwise_move; SELECT shardwise.wait_plan($plan); SELECT shardwise.wait_plan($other);
	SELECT shardwise.finish_plan($other); SELECT shardwise.wait_plan($other); SELECT 1");
for my $state ('verifying', 'verified', 'swapping', 'swapped', 'cleaning', 'done')
{
	like($heard, qr/"shardwise_move" with payload "$other \d+ $state"/, "two plans: $state is notified");
}
placed_ok($cluster, 'events', 2000, 'two plans');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
is_over($plan, 'rolled_back', 'two plans');

# ---- a standby falls behind ----
sub make_standby
{
	my ($shard, $name) = @_;
	my $primary = $cluster->shard($shard);
	$primary->backup('base');
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($primary, 'base', has_streaming => 1);
	$node->start;
	ok($primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"), "$shard has a standby");
	return $node;
}
my $standby = make_standby('s2', 'standby');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$cluster->on_shard('s2', "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1000000))) FROM generate_series(1, 3)");
set_router(move_max_replica_lag => '1MB');
$plan = start_plan($cluster, $range);
ok(wait_for("throttled_by = 'replica lag' FROM shardwise.moves WHERE plan_id = $plan"), 'the copy waits for it');
like(history($cluster, $plan), qr/held up\|Standby "standby" of shard "s2" is \d+ MB behind/, 'and says so');
$cluster->sql("SELECT shardwise.pause_plan($plan)");
wait_plan_ok($cluster, $plan, 'paused', 'an operator is heard meanwhile');
$cluster->sql("SELECT shardwise.resume_plan($plan)");
ok(wait_for("throttled_by = 'replica lag' FROM shardwise.moves WHERE plan_id = $plan"), 'it waits again');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
ends_well($plan, 'standby');
set_router(move_max_replica_lag => -1);

# ---- failover: of the target while rows are copied, of the source before a rollback ----
sub fail_over
{
	my ($shard, $node) = @_;
	$cluster->shard($shard)->stop('immediate');
	$node->promote;
	$cluster->{shards}{$shard} = $node;
	$cluster->sql("SELECT shardwise.update_shard('$shard', '" . $cluster->shard_conninfo($shard) . "')");
	return;
}
my $other_standby = make_standby('s1', 'other_standby');
$valid = $cluster->sql("SELECT shardwise.$range");
$cluster->sql(sprintf "ALTER SERVER s1 OPTIONS (SET port '%d')", $other_standby->port);
like($cluster->sql("SELECT check_name FROM shardwise.validate_plan($valid) WHERE severity = 'error'"), qr/recovery/, 'a standby is no shard');
$cluster->sql(sprintf "ALTER SERVER s1 OPTIONS (SET port '%d'); SELECT shardwise.cancel_plan($valid)", $cluster->shard('s1')->port);
$plan = start_slowly($range);
fail_over('s2', $standby);
set_router(move_rate_limit => 0);
wait_plan_ok($cluster, $plan, 'swapped', 'the target fails over: the plan goes on');
like(history($cluster, $plan), qr/planned\|Shard "s2" has failed over since the copy began/, 'with a new copy');
my $written = "UPDATE items SET value = value + %d WHERE shardwise.key_hash('items', key) < -4000000000000000000 AND key < 100";
$cluster->sql(sprintf $written, 1);
$cluster->shard('s1')->wait_for_catchup('other_standby');
fail_over('s1', $other_standby);
$cluster->sql(sprintf $written, -1);
$cluster->on_shard('s1', "ALTER SUBSCRIPTION " . $cluster->on_shard('s1', 'SELECT subname FROM pg_subscription') . ' DISABLE');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
is_over($plan, 'rolled_back', 'the source fails over');

# ---- the application is slow: the move goes more slowly ----
my $probe = $cluster->sql("SELECT min(key) FROM items WHERE shardwise.locate('items', key) = 's1' AND key <> $last");
set_router(move_rate_limit => '2MB', move_max_slowdown => 3);
$cluster->sql("INSERT INTO items SELECT k, i, 0, repeat('y', 8000) FROM generate_series(1, 9000) k, generate_series(1, 1) i WHERE shardwise.key_hash('items', k) < -4000000000000000000");
my $script = $router->basedir . '/statements.sql';
my $statement = "SELECT value, pg_sleep(%s) FROM items WHERE key = $probe AND id = 100;\n";
append_to_file($script, sprintf($statement, 0.01) x 3000);
$cluster->sql('SELECT shardwise.stat_reset()');
$router->safe_psql('postgres', sprintf($statement, 0) x 200);
is($cluster->sql("SELECT median_response_time <= p99_response_time AND p99_response_time <= max_response_time * 1.25 FROM shardwise.stat_shards WHERE shard = 's1'"),
	't', 'percentiles of response times');
$plan = start_plan($cluster, $range);
my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $router->connstr('postgres'), '-f', $script ], '<', \undef, '>', '/dev/null');
ok(wait_for("throttled_by = 'latency' FROM shardwise.moves WHERE plan_id = $plan"), 'a slow application slows the copy down');
set_router(move_max_slowdown => 0);
$run->kill_kill;
set_router(move_rate_limit => 0);
wait_plan_ok($cluster, $plan, 'swapped', 'it ends all the same');
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
wait_plan_ok($cluster, $plan, 'rolled_back', 'and is rolled back');
$cluster->sql('DELETE FROM items WHERE id = 1');

# ---- no background worker is free: parallel queries have taken what three of the server's own left ----
$router->safe_psql('postgres', 'ALTER SYSTEM SET max_worker_processes = 5');
$router->restart;
my ($busy, @sleepers) = (0);
sub wake_sleepers
{
	$cluster->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND backend_type = 'client backend'");
	$_->finish for @sleepers;
	return;
}
# Right after the start one of the workers may look whether there are plans.
for my $attempt (1 .. 10)
{
	@sleepers = map { IPC::Run::start([ 'psql', '-XqAt', '-d', $router->connstr('postgres'),
		'-c', 'SET force_parallel_mode = on', '-c', 'SELECT pg_sleep(600)' ], '<', \undef, '>', \my $out, '2>', \my $err) } 1 .. 2;
	wait_for("count(*) = 2 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND wait_event = 'ExecuteGather' OR
		backend_type = 'client backend' AND wait_event = 'PgSleep'");
	$busy = $cluster->sql("SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'parallel worker'") eq 't';
	last if $busy;
	wake_sleepers();
}
ok($busy, 'all workers are busy');
$plan = $cluster->sql("SELECT shardwise.$range");
my (undef, undef, $warning) = $router->psql('postgres', "SELECT shardwise.start_plan($plan)");
like($warning, qr/no background worker is free to run plans.*goes on as soon as one is free/s, 'a plan that is started then says so');
wake_sleepers();
ends_well($plan, 'few workers');

my @asked = slurp_file($router->logfile) =~ /FATAL:  database \d+ does not exist/g;
is(scalar(grep { slurp_file($cluster->shard($_)->logfile) =~ /SUBSCRIPTION \S+ CONNECTION/ } $cluster->shard_names), 0,
	'no connection string of another shard is in the log of one');
cmp_ok(scalar(@asked), '<=', 1, 'nobody asks for a database that was dropped again and again');

done_testing();
