// Rows of INSERT ... ON CONFLICT DO NOTHING whose BEFORE triggers the router fires: what these
// leave of a row has to be known also where the row goes nowhere (policies are asked about it),
// which a shard does not tell.
#pragma once

#include "pg/pg.hpp"
#include "executor/batch.hpp"
#include "planner/modify_plan.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// The triggers of a table and its partitions, for one statement.
struct ProposedRows;

// Opens the tables. Memory is taken from the current context.
ProposedRows *open_proposed_rows(const ModifyPlan *plan);

// Fires the BEFORE triggers for a row of the source, which becomes what they leave. False if one
// drops it. Errors: 23514 if the row has no partition, or is to leave it.
bool fire_before_insert(ProposedRows *proposed, TupleTableSlot *row);

// Adds the last row that was fired for to what the statement returns: the last columns are the
// table's, generated ones included, and whether it went in, which is false.
void return_proposed_row(ProposedRows *proposed, BatchOutcome *outcome);

// Closes the tables, whose locks stay, and frees all memory.
void close_proposed_rows(ProposedRows *proposed);

} // namespace shardwise
