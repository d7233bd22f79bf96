#include "catalog/held_maps.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog_tables.hpp"

extern "C" {
#include "access/transam.h"
}

namespace shardwise
{

struct HeldMap {
    int32 keyspace_id;
    const Keyspace *keyspace;
};

static struct {
    Snapshot snapshot; // nullptr: none are held
    uint64 execution;
    bool readable;
    List *older; // HeldMap *: of keyspaces whose map is another one now
} held;

void hold_maps(uint64 execution, bool readable)
{
    release_maps();
    ResourceOwner caller = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    held.snapshot = take_catalog_snapshot();
    CurrentResourceOwner = caller;
    held.execution = execution;
    held.readable = readable;
}

void release_maps()
{
    if (held.snapshot == nullptr)
        return;
    ResourceOwner caller = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    release_catalog_snapshot(held.snapshot);
    CurrentResourceOwner = caller;
    held = {}; // the memory of older maps goes with the transaction's
}

// Whether they are of an execution's snapshots.
static bool are_of(uint64 execution)
{
    return held.snapshot != nullptr && (held.execution == 0 || held.execution == execution);
}

bool has_held_maps(uint64 execution)
{
    return held.readable && are_of(execution);
}

bool has_moved_since(const Keyspace *keyspace, Snapshot snapshot)
{
    if (likely(keyspace->moved_by == 0))
        return false;
    // Numbers are used again; what is so old is older than any snapshot.
    constexpr uint64 memory = 1000 * 1000 * 1000;
    uint64 next = U64FromFullTransactionId(ReadNextFullTransactionId());
    return next - keyspace->moved_by <= memory &&
           XidInMVCCSnapshot(static_cast<TransactionId>(keyspace->moved_by), snapshot);
}

// A keyspace that is younger than the snapshot has no older map.
static const Keyspace *find_older(const Keyspace *now)
{
    ListCell *cell;
    foreach (cell, held.older) {
        const HeldMap *map = (const HeldMap *)lfirst(cell);
        if (map->keyspace_id == now->id)
            return map->keyspace;
    }
    MemoryContext saved = MemoryContextSwitchTo(TopTransactionContext);
    const Keyspace *older = load_keyspace(now->id, CurrentMemoryContext, held.snapshot);
    HeldMap *map = (HeldMap *)palloc(sizeof(HeldMap));
    *map = {now->id, older != nullptr ? older : now};
    held.older = lappend(held.older, map);
    MemoryContextSwitchTo(saved);
    return map->keyspace;
}

[[noreturn]] void raise_rows_have_moved()
{
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
             errmsg("could not serialize access due to a concurrent move of rows between shards"),
             errhint("The transaction might succeed if retried.")));
}

const Keyspace *find_keyspace_for(int32 keyspace_id, MapUse use)
{
    const Keyspace *keyspace = find_keyspace(keyspace_id);
    bool reads_held = !use.writes && are_of(use.execution);
    if (likely(!reads_held) || !has_moved_since(keyspace, held.snapshot))
        return keyspace;
    if (!held.readable)
        raise_rows_have_moved();
    return find_older(keyspace);
}

void check_owner_for_write(const Keyspace *keyspace, const Datum *key, int32 owner)
{
    if (held.snapshot == nullptr || !IsolationUsesXactSnapshot() ||
        !has_moved_since(keyspace, held.snapshot))
        return;
    if (!held.readable || key == nullptr || find_owner(find_older(keyspace), key) != owner)
        raise_rows_have_moved();
}

} // namespace shardwise
