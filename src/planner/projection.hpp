// Splits a query's output into what the shard yields and what the router computes from it, where an
// output column calls a function that only the router has.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct Projection {
    List *columns; // TargetEntry: what the shard yields, over Vars of `varno`
    List *output;  // TargetEntry: what the plan node yields, over INDEX_VAR
};

// Replaces the output list of `query` (target list, or RETURNING) by what the shard is to yield.
// Where everything can be sent, that is the list itself. `varno` is the range table entry that
// stands for the shard's rows in the plan.
Projection split_projection(Query *query, int varno);

// True if rows of these columns can be transferred in binary: the types' binary formats mean the
// same on every server.
bool columns_travel_in_binary(List *columns);

} // namespace shardwise
