// Cuts queries in two: what every shard computes for itself, and what the router makes of the
// shards' rows.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rewrites a SELECT, or those inside the query, in place, such that as much as possible is computed
// on the shards. What cannot be cut stays: its tables are then scanned one by one.
void scatter_query(Query *query);

} // namespace shardwise
