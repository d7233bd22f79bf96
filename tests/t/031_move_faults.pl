# Moves that are disturbed: differences, strays, cancel at any moment, kill -9 of any server.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Moves;
use Shardwise::Oracle;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => "${Shardwise::Moves::conf}restart_after_crash = on");
my $router = $cluster->router;
my $rounds = $ENV{SHARDWISE_CRASHES} // 6;
my $seed = $ENV{SHARDWISE_SEED} // time;
srand($seed);
note("SHARDWISE_SEED=$seed");

$cluster->sql(<<'SQL');
CREATE TABLE items (key bigint, id int, value bigint NOT NULL, note text, PRIMARY KEY (key, id));
INSERT INTO items SELECT k, 100, 10, repeat('x', 200) FROM generate_series(1001, 9000) k;
SELECT shardwise.distribute_table('items', 'key');
SQL
my $range = "plan_move_range('items', NULL, '-4000000000000000000', 's2')";
my $moving = $cluster->sql("SELECT count(*) FROM items WHERE shardwise.key_hash('items', key) < -4000000000000000000");
sub replica { return $cluster->on_shard($_[0], "SET session_replication_role = replica; $_[1]"); }
sub set_rate
{
	$router->safe_psql('postgres', "ALTER SYSTEM SET shardwise.move_rate_limit = '$_[0]'");
	$router->reload;
	return;
}
sub wait_for_state
{
	my ($plan, $states) = @_;
	return $router->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM shardwise.moves WHERE plan_id = $plan AND state IN ($states))");
}

