// INSERT ... ON CONFLICT DO UPDATE whose update the row's shard cannot do alone: it sets the shard
// key, or has a subquery that looks at the row and at rows which that shard lacks.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/with_planner.hpp"

namespace shardwise
{

// True for INSERT ... ON CONFLICT DO UPDATE.
bool is_conflict_update(const Query *query);

// Plans it in parts: the proposed rows are computed; an INSERT puts in those that are new, and
// locks what is in the way of the others; an UPDATE changes that. Changes the query. nullptr and
// the reason if it is not possible.
PlannedStmt *plan_conflict(const PlannerCall &call, PlanPart plan_part, Refusal *refusal);

} // namespace shardwise
