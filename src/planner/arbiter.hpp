// The unique index over which ON CONFLICT arbitrates.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// What two rows with equal values in it conflict over: Expr *, over columns of entry `varno`.
List *index_columns(Relation relation, Relation index, int varno);

// The condition of the rows that a partial index holds, over entry `varno`; nullptr: all.
Node *index_predicate(Relation index, int varno);

// The index that an INSERT ... ON CONFLICT with a target means. Errors: 42P10, as PostgreSQL's.
Oid find_arbiter(Query *insert);

// The condition that rows conflict. `left` and `right` are their columns as index_columns() orders
// them.
Node *match_index(Relation relation, Relation index, List *left, List *right);

} // namespace shardwise
