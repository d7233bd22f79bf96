// Plans writes that the shards cannot run as they are: PostgreSQL's planner finds on the router
// what is to be written, a plan node above brings it to the shards in batches.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/router_plan.hpp"

namespace shardwise
{

// Plans an INSERT, UPDATE or DELETE on a distributed or reference table. Changes the query. nullptr
// and the reason if it is not supported.
PlannedStmt *plan_modify(const PlannerCall &call, Refusal *refusal);

// Plans the INSERT that meets them, and updates none. `captures`: triggers may change the rows that
// are proposed; it returns them (captured_rows.hpp).
PlannedStmt *plan_conflict_insert(const PlannerCall &call, bool captures, Refusal *refusal);

// Plans the UPDATE that ON CONFLICT asks for, of the rows that it meets: those must pass the checks
// (WithCheckOption), the condition (nullptr: none) says which are changed, and none may be met
// again after that (21000).
PlannedStmt *plan_conflict_update(const PlannerCall &call, List *checks, Node *condition,
                                  Refusal *refusal);

// True for an INSERT of so many rows that looking for one shard that gets them all is a waste.
bool is_bulk_insert(const Query *query);

} // namespace shardwise
