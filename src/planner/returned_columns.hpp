// Expressions over the rows of a write, computed from what it returns.
#pragma once

#include "pg/pg.hpp"
#include "planner/route_planner.hpp"

namespace shardwise
{

// Points an expression over the write's entries at the columns of its RETURNING list as entry 1;
// adds those that are not there. nullptr, or why that is not possible.
Refusal point_at_returned(Node **expr, List **returning);

} // namespace shardwise
