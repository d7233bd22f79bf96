// Rows on their way from a shard.
#pragma once

#include "pg/pg.hpp"

#include "libpq-fe.h"

namespace shardwise
{

// How to read the columns of a shard's result.
struct RowReader;

// Prepares to read rows of this shape; memory is taken from the current context.
RowReader *make_row_reader(TupleDesc columns, bool binary);

// Reads one row into `values` and `nulls`; by-reference values are allocated in the current
// context. Errors: 42804 if the shard's result has other columns than the router's table.
void read_row(RowReader *reader, const PGresult *result, int row, Datum *values, bool *nulls);

} // namespace shardwise
