// What a move takes: the rows of catalog table move_range as a set of keys, in memory and as an SQL
// condition that plain shards, publications and verification evaluate alike.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// A key space's ranges and single keys. Arrays of keys hold nkeys values a key.
struct KeySet {
    int nranges;
    int64 *lower_hashes; // hash strategies: inclusive, in order
    int64 *upper_hashes; // inclusive
    Datum **lower_keys;  // strategy range: inclusive; nullptr is MINVALUE
    Datum **upper_keys;  // exclusive; nullptr is MAXVALUE
    int nkeys;
    Datum **keys; // single keys: pins, and keys of strategy list
    int nexcept;
    Datum **excepts; // pinned keys inside of the ranges, or listed beside the default, that stay
    bool is_default; // strategy list: all keys that no entry names (nexcept has the entries)
};

// Reads what a move takes under one snapshot; the set belongs to `context`. A set without ranges
// and keys is empty.
KeySet *load_key_set(const Keyspace *keyspace, int32 move_id, MemoryContext context);

// Makes the set of the keys that a shard owns by the map.
KeySet *owned_key_set(const Keyspace *keyspace, int32 shard_id);

// True if the set holds a key.
bool key_set_contains(const Keyspace *keyspace, const KeySet *set, const Datum *values);

// Builds the condition that a row's key is in the set, over one SQL expression a key column. It
// uses built-in functions only and depends on no setting, so that it may be a publication's row
// filter. Many ranges of hashes become one binary search (width_bucket).
char *key_set_sql(const Keyspace *keyspace, const KeySet *set, const char *const *column_sqls);

} // namespace shardwise
