# Prepared statements: planned once on each server, and made anew when what they stand on changes.
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
my $other = $cluster->key_elsewhere('customers', '1::bigint');

# A router session's prepared statements on all shards.
my $remote = q{SELECT coalesce(sum(result::int), 0)
	FROM shardwise.run_on_shards('SELECT count(*) FROM pg_prepared_statements')};

# One statement on the router, and one on each shard that it went to, whatever the keys.
my $session = $router->background_psql('postgres');
$session->query_safe('PREPARE p (bigint) AS SELECT name FROM customers WHERE customer_id = $1');
is($session->query_safe("EXECUTE p ($_)"), "customer $_", "key $_") for 1 .. 20;
is($session->query_safe("SELECT generic_plans >= 14 FROM pg_prepared_statements WHERE name = 'p'"),
	't', 'the router plans it once');
my $before = $session->query_safe($remote);
cmp_ok($before, '>=', 1, 'it is kept prepared on the shards');
cmp_ok($before, '<=', 3, 'once on each');
$session->query_safe("EXECUTE p ($_)") for 21 .. 60;
is($session->query_safe($remote), $before, 'other keys prepare nothing anew');
$session->query_safe("SELECT name FROM customers WHERE customer_id = $_") for 1 .. 40;
my $simple = $session->query_safe($remote);
cmp_ok($simple - $before, '<=', 3, 'constants of simple statements are parameters on the shards');

# A table that changes under it.
sub on_all
{
	my ($sql) = @_;
	
	$cluster->sql($sql);
	# Where this version does not forward a statement, its operator does it.
	for my $name ($cluster->shard_names)
	{
		$cluster->shard($name)->psql('postgres', $sql);
	}
	return;
}
$session->query_safe('PREPARE whole (bigint) AS SELECT * FROM customers WHERE customer_id = $1');
is($session->query_safe('EXECUTE whole (1)'), '1|customer 1|100.00', 'before') for 1 .. 7;
on_all('ALTER TABLE customers ALTER balance TYPE numeric(20,4)');
is($session->query_safe('SELECT * FROM customers WHERE customer_id = 1'), '1|customer 1|100.0000',
	'a column changed its type: an ordinary statement sees it');
is($session->query_safe('SELECT balance FROM customers WHERE customer_id = 1'), '100.0000', 'again');
is($session->query_safe('EXECUTE p (1)'), 'customer 1', 'a prepared one works on');
$session->query_safe('PREPARE fresh (bigint) AS SELECT * FROM customers WHERE customer_id = $1');
is($session->query_safe('EXECUTE fresh (1)'), '1|customer 1|100.0000', 'one prepared anew works') for 1 .. 7;
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

# Very many statements: what is kept on the shards is bounded.
$session->query_safe("SELECT name, $_ FROM customers WHERE customer_id = 1 AND balance <> $_ AND name <> 'x$_'") for 1 .. 20;
$session->query_safe("SELECT name AS c$_ FROM customers WHERE customer_id = 1") for 1 .. 600;
cmp_ok($session->query_safe($remote), '<', 2000, 'statements that are no longer used are given up');
$session->quit;

done_testing();
