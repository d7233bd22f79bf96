// What this room offers to shardwise.cpp and to its own files.
#pragma once

#include "pg/pg.hpp"
#include "pg/restoring.hpp"

namespace shardwise
{

// Registers the hook that follows DROP of distributed tables to the shards. From _PG_init.
void init_ddl_drop_hook();

// Registers what keeps statistics up to date, and its setting. From _PG_init.
void init_statistics_refresh();

// Has the statistics of this database's tables looked after from now on.
void request_statistics_refresh();

// Numbers of all shards.
List *all_shard_ids();

// Opens a table for a change of its distribution, with its partitions, under AccessExclusiveLock.
Relation open_whole_table(Oid relid, const char *command);

} // namespace shardwise
