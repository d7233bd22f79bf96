// Makes keyspaces: which shard owns which part of the key space.
#pragma once

#include "pg/pg.hpp"
#include "ddl/table_checks.hpp"

namespace shardwise
{

// The arguments of distribute_table() that describe a keyspace; nullptr where not given.
struct KeyspaceOptions {
    Strategy strategy;
    ArrayType *shards; // text[]
    int32 virtual_nodes;
    ArrayType *splits; // text[]
    const char *default_shard;
};

// Errors: 22023 for a name that is no strategy.
Strategy parse_strategy(const char *name);

// Writes a new keyspace with its shard map and returns its number. Errors: unknown or repeated
// shards, no shard at all, options that do not belong to the strategy, splits out of order.
int32 create_keyspace(const KeyspaceOptions *options, const KeyColumns *key);

// Checks that a table may join an existing keyspace, and that the options do not contradict it.
void check_colocation(const Table *with, const KeyspaceOptions *options, const KeyColumns *key);

} // namespace shardwise
