// Rows in the formats of COPY.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True where the binary form of every column means the same on another server: built-in types that
// carry no oid of this one.
bool row_is_portable_in_binary(Relation rel);

struct RowFormat;

// Prepares to encode rows of a table, without its generated columns.
RowFormat *prepare_row_format(Relation rel, bool binary);

// Encodes a row whose attributes are deformed. The result lives in the current memory context.
StringInfo encode_row(RowFormat *format, TupleTableSlot *slot);

void append_binary_header(StringInfo buffer);
void append_binary_trailer(StringInfo buffer);

} // namespace shardwise
