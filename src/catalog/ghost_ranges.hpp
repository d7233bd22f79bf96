// Ghost ranges in memory: keys whose rows a shard may hold without owning them. Private to the
// room.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// A range of hashes, a range of keys, one key, or the default.
struct GhostRange {
    int32 shard;
    int64 lower_hash; // hash strategies; inclusive
    int64 upper_hash; // inclusive
    Datum *lower;     // strategy range; nullptr: MINVALUE
    Datum *upper;     // exclusive; nullptr: MAXVALUE
    Datum *key;       // one key (a pinned one, or one of a list); the rest is not set then
    bool is_default;  // strategy list: all keys that no entry and no pin names; no key then
};

struct GhostRanges {
    int count;
    GhostRange *ranges;
};

} // namespace shardwise
