// Statements with several writes (WITH), of which at least one goes to shards that must be looked
// for: each write is a plan of its own, whose rows the others read.
#pragma once

#include "pg/pg.hpp"
#include "planner/early_reads.hpp"
#include "planner/route_planner.hpp"
#include "planner/router_plan.hpp"

namespace shardwise
{

// The node above the plan of the main statement; custom_private holds the other parts (PlannedStmt
// *: what is read early, then the writes) and the names (String *) under which their rows are read,
// in the order in which they run.
constexpr const char *with_name = "shardwise with";

// Plans one statement of several; raises an error if that is not possible.
using PlanPart = PlannedStmt *(*)(const PlannerCall &call);

// Plans a statement with writes in its WITH clause. Changes the query. nullptr and the reason if a
// part would see what others do, which PostgreSQL's do not.
PlannedStmt *plan_with(const PlannerCall &call, PlanPart plan_part, Refusal *refusal);

// Plans what is read early.
List *plan_early_reads(const PlannerCall &call, PlanPart plan_part, const EarlyReads *reads);

// Makes a plan that of a main statement, before which parts run (PlannedStmt *), whose rows are
// kept under names (String *).
void put_parts_below(PlannedStmt *plan, List *parts, List *names);

} // namespace shardwise
