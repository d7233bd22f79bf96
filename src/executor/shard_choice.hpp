// Which shard a route's keys lead to, once their values are known.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// Chooses the one shard that owns all keys of the route. Without a key that any row could have
// (NULLs, no owner), any shard gives the right answer. Errors: 0A000 when the keys are on several
// shards, 23514 when an INSERT's key has no owner.
int32 choose_shard(const Route *route, const Datum *values, const bool *nulls, bool is_insert);

} // namespace shardwise
