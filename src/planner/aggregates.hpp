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

// Takes out of aggregates what does not change their values: DISTINCT in max(DISTINCT x), ORDER BY
// in count(x ORDER BY y).
Node *simplify_aggregates(Node *expr);

// Splits an aggregate whose parts give exactly PostgreSQL's value. False where there is no such
// split: the router then needs the rows themselves. DISTINCT is left to the shards: right for no
// aggregate but those that adds_up_distinct_values() names, and where equal values are on one
// shard. `rows_are_ordered`: aggregates take the rows in an order that the query gives them.
bool split_aggregate(const Aggref *aggregate, bool rows_are_ordered, SplitAggregate *split);

// Can the parts of an aggregate with DISTINCT be put together, if no value is on two shards?
bool adds_up_distinct_values(const Aggref *aggregate);

// The expression over the shards' values (one a partial; a Var where it is a state) that yields the
// aggregate.
Expr *finish_aggregate(const Aggref *aggregate, const SplitAggregate *split, List *values);

// The value that a partial aggregate has of one row that comes `count` (int8) times, if that is
// known exactly.
bool can_be_weighed(const Aggref *partial);
Expr *weigh_partial(const Aggref *partial, Expr *count);

} // namespace shardwise