# Rows that an earlier try left on the target are cleared. Differences are found while the copy is
# being made wrong: one row changed, one missing, one too many.
$router->safe_psql('postgres', "ALTER SYSTEM SET shardwise.move_chunk_size = '64kB'");
set_rate('100kB');
my $stray = $cluster->sql("SELECT min(key) FROM items WHERE shardwise.key_hash('items', key) < -4000000000000000000");
replica('s2', "INSERT INTO items VALUES ($stray, 100, 77), ($stray, 101, 77)");
my $plan = start_plan($cluster, $range);
ok($router->poll_query_until('postgres', "SELECT count(*) > 2 FROM shardwise.move_chunk WHERE rows > 2"), 'some chunks are copied');
my @keys = split /\n/, $cluster->on_shard('s2', "SELECT key FROM items WHERE hashint8extended(key, 0) < -4000000000000000000 LIMIT 2");
is($cluster->sql("SELECT count(*) FROM items"), 8000, 'rows in flight are not counted');
like(history($cluster, $plan), qr/cleared/, 'rows of an earlier try were cleared');
replica('s2', "UPDATE items SET value = value + 1 WHERE key = $keys[0]; DELETE FROM items WHERE key = $keys[1];
	INSERT INTO items VALUES ($stray, 999, 1)");
$cluster->sql("SELECT shardwise.pause_plan($plan)");
wait_plan_ok($cluster, $plan, 'paused', 'the plan pauses');
my (undef, $states) = $cluster->errors('ALTER TABLE items ADD COLUMN more int');
is_deeply($states, ['55006'], 'DDL on the tables of a move is refused');
(undef, $states) = $cluster->errors("SELECT shardwise.start_plan($plan); SELECT shardwise.finish_plan($plan);
	SELECT shardwise.start_plan(-1); SELECT shardwise.verify_move(-1); SELECT shardwise.resume_plan($plan, 'no');
	SELECT * FROM shardwise.verify_table('pg_class'); CREATE ROLE stranger; SET ROLE stranger; SELECT shardwise.cancel_plan($plan);
	SELECT * FROM shardwise.verify_table('items')");
is_deeply($states, [qw(55000 55000 42704 42704 22023 42809 42501 42501)], 'functions refuse what makes no sense');
set_rate('0');
$cluster->sql("SELECT shardwise.resume_plan($plan)");
wait_plan_ok($cluster, $plan, 'failed', 'differences stop the plan');
is($cluster->sql("SELECT mismatched, missing, extra, cardinality(key_hashes) FROM shardwise.move_verification"), '1|1|1|3',
	'each of them is found');
is($cluster->sql("SELECT shard, mismatched, missing, extra FROM shardwise.verify_move((SELECT max(move_id) FROM shardwise.move))"),
	's2|1|1|1', 'verify_move() finds them as well');
is($cluster->sql("SELECT count(*) FROM shardwise.ranges WHERE shard = 's2'"), 1, 'the source still owns the range');
$cluster->sql("SELECT shardwise.resume_plan($plan, 'repair')");
wait_plan_ok($cluster, $plan, 'swapped', 'repaired, the plan goes on');
like(history($cluster, $plan), qr/repaired\|3 rows/, 'three rows are repaired');

# After the swap: the source's copy goes wrong, and a stray writer comes along.
replica('s1', "DELETE FROM items WHERE key = $keys[0]");
my (undef, undef, $error) = $cluster->shard('s1')->psql('postgres', "UPDATE items SET value = 0 WHERE key = $keys[1]");
like($error, qr/have moved to another shard/, 'the fence stops a stray writer');
$cluster->sql("UPDATE items SET value = 4711 WHERE key = $keys[1]");
$cluster->sql("SELECT shardwise.rollback_plan($plan)");
ok($router->poll_query_until('postgres', "SELECT error LIKE '%not rolled back%' FROM shardwise.move"), 'differences stop a rollback');
$cluster->sql("SELECT shardwise.resume_plan($plan, 'repair')");
wait_plan_ok($cluster, $plan, 'rolled_back', 'repaired, it is rolled back');
is($cluster->sql("SELECT value FROM items WHERE key = $keys[1]"), 4711, 'no write since the swap is lost');
leftovers_ok($cluster, 'rolled back');
placed_ok($cluster, 'items', 8000, 'rolled back');

# Cancel at any moment.
for my $round (1 .. 5)
{
	$plan = start_plan($cluster, $range);
	select(undef, undef, undef, 0.15 * rand 6);
	# Where the swap was faster, the plan stays swapped, and is rolled back instead.
	$router->psql('postgres', "SELECT shardwise.cancel_plan($plan)");
	my $state = $cluster->sql("SELECT shardwise.wait_plan($plan, '60 s')");
	$cluster->sql("SELECT shardwise.rollback_plan($plan)") if $state eq 'swapped';
	wait_plan_ok($cluster, $plan, $state eq 'swapped' ? 'rolled_back' : 'cancelled', "cancel $round: $state");
	leftovers_ok($cluster, "cancel $round");
	placed_ok($cluster, 'items', 8000, "cancel $round");
}

# kill -9 of a server at a random moment, with clients that know what must be there.
my $oracle = Shardwise::Oracle->start(router => $router, clients => 2, table => 'items', keys => [ 1 .. 40 ],
	dir => $router->basedir, crashes => 1);
ok($oracle->wait_for_progress, 'clients write');
for my $round (1 .. $rounds)
{
	my ($victim) = ('router', 's1', 's2')[ ($round - 1) % 3 ];
	my $node = $victim eq 'router' ? $router : $cluster->shard($victim);
	set_rate($round % 2 ? '2MB' : '0');
	$plan = start_plan($cluster, $range);
	# Now and then right after the swap: the slot for the way back is where it was at the last checkpoint.
	if ($round % 6 == 3) { wait_for_state($plan, "'swapped', 'failed'"); }
	else { select(undef, undef, undef, rand 1.2); }
	my $state = $cluster->sql("SELECT state FROM shardwise.moves WHERE plan_id = $plan");
	crash($node);
	set_rate('0');
	wait_plan_ok($cluster, $plan, 'swapped', "$victim killed in state $state: the plan goes on");
	my ($end, $final) = $round % 2 ? ('rollback_plan', 'rolled_back') : ('finish_plan', 'done');
	$cluster->sql("SELECT shardwise.$end($plan)");
	select(undef, undef, undef, rand 0.3);
	crash($node) if $round > 3;
	wait_plan_ok($cluster, $plan, $final, "$victim: $end");
	leftovers_ok($cluster, "$victim killed, $end");
	ok($oracle->wait_for_progress, "clients write on");
	if ($final eq 'done')
	{
		$plan = start_plan($cluster, "plan_move_range('items', NULL, '-4000000000000000000', 's1')");
		wait_plan_ok($cluster, $plan, 'swapped', 'moved back');
		$cluster->sql("SELECT shardwise.finish_plan($plan)");
		wait_plan_ok($cluster, $plan, 'done', 'and finished');
	}
}
my ($statements, $problems, $expected) = $oracle->stop;
is_deeply($problems, [], 'the clients found what they expected');
note("$statements statements");
my %found = map { split /=/ } split /\n/, $cluster->sql("SELECT key || '/' || id || '=' || value FROM items WHERE id < 100");
is_deeply(\%found, $expected, 'every acknowledged write is there once, and nothing else');
placed_ok($cluster, 'items', 8000 + keys %$expected, 'after the crashes');

done_testing();
