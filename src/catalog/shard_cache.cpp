// Cache of the shards with their foreign servers.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"

extern "C" {
#include "foreign/foreign.h"
}

namespace shardwise
{

struct ShardList {
    int count;
    const Shard **shards; // by number
};

static const ShardList *cached_shards;

void drop_shards()
{
    if (!cached_shards)
        return;
    retire(cached_shards);
    cached_shards = nullptr;
}

// Finds the foreign server of a shard; a server of that name under another wrapper is none.
static Oid find_shard_server(const char *name)
{
    Oid server = get_foreign_server_oid(name, true);
    Oid wrapper = get_foreign_data_wrapper_oid("shardwise", true);
    if (!OidIsValid(server) || GetForeignServer(server)->fdwid != wrapper)
        return InvalidOid;
    return server;
}

static Shard *read_shard(const CatalogScan *scan, HeapTuple row, MemoryContext context)
{
    Shard *shard = (Shard *)MemoryContextAllocZero(context, sizeof(Shard));
    shard->id = DatumGetInt32(get_column(scan, row, column::shard_id));
    namestrcpy(&shard->name, NameStr(*DatumGetName(get_column(scan, row, column::shard_name))));
    shard->weight = DatumGetFloat8(get_column(scan, row, column::shard_weight));
    shard->is_local = DatumGetBool(get_column(scan, row, column::shard_is_local));
    shard->server = find_shard_server(NameStr(shard->name));
    return shard;
}

static int compare_shard_cells(const ListCell *a, const ListCell *b)
{
    int32 first = ((const Shard *)lfirst(a))->id, second = ((const Shard *)lfirst(b))->id;
    return (first > second) - (first < second);
}

static ShardList *load_shards(MemoryContext context)
{
    ShardList *result = (ShardList *)MemoryContextAllocZero(context, sizeof(ShardList));
    List *rows = NIL;
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_all_rows(CatalogTable::Shard, snapshot);
    while (HeapTuple row = next_row(&scan))
        rows = lappend(rows, read_shard(&scan, row, context));
    end_scan(&scan);
    release_catalog_snapshot(snapshot);

    list_sort(rows, compare_shard_cells);
    result->shards = (const Shard **)MemoryContextAllocZero(context, sizeof(Shard *) *
                                                                         Max(1, list_length(rows)));
    ListCell *cell;
    foreach (cell, rows)
        result->shards[result->count++] = (const Shard *)lfirst(cell);
    list_free(rows);
    return result;
}

static const ShardList *get_shards()
{
    if (likely(cached_shards != nullptr))
        return cached_shards;
    bool current;
    const ShardList *shards = build_cache_object(load_shards, &current);
    if (current)
        cached_shards = shards;
    return shards;
}

// nullptr if there is none.
static const Shard *look_up_shard(int32 shard_id)
{
    const ShardList *list = get_shards();
    const Shard *const *end = list->shards + list->count;
    const Shard *const *found =
        std::lower_bound(list->shards, const_cast<const Shard **>(end), shard_id,
                         [](const Shard *shard, int32 id) { return shard->id < id; });
    return found != end && (*found)->id == shard_id ? *found : nullptr;
}

bool shard_exists(int32 shard_id)
{
    return look_up_shard(shard_id) != nullptr;
}

const Shard *find_shard(int32 shard_id)
{
    const Shard *shard = look_up_shard(shard_id);
    if (shard == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("shard number %d does not exist", shard_id)));
    return shard;
}

const Shard *find_shard_by_name(const char *name)
{
    const ShardList *list = get_shards();
    for (int i = 0; i < list->count; i++)
        if (strcmp(NameStr(list->shards[i]->name), name) == 0)
            return list->shards[i];
    return nullptr;
}

const Shard *find_existing_shard(const char *name)
{
    const Shard *shard = find_shard_by_name(name);
    if (shard == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("shard \"%s\" does not exist", name),
                 errhint("SELECT * FROM shardwise.shards lists the shards.")));
    return shard;
}

int list_shards(const Shard *const **shards)
{
    const ShardList *list = get_shards();
    *shards = list->shards;
    return list->count;
}

} // namespace shardwise
