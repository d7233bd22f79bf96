// Cache of relations: which are distributed, by which columns. Local tables have entries too, since
// every relation of every query is looked up.
#include "pg/pg.hpp"

#include "catalog/cache.hpp"
#include "catalog/catalog.hpp"
#include "catalog/catalog_tables.hpp"
#include "pg/restoring.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/partition.h"
#include "utils/hsearch.h"
}

namespace shardwise
{

struct TableEntry {
    Oid relid;           // the hash key
    bool is_partition;   // found through its parent
    bool has_partitions; // some entry was found through this one
    const Table *table;  // nullptr: local
};

static HTAB *entries;

static TableEntry *find_entry(Oid relid)
{
    return (TableEntry *)hash_search(entries, &relid, HASH_FIND, nullptr);
}

static void remove_entry(TableEntry *entry)
{
    if (entry->table)
        retire(entry->table);
    hash_search(entries, &entry->relid, HASH_REMOVE, nullptr);
}

template <typename Matches> static void remove_entries(Matches &&matches)
{
    if (!entries)
        return;
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, entries);
    while (auto *entry = (TableEntry *)hash_seq_search(&status))
        if (matches(entry))
            remove_entry(entry);
}

void drop_tables()
{
    remove_entries([](const TableEntry *) { return true; });
}

void drop_tables_with_keyspace()
{
    remove_entries([](const TableEntry *entry) { return entry->table && entry->table->keyspace; });
}

void drop_table(Oid relid)
{
    TableEntry *entry = entries ? find_entry(relid) : nullptr;
    if (!entry)
        return;
    bool has_partitions = entry->has_partitions;
    remove_entry(entry);
    if (has_partitions)
        remove_entries([](const TableEntry *other) { return other->is_partition; });
}

static AttrNumber find_key_column(Oid relid, const char *name)
{
    AttrNumber column = get_attnum(relid, name);
    if (column == InvalidAttrNumber)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_COLUMN),
                 errmsg("shard key column \"%s\" of table \"%s\" does not exist", name,
                        get_rel_name(relid)),
                 errdetail("The table was distributed by this column, which has been renamed or "
                           "dropped since.")));
    return column;
}

static void read_key_columns(Table *table, ArrayType *names)
{
    Datum *values;
    int count;
    deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &values, nullptr, &count);
    if (count != table->keyspace->nkeys)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("table \"%s\" has %d shard key columns, its keyspace %d",
                               get_rel_name(table->relid), count, table->keyspace->nkeys)));
    table->nkeys = count;
    for (int i = 0; i < count; i++)
        table->key_columns[i] = find_key_column(table->relid, NameStr(*DatumGetName(values[i])));
}

static void read_size(Table *table)
{
    CatalogScan scan = scan_rows_by_oid(CatalogTable::TableStatistics, nullptr, table->relid);
    HeapTuple row = next_row(&scan);
    bool found = HeapTupleIsValid(row);
    table->rows = found ? DatumGetFloat8(get_column(&scan, row, column::statistics_rows)) : 0;
    table->pages = found ? DatumGetFloat8(get_column(&scan, row, column::statistics_pages)) : 0;
    end_scan(&scan);
}

// Reads a relation's own row; nullptr where it has none, or the relation is gone.
static Table *load_table(Oid relid, MemoryContext context)
{
    if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
        return nullptr;
    Table *table = nullptr;
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_rows_by_oid(CatalogTable::Distribution, snapshot, relid);
    if (HeapTuple row = next_row(&scan)) {
        table = (Table *)MemoryContextAllocZero(context, sizeof(Table));
        table->relid = relid;
        table->restored = DatumGetBool(get_column(&scan, row, column::distribution_restored));
        Datum keyspace =
            get_column(&scan, row, column::distribution_keyspace, &table->is_reference);
        if (!table->is_reference) {
            table->keyspace = find_keyspace(DatumGetInt32(keyspace));
            Datum names = get_column(&scan, row, column::distribution_key_columns);
            read_key_columns(table, DatumGetArrayTypeP(names));
        }
    }
    end_scan(&scan);
    release_catalog_snapshot(snapshot);
    return table;
}

