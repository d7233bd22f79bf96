// Plans that are kept without the constants of their statement, and get those of the next.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// True for a plan that bind_plan() can copy: one node above the other, the lowest a route scan, and
// nothing beside them.
bool is_bindable(const PlannedStmt *statement);

// True if nodes above the route scan's values hold Params that stand for constants.
bool outputs_hold_constants(const PlannedStmt *statement);

// The route at the bottom of a bindable plan.
Route *bindable_route(const PlannedStmt *statement);

// A copy of a bindable plan's nodes, down to the route scan, with constants for the Params that
// normalize_query() left. What needs no change is shared with `plan`. `outputs`: whether the
// nodes' outputs and conditions hold such Params, too.
Plan *bind_plan(const Plan *plan, List *constants, bool outputs);

} // namespace shardwise
