#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"
#include "catalog/held_maps.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
#include "utils/catcache.h"
}

namespace shardwise
{

static uint64 generation;
static uint64 map_changes;
static MemoryContext live_objects;
static MemoryContext retired_objects;

uint64 cache_generation()
{
    return generation;
}

uint64 count_map_changes()
{
    return map_changes;
}

MemoryContext cache_context()
{
    if (!live_objects) {
        if (!CacheMemoryContext)
            CreateCacheMemoryContext();
        retired_objects = AllocSetContextCreate(CacheMemoryContext, "shardwise retired entries",
                                                ALLOCSET_SMALL_SIZES);
        live_objects =
            AllocSetContextCreate(CacheMemoryContext, "shardwise cache", ALLOCSET_SMALL_SIZES);
    }
    return live_objects;
}

void retire(const void *object)
{
    MemoryContextSetParent(GetMemoryChunkContext(const_cast<void *>(object)), retired_objects);
}

static void drop_everything()
{
    drop_tables();
    drop_keyspaces();
    drop_shards();
    drop_shipped_objects();
}

static void drop_what_depends_on(CatalogTable table)
{
    switch (table) {
    case CatalogTable::Shard:
        drop_shards();
        break;
    case CatalogTable::Keyspace:
    case CatalogTable::MapEntry:
    case CatalogTable::Pin:
    case CatalogTable::GhostRange:
    case CatalogTable::Gate:
        map_changes++;
        drop_tables_with_keyspace();
        drop_keyspaces();
        break;
    case CatalogTable::Distribution:
        drop_tables();
        break;
    case CatalogTable::ShippedFunction:
    case CatalogTable::ShippedExtension:
    case CatalogTable::ShippedType:
    case CatalogTable::ShippedCollation:
    case CatalogTable::ShippedConfiguration:
    case CatalogTable::ShippedDictionary:
        drop_shipped_objects();
        break;
    case CatalogTable::Plan:
    case CatalogTable::Move:
    case CatalogTable::MoveRange:       // read with a gate
    case CatalogTable::TableStatistics: // a change is announced as one of the table itself
        break;
    }
}

extern "C" {

static void relation_changed(Datum, Oid relid)
{
    generation++;
    if (!OidIsValid(relid)) {
        drop_everything();
        return;
    }
    drop_table(relid);
    CatalogTable table;
    if (identify_catalog_table(relid, &table))
        drop_what_depends_on(table);
}

static void foreign_server_changed(Datum, int, uint32)
{
    generation++;
    drop_shards();
}

static void foreign_data_wrapper_changed(Datum, int, uint32)
{
    generation++;
    drop_everything();
    forget_extension();
}

static void free_retired_objects(XactEvent event, void *)
{
    switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PARALLEL_ABORT:
    case XACT_EVENT_PREPARE:
        if (retired_objects)
            MemoryContextReset(retired_objects);
        break;
    default:
        break;
    }
}

} // extern "C"

void init_catalog()
{
    CacheRegisterRelcacheCallback(relation_changed, 0);
    CacheRegisterSyscacheCallback(FOREIGNSERVEROID, foreign_server_changed, 0);
    CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, foreign_data_wrapper_changed, 0);
    RegisterXactCallback(free_retired_objects, nullptr);
}

static void announce_relation(Oid relid)
{
    if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid))) // else its drop was announced
        CacheInvalidateRelcacheByRelid(relid);
}

void invalidate_table(Oid relid)
{
    // Plans of a query on a partition depend on the partition alone.
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, NoLock, nullptr))
        announce_relation(lfirst_oid(cell));
    announce_relation(catalog_table_oid("shipped_function"));
}

void invalidate_shard_maps()
{
    announce_relation(catalog_table_oid("shard"));
    announce_relation(catalog_table_oid("keyspace"));
}

} // namespace shardwise
