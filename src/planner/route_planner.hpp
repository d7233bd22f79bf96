// Plans a query that one shard answers whole.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Why a query cannot be routed, in the words of an error's DETAIL; nullptr if it can.
using Refusal = char *;

// Makes the plan of a normalized query (see normalize.hpp): a PlannedStmt whose only node is a
// route scan. Its expressions still hold the Params that stand for constants. The query is not
// changed. Returns nullptr and the reason if no single shard can answer it.
PlannedStmt *plan_route(Query *query, Refusal *refusal);

} // namespace shardwise
