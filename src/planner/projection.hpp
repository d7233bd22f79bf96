// Splits a query's output into what the shard yields and what the router computes from it, where an
// output column calls a function that only the router has.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/plannodes.h"
}

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

// True if one of these columns (TargetEntry) is a record without a name, which cannot be read back.
bool has_record(List *columns);

// True if rows of these columns can be transferred in binary: the types' binary formats mean the
// same on every server.
bool columns_travel_in_binary(List *columns);

// Looks up the functions of operators in what a plan node computes, which PostgreSQL's planner does
// last, and not for nodes that are put in a plan of the router's own.
void set_functions(CustomScan *scan);

} // namespace shardwise
