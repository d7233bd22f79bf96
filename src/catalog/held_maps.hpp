// Shard maps as of the moment when a transaction's shards took their snapshots. A move leaves the
// rows that it has swapped on their source until nobody can see them any more, so what reads by
// such snapshots finds all rows where they were: it keeps the map that they go with, and no move
// is in its way.
//
// What writes needs the owners of this moment.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// What a map is asked for.
struct MapUse {
    bool writes;      // or locks rows
    uint64 execution; // of the executor, that reads; 0: none
};

// Holds the maps as they are now, in place of those held before. `execution`: those whose snapshots
// are to be taken; 0: all of the transaction. With `readable` false snapshots are taken later, one
// by one: reads by a map that has changed since raise an error.
void hold_maps(uint64 execution, bool readable);
void release_maps();

// True where reads of an execution keep the maps that are held.
bool has_held_maps(uint64 execution);

// How often this backend has learned of a change of any map.
uint64 count_map_changes();

// Finds a keyspace with the map to be used. Errors: those of find_keyspace(); 40001 where
// snapshots were taken one by one, and rows have moved meanwhile.
const Keyspace *find_keyspace_for(int32 keyspace_id, MapUse use);

// Raises 40001 where a write goes to another shard (of all the keyspace's rows, with `key` nullptr:
// may go to one) than the transaction's snapshots say that its rows are on. A transaction with a
// snapshot for each statement has none such.
void check_owner_for_write(const Keyspace *keyspace, const Datum *key, int32 owner);

// True where rows of the keyspace have moved since a snapshot of the router was taken.
bool has_moved_since(const Keyspace *keyspace, Snapshot snapshot);

// Raises what these raise.
[[noreturn]] void raise_rows_have_moved();

} // namespace shardwise
