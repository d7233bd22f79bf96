// What the caches of this room share: memory, and knowing that a build was overtaken by a change.
// Private to the room.
//
// Every cached object has a memory context of its own. An invalidation only takes the object out of
// its cache and sets its context aside, since callers may still hold pointers; the end of the
// transaction frees it. So the callbacks neither allocate nor raise errors.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Number of invalidations that this backend has seen.
uint64 cache_generation();

// Context of all cached objects; made on first use (in the postmaster there is no parent for it).
MemoryContext cache_context();

// Sets an object of a cache aside; it is freed at the end of the transaction.
void retire(const void *object);

// Reads a keyspace's row, map and pins under one snapshot, so that a change of the map is seen
// whole or not at all; nullptr where there is none. For the cache, and for maps of the past.
const Keyspace *load_keyspace(int32 id, MemoryContext context, Snapshot snapshot);

// Each cache empties itself.
void drop_table(Oid relid);
void drop_tables();
void drop_tables_with_keyspace();
void drop_keyspaces();
void drop_checked_keyspaces();
void drop_shards();
void drop_shipped_objects();

// With debug_discard_caches every build is overtaken.
constexpr int max_build_attempts = 8;

// Runs `build(context)`, again where an invalidation came in meanwhile. *current tells whether the
// result may enter a cache; otherwise it is already set aside and good for this transaction only.
// `build` may return nullptr.
template <typename Build> auto build_cache_object(Build &&build, bool *current)
{
    for (int attempt = 1;; attempt++) {
        uint64 generation = cache_generation();
        MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "shardwise cache entry",
                                                      ALLOCSET_SMALL_SIZES);
        auto object = build(context);
        *current = generation == cache_generation();
        if (object && (*current || attempt == max_build_attempts)) {
            MemoryContextSetParent(context, cache_context());
            if (!*current)
                retire(object);
            return object;
        }
        MemoryContextDelete(context);
        if (*current || attempt == max_build_attempts)
            return object;
    }
}

} // namespace shardwise
