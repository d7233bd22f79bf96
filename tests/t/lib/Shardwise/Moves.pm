# What tests of moves share: nothing may be left on shards, every row is in its place.
package Shardwise::Moves;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(crash leftovers_ok wait_plan_ok placed_ok start_plan history);
our $conf = "wal_retrieve_retry_interval = 100ms\nmax_worker_processes = 24\nmax_logical_replication_workers = 12\nmax_replication_slots = 20\n"
  . "max_wal_senders = 20\nlog_statement = none\n";

# Objects of moves on the shards.
sub leftovers
{
	my ($cluster) = @_;
	return join '', map { $cluster->on_shard($_, <<'SQL') } $cluster->shard_names;
SELECT concat_ws(',',
	(SELECT string_agg('slot ' || slot_name, ',') FROM pg_replication_slots),
	(SELECT string_agg('subscription ' || subname, ',') FROM pg_subscription),
	(SELECT string_agg('publication ' || pubname, ',') FROM pg_publication),
	(SELECT string_agg('trigger ' || tgname, ',') FROM pg_trigger WHERE tgname LIKE 'shardwise%'),
	(SELECT string_agg('schema ' || nspname, ',') FROM pg_namespace WHERE nspname LIKE 'shardwise%'),
	(SELECT string_agg('identity ' || relname, ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind = 'r' AND relreplident <> 'd'),
	(SELECT string_agg('session ' || application_name, ',') FROM pg_stat_activity
		WHERE application_name LIKE 'shardwise\_%'))
SQL
}

sub leftovers_ok
{
	my ($cluster, $name) = @_;
	is(leftovers($cluster), '', "$name: nothing is left on a shard");
	is($cluster->sql('SELECT (SELECT count(*) FROM shardwise.ghost_range) + (SELECT count(*) FROM shardwise.gate)
		+ (SELECT count(*) FROM shardwise.move WHERE leftovers)'), 0, "$name: nor in the catalog");
	return;
}

sub history
{
	my ($cluster, $plan) = @_;
	return $cluster->sql("SELECT at::time, event, detail FROM shardwise.move_events WHERE plan_id = $plan ORDER BY event_id");
}

sub wait_plan_ok
{
	my ($cluster, $plan, $state, $name) = @_;
	my $found = $cluster->sql("SELECT shardwise.wait_plan($plan, '180 s')");
	is($found, $state, $name) or diag(history($cluster, $plan));
	return $found eq $state;
}

# Makes a plan by a call of a function of schema shardwise, and starts it.
sub start_plan
{
	my ($cluster, $call, $arguments) = @_;
	my $plan = $cluster->sql("SELECT shardwise.$call");
	$cluster->sql("SELECT shardwise.start_plan($plan" . ($arguments // '') . ')');
	return $plan;
}

# kill -9 of a process that shares memory: the postmaster ends all others and starts recovery.
sub crash
{
	my ($node) = @_;
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
	kill 'KILL', $pid;
	for (1 .. 600)
	{
		# Writing to a psql that could not connect fails.
		my ($status, $out) = eval { $node->psql('postgres', "SELECT pid <> $pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'") };
		return if defined $status && $status == 0 && $out eq 't';
		select(undef, undef, undef, 0.1);
	}
	die 'the server does not come back';
}

# Every row of a table is on the shard that owns it, and on no other.
sub placed_ok
{
	my ($cluster, $table, $rows, $name) = @_;
	is($cluster->sql("SELECT sum(misplaced) FROM shardwise.verify_table('$table')"), 0, "$name: no row is misplaced");
	is($cluster->sum_on_shards("SELECT count(*) FROM $table"), $rows, "$name: no row is lost or twice there");
	return;
}

1;
