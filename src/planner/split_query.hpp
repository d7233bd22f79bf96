// Splits a query's upper part, which is what it computes of the rows of FROM and WHERE, between the
// shards and the router.
#pragma once

#include "pg/pg.hpp"
#include "routing/colocation.hpp"

namespace shardwise
{

struct SplitQuery {
    Query *remote;     // for each shard
    List *target_list; // the query's own, over the columns of `remote` as those of entry 1
    Node *having;
};

// The shards group and aggregate their rows, the router the shards' groups. Aggregates with
// DISTINCT take the distinct values of all shards, or, where a value has its shard, add up. False
// where an aggregate has no exact split. `rows_are_ordered`: aggregates take the rows in an order
// that the query gives them.
bool split_aggregation(Query *query, const Colocation *colocation, bool rows_are_ordered,
                       SplitQuery *split);

// The shards send the columns that the upper part reads, and no row that no aggregate takes.
bool split_off_rows(Query *query, SplitQuery *split);

} // namespace shardwise
