// Which shards the keys of a query lead to, once their values are known.
#pragma once

#include "pg/pg.hpp"
#include "catalog/held_maps.hpp"

namespace shardwise
{

// One key, or a range of keys, that a statement touches: per key column the number of the value
// that holds it.
struct KeyPin {
    int32 keyspace_id;
    bool is_range;
    bool lower_is_inclusive;
    bool upper_is_inclusive;
    bool ends_in_array; // the last value of both bounds
    int nlower;         // leading columns of a range's bounds; 0: none
    int nupper;
    int lower[max_key_columns];
    int upper[max_key_columns];
    Oid lower_types[max_key_columns];
    Oid upper_types[max_key_columns];
    int nkeys; // of a key
    int values[max_key_columns];
    Oid value_types[max_key_columns]; // element type for arrays
    bool is_array[max_key_columns];   // = ANY (array): each element is a key
};

// The keys of a statement with their values.
struct RoutedKeys {
    int npins;
    const KeyPin *pins;
    const Datum *values;
    const bool *nulls;
    MapUse use; // a statement that writes or locks rows passes the gates of moves
};

// Owners are looked up in the map of this moment; those for a write stay owners until the end of
// the transaction. Reads by snapshots that the shards have taken keep the map of that time
// (catalog/held_maps.hpp, whose errors all of these raise).

// Lists the shards (int) that own the keys; NIL where no row can match (NULLs, no owner). With
// `must_have_owner` (INSERT) a key without owner is an error, 23514.
List *find_owners(const RoutedKeys &keys, bool must_have_owner);

// Chooses the one shard that owns all keys. Without a key that any row could have, any shard of the
// keyspace gives the right answer; without a keyspace (0), any shard at all. Errors: 40001 where
// the keys are on several shards, as they were not when the statement was planned.
int32 choose_shard(const RoutedKeys &keys, int32 keyspace_id, bool is_insert);

// Lists the shards on which rows of the keys can be; all of the keyspace's shards for a statement
// without keys. Never empty: some shard has to say that there are no rows.
List *choose_shards(const RoutedKeys &keys, int32 keyspace_id);

// True if the keys are one array of values of a key of one column.
bool is_one_array(int npins, const KeyPin *pins);

// The same for such an array, which is divided: *parts receives, in the list's order, the array of
// those that each shard owns.
List *split_keys(const RoutedKeys &keys, Datum **parts);

// Lists all shards: a reference table is on each.
List *list_all_shards();

} // namespace shardwise
