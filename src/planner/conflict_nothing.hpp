// INSERT ... ON CONFLICT DO NOTHING whose policies ask for rows that the shard lacks, of rows that
// triggers may change.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"
#include "planner/with_planner.hpp"

namespace shardwise
{

// Plans it in parts: the INSERT returns all rows that it proposes, the policies are asked about
// them behind it. Changes the query. nullptr and the reason if it is not possible.
PlannedStmt *plan_checked_nothing(const PlannerCall &call, PlanPart plan_part, Refusal *refusal);

} // namespace shardwise
