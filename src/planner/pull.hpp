// Plans on the router whose base relations are on the shards: PostgreSQL's planner does the
// joining, and every scan of a distributed table becomes a statement to its shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/route.hpp"

namespace shardwise
{

// The routes of one plan while it is being made.
struct PlannedRoutes {
    int count;
    Route *last;
};

// Lets the planner note routes there from now on; returns what was noted to before, to be restored
// on every way out.
PlannedRoutes *begin_routes(PlannedRoutes *routes);
void restore_routes(PlannedRoutes *before);

// Notes the route of a scan that the plan being made has got.
void note_route(Route *route);

// Installs the planner's relation hooks. From init_planner().
void init_pull();

} // namespace shardwise
