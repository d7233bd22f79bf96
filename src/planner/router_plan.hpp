// Plans that PostgreSQL's planner makes on the router, over rows of shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/pull.hpp"

extern "C" {
#include "nodes/extensible.h"
#include "optimizer/planner.h"
}

namespace shardwise
{

// A query as the planner hook gets it.
struct PlannerCall {
    Query *query;
    const char *text;
    int cursor_options;
    ParamListInfo params;
};

// Sets the planner that comes after this extension's; nullptr for PostgreSQL's own.
void set_next_planner(planner_hook_type next);

// Plans by the hook that was there before, or by PostgreSQL's own planner.
PlannedStmt *run_next_planner(const PlannerCall &call);

// Plans a SELECT, whatever has to be computed on the router: as much as possible is sent to the
// shards. Changes the query. The plan depends on all that the query mentions. *routes tells how
// many scans of shards it has.
PlannedStmt *plan_on_router(const PlannerCall &call, PlannedRoutes *routes);

// Plans a SELECT that becomes one query to the shards, with work on their rows above it; nullptr if
// it does not. Changes the query.
PlannedStmt *plan_one_scatter(const PlannerCall &call);

// Puts a node on top of a plan that passes its rows on, hidden columns included.
CustomScan *put_node_on_top(PlannedStmt *plan, const char *methods);

} // namespace shardwise
