# shardctl: what people and scripts see of a router.
use strict;
use warnings;
use lib 'lib';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Shardwise::Moves;
use Test::More;

my $program = $ENV{SHARDCTL};
plan skip_all => 'shardctl is not built' unless $program && -x $program;

my $cluster = Shardwise::Cluster->new(conf => $Shardwise::Moves::conf);
my $router = $cluster->router;
my ($out, $err);

# Runs shardctl against the router; returns its exit status.
sub ctl
{
	my (@arguments) = @_;
	local %ENV = (%ENV, PGHOST => $router->host, PGPORT => $router->port, PGDATABASE => 'postgres');
	($out, $err) = ('', '');
	IPC::Run::run([ $program, @arguments ], "<", \"", '>', \$out, '2>', \$err);
	return $? >> 8;
}
sub json { return decode_json($out); }

is(ctl(), 2, 'no command: usage');
like($err, qr/add-shard/, 'help lists the commands');
is(ctl('--help'), 0, '--help succeeds');
is(ctl('nonsense'), 2, 'an unknown command: usage');
is(ctl('--version'), 0, '--version');
is(ctl('plan', 'move-range', '--help'), 0, 'help of a command below another');
like($out, qr/MINVALUE/, 'with its arguments');
is(ctl('-d', 'host=127.0.0.1 port=1', 'shards'), 3, 'no connection');

# shards and tables
is(ctl('shards'), 0, 'shards');
like($out, qr/^ +1 +s1 /m, 'a table');
is(ctl('shards', '--json'), 0, 'as JSON');
is_deeply([ map { $_->{name} } @{ json() } ], [qw(s1 s2 s3)], 'an array of objects');
is(ctl('check-shard', $cluster->shard_conninfo('s1')), 0, 'check-shard of a good database');
my $itself = sprintf('host=%s port=%d dbname=postgres', $router->host, $router->port);
is(ctl('check-shard', $itself), 4, 'check-shard finds a failed check');
like($out, qr/separate_database +f /, 'and says which');
$cluster->sql('CREATE TABLE t (k bigint PRIMARY KEY, v text)');
$cluster->sql("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 3000) i");
$cluster->sql('CREATE TABLE r (a text, b int, PRIMARY KEY (a, b)); CREATE TABLE i (id int PRIMARY KEY)');
is(ctl('distribute', 't', 'k', '--shards', 's1,s2'), 0, 'distribute');
is(ctl('distribute', 'r', 'a', 'b', '--strategy', 'range', '--splits', '("m, ""n""",5)'), 0,
	'distribute by range') or diag($err);
is(ctl('reference', 'i', '--json'), 0, 'reference');
is(json()->[0]{kind}, 'reference', 'shows the table');
is(ctl('tables', '--json'), 0, 'tables');
is_deeply([ sort map { "$_->{relation} $_->{kind}" } @{ json() } ],
	[ 'i reference', 'r distributed', 't distributed' ], 'all of them');
is(ctl('locate', 't', '42'), 0, 'locate');
is($out, $cluster->owner('t', '42::bigint') . "\n", 'prints the shard alone');
is(ctl('locate', 'r', 'm, "n"', '5'), 0, 'locate a key of two columns, with quotes');
is($out, "s2\n", 'at the bound: the upper range');
is(ctl('ranges', 'r', '--json'), 0, 'ranges of one table');
is(scalar(@{ json() }), 2, 'has two');
is(ctl('locate', 'none', '1'), 1, 'an error of the router: 1');
like($err, qr/relation "none" does not exist/, 'with its message');

# plans
is(ctl('plan', 'add-shard', 's3', '--json'), 0, 'plan add-shard');
my $plan = json()->{plan_id};
is($cluster->sql("SELECT kind FROM shardwise.plans WHERE plan_id = $plan"), 'add_shard', 'is a plan');
is(scalar(@{ json()->{moves} }), 2, 'with two moves');
is(ctl('show', $plan), 0, 'show');
like($out, qr/s1 +s3/, 'shows source and target');
is(ctl('show', 999), 1, 'show of no plan');
is(ctl('validate', $plan), 0, 'validate') or diag($out . $err);
like($out, qr/^info +disk/m, 'tells what it found');
$cluster->shard('s3')->safe_psql('postgres', 'ALTER TABLE t ADD extra int');
is(ctl('validate', $plan, '-j'), 4, 'errors: exit status 4');
is((grep { $_->{severity} eq 'error' } @{ json() })[0]{check_name}, 'schema', 'the error is shown');
$cluster->shard('s3')->safe_psql('postgres', 'ALTER TABLE t DROP extra');
is(ctl('plan', 'move-key', 't', 's3', '7'), 0, 'plan move-key');
is(ctl('plan', 'move-range', 't', 's3', '--', '-100', '100'), 1, 'arguments in the wrong order');
is(ctl('plan', 'move-range', '--json', '--', 't', '-100', '100', 's3'), 0, 'a negative bound') or diag($err);
is(json()->{moves}[0]{ranges}, '[-100, 0)', 'is read as one');
is(ctl('plan', 'rebalance', 't', '--by', 'rows', '--threshold', '1'), 0, 'plan rebalance');
is(ctl('plan', 'rebalance', '--by', 'weight'), 1, 'a wrong argument');
is(ctl('plan', 'remove-shard', 's1', '--json'), 0, 'plan remove-shard');
is(ctl('plans', '--json'), 0, 'plans');
cmp_ok(scalar(@{ json() }), '>=', 4, 'lists them');
is(ctl('balance'), 0, 'balance');
like($out, qr/t +s1 +\d+/, 'by keyspace and shard');

