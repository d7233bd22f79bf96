// Partitions that come to a distributed or reference table, and those that leave it.
#pragma once

#include "ddl/utility_call.hpp"

namespace shardwise
{

// True for ATTACH and DETACH PARTITION, of tables and indexes, which stand alone in a statement.
bool is_partition_command(const AlterTableCmd *command);

// Runs ATTACH or DETACH on the router and on the shards. A local table that is attached goes to the
// shards with its rows; a partition that is detached becomes a distributed table of its own.
void forward_partition_command(const UtilityCall &call, AlterTableStmt *statement, Oid relid);

// Refuses ALTER of a local table that would make it the parent or child of a table on the shards.
void check_relatives_are_local(Oid relid, const AlterTableStmt *statement);

// CREATE TABLE ... PARTITION OF; false where no parent is on the shards. Refuses INHERITS, and
// foreign tables.
bool forward_create_partition(const UtilityCall &call, CreateStmt *statement);

// Gives a table the placement of another one.
void place_like(Oid relid, Oid model);

// DETACH PARTITION CONCURRENTLY, and FINALIZE: concurrent_detach.cpp.
void detach_concurrently(const UtilityCall &call, Oid parent, Oid partition);
void finalize_detach(const UtilityCall &call, Oid parent, Oid partition);

} // namespace shardwise
