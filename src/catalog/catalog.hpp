// The per-backend cache of shardwise's catalog tables: which tables are distributed, by which key,
// and which shard owns a key. Read-only; rows are written by ddl/catalog_rows, catalog/map_change
// and catalog/moves.
//
// Pointers that these functions return stay valid until the end of the current transaction, but
// may be out of date after any point that accepts invalidation messages: look up again rather than
// keep. Change of a row in a catalog table must be announced with invalidate_*().
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

enum class Strategy { Hash, ConsistentHash, Range, List };

// True where the key space is one of 64-bit hashes, else it is one of the keys themselves.
inline bool is_hashed(Strategy strategy)
{
    return strategy == Strategy::Hash || strategy == Strategy::ConsistentHash;
}

constexpr int max_key_columns = 8;

struct Shard {
    int32 id;
    Oid server; // foreign server, InvalidOid if someone dropped it
    NameData name;
    double weight;
    bool is_local;
};

struct ShardMap; // catalog/shard_map.hpp: arrays over core's lookup
struct KeySet;   // catalog/key_set.hpp

// A move that swaps, or is about to: whoever writes one of its keys holds its lock
// (catalog/gate.hpp).
struct Gate {
    int32 move_id;
    const KeySet *keys;
};

struct Keyspace {
    int32 id;
    Strategy strategy;
    int nkeys;
    Oid key_types[max_key_columns];
    Oid key_collations[max_key_columns]; // InvalidOid where the type has none
    int32 virtual_nodes;
    int32 default_shard; // 0: none
    int64 map_version;
    uint64 moved_by;  // transaction of the last swap or end of a move, 0: none
    bool checks_keys; // tables have, or had, BEFORE triggers for rows: shards check what these do
    uint64 serial;    // another one each time that this backend reads the keyspace
    int ngates;       // 0 but for the moments in which a move swaps
    Gate *gates;
    ShardMap *map;
};

inline bool is_hashed(const Keyspace *keyspace)
{
    return is_hashed(keyspace->strategy);
}

struct Table {
    Oid relid;
    bool is_reference;
    bool restored;            // a dump's metadata: finish_restore() has not been called yet
    const Keyspace *keyspace; // nullptr for a reference table
    int nkeys;
    AttrNumber key_columns[max_key_columns];
    double rows, pages; // on all shards, as their ANALYZE found; 0: not known
};

// True where CREATE EXTENSION shardwise ran in this database.
bool extension_exists();

// Finds a distributed or reference table; nullptr for local tables, and for those that the dump
// which the session restores has brought. A partition of a distributed partitioned table counts as
// distributed itself. ereports ERRCODE_UNDEFINED_COLUMN when a key column has gone.
const Table *find_table(Oid relid);

// True if a column, by its number in this very table, is part of the shard key.
bool is_key_column(const Table *table, AttrNumber column);

// The quoted names of the key's columns; `names` has room for max_key_columns.
void quote_key_columns(const Table *table, const char **names);

// The numbers that the key's columns have in a partition (or in the table itself), where columns
// may be numbered differently; `columns` has room for max_key_columns.
void find_key_columns_in(Oid relid, const Table *table, AttrNumber *columns);

// Finds a strategy by the name that SQL and the catalog use; false if there is none.
bool find_strategy(const char *name, Strategy *strategy);

// Finds a keyspace by number; ereports if it does not exist.
const Keyspace *find_keyspace(int32 keyspace_id);

// Finds a shard by number or name; by number it ereports if missing, by name it returns nullptr.
const Shard *find_shard(int32 shard_id);
const Shard *find_shard_by_name(const char *name);

// True if there is a shard of that number.
bool shard_exists(int32 shard_id);

// Finds a shard that a user names. Errors: 42704 if there is none.
const Shard *find_existing_shard(const char *name);

// Lists all shards in the order of their numbers. The array lives as long as the cache entry.
int list_shards(const Shard *const **shards);

// True for a function that the shards have too, because a table there needs it, or because it is an
// immutable one, or an aggregate, of an extension that they have. Cached.
bool function_is_shipped(Oid function);

