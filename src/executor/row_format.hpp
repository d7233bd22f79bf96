// Rows in the formats of COPY.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The columns that a COPY names where nothing else is said: all but the generated ones. A list of
// attribute numbers.
List *copied_columns(Relation rel);

// Their names, quoted and separated by commas.
char *column_names(Oid relid, const List *columns);

// True where the binary form of every column means the same on another server: built-in types that
// carry no oid of this one.
bool columns_are_portable_in_binary(Relation rel, const List *columns);

struct RowFormat;

// Prepares to encode rows, as text of COPY's default options or in binary.
RowFormat *prepare_row_format(Relation rel, const List *columns, bool binary);

// Appends a row. `values` are those of the columns in their order, unless `by_attribute`: then of
// all attributes of the table.
void encode_row(RowFormat *format, const Datum *values, const bool *nulls, bool by_attribute,
                StringInfo row);

// Makes the text of values lossless, whatever the session prefers. Returns the level to undo with
// AtEOXact_GUC(true, level), 0 where nothing had to be changed.
int use_exact_text();

void append_binary_header(StringInfo buffer);

} // namespace shardwise
