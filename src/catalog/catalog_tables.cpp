#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "access/relscan.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

static constexpr const char *extension_name = "shardwise";

// In the order of CatalogTable.
static constexpr const char *table_names[] = {"shard",
                                              "keyspace",
                                              "map_entry",
                                              "pin",
                                              "distribution",
                                              "shipped_function",
                                              "ghost_range",
                                              "plan",
                                              "move",
                                              "move_range",
                                              "gate",
                                              "shipped_extension",
                                              "shipped_type",
                                              "shipped_collation",
                                              "shipped_configuration",
                                              "shipped_dictionary",
                                              "table_statistics"};
static constexpr int table_count = lengthof(table_names);

static struct {
    enum { Unknown, Absent, Present } state;
    Oid schema;
    Oid tables[table_count];
} extension;

void forget_extension()
{
    extension.state = extension.Unknown;
}

static bool find_extension_tables()
{
    if (!OidIsValid(get_extension_oid(extension_name, true)))
        return false;
    extension.schema = get_namespace_oid(extension_name, true);
    if (!OidIsValid(extension.schema))
        return false;
    for (int i = 0; i < table_count; i++) {
        extension.tables[i] = get_relname_relid(table_names[i], extension.schema);
        if (!OidIsValid(extension.tables[i]))
            return false;
    }
    return true;
}

// Reads the catalogs, once after a change of our foreign data wrapper: it is made and dropped with
// the extension and, unlike pg_extension, announced to other backends.
static bool look_up_extension()
{
    if (!OidIsValid(MyDatabaseId) || !IsTransactionState() || IsBootstrapProcessingMode())
        return false;

    for (int attempt = 0; attempt < max_build_attempts; attempt++) {
        uint64 generation = cache_generation();
        bool found = find_extension_tables();
        if (generation == cache_generation()) {
            if (found)
                extension.state = extension.Present;
            else if (!creating_extension) // our script may be about to make the tables
                extension.state = extension.Absent;
            return found;
        }
    }
    return find_extension_tables();
}

bool extension_exists()
{
    if (likely(extension.state != extension.Unknown))
        return extension.state == extension.Present;
    return look_up_extension();
}

static void require_extension()
{
    if (!extension_exists())
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("extension \"%s\" does not exist in this database", extension_name),
                        errhint("Run CREATE EXTENSION %s.", extension_name)));
}

Oid schema_oid()
{
    require_extension();
    return extension.schema;
}

Oid catalog_table_oid(const char *name)
{
    require_extension();
    Oid relid = get_relname_relid(name, extension.schema);
    if (!OidIsValid(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("catalog table \"%s.%s\" does not exist", extension_name, name)));
    return relid;
}

bool identify_catalog_table(Oid relid, CatalogTable *table)
{
    if (extension.state != extension.Present)
        return false;
    for (int i = 0; i < table_count; i++) {
        if (extension.tables[i] == relid) {
            *table = static_cast<CatalogTable>(i);
            return true;
        }
    }
    return false;
}

static Oid table_oid(CatalogTable table)
{
    require_extension();
    return extension.tables[static_cast<int>(table)];
}

Snapshot take_catalog_snapshot()
{
    return RegisterSnapshot(GetCatalogSnapshot(table_oid(CatalogTable::Keyspace)));
}

void release_catalog_snapshot(Snapshot snapshot)
{
    UnregisterSnapshot(snapshot);
}

static CatalogScan begin_scan(CatalogTable table, Snapshot snapshot, int nkeys, ScanKey keys)
{
    CatalogScan scan;
    scan.rel = table_open(table_oid(table), AccessShareLock);
    Oid index = nkeys > 0 ? RelationGetPrimaryKeyIndex(scan.rel) : InvalidOid;
    scan.scan = systable_beginscan(scan.rel, index, OidIsValid(index), snapshot, nkeys, keys);
    return scan;
}

CatalogScan scan_all_rows(CatalogTable table, Snapshot snapshot)
{
    return begin_scan(table, snapshot, 0, nullptr);
}

CatalogScan scan_rows_by_oid(CatalogTable table, Snapshot snapshot, Oid value)
{
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
    return begin_scan(table, snapshot, 1, &key);
}

CatalogScan scan_rows_by_number(CatalogTable table, Snapshot snapshot, int32 value)
{
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(value));
    return begin_scan(table, snapshot, 1, &key);
}

HeapTuple next_row(CatalogScan *scan)
{
    CHECK_FOR_INTERRUPTS();
    return systable_getnext(scan->scan);
}

void end_scan(CatalogScan *scan)
{
    systable_endscan(scan->scan);
    table_close(scan->rel, AccessShareLock);
}

Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column, bool *isnull)
{
    return heap_getattr(row, column, RelationGetDescr(scan->rel), isnull);
}

Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column)
{
    bool isnull;
    Datum value = get_column(scan, row, column, &isnull);
    if (isnull)
        elog(ERROR, "unexpected NULL in column %d of catalog table \"%s\"", column,
             RelationGetRelationName(scan->rel));
    return value;
}

} // namespace shardwise
