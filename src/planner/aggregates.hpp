// Aggregates in two steps: what a shard computes over its rows, and how the router makes one value
// of the shards' values.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// One aggregate, split. `partial` go into the shard's target list; `finish` then makes the value.
struct SplitAggregate {
    List *partials; // Expr *, over the shard's rows
    int rule;       // private: how to finish
};

// Splits an aggregate whose parts give exactly PostgreSQL's value. False where there is no such
// split: the router then needs the rows themselves.
bool split_aggregate(const Aggref *aggregate, SplitAggregate *split);

// The expression over the shards' values (one Var a partial) that yields the aggregate.
Expr *finish_aggregate(const Aggref *aggregate, const SplitAggregate *split, List *vars);

} // namespace shardwise
