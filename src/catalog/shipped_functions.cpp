// Cache of the functions that the shards have too: those that tables need, and those of extensions.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

struct ShippedFunctions {
    List *oids; // sorted
};

static const ShippedFunctions *cached_functions;

void drop_shipped_functions()
{
    if (!cached_functions)
        return;
    retire(cached_functions);
    cached_functions = nullptr;
}

static void add_function(ShippedFunctions *functions, Oid function, MemoryContext context)
{
    MemoryContext caller = MemoryContextSwitchTo(context);
    functions->oids = lappend_oid(functions->oids, function);
    MemoryContextSwitchTo(caller);
}

// What an extension calls immutable is the same everywhere; the rest may depend on settings of its
// own, which do not follow the router's.
static void add_members(ShippedFunctions *functions, const char *name, MemoryContext context)
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
        if (row->classid == ProcedureRelationId && row->deptype == DEPENDENCY_EXTENSION &&
            SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(row->objid)) &&
            func_volatile(row->objid) == PROVOLATILE_IMMUTABLE)
            add_function(functions, row->objid, context);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
}

static ShippedFunctions *load_functions(MemoryContext context)
{
    auto *functions = (ShippedFunctions *)MemoryContextAllocZero(context, sizeof(ShippedFunctions));
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_all_rows(CatalogTable::ShippedFunction, snapshot);
    while (HeapTuple row = next_row(&scan)) {
        Oid function = DatumGetObjectId(get_column(&scan, row, column::shipped_function));
        add_function(functions, function, context);
    }
    end_scan(&scan);
    scan = scan_all_rows(CatalogTable::ShippedExtension, snapshot);
    while (HeapTuple row = next_row(&scan)) {
        Name name = DatumGetName(get_column(&scan, row, column::shipped_extension));
        add_members(functions, NameStr(*name), context);
    }
    end_scan(&scan);
    release_catalog_snapshot(snapshot);
    list_sort(functions->oids, list_oid_cmp);
    return functions;
}

bool function_is_shipped(Oid function)
{
    if (!extension_exists())
        return false;
    const ShippedFunctions *functions = cached_functions;
    if (unlikely(!functions)) {
        bool current;
        functions = build_cache_object(load_functions, &current);
        if (current)
            cached_functions = functions;
    }
    const List *oids = functions->oids;
    if (oids == NIL)
        return false;
    auto is_lower = [](const ListCell &cell, Oid oid) { return cell.oid_value < oid; };
    const ListCell *end = oids->elements + oids->length;
    const ListCell *found =
        std::lower_bound(static_cast<const ListCell *>(oids->elements), end, function, is_lower);
    return found != end && found->oid_value == function;
}

} // namespace shardwise