// True for a type, collation, text search configuration or dictionary that the shards have too: a
// built-in one, a distributed table's row type, or one that a table there needs or an extension
// there has. Cached.
bool type_is_shipped(Oid type);
bool collation_is_shipped(Oid collation);
bool text_search_configuration_is_shipped(Oid configuration);
bool text_search_dictionary_is_shipped(Oid dictionary);

// The functions on keys below read only nkeys, key_types and key_collations of a keyspace whose
// `map` is nullptr: fill these in by hand where the keyspace is still being made.

// The key space's own hash of a key (seed chaining over PostgreSQL's extended hash functions);
// values are of the keyspace's key types, none NULL. The same expression in SQL:
// hash_expression_sql(). ereports ERRCODE_UNDEFINED_FUNCTION for a type without such a function.
int64 hash_key(const Keyspace *keyspace, const Datum *values);

// Builds the SQL expression that computes hash_key() from one SQL expression a key column, on any
// PostgreSQL server and under any search_path.
char *hash_expression_sql(const Keyspace *keyspace, const char *const *column_sqls);

// True where the type (or the type under a domain) has an extended hash function that gives the
// same result on every server.
bool type_is_hashable(Oid type);

// Compares two keys column by column with the types' btree order; <0, 0 or >0.
int compare_keys(const Keyspace *keyspace, const Datum *a, const Datum *b);

// Converts a key to the text that catalog rows hold, and back: the types' output and input
// functions under fixed settings (DateStyle ISO, TimeZone UTC, ...). Input errors are those of the
// types; ERRCODE_DATA_CORRUPTED for an array that is no key of this keyspace.
ArrayType *key_to_text_array(const Keyspace *keyspace, const Datum *values);
void key_from_text_array(const Keyspace *keyspace, ArrayType *array, Datum *values);

// Reads the key from a function's arguments from number `first` on, VARIADIC "any" (also written
// VARIADIC array); each value is converted to its key column's type. Returns false if one is NULL;
// ereports ERRCODE_INVALID_PARAMETER_VALUE when their number is wrong.
bool key_from_arguments(FunctionCallInfo fcinfo, int first, const Keyspace *keyspace,
                        Datum *values);

// Finds the shard that owns a key; 0 where none does (list and range without default shard).
int32 find_owner(const Keyspace *keyspace, const Datum *values);

// Some shard that has the keyspace's tables; 0 if there is none.
int32 any_owner(const Keyspace *keyspace);

// Keys between two bounds, each of which gives the values of leading key columns.
struct KeyRange {
    int nlower; // 0: from the lowest key on
    const Datum *lower;
    bool lower_is_inclusive;
    int nupper; // 0: up to the highest
    const Datum *upper;
    bool upper_is_inclusive;
};

// The numbers of the shards that may own keys of a range (strategies range and list).
List *list_owners_between(const Keyspace *keyspace, const KeyRange *range);

// The numbers of all shards that own a range or key of the keyspace, ascending.
List *list_owners(const Keyspace *keyspace);

// True if a shard may hold rows of the keyspace that it does not own (a move is under way).
bool has_ghosts(const Keyspace *keyspace, int32 shard_id);

// Builds the condition, over the table's bare column names, that hides such rows from a statement
// which goes to several shards by the map of `keyspace`; nullptr where there are none. Good under
// any settings and search_path.
char *ghost_filter_sql(const Table *table, const Keyspace *keyspace, int32 shard_id);

// Announce changes. Effective at commit, as all invalidation; own backend at the next
// CommandCounterIncrement.
// Statements that change the tables by SQL (a restore) are announced by triggers.
void invalidate_table(Oid relid); // distribution of one table and its partitions (their plans are
                                  // made anew), and what was shipped
void invalidate_shard_maps();     // shards, keyspaces, maps (plans stay: they look up at run time)

// Oids of our own schema and catalog tables, for writers; ereport where there is no extension.
Oid schema_oid();
Oid catalog_table_oid(const char *name);

// Registers the invalidation callbacks; once per backend, from _PG_init.
void init_catalog();

} // namespace shardwise
