// Rows in a temporary file of the router, found by a hash: sorted by it, with an index in memory of
// where each block of the file begins. A row is found by one read of a block, however many rows
// there are; the index takes a five-hundredth of their size.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/htup.h"
}

namespace shardwise
{

struct RowFile;

// Rows are added, in any order; then they are sorted (in work_mem), and can be looked for. Memory
// is taken from the current context, the file from its resource owner. Errors: those of temporary
// files (53100, 53400).
RowFile *begin_row_file();
void add_to_row_file(RowFile *, uint32 hash, MinimalTuple row);
void finish_row_file(RowFile *);

// Looks for the rows of a hash, which next_in_row_file() then yields, one by one; nullptr: no more.
// A row lives until the next call.
void seek_in_row_file(RowFile *, uint32 hash);
MinimalTuple next_in_row_file(RowFile *);

// Removes the file.
void end_row_file(RowFile *);

} // namespace shardwise
