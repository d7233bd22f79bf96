// Rows in bulk between the router's tables and the shards, past triggers, rules and constraints:
// the rows have passed them where they come from. Texts of rows rely on begin_management()'s
// settings.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"
#include "ddl/table_shipment.hpp"

namespace shardwise
{

// Copies all rows of a table and its partitions to the shards that own them (a distributed table,
// as find_table() says) or to every target (a reference table). The caller holds
// AccessExclusiveLock. Returns the number of rows. Errors: 23514 when no shard owns a row.
uint64 copy_rows_out(const Table *table, const List *targets);

// Empties the router's table and partitions; no trigger fires, sequences stay.
void empty_local_table(Oid relid);

// Copies the rows that a shard owns into the router's empty table and partitions. Indexes are left
// for rebuild_local_indexes(). Returns the number of rows.
uint64 copy_rows_home(const Table *table, const Target *source);

// Rebuilds the indexes of a table and its partitions after copy_rows_home().
void rebuild_local_indexes(Oid relid);

// Copies a whole table from one shard to another, as it is. Returns the number of rows.
uint64 copy_between_shards(Oid relid, const Target *source, const Target *target);

} // namespace shardwise
