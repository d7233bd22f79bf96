#include "pg/pg.hpp"

#include "catalog/catalog_columns.hpp"
#include "ddl/catalog_rows.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/indexing.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

static Relation open_catalog(const char *name, LOCKMODE mode = RowExclusiveLock)
{
    return table_open(catalog_table_oid(name), mode);
}

// Catalog rows are read as the system reads its own: through a fresh snapshot, index or not.
static SysScanDesc scan_by_int4(Relation rel, ScanKeyData *key, AttrNumber attribute, int32 value)
{
    ScanKeyInit(key, attribute, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(value));
    return systable_beginscan(rel, InvalidOid, false, nullptr, 1, key);
}

// By the primary key of tables that have one row an object, of which there may be many.
static SysScanDesc scan_by_oid(Relation rel, ScanKeyData *key, AttrNumber attribute, Oid value)
{
    ScanKeyInit(key, attribute, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
    return systable_beginscan(rel, RelationGetPrimaryKeyIndex(rel), true, nullptr, 1, key);
}

static void insert_row(const char *table, const Datum *values, const bool *nulls)
{
    Relation rel = open_catalog(table);
    HeapTuple tuple = heap_form_tuple(RelationGetDescr(rel), const_cast<Datum *>(values),
                                      const_cast<bool *>(nulls));
    CatalogTupleInsert(rel, tuple);
    heap_freetuple(tuple);
    table_close(rel, NoLock);
    CommandCounterIncrement();
}

static void delete_by_int4(const char *table, AttrNumber attribute, int32 value)
{
    Relation rel = open_catalog(table);
    ScanKeyData key;
    SysScanDesc scan = scan_by_int4(rel, &key, attribute, value);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan)))
        CatalogTupleDelete(rel, &tuple->t_self);
    systable_endscan(scan);
    table_close(rel, NoLock);
}

static bool row_exists(const char *table, AttrNumber attribute, int32 value)
{
    Relation rel = open_catalog(table, AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan = scan_by_int4(rel, &key, attribute, value);
    bool found = HeapTupleIsValid(systable_getnext(scan));
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return found;
}

// Finds the smallest number from 1 that the first column of a table does not hold, nor columns of
// the moves: what is gone is not mistaken for what comes.
static int32 free_number(const char *table, std::initializer_list<AttrNumber> of_moves)
{
    auto is_taken = [=](int32 number) {
        return row_exists(table, 1, number) ||
               std::any_of(of_moves.begin(), of_moves.end(), [=](AttrNumber attribute) {
                   return row_exists("move", attribute, number);
               });
    };
    int32 number = 1;
    while (is_taken(number))
        number++;
    return number;
}

void lock_metadata()
{
    LockRelationOid(catalog_table_oid("keyspace"), ShareRowExclusiveLock);
}

void share_metadata()
{
    LockRelationOid(catalog_table_oid("keyspace"), RowExclusiveLock);
}

int32 insert_shard(const char *name, double weight, bool is_local)
{
    int32 id = free_number("shard", {column::move_source, column::move_target});
    NameData shard_name;
    namestrcpy(&shard_name, name);
    Datum values[] = {Int32GetDatum(id), NameGetDatum(&shard_name), Float8GetDatum(weight),
                      BoolGetDatum(is_local)};
    bool nulls[lengthof(values)] = {};
    insert_row("shard", values, nulls);
    invalidate_shard_maps();
    CommandCounterIncrement();
    return id;
}

void update_shard_weight(int32 shard_id, double weight)
{
    Relation rel = open_catalog("shard");
    ScanKeyData key;
    SysScanDesc scan = scan_by_int4(rel, &key, column::shard_id, shard_id);
    HeapTuple tuple = systable_getnext(scan);
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "shard %d has no row", shard_id);

    Datum values[4] = {};
    bool nulls[4] = {};
    bool replaces[4] = {};
    values[column::shard_weight - 1] = Float8GetDatum(weight);
    replaces[column::shard_weight - 1] = true;
    HeapTuple changed = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replaces);
    CatalogTupleUpdate(rel, &changed->t_self, changed);
    systable_endscan(scan);
    table_close(rel, NoLock);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

