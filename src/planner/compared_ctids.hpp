// Statements that compare ctids of rows of several shards: DELETE ... WHERE ctid IN (SELECT ctid
// ... LIMIT 1000), a.ctid < b.ctid. Each shard has a row at (0,1), so what is compared must be
// places: shard and ctid.
#pragma once

#include "planner/route_planner.hpp"

namespace shardwise
{

// Makes places of the ctids of distributed tables in a query that compares some with others, for a
// plan on the router. What the query shows is its rows' own ctids still, and so is what it compares
// with ctids that come from outside. Returns why a write must be refused: it compares both kinds. A
// SELECT that mixes them is left as it is.
Refusal compare_places(Query *query, bool writes);

} // namespace shardwise
