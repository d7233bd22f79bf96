// Aggregates that put values one after the other: arrays, strings, JSON, XML. Where nobody asks for
// an order, each shard puts its own together and the router joins what they made, each row's values
// in all of them at the same place.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// True for array_agg, string_agg with one delimiter for all rows, json_agg and its like, and
// xmlagg.
bool is_collection(const Aggref *aggregate);

// The aggregate's value from the shards' values; `part` is of the aggregate's own type.
Expr *join_collections(const Aggref *aggregate, Var *part);

} // namespace shardwise
