// INSERT ... ON CONFLICT that the row's shard cannot do alone: DO UPDATE sets the shard key, or has
// a subquery that looks at the row and at rows which that shard lacks; or a policy has one, on a
// row that triggers may change.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/with_planner.hpp"

namespace shardwise
{

// True for INSERT ... ON CONFLICT that plan_conflict() may be able to plan where others are not.
bool may_run_in_parts(Query *query);

// Plans it in parts: the proposed rows are computed; an INSERT puts in those that are new, and
// locks what is in the way of the others; an UPDATE changes that, or nothing does. Changes the
// query. nullptr and the reason if it is not possible.
PlannedStmt *plan_conflict(const PlannerCall &call, PlanPart plan_part, Refusal *refusal);

} // namespace shardwise
