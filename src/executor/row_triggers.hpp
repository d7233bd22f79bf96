// Fires the triggers on UPDATE of rows that move to another shard, on the router: their functions
// may read and write rows of the old key and of the new one, which are on different shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/modify_plan.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// The triggers of a table, and the rows of one statement that wait for those after it.
struct RowTriggers;

// Opens the triggers of a plan's table. Memory is taken from the current context.
RowTriggers *open_row_triggers(const ModifyPlan *plan);

// Slots for a row of the table as it is and as it is to become.
TupleTableSlot *old_row_slot(RowTriggers *triggers);
TupleTableSlot *new_row_slot(RowTriggers *triggers);

// Fires BEFORE triggers of a row: before the first one, those for the statement. `table` is the
// row's partition, or 0. Triggers may change the new row. False if one keeps the row as it is.
bool fire_before_update(RowTriggers *triggers, Oid table);

// Keeps the rows in the slots for AFTER triggers. Once the new one has been written.
void keep_updated_row(RowTriggers *triggers, Oid table);

// Lets the rows that refer to those kept by foreign keys follow them (moved_references.hpp).
void follow_updated_rows(RowTriggers *triggers);

// Fires AFTER triggers for the rows kept, then those for the statement, and closes the tables.
void fire_after_update(RowTriggers *triggers);

} // namespace shardwise
