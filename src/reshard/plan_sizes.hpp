// How many rows and bytes of a keyspace are where: estimates of the shards' own statistics, and
// samples of keys. Nothing is counted, no table is read whole.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// What a shard holds of a keyspace, all tables with their indexes.
struct ShardSize {
    int32 shard;
    double rows;
    double bytes;
    int nsample;    // keys of rows drawn at random from the largest table
    Datum **sample; // each nkeys values
};

struct KeyspaceSizes {
    const Keyspace *keyspace;
    List *tables; // oids of the distributed tables, without partitions
    int nshards;
    ShardSize *shards; // in the order of the shards' numbers
};

// The distributed tables of a keyspace, by their names.
List *list_keyspace_tables(int32 keyspace_id);

// Asks the given shards, all at the same time, through sessions of the caller's own user mapping.
// `with_sample`: keys are drawn too. Errors: 08001 if one does not answer; the shard's errors.
KeyspaceSizes *measure_keyspace(const Keyspace *keyspace, const List *shards, bool with_sample);

// Estimates the rows of one key in all tables of the keyspace: what the shard's planner assumes,
// for which it needs a recent ANALYZE.
double estimate_rows_of_key(const KeyspaceSizes *sizes, int32 shard, const Datum *key);

// The size of one shard; zeros if it was not asked.
const ShardSize *find_shard_size(const KeyspaceSizes *sizes, int32 shard);

} // namespace shardwise
