// Cursors whose rows WHERE CURRENT OF may name: their plans yield, in hidden columns, where each
// row is, and a node on top remembers it of the current one.
#pragma once

#include "planner/router_plan.hpp"

namespace shardwise
{

// The node on top. custom_private holds the tables (Oids) and for each of them the numbers of its
// columns in the rows: shard, place, partition; 0 for none.
constexpr const char *cursor_name = "shardwise cursor";
constexpr int place_columns = 3;

// A hidden column that tells a place.
bool is_place_column(const TargetEntry *entry);

// Adds the columns for each table whose rows the cursor may stand for: those that FOR UPDATE and
// its like name, or else the only table of a query that does no more than to choose rows and sort
// them. Returns the tables (Oids); NIL for a statement that is no such cursor.
List *add_place_columns(const PlannerCall &call);

// Puts the node on top of such a cursor's plan.
void watch_places(PlannedStmt *plan, List *tables);

} // namespace shardwise
