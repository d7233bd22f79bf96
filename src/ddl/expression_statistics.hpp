// Statistics of expressions and of several columns together: those of indexed expressions, and
// those of CREATE STATISTICS.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "commands/vacuum.h"
}

namespace shardwise
{

// Rows of a table as they might stand in it; columns that nobody analyzes are NULL.
struct SampledRows {
    int n;
    HeapTuple *tuples;
    double total; // rows that they stand for
};

// True if a table has such statistics, or might.
bool has_expression_statistics(Relation rel);

// How many rows CREATE STATISTICS asks for.
int rows_for_statistics_objects(Relation rel, int ncolumns, VacAttrStats **columns);

// Computes and stores them, with the rights of the table's owner, as ANALYZE does.
void analyze_expressions(Relation rel, bool inherited, const SampledRows &rows, int ncolumns,
                         VacAttrStats **columns, MemoryContext context);

} // namespace shardwise
