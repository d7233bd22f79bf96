// Routed plans of this backend, found again by the shape of the query.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/router_plan.hpp"

namespace shardwise
{

// Plans a query that mentions a distributed or reference table. Normalizes it in place. The plan
// may share parts with the cache, which stay until the transaction ends. Returns nullptr and the
// reason, and the query as it was, if no single shard can answer it, nor all of them by one query
// whose plan is worth keeping.
PlannedStmt *plan_statement(const PlannerCall &call, Refusal *refusal);

// Registers settings and callbacks. From _PG_init.
void init_statement_cache();

} // namespace shardwise
