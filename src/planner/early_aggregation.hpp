// Aggregation before a join off the key (Yan and Larson, "Eager Aggregation and Lazy Aggregation",
// 1995): the shards group one side's rows by the columns that the rest of the query looks at, and
// the router joins groups instead of rows.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// A copy of a SELECT that scatter_query() has left to the router, in which the shards aggregate
// early at all levels where that is exact and yields fewer rows; nullptr if there is none. Which of
// the two is better, costs tell, unless *is_forced. Needs begin_shard_rows().
Query *aggregate_early(Query *query, bool *is_forced);

// Defines shardwise.early_aggregation. From init_pull().
void init_early_aggregation();

} // namespace shardwise
