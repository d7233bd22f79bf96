// Pieces of query trees.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Joins conditions by AND; nullptr for none.
Node *make_conjunction(List *clauses);

Const *make_int8(int64 value);

// SELECT FROM source WHERE quals: a query over one range table entry, without a target list yet.
Query *make_select_from(RangeTblEntry *source, Node *quals);

} // namespace shardwise