# a plan runs, is watched, goes back, and runs to its end
is(ctl('plan', 'move-range', '--json', '--', 't', 'MINVALUE', '-4000000000000000000', 's3'), 0, 'plan a move');
$plan = json()->{plan_id};
is(ctl('start', $plan, '--watch', '--interval', '0.1'), 0, 'start --watch') or diag($out . $err);
like($out, qr/^move \d+ s1 -> s3: swapped 100 %, \d+ rows verified/m, 'a line when a move has swapped') or diag($out);
like($out, qr/^plan $plan: swapped$/m, 'ends when the plan has swapped');
unlike($out, qr/\033/, 'no bars where there is no terminal');
is(ctl('verify', 't', '--json'), 0, 'verify') or diag($out . $err);
is(ctl('rollback', $plan), 2, 'rollback asks');
is(ctl('rollback', $plan, '--yes', '--watch', '--json'), 0, 'rollback --watch --json') or diag($err);
is(decode_json((split /\n/, $out)[-1])->{state}, 'rolled_back', 'the last line has the outcome');
is(ctl('events', $plan), 0, 'events');
like($out, qr/rolled_back/, 'tell what happened');
is(ctl('plan', 'move-range', 't', 'MINVALUE', '-4000000000000000000', 's3', '--json'), 0, 'another plan');
$plan = json()->{plan_id};
$cluster->on_shard('s3', q{CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
	CREATE TRIGGER full_disk BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION full_disk();
	ALTER TABLE t ENABLE ALWAYS TRIGGER full_disk});
is(ctl('start', $plan), 0, 'start');
ok($router->poll_query_until('postgres', "SELECT retries > 0 FROM shardwise.moves WHERE plan_id = $plan"),
	'a copy that fails for want of space is tried again');
is(ctl('watch', $plan, '--timeout', '0.1'), 5, 'watch gives up') or diag($out);
is(ctl('doctor'), 0, 'doctor');
like($out, qr/move \d+ of plan $plan is tried again and again: shard "s3": No space left/, 'tells what goes wrong');
$cluster->on_shard('s3', 'DROP FUNCTION full_disk() CASCADE');
is(ctl('cancel', $plan, '-y', '-w'), 0, 'cancel');
like($out, qr/^plan $plan: cancelled$/m, 'undoes it');
is(ctl('plan', 'move-key', 't', 's3', '7', '--json'), 0, 'plan to isolate a key');
$plan = json()->{plan_id};
is(ctl('start', $plan, '-w'), 0, 'start');
is(ctl('doctor'), 0, 'doctor');
like($out, qr/plan $plan has swapped and can be rolled back/, 'reminds of finish');
is(ctl('finish', $plan, '-y', '-w'), 0, 'finish') or diag($out . $err);
is(ctl('locate', 't', '7'), 0, 'the key');
is($out, "s3\n", 'is isolated');
is(ctl('moves', $plan, '--json'), 0, 'moves');
is(json()->[0]{state}, 'done', 'shows it is done');
is(ctl('finish', $plan, '-y'), 1, 'what is over cannot be finished');
is(ctl($_, 999), 1, "$_ of no plan") for 'watch', 'moves', 'events';
is(ctl('plan', 'move-key', 't', 's1', '7', '--json'), 0, 'the key goes on');
$plan = json()->{plan_id};
is(ctl('start', $plan, '-w'), 0, 'moves');
is(ctl('finish', $plan, '-y', '-w'), 0, 'and is there');

# what takes away asks; there is no terminal here
is(ctl('remove-shard', 's3'), 2, 'remove-shard wants a confirmation');
like($err, qr/--yes/, 'and says how');
is(ctl('remove-shard', 's3', '--yes', '--json'), 0, 'remove-shard --yes');
is(json()->{removed}, 's3', 'tells');
is(ctl('add-shard', 's3', $cluster->shard_conninfo('s3'), '--weight', '2'), 0, 'add-shard') or diag($err);
is($cluster->sql("SELECT weight FROM shardwise.shards WHERE name = 's3'"), '2', 'with a weight');
is(ctl('update-shard', 's3', '--weight', '1.5'), 0, 'update-shard');
is($cluster->sql("SELECT weight FROM shardwise.shards WHERE name = 's3'"), '1.5', 'changes it');

# the whole
is(ctl('status', '--json'), 0, 'status');
is(json()->[0]{shards}, 3, 'counts shards');
is(ctl('doctor'), 0, 'doctor');
like($out, qr/^ok +reachable/m, 'all is well');
$cluster->on_shard('s2', "CREATE COLLATION older (provider = icu, locale = 'en'); CREATE TABLE notes (note text COLLATE older);
	UPDATE pg_collation SET collversion = '1' WHERE collname = 'older'");
is(ctl('doctor'), 0, 'doctor');
like($out, qr/^warning +index_collations +shard "s2": .* public.older\. Run REINDEX/m, 'sees that a library was upgraded on a shard');
is(ctl('metrics'), 0, 'metrics');
like($out, qr/^# TYPE shardwise_shards gauge\nshardwise_shards 3\n/, 'in Prometheus form');
like($out, qr/^shardwise_shard_weight\{shard="s3"\} 1\.5$/m, 'with labels');
is(scalar(grep { !/^(# TYPE \w+ (gauge|counter)|\w+(\{(\w+="[^"]*",?)+\})? -?[0-9.e+-]+)$/ } split /\n/, $out),
	0, 'every line has that form');
is(ctl('in-doubt', '--json'), 0, 'in-doubt');
is_deeply(json(), [], 'is empty');
$cluster->shard('s2')->stop('fast');
is(ctl('doctor', '--json'), 4, 'doctor notices a shard that is down');
is((grep { $_->{severity} eq 'error' } @{ json() })[0]{check_name}, 'reachable', 'and says so');
is(ctl('balance'), 1, 'which is no failure to reach the router');

done_testing();
