// Numbers of statements that are the same text again each time they are planned, so that the shards
// keep them prepared.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// The number under which a route's text was prepared before, or the route's own from now on. No
// number outlives a change of any table's definition.
uint64 find_statement_id(const Route *route);

// Registers the callback. From init_planner().
void init_statement_ids();

} // namespace shardwise
