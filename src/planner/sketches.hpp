// Approximate aggregates of extensions hll (HyperLogLog: how many values are distinct) and tdigest
// (percentiles): the shards send sketches of their rows, which the router merges.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True for hll_add_agg, hll_union_agg, and tdigest, tdigest_percentile, tdigest_percentile_of,
// tdigest_avg, tdigest_sum over values, counted values or digests, if the shards have the extension
// and what is asked of the digest is the same for all rows.
bool is_sketch(const Aggref *aggregate);

// What a shard computes: the sketch of its rows.
Expr *make_sketch(const Aggref *aggregate);

// The aggregate's value from the shards' sketches.
Expr *merge_sketches(const Aggref *aggregate, Var *sketch);

} // namespace shardwise
