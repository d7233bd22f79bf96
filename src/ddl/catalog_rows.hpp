// Writes the rows of shardwise's own tables. The caller has checked privileges: rows are written
// as the server itself, so that the owner of a table may distribute it without rights on the
// catalog. Each function announces its change to the caches.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Serialises functions that change shards or distributions, until the end of the transaction.
// Readers are not blocked.
void lock_metadata();

// Keeps the set of shards and distributions as it is until the end of the transaction, while shards
// are changed. Does not exclude others that do the same.
void share_metadata();

int32 insert_shard(const char *name, double weight, bool is_local); // returns its number
void update_shard_weight(int32 shard_id, double weight);
void delete_shard(int32 shard_id);

// Tells what ties a shard to its rows: "range 3 of keyspace 1", a pin, a default shard, a ghost
// range; nullptr when nothing does.
char *describe_shard_duty(int32 shard_id);

// True if a shard may hold rows of a keyspace which it does not own.
bool has_ghost_ranges(int32 keyspace_id, int32 shard_id);

// Writes a new keyspace and returns its number. default_shard 0: none.
int32 insert_keyspace(Strategy strategy, int nkeys, const Oid *key_types, const Oid *key_collations,
                      int32 virtual_nodes, int32 default_shard);

// Notes that shards check keys of the keyspace after triggers (catalog/key_check.hpp).
void mark_keys_checked(int32 keyspace_id);

// Writes the map entry of a hash strategy, or of range and list (lower_key nullptr: MINVALUE).
void insert_hash_entry(int32 keyspace_id, int32 entry, int64 lower_hash, int32 shard_id);
void insert_key_entry(int32 keyspace_id, int32 entry, ArrayType *lower_key, int32 shard_id);

// Writes a distributed table (keyspace_id set), or a reference table (keyspace_id 0).
void insert_distribution(Oid relid, int32 keyspace_id, int nkeys, const char *const *key_columns);

// Deletes a table's row, and its keyspace with it when no other table is left there.
void delete_distribution(Oid relid);

// Keeps what the shards know of the size of a table or partition. `analyzed`: see
// shardwise.table_statistics; nullptr leaves it as it is.
void store_table_statistics(Oid relid, double rows, double pages, const char *analyzed);

// When the shards had analyzed a table of which the router has statistics; nullptr if it has none.
char *find_analyzed(Oid relid);

// Lists the distributed and reference tables themselves, without partitions, as a list of oids.
List *list_distributions();

// Records that the shards have a function, type, schema, collation, operator, or text search
// dictionary or configuration too, or no longer. Other classes of objects are not recorded.
void insert_shipped_object(Oid class_id, Oid object_id);
void delete_shipped_object(Oid class_id, Oid object_id);
bool is_shipped_object(Oid class_id, Oid object_id);

// Notes that a restored table's rows have been seen to.
void confirm_distribution(Oid relid);

// Follows the new name of a shard key column.
void rename_key_column(Oid relid, const char *old_name, const char *new_name);

} // namespace shardwise
