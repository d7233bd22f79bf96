// What PostgreSQL's types make of a sample of values, and its place in pg_statistic.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "commands/vacuum.h"
}

namespace shardwise
{

// Asks the type of a column, of a table or of an index, what it wants to know; nullptr for one
// without statistics. What is made of a sample goes into `context`.
VacAttrStats *examine_column(Relation rel, int attno, MemoryContext context);

// Computes a column's statistics of `nrows` values, each `stride` behind the one before, which
// stand for `total` rows, and stores them.
void analyze_values(VacAttrStats *column, Relation rel, bool inherited, Datum *values, bool *nulls,
                    int stride, int nrows, double total);

} // namespace shardwise
