# Prepared statements: planned once on each server, and made anew when what they stand on changes.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => 'log_min_duration_statement = 0');
my $router = $cluster->router;
$cluster->fill_customers;
my $other = $cluster->key_elsewhere('customers', '1::bigint');

# How often the shards have parsed a statement on the table since the last call.
my %seen = map { $_ => 0 } $cluster->shard_names;

sub parsed
{
	my $count = 0;
	for my $name ($cluster->shard_names)
	{
		my $log = slurp_file($cluster->shard($name)->logfile, $seen{$name});
		$seen{$name} += length($log);
		$count += () = $log =~ /duration: [^:]* parse [^:]+: [^\n]*customers/g;
	}
	return $count;
}

# One statement on the router, and one on each shard that it went to, whatever the keys.
my $session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_safe('PREPARE p (bigint) AS SELECT name FROM customers WHERE customer_id = $1');
parsed();
is($session->query_safe("EXECUTE p ($_)"), "customer $_", "key $_") for 1 .. 20;
is($session->query_safe("SELECT generic_plans >= 14 FROM pg_prepared_statements WHERE name = 'p'"),
	't', 'the router plans it once');
is(parsed(), 3, 'each shard parses it once');
$session->query_safe("EXECUTE p ($_)") for 21 .. 60;
is(parsed(), 0, 'other keys prepare nothing anew');
$session->query_safe("SELECT name, balance FROM customers WHERE customer_id = $_") for 1 .. 40;
is(parsed(), 3, 'constants of simple statements are parameters on the shards');

# A table that changes under it.
$session->query_safe('PREPARE whole (bigint) AS SELECT * FROM customers WHERE customer_id = $1');
$session->query_safe('EXECUTE whole (1)') for 1 .. 7;
$cluster->sql('ALTER TABLE customers ALTER balance TYPE numeric(20,4)');
is($session->query_safe('SELECT * FROM customers WHERE customer_id = 1'), '1|customer 1|100.0000',
	'a column changed its type: an ordinary statement sees it');
is($session->query_safe('SELECT name, balance FROM customers WHERE customer_id = 1'),
	'customer 1|100.0000', 'and so does one that was planned before');
is($session->query_safe('EXECUTE p (1)'), 'customer 1', 'a prepared one works on');
my $changed = $session->query('EXECUTE whole (1)');
like($session->{stderr}, qr/cached plan must not change result type/,
	'one whose columns changed fails as it does in PostgreSQL');
$session->{stderr} = '';
$session->query_safe('PREPARE fresh (bigint) AS SELECT * FROM customers WHERE customer_id = $1');
is($session->query_safe('EXECUTE fresh (1)'), '1|customer 1|100.0000', 'prepared anew it works') for 1 .. 7;
$session->query_safe('DEALLOCATE ALL');

# The map changes: a table comes home and goes out again, with another strategy.
$session->query_safe('PREPARE p (bigint) AS SELECT name FROM customers WHERE customer_id = $1');
$session->query_safe('PREPARE u (bigint) AS UPDATE customers SET balance = balance + 1 WHERE customer_id = $1');
$session->query_safe("EXECUTE p ($_)") for 1 .. 7;
$session->query_safe("EXECUTE u ($_)") for 1 .. 7;
$cluster->sql("SELECT shardwise.undistribute_table('customers')");
is($session->query_safe("EXECUTE p ($_)"), "customer $_", "back on the router: key $_") for (1, 2, $other);
$session->query_safe('EXECUTE u (1)');
$cluster->sql("SELECT shardwise.distribute_table('customers', 'customer_id', strategy => 'range',
	splits => ARRAY['30', '60'])");
is($session->query_safe("EXECUTE p ($_)"), "customer $_", "out again: key $_") for (1, 2, 29, 30, 31, 60, 99, $other);
$session->query_safe('EXECUTE u (1)');
is($cluster->balance(1), '103.0000', 'no update went to a place that is none any more');

# A shard that restarts loses what was prepared there.
$cluster->shard($_)->restart for $cluster->shard_names;
my $result = $session->query("EXECUTE p (1)"); # may say that the connection was lost
$session->{stderr} = '';
is($session->query_safe("EXECUTE p ($_)"), "customer $_", "after a restart: key $_") for (1, 31, 99);

# Statements that nobody uses any more are given up on the shards, too.
parsed();
my $start = -s $cluster->shard($cluster->owner('customers', '1::bigint'))->logfile;
$session->query_safe("SELECT name AS c$_ FROM customers WHERE customer_id = 1") for 1 .. 1500;
cmp_ok(parsed(), '>=', 1500, 'very many different statements');
like(slurp_file($cluster->shard($cluster->owner('customers', '1::bigint'))->logfile, $start),
	qr/DEALLOCATE/, 'not all of them are kept');
$session->quit;

# The client's parameters are as many as there may be; now() and what conditions have besides make more.
is($cluster->sql(<<'SQL'), 3, 'more parameters than a message takes');
SELECT 'PREPARE many AS SELECT count(*) FROM customers WHERE customer_id IN (1, 30, 31) AND balance > 0 AND customer_id IN ('
	|| string_agg('$' || i, ',') || ') AND now() > ''2000-01-01'' AND $1 < 5' FROM generate_series(1, 65535) i \gexec
SELECT 'EXECUTE many (' || string_agg(i::text, ',') || ')' FROM generate_series(1, 65535) i \gexec
SQL

done_testing();