void delete_shard(int32 shard_id)
{
    delete_by_int4("shard", column::shard_id, shard_id);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

static char *describe_owned_range(int32 shard_id)
{
    Relation rel = open_catalog("map_entry", AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan = scan_by_int4(rel, &key, column::entry_shard, shard_id);
    HeapTuple tuple = systable_getnext(scan);
    char *description = nullptr;
    if (HeapTupleIsValid(tuple)) {
        bool isnull;
        TupleDesc desc = RelationGetDescr(rel);
        int32 keyspace = DatumGetInt32(heap_getattr(tuple, column::entry_keyspace, desc, &isnull));
        int32 entry = DatumGetInt32(heap_getattr(tuple, column::entry_position, desc, &isnull));
        description = psprintf("range %d of keyspace %d", entry, keyspace);
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return description;
}

char *describe_shard_duty(int32 shard_id)
{
    char *range = describe_owned_range(shard_id);
    if (range != nullptr)
        return range;
    if (row_exists("pin", column::pin_shard, shard_id))
        return pstrdup("a pinned key");
    if (row_exists("keyspace", column::keyspace_default_shard, shard_id))
        return pstrdup("the keys of a default shard");
    if (row_exists("ghost_range", column::ghost_shard, shard_id))
        return pstrdup("rows of a move that is not finished");
    return nullptr;
}

bool has_ghost_ranges(int32 keyspace_id, int32 shard_id)
{
    Relation rel = open_catalog("ghost_range", AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan = scan_by_int4(rel, &key, column::ghost_keyspace, keyspace_id);
    bool found = false;
    HeapTuple tuple;
    while (!found && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool isnull;
        Datum shard = heap_getattr(tuple, column::ghost_shard, RelationGetDescr(rel), &isnull);
        found = DatumGetInt32(shard) == shard_id;
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return found;
}

static const char *strategy_name(Strategy strategy)
{
    switch (strategy) {
    case Strategy::Hash:
        return "hash";
    case Strategy::ConsistentHash:
        return "consistent_hash";
    case Strategy::Range:
        return "range";
    case Strategy::List:
        return "list";
    }
    return nullptr;
}

static Datum oid_array(int count, const Oid *oids, Oid element_type)
{
    Datum elements[max_key_columns];
    for (int i = 0; i < count; i++)
        elements[i] = ObjectIdGetDatum(oids[i]);
    return PointerGetDatum(
        construct_array(elements, count, element_type, sizeof(Oid), true, TYPALIGN_INT));
}

int32 insert_keyspace(Strategy strategy, int nkeys, const Oid *key_types, const Oid *key_collations,
                      int32 virtual_nodes, int32 default_shard)
{
    int32 id = free_number("keyspace", {column::move_keyspace});
    Datum values[] = {Int32GetDatum(id),
                      CStringGetTextDatum(strategy_name(strategy)),
                      oid_array(nkeys, key_types, REGTYPEOID),
                      oid_array(nkeys, key_collations, REGCOLLATIONOID),
                      Int32GetDatum(virtual_nodes),
                      Int32GetDatum(default_shard),
                      Int64GetDatum(1),
                      static_cast<Datum>(0), // no move yet
                      BoolGetDatum(false)};
    bool nulls[lengthof(values)] = {};
    nulls[4] = strategy != Strategy::ConsistentHash;
    nulls[5] = default_shard == 0;
    nulls[7] = true;
    insert_row("keyspace", values, nulls);
    invalidate_shard_maps();
    return id;
}

// Sets a column of the row that a scan looks for, and ends the scan.
static void set_column(Relation rel, SysScanDesc scan, int column, Datum value)
{
    HeapTuple tuple = systable_getnext(scan);
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "no row to be changed in catalog table \"%s\"", RelationGetRelationName(rel));
    bool isnull = false;
    HeapTuple changed =
        heap_modify_tuple_by_cols(tuple, RelationGetDescr(rel), 1, &column, &value, &isnull);
    CatalogTupleUpdate(rel, &changed->t_self, changed);
    systable_endscan(scan);
}

void mark_keys_checked(int32 keyspace_id)
{
    Relation rel = open_catalog("keyspace");
    ScanKeyData key;
    set_column(rel, scan_by_int4(rel, &key, column::keyspace_id, keyspace_id),
               column::keyspace_checks_keys, BoolGetDatum(true));
    table_close(rel, NoLock);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

void insert_hash_entry(int32 keyspace_id, int32 entry, int64 lower_hash, int32 shard_id)
{
    Datum values[] = {Int32GetDatum(keyspace_id), Int32GetDatum(entry), Int64GetDatum(lower_hash),
                      static_cast<Datum>(0), Int32GetDatum(shard_id)};
    bool nulls[] = {false, false, false, true, false};
    insert_row("map_entry", values, nulls);
}

void insert_key_entry(int32 keyspace_id, int32 entry, ArrayType *lower_key, int32 shard_id)
{
    Datum values[] = {Int32GetDatum(keyspace_id), Int32GetDatum(entry), static_cast<Datum>(0),
                      PointerGetDatum(lower_key), Int32GetDatum(shard_id)};
    bool nulls[] = {false, false, true, lower_key == nullptr, false};
    insert_row("map_entry", values, nulls);
}

void insert_distribution(Oid relid, int32 keyspace_id, int nkeys, const char *const *key_columns)
{
    Datum columns = 0;
    if (keyspace_id != 0) {
        Datum elements[max_key_columns];
        for (int i = 0; i < nkeys; i++) {
            Name name = static_cast<Name>(palloc0(sizeof(NameData)));
            namestrcpy(name, key_columns[i]);
            elements[i] = NameGetDatum(name);
        }
        columns = PointerGetDatum(
            construct_array(elements, nkeys, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
    }
    Datum values[] = {ObjectIdGetDatum(relid), Int32GetDatum(keyspace_id), columns,
                      BoolGetDatum(false)};
    bool nulls[] = {false, keyspace_id == 0, keyspace_id == 0, false};
    insert_row("distribution", values, nulls);
    invalidate_table(relid);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

static void delete_keyspace_if_unused(int32 keyspace_id)
{
    CommandCounterIncrement();
    if (row_exists("distribution", column::distribution_keyspace, keyspace_id))
        return;
    delete_by_int4("map_entry", column::entry_keyspace, keyspace_id);
    delete_by_int4("pin", column::pin_keyspace, keyspace_id);
    delete_by_int4("ghost_range", column::ghost_keyspace, keyspace_id);
    delete_by_int4("keyspace", column::keyspace_id, keyspace_id);
}

// Of a table and its partitions.
static void delete_statistics(Oid relid)
{
    Relation rel = open_catalog("table_statistics");
    ListCell *cell;
    foreach (cell, find_all_inheritors(relid, NoLock, nullptr)) {
        ScanKeyData key;
        SysScanDesc scan = scan_by_oid(rel, &key, column::statistics_relation, lfirst_oid(cell));
        HeapTuple tuple = systable_getnext(scan);
        if (HeapTupleIsValid(tuple))
            CatalogTupleDelete(rel, &tuple->t_self);
        systable_endscan(scan);
    }
    table_close(rel, NoLock);
}

void delete_distribution(Oid relid)
{
    delete_statistics(relid);
    Relation rel = open_catalog("distribution");
    ScanKeyData key;
    SysScanDesc scan = scan_by_oid(rel, &key, column::distribution_relation, relid);
    HeapTuple tuple = systable_getnext(scan);
    int32 keyspace_id = 0;
    if (HeapTupleIsValid(tuple)) {
        bool isnull;
        Datum value =
            heap_getattr(tuple, column::distribution_keyspace, RelationGetDescr(rel), &isnull);
        keyspace_id = isnull ? 0 : DatumGetInt32(value);
        CatalogTupleDelete(rel, &tuple->t_self);
    }
    systable_endscan(scan);
    table_close(rel, NoLock);

    if (keyspace_id != 0)
        delete_keyspace_if_unused(keyspace_id);
    invalidate_table(relid);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

// The caller's lock on the table lets one writer in at a time.
void store_table_statistics(Oid relid, double rows, double pages, const char *analyzed)
{
    Relation rel = open_catalog("table_statistics");
    TupleDesc shape = RelationGetDescr(rel);
    Datum values[column::statistics_columns] = {
        ObjectIdGetDatum(relid), Float8GetDatum(rows), Float8GetDatum(pages),
        analyzed != nullptr ? CStringGetTextDatum(analyzed) : (Datum)0};
    bool nulls[column::statistics_columns] = {false, false, false, analyzed == nullptr};
    bool replaced[column::statistics_columns] = {false, true, true, analyzed != nullptr};

    ScanKeyData key;
    SysScanDesc scan = scan_by_oid(rel, &key, column::statistics_relation, relid);
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple)) {
        HeapTuple changed = heap_modify_tuple(tuple, shape, values, nulls, replaced);
        CatalogTupleUpdate(rel, &tuple->t_self, changed);
    } else {
        CatalogTupleInsert(rel, heap_form_tuple(shape, values, nulls));
    }
    systable_endscan(scan);
    table_close(rel, NoLock);
    CacheInvalidateRelcacheByRelid(relid);
}

char *find_analyzed(Oid relid)
{
    Relation rel = open_catalog("table_statistics", AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan = scan_by_oid(rel, &key, column::statistics_relation, relid);
    HeapTuple tuple = systable_getnext(scan);
    bool isnull = true;
    Datum value = HeapTupleIsValid(tuple) ? heap_getattr(tuple, column::statistics_analyzed,
                                                         RelationGetDescr(rel), &isnull)
                                          : (Datum)0;
    char *analyzed = isnull ? nullptr : TextDatumGetCString(value);
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return analyzed;
}

List *list_distributions()
{
    List *relids = NIL;
    Relation rel = open_catalog("distribution", AccessShareLock);
    SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, nullptr, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        bool isnull;
        Datum relid =
            heap_getattr(tuple, column::distribution_relation, RelationGetDescr(rel), &isnull);
        relids = lappend_oid(relids, DatumGetObjectId(relid));
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    list_sort(relids, list_oid_cmp);
    return relids;
}

// The table that records objects of a class; nullptr where none does.
static const char *shipped_table(Oid class_id)
{
    switch (class_id) {
    case ProcedureRelationId:
        return "shipped_function";
    case TypeRelationId:
        return "shipped_type";
    case NamespaceRelationId:
        return "shipped_schema";
    case ExtensionRelationId:
        return "shipped_extension";
    case CollationRelationId:
        return "shipped_collation";
    case OperatorRelationId:
        return "shipped_operator";
    case OperatorClassRelationId:
        return "shipped_operator_class";
    case OperatorFamilyRelationId:
        return "shipped_operator_family";
    case CastRelationId:
        return "shipped_cast";
    case TSParserRelationId:
        return "shipped_parser";
    case TSTemplateRelationId:
        return "shipped_template";
    case TSDictionaryRelationId:
        return "shipped_dictionary";
    case TSConfigRelationId:
        return "shipped_configuration";
    default:
        return nullptr;
    }
}

// Extensions are known by name, as a dump knows them.
static SysScanDesc scan_shipped(Relation rel, ScanKeyData *key, Oid class_id, Oid object_id)
{
    if (class_id != ExtensionRelationId)
        return scan_by_oid(rel, key, column::shipped_object, object_id);
    Name name = static_cast<Name>(palloc0(sizeof(NameData)));
    namestrcpy(name, get_extension_name(object_id));
    ScanKeyInit(key, column::shipped_object, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(name));
    return systable_beginscan(rel, InvalidOid, false, nullptr, 1, key);
}

bool is_shipped_object(Oid class_id, Oid object_id)
{
    const char *table = shipped_table(class_id);
    if (table == nullptr)
        return false;
    Relation rel = open_catalog(table, AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan = scan_shipped(rel, &key, class_id, object_id);
    bool found = HeapTupleIsValid(systable_getnext(scan));
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return found;
}

void delete_shipped_object(Oid class_id, Oid object_id)
{
    const char *table = shipped_table(class_id);
    if (table == nullptr)
        return;
    Relation rel = open_catalog(table);
    ScanKeyData key;
    SysScanDesc scan = scan_shipped(rel, &key, class_id, object_id);
    HeapTuple tuple = systable_getnext(scan);
    if (HeapTupleIsValid(tuple))
        CatalogTupleDelete(rel, &tuple->t_self);
    systable_endscan(scan);
    table_close(rel, NoLock);
    CommandCounterIncrement();
}

void insert_shipped_object(Oid class_id, Oid object_id)
{
    const char *table = shipped_table(class_id);
    if (table == nullptr || is_shipped_object(class_id, object_id))
        return;
    Datum values[] = {ObjectIdGetDatum(object_id)};
    bool nulls[] = {false};
    if (class_id == ExtensionRelationId)
        values[0] = DirectFunctionCall1(namein, CStringGetDatum(get_extension_name(object_id)));
    insert_row(table, values, nulls);
    CacheInvalidateRelcacheByRelid(catalog_table_oid(table)); // functions are cached
}

void confirm_distribution(Oid relid)
{
    Relation rel = open_catalog("distribution");
    ScanKeyData key;
    set_column(rel, scan_by_oid(rel, &key, column::distribution_relation, relid),
               column::distribution_restored, BoolGetDatum(false));
    table_close(rel, NoLock);
    invalidate_table(relid);
    CommandCounterIncrement();
}

void rename_key_column(Oid relid, const char *old_name, const char *new_name)
{
    Relation rel = open_catalog("distribution");
    ScanKeyData key;
    SysScanDesc scan = scan_by_oid(rel, &key, column::distribution_relation, relid);
    HeapTuple tuple = systable_getnext(scan);
    bool isnull;
    Datum columns =
        heap_getattr(tuple, column::distribution_key_columns, RelationGetDescr(rel), &isnull);
    Datum *names;
    int count;
    deconstruct_array(DatumGetArrayTypeP(columns), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
                      &names, nullptr, &count);
    for (int i = 0; i < count; i++) {
        if (strcmp(NameStr(*DatumGetName(names[i])), old_name) != 0)
            continue;
        Name name = static_cast<Name>(palloc0(sizeof(NameData)));
        namestrcpy(name, new_name);
        names[i] = NameGetDatum(name);
    }
    Datum values[4] = {};
    bool nulls[4] = {};
    bool replaces[4] = {};
    values[column::distribution_key_columns - 1] =
        PointerGetDatum(construct_array(names, count, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
    replaces[column::distribution_key_columns - 1] = true;
    HeapTuple changed = heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replaces);
    CatalogTupleUpdate(rel, &changed->t_self, changed);
    systable_endscan(scan);
    table_close(rel, NoLock);
    invalidate_table(relid);
    invalidate_shard_maps();
    CommandCounterIncrement();
}

} // namespace shardwise
