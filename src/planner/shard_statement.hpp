// The text that one shard gets of a route.
#pragma once

#include "pg/pg.hpp"
#include "catalog/held_maps.hpp"
#include "planner/route.hpp"

namespace shardwise
{

struct ShardStatement {
    const char *sql;
    uint64 id; // to prepare it under; 0: not at all
};

// The route's own text, or another one where the shard has ghost ranges by the map for `use`.
ShardStatement statement_for_shard(const Route *route, int32 shard_id, MapUse use);

// The same with the parameters' values in the text. `types` are those of the values.
const char *bound_statement_for_shard(const Route *route, int32 shard_id, MapUse use,
                                      const Oid *types, const Datum *values, const bool *nulls);

// The same as a COPY in binary, which takes no parameters.
const char *bulk_statement_for_shard(const Route *route, int32 shard_id, MapUse use,
                                     const Oid *types, const Datum *values, const bool *nulls);

} // namespace shardwise
