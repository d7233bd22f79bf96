# Moves of ranges while clients write: nothing is lost, nothing appears twice, nobody sees an error.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Oracle;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => "wal_retrieve_retry_interval = 100ms\nmax_worker_processes = 20");

# Every row of a table on the shard that owns it, and nowhere else.
sub check_places
{
	my ($name, $table, $columns) = @_;
	my ($wrong, %rows) = (0);
	for my $shard ($cluster->shard_names)
	{
		for my $row (split /\n/, $cluster->on_shard($shard, "SELECT $columns, key FROM $table"))
		{
			my ($id, $value, $key) = $row =~ /^(.*)=(-?\d+)\|(.*)$/;
			$wrong++ if exists $rows{$id};
			$rows{$id} = $value;
		}
	}
	is($wrong, 0, "$name: no row is on two shards");
	my $misplaced = 0;
	for my $shard ($cluster->shard_names)
	{
		my $keys = $cluster->on_shard($shard, "SELECT array_agg(DISTINCT key) FROM $table");
		$misplaced += $cluster->sql("SELECT count(*) FROM unnest('$keys'::text[]) k
			WHERE shardwise.locate('$table', k) <> '$shard'") if $keys ne '';
	}
	is($misplaced, 0, "$name: every row is on the shard that owns it");
	return \%rows;
}

sub leftovers
{
	return join ' ', map { my $shard = $_; $cluster->on_shard($shard, <<'SQL') } $cluster->shard_names;
SELECT concat_ws(',',
	(SELECT string_agg('slot ' || slot_name, ',') FROM pg_replication_slots),
	(SELECT string_agg('subscription ' || subname, ',') FROM pg_subscription),
	(SELECT string_agg('publication ' || pubname, ',') FROM pg_publication),
	(SELECT string_agg('trigger ' || tgname, ',') FROM pg_trigger WHERE tgname LIKE 'shardwise%'),
	(SELECT string_agg('schema ' || nspname, ',') FROM pg_namespace WHERE nspname LIKE 'shardwise%'),
	(SELECT string_agg('identity ' || relname, ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relreplident <> 'd'),
	(SELECT string_agg('session ' || application_name, ',') FROM pg_stat_activity WHERE application_name LIKE 'shardwise\_%'))
SQL
}

sub clean_ok
{
	my ($name) = @_;
	is(leftovers() =~ s/ //gr, '', "$name: no object is left on a shard");
	is($cluster->sql('SELECT (SELECT count(*) FROM shardwise.ghost_range) + (SELECT count(*) FROM shardwise.gate)
		+ (SELECT count(*) FROM shardwise.move WHERE leftovers)'), 0, "$name: nor in the catalog");
	return;
}

sub wait_plan
{
	my ($plan, $state, $name) = @_;
	is($cluster->sql("SELECT shardwise.wait_plan($plan, '120 s')"), $state, $name)
	  or diag($cluster->sql("SELECT event, detail FROM shardwise.move_event JOIN shardwise.move USING (move_id)
		WHERE plan_id = $plan ORDER BY event_id"));
	return;
}

$cluster->sql(<<'SQL');
CREATE TABLE items (key bigint, id int, value bigint NOT NULL, note text DEFAULT 'some text', PRIMARY KEY (key, id));
CREATE TABLE details (key bigint NOT NULL, id int, value bigint, FOREIGN KEY (key, id) REFERENCES items ON DELETE CASCADE);
INSERT INTO items SELECT k, 100, 10 FROM generate_series(1001, 3000) k;
INSERT INTO details SELECT k, 100, 1 FROM generate_series(1001, 3000) k;
SELECT shardwise.distribute_table('items', 'key');
SELECT shardwise.distribute_table('details', 'key', colocate_with => 'items');
SQL
my $frozen = "SELECT count(*), sum(value) FROM items WHERE id = 100";
my $before = $cluster->sql($frozen);

my $oracle = Shardwise::Oracle->start(router => $cluster->router, clients => 3, table => 'items',
	keys => [ 1 .. 60 ], dir => $cluster->router->basedir);
ok($oracle->wait_for_progress, 'clients write');

# Forward, back, forward again; with a reader of sums meanwhile.
my $range = "'items', '-9223372036854775808', '-4000000000000000000', 's2'";
for my $round ('forward', 'again')
{
	my $plan = $cluster->sql("SELECT shardwise.plan_move_range($range)");
	$cluster->sql("SELECT shardwise.start_plan($plan)");
	my $wavered = 0;
	for (1 .. 200)
	{
		$wavered++ if $cluster->sql($frozen) ne $before;
		last if $cluster->sql("SELECT state FROM shardwise.plan WHERE plan_id = $plan") ne 'running';
	}
	wait_plan($plan, 'swapped', "$round: the range moves");
	is($wavered, 0, "$round: sums never waver");
	ok($oracle->wait_for_progress, "$round: clients write on");
	if ($round eq 'forward')
	{
		$cluster->sql("SELECT shardwise.rollback_plan($plan)");
		wait_plan($plan, 'rolled_back', 'the plan is rolled back');
	}
	else
	{
		$cluster->sql("SELECT shardwise.finish_plan($plan)");
		wait_plan($plan, 'done', 'the plan is finished');
	}
	is($cluster->sql($frozen), $before, "$round: the rows are all there");
	clean_ok($round);
	ok($oracle->wait_for_progress, "$round: and clients write on");
}
my ($statements, $problems, $expected) = $oracle->stop;
is_deeply($problems, [], 'no client saw an error');
note("$statements statements");
my $found = check_places('after the moves', 'items', "key || '/' || id || '=' || value");
delete $found->{$_} for grep { m{/100$} } keys %$found;
is_deeply($found, $expected, 'every acknowledged write is there once, and nothing else');
is($cluster->sum_on_shards('SELECT count(*) FROM details'), 2000, 'the child table moved along');
is($cluster->sql("SELECT count(*) FROM shardwise.move WHERE write_block_ms > 0"), 2, 'the write block is measured');

done_testing();
