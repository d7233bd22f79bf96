// How many rows a statement yields at the most, as far as its form tells.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The LIMIT of a query if it is a constant; -1 if it is not, or there is none.
int64 known_limit(const Query *query);

// The conditions of a query over one table and nothing else, joined by AND; NIL for other queries.
List *conditions_on_table(const Query *query);

// The column that an operator compares with a value which no row changes; 0 for other conditions.
AttrNumber compared_column(const Node *condition);

// True for a query of one table by known values of a unique key.
bool is_unique_lookup(const Query *query);

// True for any other SELECT whose rows surely fit into a small part of memory: one row, or a LIMIT
// of some rows that are not wide. They are read as one result, at a fraction of the cost of row by
// row.
bool yields_handful_of_rows(const Query *query);

// The table of which a query locks or changes rows, more than one, and waits for them; InvalidOid:
// none.
Oid find_contended_table(const Query *query);

} // namespace shardwise