// Makes a partition distributed as its parent is; the columns may stand in another order.
static Table *inherit_table(Oid relid, const Table *parent, MemoryContext context)
{
    Table *table = (Table *)MemoryContextAllocZero(context, sizeof(Table));
    *table = *parent;
    table->relid = relid;
    for (int i = 0; i < table->nkeys; i++)
        table->key_columns[i] =
            find_key_column(relid, get_attname(parent->relid, parent->key_columns[i], false));
    return table;
}

static Oid find_parent(Oid relid)
{
    if (!get_rel_relispartition(relid))
        return InvalidOid;
    List *ancestors = get_partition_ancestors(relid);
    return ancestors == NIL ? InvalidOid : linitial_oid(ancestors); // none while detaching
}

// Resolves a relation. The parent's entry is in the cache by then, so that its invalidation finds
// the partition's.
static Table *resolve_table(Oid relid, Oid parent, MemoryContext context)
{
    if (OidIsValid(parent)) {
        const Table *inherited = find_table(parent);
        if (TableEntry *entry = find_entry(parent))
            entry->has_partitions = true;
        if (inherited)
            return inherit_table(relid, inherited, context);
    }
    return load_table(relid, context);
}

static void make_entries()
{
    HASHCTL control = {};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(TableEntry);
    control.hcxt = cache_context();
    entries = hash_create("shardwise tables", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static const Table *look_up_table(Oid relid)
{
    bool current;
    Oid parent;
    const Table *table = build_cache_object(
        [&](MemoryContext context) {
            parent = find_parent(relid);
            Table *table = resolve_table(relid, parent, context);
            if (table != nullptr)
                read_size(table);
            return table;
        },
        &current);
    if (current) {
        bool found; // by a nested call: a domain's check may run a query while keys are read
        auto *entry = (TableEntry *)hash_search(entries, &relid, HASH_ENTER, &found);
        if (found && entry->table)
            retire(entry->table);
        entry->is_partition = OidIsValid(parent);
        entry->has_partitions = found && entry->has_partitions;
        entry->table = table;
    }
    return table;
}

// True for a table whose metadata a dump has brought, perhaps not all of it yet: where its rows are
// is settled once the restore is over.
static bool is_being_restored(Oid relid)
{
    Oid parent = find_parent(relid);
    if (OidIsValid(parent))
        return is_being_restored(parent);
    Snapshot snapshot = take_catalog_snapshot();
    CatalogScan scan = scan_rows_by_oid(CatalogTable::Distribution, snapshot, relid);
    HeapTuple row = next_row(&scan);
    bool restored = HeapTupleIsValid(row) &&
                    DatumGetBool(get_column(&scan, row, column::distribution_restored));
    end_scan(&scan);
    release_catalog_snapshot(snapshot);
    return restored;
}

const Table *find_table(Oid relid)
{
    if (relid < FirstNormalObjectId || !extension_exists())
        return nullptr;
    if (unlikely(!entries))
        make_entries();
    if (unlikely(session_restores_dump()) && is_being_restored(relid))
        return nullptr;
    if (TableEntry *entry = find_entry(relid))
        return entry->table;
    return look_up_table(relid);
}

bool is_key_column(const Table *table, AttrNumber column)
{
    for (int i = 0; i < table->nkeys; i++)
        if (table->key_columns[i] == column)
            return true;
    return false;
}

void quote_key_columns(const Table *table, const char **names)
{
    for (int i = 0; i < table->nkeys; i++)
        names[i] = quote_identifier(get_attname(table->relid, table->key_columns[i], false));
}

void find_key_columns_in(Oid relid, const Table *table, AttrNumber *columns)
{
    for (int i = 0; i < table->nkeys; i++)
        columns[i] = get_attnum(relid, get_attname(table->relid, table->key_columns[i], false));
}

} // namespace shardwise
