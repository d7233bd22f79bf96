# One router and a number of shard servers for TAP tests.
package Shardwise::Cluster;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;


# Starts the servers; shards are named s1, s2, ... on the router too. Options: shards (default 3),
# conf (lines for every server).
sub new
{
	my ($class, %options) = @_;
	my $self = bless { shards => {} }, $class;
	my $count = $options{shards} // 3;
	my $conf = $options{conf} // '';

	for my $name ((map { "s$_" } 1 .. $count), 'router')
	{
		my $node = PostgreSQL::Test::Cluster->new($name);
		$node->init(allows_streaming => 'logical');
		# init() for logical replication leaves 10 connections and too few prepared transactions.
		$node->append_conf('postgresql.conf', <<"CONF");
max_connections = 60
max_prepared_transactions = 60
$conf
CONF
		if ($name eq 'router')
		{
			# Estimates and connections are those of the test alone.
			$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'shardwise'
shardwise.statistics_interval = 0
CONF
			$self->{router} = $node;
		}
		else
		{
			$self->{shards}{$name} = $node;
		}
		$node->start;
	}
	$self->sql('CREATE EXTENSION shardwise');
	$self->add_shard($_) for sort keys %{ $self->{shards} };
	return $self;
}

sub router { return $_[0]{router}; }
sub shard { return $_[0]{shards}{ $_[1] }; }
sub shard_names { return sort keys %{ $_[0]{shards} }; }

sub shard_conninfo
{
	my ($self, $name) = @_;
	my $node = $self->shard($name);
	my $user = $ENV{USER} // getpwuid($<);
	return sprintf('host=%s port=%d dbname=postgres user=%s', $node->host, $node->port, $user);
}

sub add_shard
{
	my ($self, $name) = @_;
	my $conninfo = $self->shard_conninfo($name);
	return $self->sql("SELECT shardwise.add_shard('$name', '$conninfo')");
}

# Runs SQL on the router; dies if it fails.
sub sql { return $_[0]->router->safe_psql('postgres', $_[1]); }

# Runs SQL on a shard, past the router.
sub on_shard { return $_[0]->shard($_[1])->safe_psql('postgres', $_[2]); }

# Runs SQL on every shard and returns the sum of the numbers.
sub sum_on_shards
{
	my ($self, $sql) = @_;
	my $sum = 0;
	$sum += $self->on_shard($_, $sql) for $self->shard_names;
	return $sum;
}

# Runs SQL on the router in one session, going on after errors; returns (output, [SQLSTATEs]).
sub errors
{
	my ($self, $sql) = @_;
	my ($stdout, $stderr);
	$self->router->psql('postgres', $sql,
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my @states = $stderr =~ /(?:ERROR|FATAL): +([0-9A-Z]{5}):/g;
	$self->{last_error} = $stderr;
	return ($stdout, \@states);
}

# What the server said in the last errors().
sub last_error { return $_[0]{last_error}; }

# The shard that owns a key.
sub owner
{
	my ($self, $table, $key) = @_;
	return $self->sql("SELECT shardwise.locate('$table', $key)");
}

# A key of the table that lives on another shard than `$key`.
sub key_elsewhere
{
	my ($self, $table, $key) = @_;
	return $self->sql("SELECT min(k) FROM generate_series(1, 1000) k
		WHERE shardwise.locate('$table', k::bigint) <> shardwise.locate('$table', $key)");
}

# Makes customers (key customer_id) with some rows and distributes it.
sub fill_customers
{
	my ($self) = @_;
	$self->sql(<<'SQL');
CREATE TABLE customers (customer_id bigint PRIMARY KEY, name text NOT NULL, balance numeric(12,2) NOT NULL);
INSERT INTO customers SELECT i, 'customer ' || i, 100 FROM generate_series(1, 100) i;
SELECT shardwise.distribute_table('customers', 'customer_id');
SQL
	return;
}

# The balance of a customer, read from the shard itself.
sub balance
{
	my ($self, $key) = @_;
	return $self->on_shard($self->owner('customers', "$key\::bigint"),
		"SELECT balance FROM customers WHERE customer_id = $key");
}

# Sessions of the router on all shards, by state.
sub shard_sessions
{
	my ($self, $condition) = @_;
	return $self->sum_on_shards("SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND application_name = 'shardwise' AND ($condition)");
}

# Waits until no router session is inside a transaction on any shard.
sub wait_until_idle
{
	my ($self) = @_;
	for my $name ($self->shard_names)
	{
		$self->shard($name)->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity
			WHERE application_name = 'shardwise' AND state <> 'idle'")
		  or return 0;
	}
	return 1;
}

1;
