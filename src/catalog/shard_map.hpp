// A keyspace's shard map and pins in memory, as arrays over core's lookups. For this room, and for
// making plans.
#pragma once

#include "pg/pg.hpp"
#include "catalog/ghost_ranges.hpp"
#include "catalog/key_types.hpp"

namespace shardwise
{

// Explicit keys and their owners, sorted by hash where the types are hashable, else by btree order.
struct KeyIndex {
    int count;
    int64 *hashes; // nullptr: sorted by order
    Datum *keys;   // nkeys a key
    int32 *owners;
};

struct ShardMap {
    KeyFunctions functions;
    size_t count;  // of ranges; 0 for strategy list
    int64 *lowers; // hash strategies
    Datum *bounds; // range: nkeys a bound; the first stands for MINVALUE and is not set
    int32 *owners;
    KeyIndex listed; // strategy list
    KeyIndex pinned;
    GhostRanges ghosts;
};

// Finds an explicit key's place in an index; -1 where it is not there.
int find_explicit_key(const Keyspace *keyspace, const KeyIndex *index, const Datum *values);

// Strategy range: the range that holds a key; the map has at least one.
size_t find_key_range(const Keyspace *keyspace, const Datum *values);

} // namespace shardwise
