// Hides rows that a shard holds without owning them (catalog: ghost ranges) from statements that go
// to several shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// Adds to every distributed table of a query, at any level, the condition that leaves out what the
// shard does not own; true if there was any. The targets of INSERT and MERGE are left alone.
bool hide_ghosts(Query *query, int32 shard_id);

// The text that one shard gets of a route, and the number to prepare it under. It differs from the
// route's own where the shard has ghost ranges.
struct ShardStatement {
    const char *sql;
    uint64 id;
};
ShardStatement statement_for_shard(const Route *route, int32 shard_id);

} // namespace shardwise
