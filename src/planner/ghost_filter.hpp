// Hides rows that a shard holds without owning them (catalog: ghost ranges) from statements that go
// to several shards.
#pragma once

#include "pg/pg.hpp"
#include "catalog/held_maps.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// Adds to every distributed table of a query, at any level, the condition that leaves out what the
// shard does not own by the maps for `use`; true if there was any. The targets of INSERT and MERGE
// are left alone.
bool hide_ghosts(Query *query, int32 shard_id, MapUse use);

} // namespace shardwise
