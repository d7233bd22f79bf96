// Rows of reference tables without a key, whose copies are found by the row's text, and its number
// among rows of the same text: which of equal rows has which number is of no matter.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Makes an entry of FROM for all rows of a table, with their places (ctid), texts and numbers.
RangeTblEntry *make_numbered_entry(const RangeTblEntry *table);

// Puts a query above a SELECT of the rows of a table (entry 1), which tells text and number in two
// columns more.
Query *number_rows_of(Query *rows, Oid relid);

} // namespace shardwise
