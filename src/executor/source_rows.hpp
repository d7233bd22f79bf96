// Rows of a plan on the router as rows of the table that is written. `columns` has for each
// attribute the number (from 0) of the plan's column with its value, or -1.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "executor/tuptable.h"
}

namespace shardwise
{

// Fills a slot of the table's; an attribute without a column gets its value from those in
// `otherwise` (nullptr: none), or is NULL.
void fill_table_row(const int *columns, const int *otherwise, const TupleTableSlot *row,
                    TupleTableSlot *slot);

// Takes the values of such a slot back into the row's columns.
void take_table_row(const int *columns, TupleTableSlot *slot, TupleTableSlot *row);

} // namespace shardwise
