# Moves of ranges while clients write: nothing is lost, nothing appears twice, nobody sees an error.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Moves;
use Shardwise::Oracle;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => $Shardwise::Moves::conf);

$cluster->sql(<<'SQL');
CREATE TABLE items (key bigint, id int, value bigint NOT NULL, note text DEFAULT 'some text', PRIMARY KEY (key, id));
CREATE TABLE details (key bigint NOT NULL, id int, value bigint, FOREIGN KEY (key, id) REFERENCES items ON DELETE CASCADE);
INSERT INTO items SELECT k, 100, 10 FROM generate_series(1001, 3000) k;
INSERT INTO details SELECT k, 100, 1 FROM generate_series(1001, 3000) k;
CREATE TABLE accounts (key bigint PRIMARY KEY, value bigint NOT NULL);
INSERT INTO accounts SELECT k, 1000 FROM generate_series(1, 200) k;
SELECT shardwise.distribute_table('items', 'key');
SELECT shardwise.distribute_table('details', 'key', colocate_with => 'items');
SELECT shardwise.distribute_table('accounts', 'key', colocate_with => 'items');
SQL
my $frozen = "SELECT count(*), sum(value) FROM items WHERE id = 100; SELECT count(*), sum(value) FROM accounts";
my $before = $cluster->sql($frozen);

my $oracle = Shardwise::Oracle->start(router => $cluster->router, clients => 3, table => 'items',
	keys => [ 1 .. 60 ], dir => $cluster->router->basedir);
ok($oracle->wait_for_progress, 'clients write');
# Transfers between any two accounts, most of them on two shards.
my $script = $cluster->router->basedir . '/transfer.sql';
append_to_file($script, <<'SQL');
\set a random(1, 199)
\set b random(:a + 1, 200)
BEGIN;
UPDATE accounts SET value = value - 1 WHERE key = :a;
UPDATE accounts SET value = value + 1 WHERE key = :b;
END;
SQL
my $transfers = IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-T', '600', '-f', $script, $cluster->router->connstr('postgres') ],
	'>', \my $summary, '2>', \my $complaints);

# Forward, back, forward again; with a reader of sums meanwhile.
my $range = "'items', '-9223372036854775808', '-4000000000000000000', 's2'";
for my $round ('forward', 'again')
{
	my $plan = start_plan($cluster, "plan_move_range($range)");
	my $wavered = 0;
	for (1 .. 200)
	{
		$wavered++ if $cluster->sql($frozen) ne $before;
		last if $cluster->sql("SELECT state FROM shardwise.plan WHERE plan_id = $plan") ne 'running';
	}
	wait_plan_ok($cluster, $plan, 'swapped', "$round: the range moves");
	is($wavered, 0, "$round: sums never waver");
	ok($oracle->wait_for_progress, "$round: clients write on");
	if ($round eq 'forward')
	{
		$cluster->sql("SELECT shardwise.rollback_plan($plan)");
		wait_plan_ok($cluster, $plan, 'rolled_back', 'the plan is rolled back');
	}
	else
	{
		$cluster->sql("SELECT shardwise.finish_plan($plan)");
		wait_plan_ok($cluster, $plan, 'done', 'the plan is finished');
	}
	is($cluster->sql($frozen), $before, "$round: the rows are all there");
	leftovers_ok($cluster, $round);
	ok($oracle->wait_for_progress, "$round: and clients write on");
}
$transfers->signal('TERM'); # who runs tests in the background has them ignore INT
$transfers->finish;
unlike($complaints, qr/ERROR|FATAL|abort/, 'no transfer failed');
cmp_ok($cluster->sql("SELECT sum(two_phase_transactions) FROM shardwise.stat_shards"), '>', 100, 'and many were on two shards');
my ($statements, $problems, $expected) = $oracle->stop;
is_deeply($problems, [], 'no client saw an error');
note("$statements statements");
my %found = map { split /=/ } split /\n/, $cluster->sql("SELECT key || '/' || id || '=' || value FROM items WHERE id < 100");
is_deeply(\%found, $expected, 'every acknowledged write is there once, and nothing else');
placed_ok($cluster, 'items', 2000 + keys %$expected, 'after the moves');
is($cluster->sum_on_shards('SELECT count(*) FROM details'), 2000, 'the child table moved along');
is($cluster->sum_on_shards('SELECT sum(value) FROM accounts'), 200000, 'no transfer was lost or made twice');
is($cluster->sql("SELECT count(*) FROM shardwise.move WHERE write_block_ms > 0"), 2, 'the write block is measured');

done_testing();
