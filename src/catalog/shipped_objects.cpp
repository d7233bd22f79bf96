// Cache of what the shards have too: functions, types, collations, text search
// configurations and dictionaries that tables need, and those of extensions.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

enum class Kind { Function, Type, Collation, Configuration, Dictionary };

// Where objects of a kind are listed, and their own catalog.
static const struct {
    CatalogTable table;
    Oid class_id;
} kinds[] = {{CatalogTable::ShippedFunction, ProcedureRelationId},
             {CatalogTable::ShippedType, TypeRelationId},
             {CatalogTable::ShippedCollation, CollationRelationId},
             {CatalogTable::ShippedConfiguration, TSConfigRelationId},
             {CatalogTable::ShippedDictionary, TSDictionaryRelationId}};
static constexpr int kind_count = lengthof(kinds);

struct ShippedObjects {
    List *oids[kind_count]; // sorted
};

static const ShippedObjects *cached_objects;

void drop_shipped_objects()
{
    if (!cached_objects)
        return;
    retire(cached_objects);
    cached_objects = nullptr;
}

static void add_object(ShippedObjects *objects, int kind, Oid object, MemoryContext context)
{
    MemoryContext caller = MemoryContextSwitchTo(context);
    objects->oids[kind] = lappend_oid(objects->oids[kind], object);
    MemoryContextSwitchTo(caller);
}

// What an extension calls immutable is the same everywhere; other functions may depend on settings
// of its own, which do not follow the router's.
static bool is_the_same_there(int kind, Oid object)
{
    return kinds[kind].class_id != ProcedureRelationId ||
           (SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(object)) &&
            func_volatile(object) == PROVOLATILE_IMMUTABLE);
}

static void add_members(ShippedObjects *objects, const char *name, MemoryContext context)
{
    Oid extension = get_extension_oid(name, true);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(ExtensionRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(extension));
    Relation depend = table_open(DependRelationId, AccessShareLock);
    SysScanDesc scan =
        systable_beginscan(depend, DependReferenceIndexId, true, nullptr, lengthof(keys), keys);
    while (HeapTuple tuple = systable_getnext(scan)) {
        Form_pg_depend row = (Form_pg_depend)GETSTRUCT(tuple);
        for (int kind = 0; kind < kind_count; kind++)
            if (row->classid == kinds[kind].class_id && row->deptype == DEPENDENCY_EXTENSION &&
                is_the_same_there(kind, row->objid))
                add_object(objects, kind, row->objid, context);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
}

static ShippedObjects *load_objects(MemoryContext context)
{
    auto *objects = (ShippedObjects *)MemoryContextAllocZero(context, sizeof(ShippedObjects));
    Snapshot snapshot = take_catalog_snapshot();
    for (int kind = 0; kind < kind_count; kind++) {
        CatalogScan scan = scan_all_rows(kinds[kind].table, snapshot);
        while (HeapTuple row = next_row(&scan)) {
            Oid object = DatumGetObjectId(get_column(&scan, row, column::shipped_object));
            add_object(objects, kind, object, context);
        }
        end_scan(&scan);
    }
    CatalogScan scan = scan_all_rows(CatalogTable::ShippedExtension, snapshot);
    while (HeapTuple row = next_row(&scan)) {
        Name name = DatumGetName(get_column(&scan, row, column::shipped_object));
        add_members(objects, NameStr(*name), context);
    }
    end_scan(&scan);
    release_catalog_snapshot(snapshot);
    for (List *oids : objects->oids)
        list_sort(oids, list_oid_cmp);
    return objects;
}

static bool is_listed(Kind kind, Oid object)
{
    if (!extension_exists())
        return false;
    const ShippedObjects *objects = cached_objects;
    if (unlikely(!objects)) {
        bool current;
        objects = build_cache_object(load_objects, &current);
        if (current)
            cached_objects = objects;
    }
    const List *oids = objects->oids[static_cast<int>(kind)];
    if (oids == NIL)
        return false;
    auto is_lower = [](const ListCell &cell, Oid oid) { return cell.oid_value < oid; };
    const ListCell *end = oids->elements + oids->length;
    const ListCell *found =
        std::lower_bound(static_cast<const ListCell *>(oids->elements), end, object, is_lower);
    return found != end && found->oid_value == object;
}

bool function_is_shipped(Oid function)
{
    return is_listed(Kind::Function, function);
}

bool type_is_shipped(Oid type)
{
    if (type < FirstNormalObjectId || is_listed(Kind::Type, type))
        return true;
    Oid element = get_element_type(type);
    if (OidIsValid(element))
        return type_is_shipped(element);
    switch (get_typtype(type)) {
    case TYPTYPE_COMPOSITE:
        return find_table(get_typ_typrelid(type)) != nullptr;
    case TYPTYPE_MULTIRANGE:
        return type_is_shipped(get_multirange_range(type));
    default:
        return false;
    }
}

bool collation_is_shipped(Oid collation)
{
    return collation < FirstNormalObjectId || is_listed(Kind::Collation, collation);
}

bool text_search_configuration_is_shipped(Oid configuration)
{
    return configuration < FirstNormalObjectId || is_listed(Kind::Configuration, configuration);
}

bool text_search_dictionary_is_shipped(Oid dictionary)
{
    return dictionary < FirstNormalObjectId || is_listed(Kind::Dictionary, dictionary);
}

} // namespace shardwise
