// Writes whose rows the router must see again: RETURNING with subqueries that neither the shards
// can answer nor the router beforehand, and late checks (late_checks.hpp).
#pragma once

#include "pg/pg.hpp"
#include "planner/router_plan.hpp"
#include "planner/with_planner.hpp"

namespace shardwise
{

// True for a write whose RETURNING plan_returning() may be able to answer where others are not.
bool returns_subqueries(const Query *query);

// Plans a write as WITH: it returns the columns that RETURNING reads, a SELECT over them computes
// what it shows. Changes the query. nullptr and the reason if that is not possible.
PlannedStmt *plan_returning(const PlannerCall &call, PlanPart plan_part, Refusal *refusal);

} // namespace shardwise
