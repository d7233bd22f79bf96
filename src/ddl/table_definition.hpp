// SQL that makes a table on a shard what it is on the router, read from the router's catalogs.
// Every function returns a list of statements (char *) for the table and all of its partitions,
// with every name qualified; they mean what they say under search_path = pg_catalog.
//
// Left out on purpose:
// - identity columns and defaults that read a sequence: the router's sequences supply the values
//   of statements. The columns stay, NOT NULL as they are; what a shard needs for rows that its
//   triggers insert, ddl/shard_sequences.hpp adds.
// - rewrite rules: the router has applied them before a statement reaches a shard.
// - FORCE ROW LEVEL SECURITY: the router applies policies to the owner too; on a shard the owner is
//   the router's connection, whatever role asks.
// - tablespaces.
#pragma once

#include "pg/pg.hpp"
#include "pg/names.hpp"

namespace shardwise
{

// Lists a table and its partitions of all levels, parents first, and locks them.
List *table_tree(Oid relid, LOCKMODE lock);

// The tables with columns and validated checks, partitions attached: all that rows need.
List *table_creation_sql(Oid relid);

// What is better made after the rows: indexes, keys, unvalidated checks, extended statistics.
List *table_index_sql(Oid relid);

// Foreign keys, apart because they need the other table's keys.
List *table_foreign_key_sql(Oid relid);

// Triggers, row-level security switches, replica identity, comments.
List *table_behaviour_sql(Oid relid);

// Policies, grants and the owner, for the roles that a shard has. `roles`: text[] of roles that
// exist there; `owners`: text[] of roles to whom the connection may give a table.
List *table_access_sql(Oid relid, Datum roles, Datum owners);

// A table (with partitions of its own) that becomes a partition, in steps: the tables, without
// being attached; their indexes and keys, which spare the parent's being built anew; then what
// attaches it, and the rest of table_index_sql().
List *partition_creation_sql(Oid relid);
List *partition_index_sql(Oid relid);
List *partition_attach_sql(Oid relid);

// One policy; NIL if it concerns none of the roles.
List *policy_sql(Oid relid, const char *name, Datum roles);

// Names of all roles that table_access_sql() could use: text[].
Datum roles_of_table(Oid relid);

// The column names that rows have (without generated columns), quoted and separated by commas.
char *table_column_list(Relation rel);

} // namespace shardwise
