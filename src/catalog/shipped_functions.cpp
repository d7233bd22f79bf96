// Cache of the functions that the shards have too.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"

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

static ShippedFunctions *load_functions(MemoryContext context)
{
    auto *functions = (ShippedFunctions *)MemoryContextAllocZero(context, sizeof(ShippedFunctions));
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_all_rows(CatalogTable::ShippedFunction, snapshot);
    while (HeapTuple row = next_row(&scan)) {
        Oid function = DatumGetObjectId(get_column(&scan, row, column::shipped_function));
        MemoryContext caller = MemoryContextSwitchTo(context);
        functions->oids = lappend_oid(functions->oids, function);
        MemoryContextSwitchTo(caller);
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
