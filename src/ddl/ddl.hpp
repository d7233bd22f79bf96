// What this room offers to shardwise.cpp and to its own files.
#pragma once

#include "pg/pg.hpp"
#include "pg/restoring.hpp"

namespace shardwise
{

// Registers the hook that follows DROP of distributed tables to the shards. From _PG_init.
void init_ddl_drop_hook();

// Numbers of all shards.
List *all_shard_ids();

// Opens a table for a change of its distribution, with its partitions, under AccessExclusiveLock.
Relation open_whole_table(Oid relid, const char *command);

} // namespace shardwise
