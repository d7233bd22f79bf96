# Dumps of a router: all rows are in them, and come back beside the same shards, on empty shards, and
# into tables that are distributed already.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
my $dir = $router->basedir;

# One schema whose rows come before the extension's metadata in a dump, one whose rows come after.
$cluster->sql(<<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE items (id int PRIMARY KEY, name text);
CREATE TABLE orders (customer int, id serial, mood mood DEFAULT 'sad', item int REFERENCES items, note text CHECK (note <> ''),
	PRIMARY KEY (customer, id));
CREATE TABLE lines (customer int, id int, line int, PRIMARY KEY (customer, id, line),
	FOREIGN KEY (customer, id) REFERENCES orders);
CREATE SCHEMA zoo;
CREATE TABLE zoo.visits (k int, day date, PRIMARY KEY (k, day)) PARTITION BY RANGE (day);
CREATE TABLE zoo.visits_2025 PARTITION OF zoo.visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE zoo.keyless (k int NOT NULL, b bytea);
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 5) i;
INSERT INTO orders (customer, item, note) SELECT i, 1 + i % 5, 'note' FROM generate_series(1, 100) i;
INSERT INTO lines SELECT customer, id, 1 FROM orders;
INSERT INTO zoo.visits SELECT i, '2025-05-05' FROM generate_series(1, 50) i;
INSERT INTO zoo.keyless SELECT i, '\x00ff' FROM generate_series(1, 50) i;
SELECT shardwise.create_reference_table('items');
SELECT shardwise.distribute_table('orders', 'customer');
SELECT shardwise.distribute_table('lines', 'customer', colocate_with => 'orders');
SELECT shardwise.distribute_table('zoo.visits', 'k');
SELECT shardwise.distribute_table('zoo.keyless', 'k', strategy => 'consistent_hash');
SQL
my @tables = qw(items orders lines zoo.visits zoo.keyless);
my %columns = (items => 'id', orders => 'customer', lines => 'customer', 'zoo.visits' => 'k', 'zoo.keyless' => 'k');

# What the router answers from a database: number and checksum of each table's rows.
sub rows
{
	my ($database) = @_;
	return $router->safe_psql($database, join("\nUNION ALL ",
		map { "SELECT '$_', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM $_ t" } @tables));
}
my $rows = rows('postgres');
like($rows, qr/^items\|5\|.*\norders\|100\|.*\nlines\|100\|.*\nzoo.visits\|50\|.*\nzoo.keyless\|50\|/, 'all rows are there');

sub settled
{
	my ($database) = @_;
	return $router->safe_psql($database,
		'SELECT relation, action, rows FROM shardwise.finish_restore() ORDER BY relation::text COLLATE "C"');
}
sub settled_as { my ($action) = @_; return "items|$action|5\nlines|$action|100\norders|$action|100\nzoo.keyless|$action|50\nzoo.visits|$action|50"; }

# Runs the client programs on the router.
sub program { my ($name, @command) = @_; $router->command_ok(\@command, $name); }

program('dump', 'pg_dump', '-f', "$dir/plain.sql", 'postgres');
program('dump, custom format', 'pg_dump', '-Fc', '-f', "$dir/custom", 'postgres');
program('dump of rows', 'pg_dump', '--data-only', '-f', "$dir/rows.sql",
	map({ ('-t', $_) } @tables, 'zoo.visits_2025'), 'postgres');

# The shards are as they were.
program('createdb', 'createdb', 'beside');
program('restore', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'beside', '-f', "$dir/plain.sql");
is(rows('beside'), $rows, 'the shards answer');
is(settled('beside'), settled_as('dropped'), "the dump's rows are dropped");
is($router->safe_psql('beside', join(' + ', 'SELECT ' . join(' + ', map { "pg_relation_size('$_')" } @tables, 'zoo.visits_2025'))),
	0, 'the router keeps none');
is(rows('beside'), $rows, 'nothing is there twice');
is(settled('beside'), '', 'once is enough');
is($router->safe_psql('beside', 'SELECT count(*) FROM pg_constraint WHERE contype = $$f$$'), 2,
	'foreign keys are back');
program('createdb', 'createdb', 'parallel');
program('parallel restore', 'pg_restore', '-e', '-j', '3', '-d', 'parallel', "$dir/custom");
is(settled('parallel'), settled_as('dropped'), "the dump's rows are dropped");

# A dump has no statistics of the shards: whoever finishes the restore asks for them.
$cluster->on_shard($_, 'ANALYZE') for $cluster->shard_names;
$router->append_conf('postgresql.conf', 'shardwise.statistics_interval = 1');
$router->reload;
program('createdb', 'createdb', 'followed');
program('restore', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'followed', '-f', "$dir/plain.sql");
my $followed = 'SELECT count(*) FROM shardwise.table_statistics';
sleep 2;
is($router->safe_psql('followed', $followed), 0, 'nobody looks at a database that is being restored');
settled('followed');
ok($router->poll_query_until('followed', $followed, 6), 'the statistics follow');
$router->append_conf('postgresql.conf', 'shardwise.statistics_interval = 0');
$router->reload;
is(rows('parallel'), $rows, 'nothing is there twice');
$router->safe_psql($_, 'DROP EXTENSION shardwise CASCADE') for qw(beside parallel postgres);

# Empty shards.
sub clear_shards
{
	$cluster->on_shard($_, 'DROP TABLE lines, orders, items; DROP SCHEMA zoo CASCADE; DROP TYPE mood')
	  for $cluster->shard_names;
}
clear_shards();
program('createdb', 'createdb', 'fresh');
program('restore', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'fresh', '-f', "$dir/plain.sql");
my (undef, $output, $error) = $router->psql('fresh',
	"SET check_function_bodies = off; SET row_security = off; SELECT set_config('search_path', '', false); SELECT shardwise.finish_restore()");
like($error, qr/still restores a dump/, 'not in the session that restores');
$cluster->on_shard('s2', 'CREATE TABLE items (id int)');
(undef, $output, $error) = $router->psql('fresh', 'SELECT shardwise.finish_restore()');
like($error, qr/items is on shard "s2", but not on shard "s\d"/, 'a table on one shard alone: refused');
$cluster->on_shard('s2', 'DROP TABLE items');
is(settled('fresh'), settled_as('created'), 'the tables are created, and the rows loaded');
is(rows('fresh'), $rows, 'all rows are back');
is($cluster->sum_on_shards('SELECT count(*) FROM orders'), 100, 'on the shards');
is($cluster->on_shard('s1', 'SELECT count(*) FROM pg_constraint WHERE contype IN ($$f$$, $$c$$, $$p$$) AND conrelid IN ($$orders$$::regclass, $$lines$$::regclass)'),
	5, 'with their constraints');
is($router->safe_psql('fresh', "INSERT INTO orders (customer, item) VALUES (1000, 1) RETURNING id"), 101,
	'sequences go on');
$router->safe_psql('fresh', 'DELETE FROM orders WHERE customer = 1000');

# Tables that are distributed already.
$router->safe_psql('fresh', 'TRUNCATE lines, orders, zoo.visits, zoo.keyless, items');
program('restore of rows', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'fresh', '-f', "$dir/rows.sql");
is(rows('fresh'), $rows, 'the rows went to the shards');
is(settled('fresh'), '', 'nothing to finish');
$router->command_fails_like([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'fresh', '-f', "$dir/rows.sql" ],
	qr/duplicate key/, 'a second time, keys are there already');
is(rows('fresh'), $rows, 'and nothing changes');

done_testing();
