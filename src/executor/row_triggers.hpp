// Fires the triggers on UPDATE of statements that may move rows to another shard, on the router:
// their functions may read and write rows of the old key and of the new one, which are on different
// shards.
#pragma once

#include "pg/pg.hpp"
#include "planner/modify_plan.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// The triggers of a table, for one statement.
struct RowTriggers;

// Opens the triggers of a plan's table, and fires those for the statement that come BEFORE. Memory
// is taken from the current context.
RowTriggers *open_row_triggers(const ModifyPlan *plan);

// Slots for a row of the table as it is and as it is to become.
TupleTableSlot *old_row_slot(RowTriggers *triggers);
TupleTableSlot *new_row_slot(RowTriggers *triggers);

// Fires BEFORE triggers for the row in the slots. `table` is its partition, or 0. Triggers may
// change the new row. False if one keeps the row as it is.
bool fire_before_update(RowTriggers *triggers, Oid table);

// True if the new row belongs to another partition than the old one: PostgreSQL deletes and inserts
// it then, too.
bool leaves_partition(RowTriggers *triggers, Oid table);

// Keeps the rows in the slots for transition tables, and with `fires` for AFTER triggers.
void keep_updated_row(RowTriggers *triggers, Oid table, bool fires);

// Keeps the rows in the slots for rows that refer to them: one that leaves its place on a shard.
void keep_moved_row(RowTriggers *triggers, Oid table, int32 shard, ItemPointer place);

// Lets the rows that refer to those kept by foreign keys follow them (moved_references.hpp), and
// forgets these.
void follow_updated_rows(RowTriggers *triggers);

// Has PostgreSQL fire AFTER triggers for the rows kept, and those for the statement, at the end of
// the query, or, of deferred ones, of the transaction. Closes the tables.
void queue_after_update(RowTriggers *triggers);

} // namespace shardwise
