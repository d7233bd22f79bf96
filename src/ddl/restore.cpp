// The rows that a restored dump has left in the router's own tables.
//
// pg_dump of a router has the rows of all shards. When it is restored, they arrive before the
// metadata or after it, in one session or in several, and nobody knows yet whether the shards still
// have them. So they stay on the router, where no query reads them, until all is restored.
#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/ddl.hpp"
#include "ddl/keyspace_builder.hpp"
#include "ddl/row_transfer.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/table_shipment.hpp"
#include "pg/restoring.hpp"

extern "C" {
#include "access/tableam.h"
}

namespace shardwise
{

namespace
{

struct RestoredTable {
    Relation rel;
    uint64 rows; // in the router's own table
    const char *action;
};

uint64 count_leaf_rows(Relation rel)
{
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TableScanDesc scan = table_beginscan(rel, snapshot, 0, nullptr);
    TupleTableSlot *slot = table_slot_create(rel, nullptr);
    uint64 rows = 0;
    while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
        CHECK_FOR_INTERRUPTS();
        rows++;
    }
    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    return rows;
}

uint64 count_local_rows(Oid relid)
{
    uint64 rows = 0;
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Relation rel = table_open(lfirst_oid(cell), NoLock);
        if (rel->rd_rel->relkind == RELKIND_RELATION)
            rows += count_leaf_rows(rel);
        table_close(rel, NoLock);
    }
    return rows;
}

bool is_true(const Target *target, const char *sql)
{
    PGresult *result = run_command(target->connection, sql);
    return strcmp(PQgetvalue(result, 0, 0), "t") == 0;
}

// True if every shard has the table, false if none has.
bool shards_have(const List *targets, Oid relid)
{
    char *name = qualified_table_name(relid);
    const char *sql =
        psprintf("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", quote_literal_cstr(name));
    const Target *with = nullptr, *without = nullptr;
    ListCell *cell;
    foreach (cell, targets) {
        const Target *target = static_cast<const Target *>(lfirst(cell));
        (is_true(target, sql) ? with : without) = target;
    }
    if (with != nullptr && without != nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s is on shard \"%s\", but not on shard \"%s\"", name,
                               connection_shard_name(with->connection),
                               connection_shard_name(without->connection)),
                        errhint("Drop it on all shards to have it created there with the dump's "
                                "rows, or create it on the others.")));
    return with != nullptr;
}

bool shards_have_rows(const List *targets, Oid relid)
{
    const char *sql = psprintf("SELECT EXISTS (SELECT FROM %s)", qualified_table_name(relid));
    ListCell *cell;
    foreach (cell, targets)
        if (is_true(static_cast<const Target *>(lfirst(cell)), sql))
            return true;
    return false;
}

void load_rows(const List *targets, Oid relid)
{
    Table table = *find_table(relid);
    copy_rows_out(&table, targets);
}

// Sees to a table that the shards have. What they hold is newer than any dump.
const char *settle(const List *targets, Oid relid, uint64 rows)
{
    if (rows == 0)
        return "kept";
    if (shards_have_rows(targets, relid))
        return "dropped";
    load_rows(targets, relid);
    return "loaded";
}

// Creates all missing tables together, as foreign keys may tie them.
void create_missing(const List *targets, RestoredTable *tables, int n)
{
    Shipment shipment = {const_cast<List *>(targets), NIL};
    for (int i = 0; i < n; i++)
        if (tables[i].action == nullptr)
            shipment.relids = lappend_oid(shipment.relids, RelationGetRelid(tables[i].rel));
    if (shipment.relids == NIL)
        return;
    ship_tables(&shipment);
    for (int i = 0; i < n; i++) {
        if (tables[i].action != nullptr)
            continue;
        load_rows(targets, RelationGetRelid(tables[i].rel));
        tables[i].action = "created";
    }
    finish_tables(&shipment);
}

void settle_tables(RestoredTable *tables, int n)
{
    Management management = begin_management(all_shard_ids());
    for (int i = 0; i < n; i++) {
        Oid relid = RelationGetRelid(tables[i].rel);
        tables[i].rows = count_local_rows(relid);
        if (shards_have(management.targets, relid))
            tables[i].action = settle(management.targets, relid, tables[i].rows);
    }
    create_missing(management.targets, tables, n);
    end_management(&management);
    for (int i = 0; i < n; i++) {
        empty_local_table(RelationGetRelid(tables[i].rel));
        confirm_distribution(RelationGetRelid(tables[i].rel));
    }
}

} // namespace

} // namespace shardwise

using namespace shardwise;

// finish_restore(): one row for each table that a restore has brought.
SHARDWISE_FUNCTION(shardwise_finish_restore)
{
    if (session_restores_dump())
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the session still restores a dump"),
                        errhint("Call finish_restore() in another session.")));
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lock_metadata();
    List *relids = list_distributions();
    RestoredTable *tables =
        static_cast<RestoredTable *>(palloc0((list_length(relids) + 1) * sizeof(RestoredTable)));
    int n = 0;
    ListCell *cell;
    foreach (cell, relids)
        if (find_table(lfirst_oid(cell))->restored)
            tables[n++].rel = open_whole_table(lfirst_oid(cell), "finish_restore()");
    if (n > 0)
        settle_tables(tables, n);
    request_statistics_refresh(); // a dump has none
    for (int i = 0; i < n; i++) {
        Datum values[] = {ObjectIdGetDatum(RelationGetRelid(tables[i].rel)),
                          CStringGetTextDatum(tables[i].action),
                          Int64GetDatum((int64)tables[i].rows)};
        bool nulls[3] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        relation_close(tables[i].rel, NoLock);
    }
    return (Datum)0;
}
