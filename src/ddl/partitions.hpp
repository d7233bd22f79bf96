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

// CREATE TABLE ... PARTITION OF; false where no parent is on the shards. Refuses INHERITS.
bool forward_create_partition(const UtilityCall &call, CreateStmt *statement);

} // namespace shardwise
