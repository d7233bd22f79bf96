// Rows of a bulk read, as COPY has them in binary.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// How to read the fields of such rows.
struct BulkReader;

// Prepares to read rows of this shape; memory is taken from the current context.
BulkReader *make_bulk_reader(TupleDesc columns);

// Reads one row into `values` and `nulls`. Values point into `fields`, which change, or are
// allocated in the current context. Returns true if any was allocated. Errors: 42804 if the shard's
// result has other columns than the router's table.
bool read_bulk_row(BulkReader *reader, char *fields, int length, Datum *values, bool *nulls);

} // namespace shardwise
